"""Hypergradients of all methods against closed forms: gradient descent on a parabola whose minimum is learned."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from surgrad import meta
from surgrad.meta import (
    Evolution,
    ExplodingHypergradientWarning,
    Forward,
    PersistentEvolution,
    Problem,
    Reverse,
    Truncated,
    hypergradient,
    inner_loop,
)
from surgrad.meta._gradients.hypergradient import _compiled
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
    by_weight = w - GOAL + HYPER["weight"]
    return w, {"target": by_weight * (1 - LEFT**steps), "weight": w}


def compute(method, **options):
    return hypergradient(loss, outer, START, HYPER, BATCHES, SGD, method=method, **options)


EXACT = pytest.mark.parametrize("method", [Reverse(), Forward()], ids=lambda method: type(method).__name__)


def assert_close(found, expected):
    assert found.keys() == expected.keys()
    for name in found:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-12)


@EXACT
def test_value_and_gradient_have_their_closed_form(x64, method):
    result = compute(method)
    w, gradient = after(STEPS)
    np.testing.assert_allclose(result.value, (w - GOAL) ** 2 / 2 + HYPER["weight"] * w, rtol=1e-13)
    np.testing.assert_allclose(result.inner.weights, w, rtol=1e-13)
    assert result.inner.losses.shape == (STEPS,)
    assert_close(result.gradient, gradient)


@pytest.mark.parametrize("window", [1, 5, STEPS])
def test_a_truncated_gradient_goes_through_the_last_steps_alone(x64, window):
    result = compute(Truncated(window))
    assert_close(result.gradient, after(window)[1])
    assert result.inner.losses.shape == (STEPS,)


def test_reverse_mode_knows_the_gradients_of_all_shorter_windows(x64):
    windows = compute(Reverse()).diagnosis.windows
    for steps in range(1, STEPS + 1):
        assert_close({name: window[steps - 1] for name, window in windows.items()}, after(steps)[1])


def test_norms_shrink_backwards_as_training_forgets_and_grow_forwards_to_what_it_learns(x64):
    (w, _), steps = after(STEPS), np.arange(STEPS)
    backwards = np.abs(w - GOAL + HYPER["weight"]) * LEFT**steps
    np.testing.assert_allclose(compute(Reverse()).diagnosis.norms, backwards, rtol=1e-12)
    np.testing.assert_allclose(compute(Forward()).diagnosis.norms, 1 - LEFT ** (steps + 1), rtol=1e-12)


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
    for method in (Reverse(), Forward()):
        result = hypergradient(
            lambda w, hyper, batch: batch * w**2 / 2,
            lambda w, hyper: w**2 / 2,
            START,
            RATE,
            BATCHES,
            optimizer,
            method=method,
        )
        np.testing.assert_allclose(result.gradient, expected, rtol=1e-12)


def test_training_goes_on_from_a_state(x64):
    adam = optax.adam(0.1, eps_root=1e-8)
    whole = hypergradient(loss, outer, START, HYPER, BATCHES, adam, method=Truncated(5))
    head = inner_loop(loss, START, HYPER, BATCHES[:-5], adam)
    tail = hypergradient(loss, outer, head.weights, HYPER, BATCHES[-5:], adam, method=Forward(), state=head.state)
    assert_close(tail.gradient, whole.gradient)


def temporary_bytes(method, steps):
    functions = lambda w, h, b: b * jnp.sum((w - h) ** 2), lambda w, h: jnp.sum(w**2), SGD
    problem = Problem(*functions, jnp.ones(200), jnp.ones(()), jnp.ones(steps))
    compiled = _compiled.lower(method, problem).compile()
    return compiled.memory_analysis().temp_size_in_bytes


def test_memory_of_forward_mode_does_not_grow_with_the_weights_times_the_steps():
    # Losses and norms of the steps are returned: two numbers a step, of 4 bytes, and their copies.
    assert temporary_bytes(Forward(), 2000) - temporary_bytes(Forward(), 20) < 1980 * 4 * 8
    kept = Reverse(checkpoint_every=None)
    assert temporary_bytes(kept, 2000) - temporary_bytes(kept, 20) > 1980 * 4 * 200


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


@EXACT
class TestNotFinite:
    def test_adam_without_eps_root_is_named_where_a_gradient_is_zero(self, method):
        arguments = half_dead, lambda w, h: jnp.sum(w**2), np.ones(2), 0.5, BATCHES
        with pytest.raises(FloatingPointError, match=re.escape("optax.adam(1e-3, eps_root=1e-8)")):
            hypergradient(*arguments, ADAM["default"], method=method)
        assert np.isfinite(hypergradient(*arguments, ADAM["rooted"], method=method).gradient)

    def test_training_that_diverges_is_told_apart(self, method):
        with pytest.raises(FloatingPointError, match="training itself diverges"):
            hypergradient(lambda w, h, b: h * w**4, lambda w, h: w, 3.0, 1.0, BATCHES, optax.sgd(1.0), method=method)

    def test_a_compiled_program_warns(self, method):
        @jax.jit
        def gradient(hyper):
            arguments = half_dead, lambda w, h: jnp.sum(w**2), np.ones(2), hyper, BATCHES
            return hypergradient(*arguments, ADAM["default"], method=method)

        with pytest.warns(ExplodingHypergradientWarning, match="not finite"):
            result = finished(gradient, 0.5)
        assert not result.diagnosis.finite


def test_the_same_functions_compile_once():
    compute(Forward())
    with Compilations() as again:
        hypergradient(loss, outer, START + 1, {"target": 7.0, "weight": 2.0}, BATCHES, SGD, method=Forward())
    assert (again.compiled, again.traced) == (0, 0)


MISTAKES = {
    "Truncated: window must be 1 to 12, the number of updates, got 13": lambda: compute(Truncated(13)),
    "PersistentEvolution: window must be 1 to 12": lambda: compute(PersistentEvolution(13, key=KEY)),
    "PersistentEvolution: window must divide the 12 updates, got 5": lambda: compute(PersistentEvolution(5, key=KEY)),
    "Truncated: window must be an integer >= 1, got 2.5": lambda: Truncated(2.5),
    "Truncated: window must be an integer >= 1, got 0": lambda: Truncated(0),
    "Evolution: samples must be an integer >= 2, got 1": lambda: Evolution(1, key=KEY),
    "PersistentEvolution: samples must be an integer >= 2, got 2.5": lambda: PersistentEvolution(2, 2.5, key=KEY),
    "Evolution: sigma must be > 0 and finite, got inf": lambda: Evolution(sigma=float("inf"), key=KEY),
    "PersistentEvolution: sigma must be > 0": lambda: PersistentEvolution(2, sigma=0.0, key=KEY),
    "Reverse: checkpoint_every must be an integer >= 1, got 0": lambda: Reverse(checkpoint_every=0),
    "Truncated: checkpoint_every must be an integer >= 1, got 'all'": lambda: Truncated(2, checkpoint_every="all"),
    "hypergradient: limit must be > 1": lambda: compute(Reverse(), limit=1.0),
}


@pytest.mark.parametrize("message", MISTAKES)
@pytest.mark.unchecked("wrong types on purpose")
def test_options_out_of_range_are_refused(message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MISTAKES[message]()


FORMER = {
    "no keyword 'mode'; write method=meta.Reverse(), meta.Forward()": {"mode": "forward"},
    "no keyword 'window'; it is an option of the method: write method=meta.Truncated(window)": {"window": 5},
    "no keyword 'segment'; it is an option of the method: write method=meta.Reverse(checkpoint_every": {"segment": 1},
    "no keyword 'key'; it is an option of the method: write method=meta.Evolution(key=key)": {"key": KEY},
    "method must be an object, method=meta.Reverse(), meta.Forward()": {"method": "forward"},
    "meta.PersistentEvolution(window, key=key), got <class": {"method": Forward},
}


@pytest.mark.parametrize("message", FORMER)
@pytest.mark.unchecked("wrong types on purpose")
def test_strings_and_keywords_in_place_of_methods_are_answered_by_what_to_write(message):
    with pytest.raises(TypeError, match=re.escape(message)):
        hypergradient(loss, outer, START, HYPER, BATCHES, SGD, **FORMER[message])


class Differences(meta.HypergradientMethod):
    """Central differences of the outer loss: a method that the package does not have."""

    step: float = 1e-5
    order: int = 1

    def require(self, steps):
        if steps < self.order:
            raise ValueError(f"Differences: order must be at most {steps}.")

    def differentiate(self, problem):
        def value(hyper):
            done = inner_loop(problem.loss, problem.weights, hyper, problem.batches, problem.optimizer)
            return problem.outer(done.weights, hyper)

        def by(name):
            moved = (problem.hyper | {name: problem.hyper[name] + side * self.step} for side in (1, -1))
            above, below = map(value, moved)
            return (above - below) / (2 * self.step)

        gradient = {name: by(name) for name in problem.hyper}
        diagnosis = meta.HypergradientDiagnosis(jnp.array(True), jnp.array(False))
        return meta.Hypergradient(value(problem.hyper), gradient, None, diagnosis)


def test_a_method_needs_nothing_but_its_own_class(x64):
    ours, theirs = compute(Differences()), compute(Reverse())
    np.testing.assert_allclose(ours.value, theirs.value, rtol=1e-13)
    for name, derivative in theirs.gradient.items():
        np.testing.assert_allclose(ours.gradient[name], derivative, rtol=1e-8)
    with pytest.raises(ValueError, match="order must be at most 12"):
        compute(Differences(order=13))
    with Compilations() as again:
        compute(Differences(2e-5))
    assert (again.compiled, again.traced) == (0, 0)


def test_a_method_without_differentiate_is_abstract():
    class Nothing(meta.HypergradientMethod):
        pass

    with pytest.raises(TypeError, match="differentiate"):
        Nothing()
