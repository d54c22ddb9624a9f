"""Codes: brighter is earlier, or more often; and keys, by name or first."""

import doctest
import importlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ledger import CLOSED_FORM, agrees, record
from surgrad import encode, tasks
from surgrad._keys import is_key, takes_key

KEY = jax.random.key(0)
OUT_OF_RANGE = [(-0.1, 9), (1.1, 9), (np.nan, 9), (0.5, 0), (0.5, 2.5), (0.5, "a"), (0.5, True)]
ROWS = [(1.0, 0), (0.75, 5), (0.5, 10), (0.05, 19), (0.01, 20), (0.0, 21)]


@pytest.mark.parametrize(("intensity", "step"), ROWS, ids=str)
def test_brighter_spikes_earlier_and_dark_never(intensity, step):
    assert encode.latency_steps(jnp.array([intensity]), 21) == step
    spikes = encode.latency(np.array([intensity]), 21)[:, 0]
    agrees(spikes, np.arange(21) == step, of=encode.latency, reference=CLOSED_FORM)


@pytest.mark.parametrize("num_steps", [1, 2, 25, 255, 256, 5000])
def test_latencies_are_those_of_exact_arithmetic_in_the_smallest_dtype(num_steps):
    parts = np.arange(257)  # p = k/256 and everything below is exact in float64
    steps = encode.latency_steps(jnp.asarray(parts / 256, jnp.float32), num_steps)
    expected = np.where(parts == 0, num_steps, np.rint((256 - parts) * (num_steps - 1) / 256))
    agrees(steps, expected, of=encode.latency_steps, reference="exact arithmetic")
    assert steps.dtype == np.min_scalar_type(num_steps)


def test_spikes_of_the_rate_code_are_independent_with_the_intensity_as_probability():
    intensity = np.tile([0.0, 0.1, 0.5, 0.9, 1.0], (400, 1))
    spikes = np.asarray(encode.rate(intensity, 50, key=KEY), float)
    assert spikes.shape == (50, 400, 5)  # time leads, as networks take it
    counts = spikes.sum(axis=0)
    # Of 400 binomial counts, mean and variance have standard errors of sd/sqrt(400) and about variance sqrt(2/400).
    mean, variance = 50 * intensity[0], 50 * intensity[0] * (1 - intensity[0])
    off = np.abs(counts.mean(axis=0) - mean)
    assert (off[variance == 0] == 0).all()
    errors = off[variance > 0] / np.sqrt(variance[variance > 0] / 400)
    record(encode.rate, "binomial distribution", errors.max(), 4, "standard errors of the mean count")
    assert (np.abs(counts.var(axis=0) - variance) <= 4 * variance * np.sqrt(2 / 400)).all()
    # Of 399 products of neighbouring steps, with probability p².
    pairs = (spikes[:-1] * spikes[1:]).mean(axis=(0, 1))
    assert np.abs(pairs - intensity[0] ** 2).max() < 4 * np.sqrt(0.25 / (49 * 400 / 3))


@pytest.mark.parametrize("code", [lambda p, t: encode.rate(p, t, key=KEY), encode.latency, encode.latency_steps])
@pytest.mark.parametrize(("intensity", "num_steps"), OUT_OF_RANGE)
@pytest.mark.unchecked("wrong types on purpose")
def test_codes_refuse_what_is_out_of_range(code, intensity, num_steps):
    with pytest.raises(
        ValueError, match=r"^(rate|latency|latency_steps): (intensities must be 0 to 1|num_steps must be)"
    ):
        code(jnp.array([[intensity]]), num_steps)


def test_bytes_are_to_be_divided():
    with pytest.raises(TypeError, match=r"floating numbers from 0 to 1, got uint8; divide by 255\.0"):
        encode.rate(np.zeros((2, 3), np.uint8), 9, key=KEY)
    with pytest.raises(TypeError, match="floating numbers from 0 to 1, got int32"):
        encode.latency(jnp.arange(2), 9)


@pytest.mark.parametrize("code", [lambda p: encode.rate(p, 7, key=KEY), lambda p: encode.latency(p, 7)])
def test_booleans_are_dark_and_bright(code):
    spikes = code(jnp.array([True, False]))
    assert spikes.dtype == jnp.float32
    assert spikes[0].tolist() == [1, 0]


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 4, 4, 1)], ids=str)
def test_time_leads_whatever_the_shape_and_the_dtype_stays(shape, dtype):
    ones = jnp.ones(shape, dtype)
    rates, latencies = encode.rate(ones, 7, key=KEY), encode.latency(ones, 7)
    assert rates.shape == latencies.shape == (7, *shape)
    assert rates.dtype == latencies.dtype == dtype
    assert rates.all()
    assert latencies[0].all()


def test_long_latencies_of_half_precision_reach_every_step():
    # In bfloat16 steps above 256 would be even.
    steps = encode.latency_steps(jnp.array([0.5, 0.25], jnp.bfloat16), 1002)
    assert steps.tolist() == [500, 751]


def test_codes_can_be_jitted_and_vmapped():
    p, keys = jax.random.uniform(KEY, (6, 5)), jax.random.split(KEY, 6)
    rate = jax.jit(encode.rate, static_argnums=1)
    np.testing.assert_array_equal(rate(p, 8, key=KEY), encode.rate(p, 8, key=KEY))
    np.testing.assert_array_equal(jax.jit(encode.latency, static_argnums=1)(p, 8), encode.latency(p, 8))
    many = jax.vmap(lambda p, key: encode.rate(p, 8, key=key))(p, keys)
    np.testing.assert_array_equal(many, [encode.rate(a, 8, key=key) for a, key in zip(p, keys, strict=True)])


def test_a_key_may_stand_first_and_another_one_gives_other_spikes():
    p = jnp.full((4, 9), 0.5)
    np.testing.assert_array_equal(encode.rate(KEY, p, 25), encode.rate(p, 25, key=KEY))
    raw = jax.random.PRNGKey(0)
    np.testing.assert_array_equal(encode.rate(raw, p, num_steps=25), encode.rate(p, 25, key=KEY))
    assert (encode.rate(p, 25, key=jax.random.key(1)) != encode.rate(p, 25, key=KEY)).any()


@pytest.mark.unchecked("wrong types on purpose")
def test_a_wrong_number_of_keys_is_told():
    p = jnp.ones(3)
    with pytest.raises(TypeError, match=r"rate: give a key, such as key=jax.random.key\(0\)"):
        encode.rate(p, 5)
    with pytest.raises(TypeError, match="rate: got two keys, the first argument and key=; give one"):
        encode.rate(KEY, p, 5, key=KEY)
    for wrong in (0, jax.random.split(KEY), np.random.default_rng(0)):
        with pytest.raises(TypeError, match="rate: key must be one key, such as"):
            encode.rate(p, 5, key=wrong)


@pytest.mark.unchecked("wrong types on purpose")
def test_methods_take_a_key_after_self_and_a_default_may_be_left_out():
    class Noise:
        @takes_key
        def __init__(self, size, *, key):
            self.given = size, key

        @takes_key
        def draw(self, size=1, *, key=None):
            return size, key

    assert Noise(KEY, 3).given == Noise(3, key=KEY).given == (3, KEY)
    assert Noise(3, key=KEY).draw(KEY) == (1, KEY)
    assert Noise(3, key=KEY).draw(2) == (2, None)
    with pytest.raises(TypeError, match="Noise: give a key"):
        Noise(3)


def test_keys_are_typed_or_raw():
    assert is_key(KEY)
    assert is_key(jax.random.PRNGKey(3))
    assert jax.jit(lambda key: jnp.array(is_key(key)))(KEY)
    for other in (3, jnp.zeros(2), np.zeros(2, np.uint8), jnp.zeros(3, jnp.uint32), jax.random.split(KEY), None):
        assert not is_key(other)


def test_spikes_of_both_codes_go_into_a_data_set_and_out_of_it_as_they_were():
    intensity, labels = np.random.default_rng(0).random((5, 3)), jnp.arange(5) % 2
    rates, latencies = encode.rate(intensity, 9, key=KEY), encode.latency_steps(intensity, 9)
    data = tasks.Dataset(rates.astype(bool), labels, steps=9, classes=2)
    np.testing.assert_array_equal(data.spikes(), rates)
    np.testing.assert_array_equal(data[np.array([4, 0])].spikes(), rates[:, [4, 0]])
    data = tasks.Dataset(latencies, labels, steps=9, classes=2)
    np.testing.assert_array_equal(data.spikes(), encode.latency(intensity, 9))


def test_a_data_set_of_intensities_draws_its_spikes_anew():
    intensity, labels = jax.random.uniform(KEY, (5, 3)), jnp.arange(5) % 2
    data = tasks.Dataset(intensity, labels, steps=9, classes=2)
    some = jnp.array([4, 0])
    np.testing.assert_array_equal(data[some].spikes(KEY), encode.rate(intensity[some], 9, key=KEY))
    assert (data.spikes(KEY) != data.spikes(jax.random.key(1))).any()
    drawn = jax.jit(lambda data, key: data.spikes(key))(data, KEY)
    np.testing.assert_array_equal(drawn, data.spikes(KEY))
    with pytest.raises(TypeError, match=r"give a key: spikes\(jax"):
        data.spikes()
    with pytest.raises(ValueError, match="events must be intensities from 0 to 1, got"):
        tasks.Dataset(2 * jnp.ones((5, 3)), labels, steps=9, classes=2)


def test_digits_can_be_had_as_intensities():
    pytest.importorskip("sklearn")
    grey, early = tasks.digits(code="intensity").test, tasks.digits().test
    np.testing.assert_array_equal(encode.latency(grey.events, 25), early.spikes())
    assert grey[jnp.arange(3)].spikes(KEY).shape == (25, 3, 64)


def test_another_code_is_an_error_that_names_all():
    with pytest.raises(ValueError, match="code must be one of 'latency', 'rate', 'intensity', got 'phase'"):
        tasks.digits(code="phase")


@pytest.mark.parametrize("name", ["_rate", "_latency", "_change", "_population"])
def test_examples(name):
    found = doctest.testmod(importlib.import_module(f"surgrad.encode.{name}"))
    assert found.attempted
    assert not found.failed


@pytest.mark.unchecked("wrong types on purpose")
def test_swapped_arguments_are_told_without_their_numbers():
    with pytest.raises(ValueError, match=r"rate\(intensity, num_steps\), in this order; .* shape \(8, 64\) as num_st"):
        encode.rate(KEY, 5, jnp.zeros((8, 64)))
    with pytest.raises(ValueError, match=r"num_steps must be an integer >= 1, got an array of shape \(8, 64\)\."):
        encode.rate(jnp.zeros(3), jnp.zeros((8, 64)), key=KEY)
    with pytest.raises(TypeError, match=r"no parameter 'max_rate'; .*; multiply the intensities by it"):
        encode.rate(jnp.zeros(3), 5, max_rate=0.5, key=KEY)


def ramp(slope, steps=40):
    return slope * np.arange(steps)[:, None]


@pytest.mark.parametrize("slope", [0.25, -0.125, 0.5, 0.0])
def test_a_ramp_crosses_a_level_every_threshold_over_its_slope(slope):
    spikes = encode.level_crossing(jnp.asarray(ramp(slope)), 1.0)
    t = np.arange(40)
    crossed = np.floor(abs(slope) * t) > np.floor(abs(slope) * (t - 1))
    expected = np.stack([crossed & (slope > 0), crossed & (slope < 0)], axis=1) & (t > 0)[:, None]
    agrees(spikes, expected, of=encode.level_crossing, reference=CLOSED_FORM)
    # From one step to the next it changes by the slope.
    steady = np.stack([(t > 0) & (slope >= 0.25), (t > 0) & (slope <= -0.25)], axis=1)
    agrees(encode.delta(jnp.asarray(ramp(slope)), 0.25), steady, of=encode.delta, reference=CLOSED_FORM)


def test_what_the_channels_stand_for_is_less_than_a_threshold_away():
    x = np.cumsum(np.random.default_rng(0).normal(size=(300, 2, 3)), axis=0).astype(np.float32)
    every = encode.level_crossing(jnp.asarray(x), 0.5, max_spikes=None)
    assert every.max() > 1
    off = np.abs(encode.delta_decode(every, 0.5, start=x[0]) - x).max()
    record(encode.delta_decode, "the signal", float(off), 0.5, "units of the signal")
    slow = encode.level_crossing(jnp.asarray(x), 5.0)
    assert set(np.unique(slow)) == {0, 1}
    assert np.abs(encode.delta_decode(slow, 5.0, start=x[0]) - x).max() < 5
    # The first of these comes from 0, so that its levels are known without its first step.
    known = encode.level_crossing(jnp.asarray(x), 0.5, start=0.0, max_spikes=None)
    assert np.abs(encode.delta_decode(known, 0.5) - x).max() < 0.5


def test_noise_around_a_level_makes_no_spikes_and_a_limit_defers_them():
    noise = 1.0 + 0.9 * (-1.0) ** np.arange(20)[:, None]
    assert encode.level_crossing(jnp.asarray(noise), 1.0, start=1.0).sum() == 0
    jump = jnp.array([[0.0], [3.0], [3.0], [3.0], [3.0]])
    assert encode.level_crossing(jump, 1.0)[:, 0].tolist() == [0, 1, 1, 1, 0]
    assert encode.level_crossing(jump, 1.0, max_spikes=2)[:, 0].tolist() == [0, 2, 1, 0, 0]


def test_centers_and_widths_of_tuning_curves_are_those_of_bohte():
    low, high, m, beta = -2.0, 6.0, 6, 1.5
    i = np.arange(1, m + 1)
    centers, sigma = low + (2 * i - 3) / 2 * (high - low) / (m - 2), (high - low) / (m - 2) / beta
    x = np.random.default_rng(0).uniform(low, high, (7, 2))
    expected = np.exp(-((x[..., None] - centers) ** 2) / (2 * sigma**2)).reshape(7, 2 * m)
    found = encode.tuning_curves(jnp.asarray(x), m, low=low, high=high, beta=beta)
    agrees(found, expected, of=encode.tuning_curves, reference=CLOSED_FORM, atol=2e-6)
    # Bohte et al. round 10 (1 - response), and a neuron at 10 does not spike.
    times = np.rint(10 * (1 - expected))
    spikes = encode.population(jnp.asarray(x), m, 11, low=low, high=high)
    agrees(spikes, (np.arange(11)[:, None, None] == times) & (times < 10), of=encode.population, reference=CLOSED_FORM)


def test_latencies_and_populations_can_be_decoded():
    p = np.linspace(0, 1, 33)[None]
    found = encode.latency_decode(encode.latency(jnp.asarray(p), 101))
    record(encode.latency_decode, "the intensity", float(np.abs(found - p).max()), 0.0051, "units of the intensity")
    x = jnp.linspace(0.2, 0.8, 9)[:, None]
    exact = encode.population_decode(encode.tuning_curves(x, 12), 12)
    agrees(exact, x, of=encode.population_decode, reference="the feature", atol=2e-3)
    early = encode.population_decode(encode.latency_decode(encode.population(x, 12, 101)), 12)
    np.testing.assert_allclose(early, x, atol=0.01)
    assert encode.population_decode(jnp.zeros((2, 12)), 6, low=0.0, high=4.0).tolist() == [[2, 2], [2, 2]]


def test_codes_of_change_can_be_jitted_and_keep_the_dtype_and_take_no_time():
    x = jnp.asarray(np.random.default_rng(1).normal(size=(9, 2, 3)), jnp.bfloat16)
    for code in (encode.delta, encode.level_crossing):
        spikes = jax.jit(code)(x)
        assert (spikes.shape, spikes.dtype) == ((9, 2, 6), jnp.bfloat16)
        np.testing.assert_array_equal(spikes, code(x))
        assert code(x[:0]).shape == (0, 2, 6)


@pytest.mark.unchecked("lists, which are no arrays, on purpose")
def test_lists_are_signals_features_and_intensities():
    assert encode.delta([[0.0], [1.0]]).tolist() == [[0, 0], [1, 0]]
    assert encode.level_crossing([[0.0], [1.0]], 0.5, max_spikes=None).tolist() == [[0, 0], [2, 0]]
    assert encode.population([0.5], 3, 3).shape == (3, 3)
    assert encode.latency([0.5, 1.0], 3).shape == encode.rate([0.5, 1.0], 3, key=KEY).shape == (3, 2)


def test_values_that_are_traced_cannot_be_refused():
    nothing = jnp.full((4, 2), jnp.nan)
    assert jax.jit(encode.delta)(nothing).sum() == jax.jit(lambda x: encode.population(x, 3, 3))(nothing).sum() == 0


def test_a_feature_little_out_of_the_range_is_coded():
    assert encode.population(jnp.array([-0.2, 1.2]), 5, 11).reshape(11, 2, 5).sum((0, 2)).min() >= 1


NAN = jnp.array([[0.0], [np.nan], [1.0]])
CHANGE_ERRORS = [
    (lambda: encode.delta(NAN), ValueError, r"delta: the signal must be finite, got nan at the index \(1, 0\)"),
    (
        lambda: encode.level_crossing(NAN),
        ValueError,
        r"level_crossing: the signal must be finite, got nan at the index",
    ),
    (lambda: encode.delta([[0], [1]]), TypeError, r"signal must be floating numbers, got int.*; x\.astype\(float\)"),
    (lambda: encode.population(NAN, 5, 9), ValueError, r"features must be finite, got nan at the index \(1, 0\)"),
    (
        lambda: encode.population(255.0, 5, 9),
        ValueError,
        "population: features must be 0.0 to 1.0, got 255.0, for which",
    ),
    (
        lambda: encode.population(jnp.array([0.0, 7.0]), 5, 9),
        ValueError,
        r"got 7.0, .* give the range by low= and high=",
    ),
    (lambda: encode.delta(jnp.ones((3, 2)), 0.0), ValueError, "delta: threshold must be > 0, got 0.0"),
    (lambda: encode.delta(jnp.ones(3)), ValueError, r"got the shape \(3,\); x\[:, None\] is one feature over time"),
    (lambda: encode.level_crossing(jnp.arange(4)[:, None]), TypeError, "signal must be floating numbers, got int32"),
    (lambda: encode.level_crossing(jnp.ones((3, 2)), max_spikes=0), ValueError, "max_spikes must be an integer >= 1"),
    (lambda: encode.delta_decode(jnp.ones((3, 5))), ValueError, "an OFF channel for each feature, got 5 in all"),
    (lambda: encode.latency_decode(jnp.ones((0, 5))), ValueError, r"time leads, .* got the shape \(0, 5\)"),
    (lambda: encode.tuning_curves(jnp.ones(3), 2), ValueError, "num_neurons must be an integer >= 3, got 2"),
    (lambda: encode.tuning_curves(jnp.ones(3), 5, low=1.0), ValueError, "high must be > 1, got 1.0"),
    (lambda: encode.tuning_curves(jnp.arange(3), 5), TypeError, "features must be floating numbers, got int32"),
    (lambda: encode.population_decode(jnp.ones(7), 3), ValueError, "must be 3 responses for each feature, got the sh"),
]


@pytest.mark.parametrize(("call", "kind", "message"), CHANGE_ERRORS, ids=[str(i) for i in range(len(CHANGE_ERRORS))])
@pytest.mark.unchecked("wrong types on purpose")
def test_what_codes_of_change_and_populations_cannot_take_is_told(call, kind, message):
    with pytest.raises(kind, match=message):
        call()
