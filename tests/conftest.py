"""Shared fixtures. Tests run in JAX's default precision; `x64` switches to double precision for one test."""

import jax
import pytest

# What we promise of JAX itself, and so what is run on its oldest and its newest version: the core, networks and their
# fast paths, and derivatives through training.
VERSIONED = {
    "test_cells.py",
    "test_check.py",
    "test_combinators.py",
    "test_compile_once.py",
    "test_edge_values.py",
    "test_events.py",
    "test_fast_paths.py",
    "test_golden.py",
    "test_hypergradient_convention.py",
    "test_inputs.py",
    "test_meta_loop.py",
    "test_networks.py",
    "test_pytree.py",
    "test_second_derivatives.py",
    "test_spike_operator.py",
    "test_training_derivatives.py",
    "test_unroll.py",
    "test_user_classes.py",
}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.name in VERSIONED:
            item.add_marker(pytest.mark.versions)


@pytest.fixture
def x64():
    """Double precision for the length of one test."""
    with jax.enable_x64(True):
        yield
