"""Shared fixtures. Tests run in JAX's default precision; `x64` switches to double precision for one test."""

import contextlib
import ctypes
import gc
import os

# Most of the time goes to compiling programs that run once, on small arrays. Set to 0 in the environment, the whole
# suite is compiled as users compile.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

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


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item, nextitem):
    """Forget the programs of a file after its last test: JAX keeps all, 10 MB a second of tests."""
    if nextitem is None or nextitem.path != item.path:
        jax.clear_caches()
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):  # glibc alone has to be asked to give memory back
            ctypes.CDLL("libc.so.6").malloc_trim(0)


@pytest.fixture(scope="module")
def optimised():
    """Programs of a file that are compiled as users compile: what rounding does to values depends on it."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture
def x64():
    """Double precision for the length of one test."""
    with jax.enable_x64(True):
        yield
