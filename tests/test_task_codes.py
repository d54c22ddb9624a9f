"""Codes: brighter is earlier, or more often."""

import jax.numpy as jnp
import numpy as np
import pytest

from surgrad import tasks

OUT_OF_RANGE = [(-0.1, 9), (1.1, 9), (np.nan, 9), (0.5, 0), (0.5, 2.5), (0.5, "a"), (0.5, True)]


@pytest.mark.parametrize(
    ("intensity", "step"), [(1.0, 0), (0.75, 5), (0.5, 10), (0.05, 19), (0.01, 20), (0.0, 21)], ids=str
)
def test_brighter_spikes_earlier_and_dark_never(intensity, step):
    assert tasks.latency(np.array([intensity]), 21) == step


def test_spikes_of_the_rate_code_are_independent_with_the_intensity_as_probability():
    intensity = np.tile([0.0, 0.1, 0.5, 0.9, 1.0], (400, 1))
    spikes = tasks.rate(intensity, 50, np.random.default_rng(0))
    assert spikes.shape == (50, 400, 5)  # time leads, as networks take it
    counts = spikes.sum(axis=0)
    # Of 400 binomial counts, mean and variance have standard errors of sd/sqrt(400) and about variance sqrt(2/400).
    mean, variance = 50 * intensity[0], 50 * intensity[0] * (1 - intensity[0])
    assert (np.abs(counts.mean(axis=0) - mean) <= 4 * np.sqrt(variance / 400)).all()
    assert (np.abs(counts.var(axis=0) - variance) <= 4 * variance * np.sqrt(2 / 400)).all()


@pytest.mark.parametrize(("intensity", "steps"), OUT_OF_RANGE)
@pytest.mark.unchecked("wrong types on purpose")
def test_codes_refuse_what_is_out_of_range(intensity, steps):
    with pytest.raises(ValueError, match="latency: "):
        tasks.latency(np.array([[intensity]]), steps)
    with pytest.raises(ValueError, match="rate: "):
        tasks.rate(np.array([[intensity]]), steps, np.random.default_rng(0))


@pytest.mark.parametrize("shape", [(3,), (2, 3), (2, 4, 4, 1)], ids=str)
def test_time_leads_whatever_the_shape_of_the_samples(shape):
    ones = tasks.rate(np.ones(shape), 7, np.random.default_rng(0))
    assert ones.shape == (7, *shape)
    assert ones.all()


def test_spikes_of_both_codes_go_into_a_data_set_and_out_of_it_as_they_were():
    intensity, labels = np.random.default_rng(0).random((5, 3)), jnp.arange(5) % 2
    rates, latencies = tasks.rate(intensity, 9, np.random.default_rng(1)), tasks.latency(intensity, 9)
    data = tasks.Dataset(rates, labels, steps=9, classes=2)
    np.testing.assert_array_equal(data.spikes(), rates)
    np.testing.assert_array_equal(data[np.array([4, 0])].spikes(), rates[:, [4, 0]])
    data = tasks.Dataset(latencies, labels, steps=9, classes=2)
    np.testing.assert_array_equal(data.spikes(), np.arange(9)[:, None, None] == latencies)


def test_another_code_is_an_error_that_names_both():
    with pytest.raises(ValueError, match="code must be one of 'latency', 'rate', got 'phase'"):
        tasks.digits(code="phase")
