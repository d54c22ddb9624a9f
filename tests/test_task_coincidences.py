"""Coincidences: what tells the classes apart is the order of the channels, and nothing else."""

import numpy as np
import pytest

from surgrad import tasks


def parts(split):
    spikes = np.concatenate([part.spikes() for part in split], axis=1)
    return spikes, np.concatenate([part.labels for part in split])


def test_each_channel_spikes_once_in_the_order_of_the_class_and_far_from_the_others():
    spikes, labels = parts(tasks.coincidences(classes=3, units=4, gap=6, jitter=2, noise=0, samples=20, steps=40))
    assert spikes.shape == (40, 60, 4)
    assert (spikes.sum(axis=0) == 1).all()
    times = spikes.argmax(axis=0)
    orders = [np.unique(times[labels == label].argsort(axis=1), axis=0) for label in range(3)]
    assert [len(order) for order in orders] == [1, 1, 1]
    assert len(np.unique(np.concatenate(orders), axis=0)) == 3
    between = np.diff(np.sort(times, axis=1), axis=1)
    assert between.min() >= 6 - 2 * 2 and between.max() <= 6 + 2 * 2
    assert len(np.unique(times.min(axis=1))) > 10  # when the first one spikes is random


def test_noise_comes_with_its_probability():
    spikes, _ = parts(tasks.coincidences(noise=0.1, samples=100))
    of_noise = (spikes.sum() - 400 * 5) / (spikes.size - 400 * 5)
    assert abs(of_noise - 0.1) < 4 * np.sqrt(0.1 * 0.9 / spikes.size)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"steps": 34}, "all spikes need steps >= 35, got 34"),
        ({"classes": 7, "units": 3}, "3 units have 6 orders, got 7 classes"),
        ({"jitter": 4}, "jitter must be an integer from 0 to 3, got 4"),
        ({"gap": 0}, "gap must be an integer >= 1, got 0"),
        ({"units": 1}, "units must be an integer >= 2, got 1"),
        ({"noise": 1.5}, "noise must be 0 to 1, got 1.5"),
    ],
)
def test_options_out_of_range_are_named(options, said):
    with pytest.raises(ValueError, match=f"coincidences: {said}"):
        tasks.load("coincidences", **options)
