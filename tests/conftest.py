"""Shared fixtures. Tests run in JAX's default precision; `x64` switches to double precision for one test."""

import jax
import pytest


@pytest.fixture
def x64():
    """Double precision for the length of one test."""
    with jax.enable_x64(True):
        yield
