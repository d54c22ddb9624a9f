"""Shared fixtures. Tests run in JAX's default precision; `x64` switches to double precision for one test."""

import os

# Two devices on one CPU, so that what runs over a mesh is tested; JAX reads this when it starts.
os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count=2"

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

# Parameters that take seconds, and to whose tests others come close: these are slow tests.
LONG = (
    ("test_all_other_derivatives_are_too", "gradient of a population"),
    (
        "test_a_built_in_surrogate_keeps_all_laws_but_those_it_waives",
        "Dspike",
        "MultiGaussianGrad",
        "QPseudoSpike",
        "Fourier",
    ),
    ("test_a_python_loop_equals_a_scan", "sgd"),
    ("test_arrays_combinators_and_options_keep_the_laws", "Mixture", "Asymmetric"),
    ("test_derivatives_by_surrogates_and_learning_rate_equal_central_differences", "feed-forward-momentum-5-forward"),
    ("test_event_driven_derivatives_are_those_of_a_sparse_surrogate_on_the_dense_path", "feedforward"),
    ("test_events_and_frames_of_bytes_count_as_floats", "int32"),
    ("test_no_derivative_of_first_or_second_order_is_nan", "Dspike", "MultiGaussianGrad", "QPseudoSpike"),
    ("test_no_steps_and_no_samples_go_through_every_part", "chunk"),
    ("test_reverse_mode_equals_forward_mode", "plain-sgd", "checkpoint-sgd", "checkpoint-adam"),
    ("test_second_derivative_by_x_is_golden", "S2NN", "Dspike", "MultiGaussianGrad", "SquarewaveFourierSeries"),
    ("test_single_precision_passes_parity", "28-1-16-32-10"),
    ("test_the_gradient_is_that_of_one_scan_over_the_steps", "segments that time does not divide"),
    ("test_the_slope_of_a_combinator_is_the_derivative_of_its_curve", "Normalized"),
    ("test_transformations_see_the_matrix_product", "vmap of vmap", "third order", "jacrev"),
    ("test_what_stands_between_a_connection_and_its_cell_is_made_good", "delay and flatten"),
)
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
    long = {name: parameters for name, *parameters in LONG}
    for item in items:
        if item.path.name in VERSIONED:
            item.add_marker(pytest.mark.versions)
        if any(part in item.name for part in long.get(getattr(item, "originalname", item.name), ())):
            item.add_marker(pytest.mark.slow)
    items.sort(key=lambda item: FIRST.index(item.path.name) if item.path.name in FIRST else len(FIRST))


@pytest.fixture
def x64():
    """Double precision for the length of one test."""
    with jax.enable_x64(True):
        yield
