"""Explosions, in the logistic map w ← r w (1 - w) as gradient descent: at r = 4 its Lyapunov exponent is ln 2.

Gradient descent of rate 1 on w²/2 - r (w²/2 - w³/3) is the map. At r = 4, w = sin²θ goes to sin²2θ. At r = 2.5 training
converges to 1 - 1/r, with multiplier 2 - r.
"""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from surgrad.meta import ExplodingHypergradientWarning, Forward, Reverse, horizon, hypergradient
from surgrad.meta._gradients.explosion import LIMIT
from test_hypergradient import EXACT, finished

STEPS, START = 40, 0.3
BATCHES = np.zeros(STEPS)
SGD = optax.sgd(1.0)


def map_potential(w, r, batch):
    return w**2 / 2 - r * (w**2 / 2 - w**3 / 3) + batch


def outer(w, r):
    return w


def compute(r, method=Reverse(), steps=STEPS, **options):
    return hypergradient(map_potential, outer, START, r, BATCHES[:steps], SGD, method=method, **options)


def map_and_derivative(r, steps):
    """The weight after so many steps and its derivative by r, by the recursion of both."""
    w, derivative = START, 0.0
    for _ in range(steps):
        w, derivative = r * w * (1 - w), w * (1 - w) + r * (1 - 2 * w) * derivative
    return w, derivative


@EXACT
class TestChaos:
    def test_it_is_warned_of(self, x64, method):
        with pytest.warns(ExplodingHypergradientWarning, match="explodes within the 40 steps.*meta.horizon"):
            result = compute(4.0, method)
        assert result.diagnosis.exploding
        assert result.diagnosis.finite

    def test_it_is_warned_of_inside_of_jit_while_the_program_runs(self, x64, method):
        with pytest.warns(ExplodingHypergradientWarning, match="explodes"):
            result = finished(jax.jit(lambda r: compute(r, method)), 4.0)
        assert result.diagnosis.exploding

    def test_the_number_is_right_all_the_same(self, x64, method):
        with pytest.warns(ExplodingHypergradientWarning):
            result = compute(4.0, method, steps=20)
        # Rounding grows as the derivative does, by 2^20.
        np.testing.assert_allclose(result.gradient, map_and_derivative(4.0, 20)[1], rtol=2**20 * 1e-15)

    def test_the_exponent_is_about_the_lyapunov_exponent(self, x64, method):
        with pytest.warns(ExplodingHypergradientWarning):
            exponent = compute(4.0, method).diagnosis.exponent
        # The exponent of 20 steps scatters around ln 2 by more than an infinite one; the largest is reported.
        assert 0.8 * np.log(2) < exponent < 1.6 * np.log(2)

    def test_training_that_converges_does_not_explode(self, x64, method):
        result = compute(2.5, method)
        assert not result.diagnosis.exploding
        np.testing.assert_allclose(result.gradient, 1 / 2.5**2, rtol=1e-6)

    def test_a_limit_of_ones_own_is_respected(self, x64, method):
        assert not compute(4.0, method, limit=1e30).diagnosis.exploding


def test_growth_like_the_third_power_of_the_steps_is_within_the_limit(x64):
    """Two integrators, one behind the other, and a third in the weights: as after momentum upon momentum."""

    def optimizer(r):
        return optax.chain(optax.trace(1.0), optax.trace(1.0), optax.scale(-1.0))

    result = hypergradient(lambda w, r, b: w * r, outer, START, 1.0, BATCHES, optimizer, method=Forward())
    steps = np.arange(1, STEPS + 1)
    np.testing.assert_allclose(result.diagnosis.norms, steps * (steps + 1) * (steps + 2) / 6, rtol=1e-12)
    assert 4 < result.diagnosis.growth < 8 + 1 < LIMIT
    assert not result.diagnosis.exploding


AT = (1, 2, 5, 10, 20, 40)


def horizons(r, sigma):
    return horizon(map_potential, outer, START, r, BATCHES, SGD, at=AT, key=jax.random.key(1), samples=200, sigma=sigma)


def test_derivatives_by_horizon_are_those_of_the_map(x64):
    found = horizons(4.0, 0.01)
    expected = np.array([map_and_derivative(4.0, steps) for steps in AT[:5]])
    np.testing.assert_array_equal(found.steps, AT)
    np.testing.assert_allclose(found.values[:5], expected[:, 0], rtol=1e-8)
    np.testing.assert_allclose(found.derivative[:5], expected[:, 1], rtol=1e-8)
    np.testing.assert_allclose(found.norms, np.abs(found.derivative))


def test_where_training_converges_the_derivative_is_the_effect_at_every_horizon(x64):
    found = horizons(2.5, 0.01)
    assert np.all(found.agrees)
    assert found.lost == 0
    assert np.all(np.abs(found.effect - found.derivative) < 4 * found.standard_error + 1e-3)


def test_a_derivative_that_no_longer_tells_the_effect_is_noticed(x64):
    """After 10 steps of the chaotic map the derivative is a thousand times the effect of σ, which is at most 1/σ."""
    found = horizons(3.9, 0.02)
    assert np.all(found.agrees[:2])
    assert np.all(np.abs(found.effect) < 1 / 0.02)
    assert abs(found.derivative[-1]) > 1e6


def test_the_first_horizon_of_another_sign_is_told(x64):
    """The weight is K r. Beyond 1.5 ripples lie on the straight line 5 w, of slope -40 at 4 r = 47 π/40: the derivative
    of the sum is -140, but over steps of σ the ripples cancel, and the effect is 20."""

    def rippled(w, r):
        return jnp.where(w > 1.5, 5 * w + jnp.sin(40 * w), w)

    def climbing(w, r, batch):
        return -w * r

    found = horizon(
        climbing, rippled, 0.0, 47 * np.pi / 160, np.zeros(4), SGD, at=(1, 4), key=jax.random.key(0), samples=500,
        sigma=0.05,
    )  # fmt: skip
    np.testing.assert_allclose(found.derivative, [1, -140], rtol=1e-12)
    assert abs(found.effect[1] - 20) < 4 * found.standard_error[1]
    np.testing.assert_array_equal(found.agrees, [True, False])
    assert found.lost == 4


@pytest.mark.parametrize("at", [(), (2, 1), (1, 1), (0, 1), (1, STEPS + 1)])
def test_horizons_must_ascend_within_the_steps(at):
    with pytest.raises(ValueError, match="ascending numbers of steps from 1 to 40"):
        horizon(map_potential, outer, START, 2.5, BATCHES, SGD, at=at, key=jax.random.key(0))
