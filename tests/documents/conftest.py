"""What the documents' readers have around them: axes to draw on, and other libraries if they are installed."""

import warnings
from pathlib import Path

import jax
import pytest


def library(name):
    """A library whose import warns of its own deprecated parts; without it, the test is skipped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


@pytest.fixture
def axes():
    """Axes of a figure that nobody shows."""
    figure = pytest.importorskip("matplotlib.figure")
    return figure.Figure().subplots()


@pytest.fixture(scope="session")
def brainstate():
    return library("brainstate")


@pytest.fixture(scope="session")
def braintools():
    return library("braintools")


@pytest.fixture(scope="session")
def brainpy():
    return library("brainpy")


@pytest.fixture(scope="session")
def brainunit():
    return library("brainunit")


@pytest.fixture(scope="session")
def compiled(request):
    """`brainstate.transform.jit`, which the third document uses, where it is installed; else `jax.jit`."""
    try:
        return request.getfixturevalue("brainstate").transform.jit
    except pytest.skip.Exception:
        return jax.jit


def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.promotes("the documents' code, as their readers run it"))
            item.add_marker(pytest.mark.unchecked("the documents' code, as their readers run it"))
