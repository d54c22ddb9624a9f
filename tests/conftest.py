"""Shared fixtures. Tests run in JAX's default precision; `x64` switches to double precision for one test."""

import jax
import pytest

# Files that take longest come first, so that no worker is left alone with one of them in the end.
FIRST = (
    "test_unroll.py",
    "test_check.py",
    "test_golden.py",
    "test_second_derivatives.py",
    "test_networks.py",
    "test_spike_operator.py",
    "test_training_derivatives.py",
    "test_third_document.py",
)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


@pytest.fixture
def x64():
    """Double precision for the length of one test."""
    with jax.enable_x64(True):
        yield
