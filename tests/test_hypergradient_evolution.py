"""Evolution strategies are unbiased, with the variance that they must have: gradient descent on a parabola.

The weights are linear in the targets h of all steps, and the outer loss is linear in the weights: c·w. A pair of runs
then estimates the derivative F' by F' ε², of mean F' and of standard deviation √2 F', for every σ.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from surgrad.meta import Evolution, PersistentEvolution, Problem, hypergradient, inner_loop
from surgrad.meta._gradients.persistent import particles, persist

STEPS, WINDOW, RATE, START, TARGET = 12, 3, 0.2, 3.0, -1.0
LEFT = 1 - RATE
BATCHES = np.ones(STEPS)
PAIRS = 20_000
KEY = jax.random.key(7)
ARGUMENTS = START, TARGET, BATCHES, optax.sgd(RATE)


def loss(w, target, batch):
    return batch * (w - target) ** 2 / 2


def linear(w, target):
    return 5 * w


def squared(w, target):
    return w**2


def deviations(found, expected, error):
    return abs(found - expected) / error


def compute(outer, method, *options, **named):
    made = method(*options, key=KEY, **({"samples": PAIRS} | named))
    return hypergradient(loss, outer, *ARGUMENTS, method=made)


@pytest.mark.parametrize("sigma", [0.01, 1.0])
def test_pairs_of_runs_estimate_the_derivative_with_the_variance_of_a_normal_square(x64, sigma):
    result = compute(linear, Evolution, sigma=sigma)
    derivative = 5 * (1 - LEFT**STEPS)
    error = derivative * (2 / PAIRS) ** 0.5
    assert deviations(result.gradient, derivative, error) < 4
    # The fourth moment of ε² makes the relative error of a standard deviation √((60/4 - 1) / 4 PAIRS).
    np.testing.assert_allclose(result.diagnosis.standard_error, error, rtol=4 * (14 / 4 / PAIRS) ** 0.5)


def test_the_value_is_that_of_the_smoothed_loss(x64):
    """E[(w + sσε)²] = w² + s²σ², where s is the derivative of the weight."""
    sigma, s = 0.5, 1 - LEFT**STEPS
    w = TARGET + LEFT**STEPS * (START - TARGET)
    result = compute(squared, Evolution, sigma=sigma)
    # Of pairs, the part that is odd in ε cancels; the variance of ε² is 2.
    assert deviations(result.value, w**2 + (s * sigma) ** 2, (s * sigma) ** 2 * (2 / PAIRS) ** 0.5) < 4
    assert result.inner is None


def test_a_hyperparameter_that_does_nothing_has_no_derivative_but_noise(x64):
    result = hypergradient(
        lambda w, h, b: loss(w, h["target"], b), lambda w, h: 5 * w, START, {"idle": 1.0, "target": TARGET},
        BATCHES, optax.sgd(RATE), method=Evolution(PAIRS, key=KEY),
    )  # fmt: skip
    assert deviations(result.gradient["idle"], 0, result.diagnosis.standard_error["idle"]) < 4
    assert deviations(result.gradient["target"], 5 * (1 - LEFT**STEPS), result.diagnosis.standard_error["target"]) < 4


def windows_derivatives():
    """The derivative of c·w after each window by the target of all steps."""
    return 5 * (1 - LEFT ** np.arange(WINDOW, STEPS + 1, WINDOW))


def test_persistent_estimates_are_unbiased_in_spite_of_the_windows(x64):
    result = compute(linear, PersistentEvolution, WINDOW, sigma=0.3)
    assert deviations(result.gradient, windows_derivatives().mean(), result.diagnosis.standard_error) < 4
    np.testing.assert_allclose(
        result.value, 5 * np.mean([TARGET + LEFT**k * (START - TARGET) for k in (3, 6, 9, 12)]), rtol=1e-12
    )


def test_without_the_sum_of_perturbations_they_would_miss_what_earlier_windows_did(x64):
    """The truncated strategy sees the last window's share alone, 1 - LEFT^WINDOW, many standard errors away."""
    problem = Problem(loss, linear, ARGUMENTS[-1], jnp.asarray(START), TARGET, BATCHES[:WINDOW])
    now = particles(problem, PAIRS)
    for key in jax.random.split(KEY, 4):
        before, (now, (_, each)) = now, persist(problem, now, key, 0.3)
    error = np.std(each) / PAIRS**0.5
    assert deviations(np.mean(each), windows_derivatives()[-1], error) < 4
    _, (_, truncated) = persist(problem, before._replace(drift=0 * before.drift), key, 0.3)
    truncated_error = np.std(truncated) / PAIRS**0.5
    assert deviations(np.mean(truncated), 5 * (1 - LEFT**WINDOW), truncated_error) < 4
    assert deviations(np.mean(truncated), windows_derivatives()[-1], truncated_error) > 40


def test_one_window_is_the_plain_strategy(x64):
    """The perturbations differ, by the way in which the key is split; their distribution does not."""
    whole = compute(squared, PersistentEvolution, STEPS, sigma=0.3)
    plain = compute(squared, Evolution, sigma=0.3)
    error = np.hypot(whole.diagnosis.standard_error, plain.diagnosis.standard_error)
    assert deviations(whole.gradient, plain.gradient, error) < 4


def test_runs_of_a_pair_are_antithetic(x64):
    """A linear loss has the same mean over every pair: that at the centre."""
    result = compute(linear, Evolution, samples=3)
    np.testing.assert_allclose(result.value, linear(inner_loop(loss, *ARGUMENTS).weights, TARGET), rtol=1e-13)
