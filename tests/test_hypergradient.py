"""Hypergradients of all modes against closed forms: gradient descent on a parabola whose minimum is learned."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from surgrad.meta.explosion import ExplodingHypergradientWarning
from surgrad.meta.hypergradient import MODES, Method, Rules, Start, _compiled, hypergradient
from surgrad.meta.loop import train
from test_compile_once import Compilations

STEPS, RATE, START, GOAL = 12, 0.3, 3.0, 2.0
HYPER = {"target": -1.0, "weight": 0.5}
BATCHES = np.ones(STEPS)
LEFT = 1 - RATE
SGD = optax.sgd(RATE)
KEY = jax.random.key(0)


def loss(w, hyper, batch):
    return batch * (w - hyper["target"]) ** 2 / 2


def outer(w, hyper):
    return (w - GOAL) ** 2 / 2 + hyper["weight"] * w


def after(steps):
    """Weights, and the derivatives of the outer loss by the hyperparameters, the first through so many last steps."""
    w = HYPER["target"] + LEFT**STEPS * (START - HYPER["target"])
    slope = w - GOAL + HYPER["weight"]
    return w, {"target": slope * (1 - LEFT**steps), "weight": w}


def compute(mode, **options):
    return hypergradient(loss, outer, START, HYPER, BATCHES, SGD, mode=mode, **options)


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)


@pytest.mark.parametrize("mode", ["reverse", "forward"])
def test_value_and_gradient_have_their_closed_form(x64, mode):
    result = compute(mode)
    w, gradient = after(STEPS)
    np.testing.assert_allclose(result.value, (w - GOAL) ** 2 / 2 + HYPER["weight"] * w, rtol=1e-13)
    np.testing.assert_allclose(result.trained.weights, w, rtol=1e-13)
    assert result.trained.losses.shape == (STEPS,)
    assert_close(result.gradient, gradient)


@pytest.mark.parametrize("window", [1, 5, STEPS])
def test_a_truncated_gradient_goes_through_the_last_steps_alone(x64, window):
    result = compute("truncated", window=window)
    assert_close(result.gradient, after(window)[1])
    assert result.trained.losses.shape == (STEPS,)


def test_reverse_mode_knows_the_gradients_of_all_shorter_windows(x64):
    windows = compute("reverse").diagnosis.windows
    for steps in range(1, STEPS + 1):
        assert_close({name: window[steps - 1] for name, window in windows.items()}, after(steps)[1])


def test_norms_shrink_backwards_as_training_forgets_and_grow_forwards_to_what_it_learns(x64):
    (w, _), steps = after(STEPS), np.arange(STEPS)
    backwards = np.abs(w - GOAL + HYPER["weight"]) * LEFT**steps
    np.testing.assert_allclose(compute("reverse").diagnosis.norms, backwards, rtol=1e-12)
    np.testing.assert_allclose(compute("forward").diagnosis.norms, 1 - LEFT ** (steps + 1), rtol=1e-12)


def test_the_longest_window_of_another_sign_is_told(x64):
    """A first step of weight -10 outweighs all others: the sign turns with the whole window, and with it alone."""
    batches = np.ones(STEPS)

    def signed(w, hyper, batch):
        return w * hyper * batch

    batches[0] = -2 * STEPS
    result = hypergradient(signed, lambda w, hyper: w, 0.0, 1.0, batches, SGD)
    assert result.diagnosis.turns == STEPS - 1
    np.testing.assert_allclose(result.gradient, -RATE * batches.sum())


def test_a_state_of_an_optimizer_that_holds_hyperparameters_is_differentiated_too(x64):
    """The learning rate lies in the state, from which each step takes it."""

    def optimizer(hyper):
        return optax.inject_hyperparams(optax.sgd)(learning_rate=hyper)

    expected = -STEPS * LEFT ** (STEPS - 1) * START * (START * LEFT**STEPS)
    for mode in ("reverse", "forward"):
        result = hypergradient(
            lambda w, hyper, batch: batch * w**2 / 2,
            lambda w, hyper: w**2 / 2,
            START,
            RATE,
            BATCHES,
            optimizer,
            mode=mode,
        )
        np.testing.assert_allclose(result.gradient, expected, rtol=1e-12)


def test_training_goes_on_from_a_state(x64):
    adam = optax.adam(0.1, eps_root=1e-8)
    whole = hypergradient(loss, outer, START, HYPER, BATCHES, adam, mode="truncated", window=5)
    head = train(loss, START, HYPER, BATCHES[:-5], adam)
    tail = hypergradient(loss, outer, head.weights, HYPER, BATCHES[-5:], adam, mode="forward", state=head.optimizer)
    assert_close(tail.gradient, whole.gradient)


def temporary_bytes(mode, steps):
    rules = Rules(lambda w, h, b: b * jnp.sum((w - h) ** 2), lambda w, h: jnp.sum(w**2), SGD)
    start = Start(jnp.ones(200), None, jnp.ones(()), jnp.ones(steps))
    compiled = _compiled.lower(rules, Method(mode, None, None, 2), start, None, 0.1).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_memory_of_forward_mode_does_not_grow_with_the_weights_times_the_steps():
    # Losses and norms of the steps are returned: two numbers a step, of 4 bytes, and their copies.
    assert temporary_bytes("forward", 2000) - temporary_bytes("forward", 20) < 1980 * 4 * 8
    assert temporary_bytes("reverse", 2000) - temporary_bytes("reverse", 20) > 1980 * 4 * 200


ADAM = {"default": optax.adam(0.1), "rooted": optax.adam(0.1, eps_root=1e-8)}


INPUT = np.array([1.0, 0.0])


def finished(function, *arguments):
    """The result of a compiled function after all that it has to say."""
    result = jax.block_until_ready(function(*arguments))
    jax.effects_barrier()
    return result


def half_dead(weights, hyper, batch):
    """The second weight gets no gradient, like those out of a neuron that never spikes."""
    return batch * (INPUT @ weights - hyper) ** 2


@pytest.mark.parametrize("mode", ["reverse", "forward"])
class TestNotFinite:
    def test_adam_without_eps_root_is_named_where_a_gradient_is_zero(self, mode):
        arguments = half_dead, lambda w, h: jnp.sum(w**2), np.ones(2), 0.5, BATCHES
        with pytest.raises(FloatingPointError, match=re.escape("optax.adam(1e-3, eps_root=1e-8)")):
            hypergradient(*arguments, ADAM["default"], mode=mode)
        assert np.isfinite(hypergradient(*arguments, ADAM["rooted"], mode=mode).gradient)

    def test_training_that_diverges_is_told_apart(self, mode):
        with pytest.raises(FloatingPointError, match="training itself diverges"):
            hypergradient(lambda w, h, b: h * w**4, lambda w, h: w, 3.0, 1.0, BATCHES, optax.sgd(1.0), mode=mode)

    def test_a_compiled_program_warns(self, mode):
        @jax.jit
        def gradient(hyper):
            arguments = half_dead, lambda w, h: jnp.sum(w**2), np.ones(2), hyper, BATCHES
            return hypergradient(*arguments, ADAM["default"], mode=mode)

        with pytest.warns(ExplodingHypergradientWarning, match="not finite"):
            result = finished(gradient, 0.5)
        assert not result.diagnosis.finite


def test_the_same_functions_compile_once():
    compute("forward")
    with Compilations() as again:
        hypergradient(loss, outer, START + 1, {"target": 7.0, "weight": 2.0}, BATCHES, SGD, mode="forward")
    assert (again.compiled, again.traced) == (0, 0)


MISTAKES = {
    "mode must be one of 'reverse'": {"mode": "backwards"},
    "mode 'truncated' needs window": {"mode": "truncated"},
    "mode 'evolution' needs key": {"mode": "evolution"},
    "mode 'persistent' needs window": {"mode": "persistent", "key": KEY},
    "window must be 1 to 12": {"mode": "truncated", "window": 13},
    "window must divide the 12 steps": {"mode": "persistent", "key": KEY, "window": 5},
    "window must be an integer >= 1, got 2.5": {"mode": "truncated", "window": 2.5},
    "samples must be an integer >= 2, got 1": {"mode": "evolution", "key": KEY, "samples": 1},
    "samples must be an integer >= 2, got 2.5": {"mode": "evolution", "key": KEY, "samples": 2.5},
    "sigma must be > 0 and finite, got inf": {"mode": "evolution", "key": KEY, "sigma": float("inf")},
    "sigma must be > 0": {"mode": "evolution", "key": KEY, "sigma": 0.0},
    "limit must be > 1": {"mode": "reverse", "limit": 1.0},
}


@pytest.mark.parametrize("message", MISTAKES)
@pytest.mark.unchecked("wrong types on purpose")
def test_options_out_of_range_are_refused(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        compute(**MISTAKES[message])


def test_the_documentation_names_every_mode():
    assert all(f'`"{mode}"`' in hypergradient.__doc__ for mode in MODES)
