"""Delays that learn: the sum that they are, written out in NumPy, their derivatives, and their ends."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import agrees
from surgrad import nn
from surgrad.nn._lags import kernel, within

TIME, BATCH, INPUTS, OUTPUTS, MOST = 9, 2, 3, 4, 5
RNG = np.random.default_rng(0)
X = RNG.normal(size=(TIME, BATCH, INPUTS))
WEIGHT, BIAS = RNG.normal(size=(INPUTS, OUTPUTS)), RNG.normal(size=OUTPUTS)
DELAY = RNG.uniform(0.1, MOST - 0.1, (INPUTS, OUTPUTS))
BACK, LAG = RNG.normal(size=(INPUTS, INPUTS)) / 2, RNG.uniform(1.1, MOST - 0.1, (INPUTS, INPUTS))
SIGMAS = {"linear": None, "wide": 2.5, "narrow": 0.5}
DCLS = (
    *(2.785734976e-10, 2.037221748e-05, 2.728719637e-02, 6.694245338e-01, 3.007920384e-01),
    *(2.475444227e-03, 3.731316269e-07, 1.030132360e-12, 5.208900105e-20),
)
"""Shares of the lags 0 to 8 in a delay of 3.3 by the authors' package, DCLS 0.1.1, `version="gauss"`, with PyTorch.

Positions count there from the middle of the kernel, which runs backwards in time, and the width is |SIG| + 0.27.
"""
every_sigma = pytest.mark.parametrize("sigma", SIGMAS.values(), ids=SIGMAS)


def shares(delay, sigma, least=0, most=MOST):
    """The share of each lag in a delay: one number after the other."""
    lags = np.arange(least, most + 1)
    if sigma is None:
        return np.maximum(0, 1 - np.abs(lags - delay))
    if sigma == 0:
        return (lags == np.round(delay)).astype(float)
    gaussian = np.exp(-((lags - delay) ** 2) / (2 * sigma**2))
    return gaussian / gaussian.sum()


def summed(x, weight, delay, sigma, bias):
    """y[t, j] = b_j + Σ_i w_ij Σ_l k_ij(l) x[t - l, i], term by term."""
    y = np.zeros((*x.shape[:-1], weight.shape[1])) + bias
    for (i, j), w in np.ndenumerate(weight):
        for lag, share in enumerate(shares(delay[i, j], sigma)):
            for t in range(lag, len(x)):
                y[t, ..., j] += w * share * x[t - lag, ..., i]
    return y


def fed_back(x, weight, delay, sigma, decay=0.8):
    """A leaky integrator whose outputs come back, each after its delay."""
    v, outputs = np.zeros_like(x[0]), []
    for now in x:
        current = now.copy()
        for (i, j), w in np.ndenumerate(weight):
            for lag, share in zip(range(1, MOST + 1), shares(delay[i, j], sigma, 1), strict=True):
                if lag <= len(outputs):
                    current[..., j] += w * share * outputs[-lag][..., i]
        v = decay * v + current
        outputs.append(v)
    return np.array(outputs)


def linear(sigma, **options):
    return nn.DelayedLinear.from_arrays(WEIGHT, DELAY, BIAS, max_delay=MOST, sigma=sigma, **options)


def recurrent(sigma):
    cell = nn.LeakyIntegrator(beta=0.8)
    return nn.DelayedRecurrent.from_arrays(cell, BACK, LAG, max_delay=MOST, sigma=sigma)


def of_neurons(sigma):
    return nn.LearnableDelay.from_arrays(DELAY[:, 0], max_delay=MOST, sigma=sigma)


KINDS = {"DelayedLinear": linear, "LearnableDelay": of_neurons, "DelayedRecurrent": recurrent}
every_kind = pytest.mark.parametrize("kind", KINDS)


kernel = jax.jit(kernel, static_argnums=(2, 3))


@functools.partial(jax.jit, static_argnames="chunk")
def run(layer, x, state=None, chunk=TIME):
    state = layer.init(x.shape[1:], x.dtype) if state is None else state
    return nn.unroll(layer, state, x, chunk_size=chunk)


@pytest.mark.usefixtures("x64")
class TestSums:
    @pytest.mark.parametrize("sigma", [*SIGMAS.values(), 0.0])
    def test_a_layer_is_the_sum_over_synapses_and_lags(self, sigma):
        found = run(linear(sigma), X).outputs
        agrees(found, summed(X, WEIGHT, DELAY, sigma, BIAS), of=nn.DelayedLinear, reference="NumPy", rtol=1e-12)

    @pytest.mark.parametrize("sigma", [*SIGMAS.values(), 0.0])
    def test_delays_of_neurons_are_those_of_synapses_without_weights(self, sigma):
        expected = summed(X, np.eye(INPUTS), np.tile(DELAY[:, :1], INPUTS), sigma, 0)
        agrees(run(of_neurons(sigma), X).outputs, expected, of=nn.LearnableDelay, reference="NumPy", rtol=1e-12)

    @every_sigma
    def test_outputs_come_back_after_their_delays(self, sigma):
        expected = fed_back(X, BACK, LAG, sigma)
        agrees(run(recurrent(sigma), X).outputs, expected, of=nn.DelayedRecurrent, reference="NumPy", rtol=1e-12)

    def test_whole_delays_are_those_of_layers_without_learned_ones(self):
        steps = (0, 3, 5)
        found = run(nn.LearnableDelay.from_arrays(np.array(steps, float), max_delay=MOST), X).outputs
        np.testing.assert_allclose(found, run(nn.Delay(steps), X).outputs, rtol=1e-14)
        cell = nn.LIF(surgrad.Arctan(2.0), 5.0)
        later = nn.DelayedRecurrent.from_arrays(cell, BACK, np.ones_like(BACK), max_delay=2)
        np.testing.assert_array_equal(run(later, X).outputs, run(nn.Recurrent.from_arrays(cell, BACK), X).outputs)

    @every_kind
    def test_a_sequence_may_be_cut_anywhere(self, kind):
        layer = KINDS[kind](None)
        last, outputs = run(layer, X)
        for first in (1, 4):
            state, before = run(layer, X[:first])
            end, after = run(layer, X[first:], state)
            np.testing.assert_allclose(np.concatenate([before, after]), outputs, rtol=1e-12)
            jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), end, last)

    @pytest.mark.slow
    def test_events_give_the_same(self):
        spikes = (X > 1).astype(float)
        found, expected = (run(linear(None, event_driven=way), spikes).outputs for way in (True, False))
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def differences(function, at, h=1e-6):
    """Central differences of a function by every number of an array."""
    found = np.zeros_like(at)
    for place in np.ndindex(at.shape):
        step = np.zeros_like(at)
        step[place] = h
        found[place] = (function(at + step) - function(at - step)) / (2 * h)
    return found


@pytest.mark.usefixtures("x64")
class TestDerivatives:
    @every_kind
    @every_sigma
    def test_gradients_are_finite_differences(self, kind, sigma):
        layer = KINDS[kind](sigma)
        outputs = jax.eval_shape(lambda: run(layer, X).outputs).shape
        pull = RNG.normal(size=outputs)

        @jax.jit
        def loss(numbers, x):
            return (jnp.cos(run(layer.replace(**numbers), x).outputs) * pull).sum()

        names = [name for name in ("weight", "delay", "bias", "sigma") if getattr(layer, name, None) is not None]
        numbers = {name: np.asarray(getattr(layer, name)) for name in names}
        by_numbers, by_inputs = jax.jit(jax.grad(loss, (0, 1)))(numbers, X)
        np.testing.assert_allclose(by_inputs, differences(lambda x: loss(numbers, x), X), rtol=1e-6, atol=1e-7)
        for name in names:
            expected = differences(lambda value, name=name: loss({**numbers, name: value}, X), numbers[name])
            np.testing.assert_allclose(by_numbers[name], expected, rtol=1e-6, atol=1e-7)
            assert np.abs(expected).min() > 1e-5, name

    def test_at_whole_steps_the_derivative_is_that_of_one_side(self):
        by_delay = jax.jacfwd(lambda d: kernel(d, None, 3))
        np.testing.assert_array_equal(by_delay(1.0), [0, -1, 1, 0])  # of larger delays
        np.testing.assert_array_equal(by_delay(0.0), [-1, 1, 0, 0])
        np.testing.assert_array_equal(by_delay(3.0), [0, 0, -1, 1])  # of smaller ones, since there is no larger

    @pytest.mark.parametrize("sigma", [0.5, 3.0])
    def test_a_gaussian_has_the_gradient_of_its_mean(self, sigma):
        # d/dd of a normalised Gaussian over lags is its share times (l - mean)/σ².
        share = shares(1.7, sigma)
        lags = np.arange(MOST + 1)
        expected = share * (lags - share @ lags) / sigma**2
        np.testing.assert_allclose(jax.jacfwd(lambda d: kernel(d, sigma, MOST))(1.7), expected, rtol=1e-12)


@pytest.mark.usefixtures("x64")
class TestEnds:
    def test_delays_are_reflected_at_both_ends(self):
        given = jnp.array([-2.5, -0.25, 0.0, 1.5, 5.0, 5.5, 9.75, 10.5])
        np.testing.assert_allclose(within(given, 5), [2.5, 0.25, 0, 1.5, 5, 4.5, 0.25, 0.5], rtol=1e-15)
        np.testing.assert_array_equal(jax.vmap(jax.grad(lambda d: within(d, 5)))(given), [-1, -1, 1, 1, 1, -1, -1, 1])
        np.testing.assert_allclose(within(jnp.array([0.5, 1.0, 5.5]), 5, 1), [1.5, 1, 4.5], rtol=1e-15)

    @pytest.mark.parametrize("target", [0.0, 5.0])
    def test_gradient_descent_stays_inside_and_comes_back_from_an_end(self, target):
        loss = lambda d, target: ((kernel(d, 1.0, 5) - kernel(jnp.array(target), 1.0, 5)) ** 2).sum()

        def step(d, target):
            return d - 2.0 * jax.grad(loss)(d, target), None

        reached, _ = jax.lax.scan(step, jnp.array(2.5), jnp.full(200, target))
        back, _ = jax.lax.scan(step, reached, jnp.full(200, 2.25))
        assert abs(within(reached, 5) - target) < 0.2
        assert abs(within(back, 5) - 2.25) < 0.05

    @pytest.mark.parametrize("delay", [0.0, 0.5, 1.49, 1.5, 1.51, 5.0])
    def test_a_narrow_gaussian_is_the_nearest_lag(self, delay):
        nearest = kernel(delay, 0.0, 5)
        np.testing.assert_array_equal(nearest, np.arange(6) == np.round(delay))
        if delay % 1 != 0.5:
            np.testing.assert_allclose(kernel(delay, 0.01, 5), nearest, atol=1e-12)
        tiny = jax.jacfwd(lambda d, s: kernel(d, s, 5), (0, 1))(delay, 1e-30)
        np.testing.assert_array_equal(np.stack(tiny), 0)

    def test_shares_sum_to_one_and_nan_stays(self):
        for sigma in (None, 0.0, 0.3, 20.0):
            np.testing.assert_allclose(kernel(DELAY, sigma, MOST).sum(0), 1, rtol=1e-12)
            assert np.isnan(kernel(np.nan, sigma, MOST)).any()

    def test_the_gaussian_is_that_of_the_authors_package(self):
        agrees(kernel(3.3, 0.5, 8), DCLS, of=nn.DelayedLinear, reference="DCLS 0.1.1", atol=2e-7)
