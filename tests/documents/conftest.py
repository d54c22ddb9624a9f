"""What the documents' readers have around them: axes to draw on, and brainstate if it is installed."""

import warnings

import jax
import pytest


@pytest.fixture
def axes():
    """Axes of a figure that nobody shows."""
    figure = pytest.importorskip("matplotlib.figure")
    return figure.Figure().subplots()


@pytest.fixture(scope="session")
def brainstate():
    """brainstate, whose import warns of its own deprecated parts."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("brainstate")


@pytest.fixture(scope="session")
def compiled(request):
    """`brainstate.transform.jit`, which the third document uses, where it is installed; else `jax.jit`."""
    try:
        return request.getfixturevalue("brainstate").transform.jit
    except pytest.skip.Exception:
        return jax.jit
