"""Training as a function, against closed forms: gradient descent on parabolas."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from surgrad.meta import inner_loop

pytestmark = pytest.mark.versions

STEPS, CURVATURE, START, TARGET, RATE = 12, 0.7, 3.0, -1.0, 0.3
BATCHES = np.full(STEPS, CURVATURE)
LEFT = 1 - RATE * CURVATURE
"""What a step of gradient descent leaves of the distance to the minimum."""
START_AT = {"w": np.array([START, 0.5])}


def parabola(weights, target, curvature):
    return curvature * jnp.sum((weights["w"] - target) ** 2) / 2


def run(target=TARGET, optimizer=optax.sgd(RATE), **options):
    return inner_loop(parabola, START_AT, target, BATCHES, optimizer, **options)


def test_weights_and_losses_are_those_of_gradient_descent_on_a_parabola(x64):
    trained = run()
    distance = START_AT["w"] - TARGET
    np.testing.assert_allclose(trained.weights["w"], TARGET + LEFT**STEPS * distance, rtol=1e-14)
    kept = LEFT ** np.arange(STEPS)[:, None] * distance
    np.testing.assert_allclose(trained.losses, CURVATURE / 2 * (kept**2).sum(axis=1), rtol=1e-13)


@pytest.mark.parametrize("jacobian", [jax.jacfwd, jax.jacrev])
@pytest.mark.parametrize("checkpoint_every", [None, "auto", 1, 5])
def test_derivatives_by_a_target_are_right_in_both_modes_with_all_checkpoints(x64, jacobian, checkpoint_every):
    found = jacobian(lambda target: run(target, checkpoint_every=checkpoint_every).weights["w"])(TARGET)
    np.testing.assert_allclose(found, 1 - LEFT**STEPS, rtol=1e-13)


def test_a_learning_rate_can_be_a_hyperparameter(x64):
    given = jax.jacrev(
        lambda rate: inner_loop(parabola, START_AT, rate * 0 + TARGET, BATCHES, optax.sgd(rate)).weights["w"]
    )
    made = jax.jacrev(
        lambda rate: inner_loop(lambda w, h, b: parabola(w, TARGET, b), START_AT, rate, BATCHES, optax.sgd).weights["w"]
    )
    expected = -STEPS * CURVATURE * LEFT ** (STEPS - 1) * (START_AT["w"] - TARGET)
    np.testing.assert_allclose(given(RATE), expected, rtol=1e-13)
    np.testing.assert_allclose(made(RATE), expected, rtol=1e-13)


def test_momentum_follows_its_recursion(x64):
    trained = run(optimizer=optax.sgd(RATE, momentum=0.9))
    w, velocity = START_AT["w"].copy(), 0.0
    for _ in range(STEPS):
        velocity = 0.9 * velocity + CURVATURE * (w - TARGET)
        w = w - RATE * velocity
    np.testing.assert_allclose(trained.weights["w"], w, rtol=1e-13)


def test_two_runs_are_one_where_the_state_goes_on(x64):
    whole = run(optimizer=optax.adam(0.1))
    half = inner_loop(parabola, START_AT, TARGET, BATCHES[:5], optax.adam(0.1))
    rest = inner_loop(parabola, half.weights, TARGET, BATCHES[5:], optax.adam(0.1), state=half.state)
    np.testing.assert_allclose(rest.weights["w"], whole.weights["w"], rtol=1e-14)
    np.testing.assert_array_equal(np.concatenate([half.losses, rest.losses]), whole.losses)


def test_numbers_of_python_are_weights_too():
    trained = inner_loop(lambda w, h, b: (w - h) ** 2 * b, 1.0, 0.0, np.ones(3, np.float32), optax.sgd(0.25))
    np.testing.assert_allclose(trained.weights, 0.125)


@pytest.mark.parametrize("batches", [(), np.zeros(()), np.zeros((0, 3)), (np.zeros(3), np.zeros(4))])
def test_batches_without_a_common_axis_of_steps_are_refused(batches):
    with pytest.raises(ValueError, match="leading axis of steps"):
        inner_loop(parabola, START_AT, TARGET, batches, optax.sgd(RATE))


@pytest.mark.unchecked("wrong types on purpose")
@pytest.mark.parametrize("optimizer", [0.1, lambda hyper: hyper])
def test_what_is_no_optimizer_is_refused(optimizer):
    with pytest.raises(TypeError, match=r"optimizer must be an optimiser of Optax"):
        inner_loop(parabola, START_AT, TARGET, BATCHES, optimizer)
