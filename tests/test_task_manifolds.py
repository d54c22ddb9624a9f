"""Random manifolds: the series that was published, spikes that fill the window, coordinates that depend on few numbers."""

import itertools
import math

import numpy as np
import pytest

from surgrad import tasks
from surgrad.tasks._manifolds import coordinate

SMALL = {"classes": 3, "units": 6, "samples": 60, "steps": 20}


def published(x, series, alpha):
    """The formula of section 4.1.1 of Zenke & Vogels (2021), term by term."""
    terms = [
        sum(a / k**alpha * math.sin(2 * math.pi * (k * x_j * b + c)) for k, (a, b, c) in enumerate(abc.T, start=1))
        for x_j, abc in zip(x, series, strict=True)
    ]
    return math.prod(terms)


def randman(x, series, alpha):
    """The formula of the authors' generator (randman, NumPy variant), term by term."""
    terms = [
        sum(a / (i + 1) ** alpha * math.sin(2 * math.pi * (i * x_j * b + c)) for i, (a, b, c) in enumerate(abc.T))
        for x_j, abc in zip(x, series, strict=True)
    ]
    return math.prod(terms)


@pytest.mark.parametrize(("dimensions", "alpha", "terms"), [(1, 1.0, 1000), (2, 2.0, 32), (3, 1.5, 100)])
def test_a_coordinate_is_the_published_series(dimensions, alpha, terms):
    random = np.random.default_rng(0)
    points, series = random.random((8, dimensions)), random.random((dimensions, 3, terms))
    expected = [published(x, series, alpha) for x in points]
    # Single precision keeps each term to about 1e-7 of its amplitude, and the amplitudes add up to less than 8.
    np.testing.assert_allclose(coordinate(points, series, alpha), expected, atol=2e-6)


def test_the_generator_of_the_authors_is_the_series_with_other_amplitudes():
    random, alpha = np.random.default_rng(1), 1.5
    points, series = random.random((8, 2)), random.random((2, 3, 101))
    series[:, 0, 0] = 0
    i = np.arange(1, 101)
    ours = series[:, :, 1:] * np.stack([(i / (i + 1)) ** alpha, np.ones(100), np.ones(100)])
    expected = [randman(x, series, alpha) for x in points]
    np.testing.assert_allclose(coordinate(points, ours, alpha), expected, atol=2e-6)


@pytest.mark.parametrize(("window", "last"), [(None, 9), (20, 19), (7, 6), (1, 0)])
def test_every_unit_spikes_once_and_fills_the_window(window, last):
    split = tasks.manifolds(window=window, **SMALL)
    spikes = np.concatenate([part.spikes() for part in split], axis=1)
    labels = np.concatenate([part.labels for part in split])
    assert (spikes.sum(axis=0) == 1).all()
    for label in range(3):
        some = spikes[:, labels == label].argmax(axis=0)
        np.testing.assert_array_equal(some.min(axis=0), np.zeros(6))
        np.testing.assert_array_equal(some.max(axis=0), np.full(6, last))


def gaps(**options):
    """Mean distance of a spike time from that of the neighbour along the manifold, as a share of the window."""
    split = tasks.manifolds(**{**SMALL, "classes": 1, "steps": 2000, "window": 2000, "samples": 200, **options})
    times = np.concatenate([part.events for part in split]).astype(float) / 2000
    distance = np.abs(times[:, None] - times).mean(axis=-1) + np.eye(200)
    return distance.min(axis=1).mean()


def test_manifolds_are_smoother_for_larger_alpha_and_emptier_for_more_dimensions():
    for smoother, rougher in itertools.pairwise([4.0, 2.0, 1.0]):
        assert gaps(alpha=smoother) < gaps(alpha=rougher)
    for fewer, more in itertools.pairwise([1, 2, 4]):
        assert gaps(alpha=3.0, dimensions=fewer) < gaps(alpha=3.0, dimensions=more)


@pytest.mark.parametrize("options", [{"samples": 1, "classes": 1}, {"steps": 1}, {"units": 1}, {"alpha": np.inf}])
def test_the_least_of_everything_is_a_data_set(options):
    split = tasks.manifolds(**{**SMALL, **options})
    assert sum(map(len, split)) == len(np.concatenate([part.labels for part in split]))
    assert all((part.spikes().sum(axis=0) == 1).all() for part in split)


@pytest.mark.unchecked("wrong types on purpose")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"classes": 0}, "classes must be an integer >= 1, got 0"),
        ({"samples": 2.5}, "samples must be an integer >= 1, got 2.5"),
        ({"units": 0}, "units must be an integer >= 1"),
        ({"dimensions": 0}, "dimensions must be an integer >= 1"),
        ({"steps": 0}, "steps must be an integer >= 1"),
        ({"window": 0}, "window must be an integer >= 1"),
        ({"steps": 5, "window": 6}, "window must be at most steps, 5, got 6"),
        ({"alpha": 0.0}, "alpha must be > 0, got 0.0"),
        ({"alpha": np.nan}, "alpha must be > 0, got nan"),
    ],
)
def test_options_out_of_range_are_named(options, said):
    with pytest.raises(ValueError, match=f"manifolds: {said}"):
        tasks.manifolds(**{**SMALL, **options})
