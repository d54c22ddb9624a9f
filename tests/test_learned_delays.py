"""Delays that learn: the sum that they are, written out in NumPy, their derivatives, and their ends."""

import functools
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import agrees
from surgrad import meta, nn
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
        # d/dd of a Gaussian over lags whose sum is 1 is its share times (l - mean)/σ².
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


@every_kind
@pytest.mark.parametrize("dtype", [bool, np.int8, np.float16, jnp.bfloat16, np.float32])
def test_past_inputs_are_kept_as_narrow_as_they_come(kind, dtype):
    layer = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float32), KINDS[kind](None))
    spikes = jax.ShapeDtypeStruct((TIME, BATCH, INPUTS), dtype)
    narrow = jnp.float32 if dtype in (bool, np.int8) else dtype
    rest = functools.partial(layer.init, (BATCH, INPUTS), dtype)
    state, outputs = jax.eval_shape(lambda x: layer.over_time(rest(), x), spikes)
    held = state.outputs if kind == "DelayedRecurrent" else state
    assert held.shape == (MOST, BATCH, INPUTS)
    if kind == "DelayedRecurrent":  # what is kept are outputs of the cell, which are wide
        assert held.dtype == jnp.float32
    else:
        assert (held.dtype, outputs.dtype) == (narrow, narrow if kind == "LearnableDelay" else jnp.float32)


def test_a_sum_over_lags_does_not_stop_where_bfloat16_does():
    layer = nn.DelayedLinear.from_arrays(np.ones((1, 1)), np.full((1, 1), 1000.0), max_delay=2000, sigma=1e9)
    layer = layer.replace(weight=jnp.full((1, 1), 2001, jnp.bfloat16))  # so that each lag counts one
    outputs = nn.unroll(layer, jnp.ones((500, 1), jnp.bfloat16)).outputs
    np.testing.assert_allclose(outputs[:, 0].astype(float), np.arange(1, 501), rtol=0.01)


@every_kind
def test_weights_and_delays_are_trained_and_widths_are_not(kind):
    trained, rest = nn.partition(KINDS[kind](1.0))
    names = (
        {"delay"}
        | ({"weight"} if kind != "LearnableDelay" else set())
        | ({"bias"} if kind == "DelayedLinear" else set())
    )
    found = {jax.tree_util.keystr(path, simple=True) for path, _ in jax.tree_util.tree_leaves_with_path(trained)}
    assert found == names
    assert rest.sigma == 1.0
    layer = KINDS[kind](1.0)
    moved = layer.with_connections(jax.tree.map(lambda a: 0.5 * a, layer.connections()))
    np.testing.assert_array_equal(moved.delay, 0.5 * layer.delay)


@every_kind
def test_delays_that_are_given_as_integers_are_trained(kind):
    delay = jnp.ones((INPUTS, INPUTS), int)
    layer = {
        "LearnableDelay": lambda: nn.LearnableDelay.from_arrays(np.asarray(delay[0]), max_delay=MOST),
        "DelayedLinear": lambda: nn.DelayedLinear.from_arrays(BACK, delay, max_delay=MOST),
        "DelayedRecurrent": lambda: nn.DelayedRecurrent.from_arrays(nn.LIF(), BACK, delay, max_delay=MOST),
    }[kind]()
    assert jnp.issubdtype(layer.delay.dtype, jnp.floating)
    trained, _ = nn.partition(layer)
    assert trained.delay is not None


def test_a_schedule_sets_the_width_without_compiling_again():
    net, x = nn.Sequential(linear(2.5), nn.LIF()), X.astype(np.float32)
    compiled = jax.jit(lambda step: nn.unroll(meta.schedule(net, {"sigma": lambda t: 2.5 - t}, step), x).outputs)
    assert not np.array_equal(compiled(0), compiled(2))
    assert compiled._cache_size() == 1


@every_kind
def test_delays_are_told_as_they_count(kind):
    layer = KINDS[kind](0.0)
    np.testing.assert_array_equal(layer.delays(), np.round(layer.delay))
    beyond = layer.replace(delay=layer.delay + MOST, sigma=None).delays()
    assert (beyond >= 0).all() and (beyond <= MOST).all()


KEY = jax.random.key(0)
WRONG = {"above": MOST + 0.5, "negative": -0.5, "not a number": np.nan}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
@every_kind
def test_a_delay_out_of_range_is_refused_by_the_layer(kind, wrong):
    least = int(kind == "DelayedRecurrent")
    message = rf"{kind}: delay must be {least} to max_delay = {MOST} time steps, got .* to "
    build = {
        "LearnableDelay": lambda delay: nn.LearnableDelay.from_arrays(delay[0], max_delay=MOST),
        "DelayedLinear": lambda delay: nn.DelayedLinear.from_arrays(BACK, delay, max_delay=MOST),
        "DelayedRecurrent": lambda delay: nn.DelayedRecurrent.from_arrays(nn.LIF(), BACK, delay, max_delay=MOST),
    }[kind]
    for array in (np.array, jnp.array):
        with pytest.raises(ValueError, match=message):
            build(array(np.where(np.eye(INPUTS) > 0, wrong, 1.0)))
    sizes = {"LearnableDelay": (3,), "DelayedLinear": (3, 2), "DelayedRecurrent": (nn.LIF(), 3)}[kind]
    constant = jax.nn.initializers.constant(wrong)
    with pytest.raises(ValueError, match=message):
        getattr(nn, kind)(*sizes, max_delay=MOST, delay_init=constant, key=KEY)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: nn.DelayedLinear(3, 2, 0, key=KEY), "DelayedLinear: max_delay must be an integer >= 1, got 0"),
        (lambda: nn.DelayedLinear(3, 2, 2.5, key=KEY), "DelayedLinear: max_delay must be an integer >= 1, got 2.5"),
        (
            lambda: nn.LearnableDelay(max_delay=3, key=KEY),
            r"LearnableDelay: features left out; write LearnableDelay\(features, max_delay, key=key\)\.",
        ),
        (
            lambda: nn.DelayedLinear(max_delay=3, key=KEY),
            r"DelayedLinear: in_features and out_features left out; write DelayedLinear\(in_features, out_fe",
        ),
        (lambda: nn.Delay(max_delay=3), r"trained are surgrad\.nn\.LearnableDelay\(features, max_delay, key=key\)"),
        (lambda: nn.LearnableDelay(0, 2, key=KEY), "LearnableDelay: features must be an integer >= 1, got 0"),
        (
            lambda: nn.DelayedRecurrent(nn.LIF(), 3, 1, key=KEY),
            "DelayedRecurrent: max_delay must be an integer >= 2, got 1",
        ),
        (lambda: nn.DelayedLinear(3, 2, 4, sigma=-1.0, key=KEY), "DelayedLinear: sigma must be >= 0, got -1.0"),
        (lambda: nn.DelayedLinear(3, 2, 4, sigma=np.nan, key=KEY), "DelayedLinear: sigma must be >= 0"),
        (
            lambda: nn.DelayedLinear.from_arrays(WEIGHT, DELAY.T, max_delay=MOST),
            r"DelayedLinear: .* delay \(in_features, out_features\) .* got shapes \(3, 4\) and \(4, 3\)",
        ),
        (lambda: linear(None).init((2, 7)), r"DelayedLinear: the input must be \(\.\.\., 3 features\), got shape"),
        (lambda: of_neurons(None).init((2, 7)), r"LearnableDelay: the input must be \(\*batch, 3 neurons\)"),
        (lambda: recurrent(None).init((2, 7)), r"DelayedRecurrent: the input must be \(\.\.\., 3 features\)"),
        (
            lambda: linear(None)(jnp.zeros((2, 1, 3)), jnp.ones((1, 3))),
            r"DelayedLinear: the state must be \(5 steps, \.\.\.\), got shape \(2, 1, 3\); start from init",
        ),
        (
            lambda: linear(None)(linear(None).init((1, 3)), jnp.ones((9, 1, 3))),
            r"the input of a step has shape \(9, 1, 3\) and the state \(1, 3\)",
        ),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_what_does_not_fit_is_refused_in_words(mistake, message):
    with pytest.raises((ValueError, TypeError), match=message):
        mistake()


@pytest.mark.unchecked("wrong types on purpose")
def test_the_cell_comes_first_and_is_one():
    with pytest.raises(TypeError, match=r"DelayedRecurrent: the cell comes before the number of features"):
        nn.DelayedRecurrent(3, nn.LIF(), 4, key=KEY)
    with pytest.raises(TypeError, match="DelayedRecurrent: cell must have a method init"):
        nn.DelayedRecurrent.from_arrays(jnp.tanh, BACK, LAG, max_delay=MOST)


@pytest.mark.slow
@pytest.mark.promotes("Optax does")
def test_a_network_tells_coincidences_with_learned_delays_and_not_without():
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from benchmarks.delays import SETTING, accuracies

    without, learned = (accuracies(SETTING, way, 5) for way in ("none", "learned, linear interpolation"))
    assert (learned - without).min() > 20
    assert learned.mean() > 80
