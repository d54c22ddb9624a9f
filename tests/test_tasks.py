"""Tasks: what is encoded can be read back, splits are complete and fixed by the seed, mistakes name what exists."""

import sys

import numpy as np
import pytest

from surgrad import tasks

sklearn_datasets = pytest.importorskip("sklearn.datasets")


@pytest.fixture(scope="module")
def raw():
    return sklearn_datasets.load_digits(return_X_y=True)


def sorted_rows(images, labels):
    return np.array(sorted(np.column_stack([images, labels]).tolist()))


def both(split, field):
    return np.concatenate([np.asarray(getattr(part, field)) for part in split])


@pytest.mark.parametrize(
    ("intensity", "step"), [(1.0, 0), (0.75, 5), (0.5, 10), (0.05, 19), (0.01, 20), (0.0, 21)], ids=str
)
def test_brighter_spikes_earlier_and_dark_never(intensity, step):
    assert tasks.latency(np.array([intensity]), 21) == step


@pytest.mark.parametrize(("intensity", "steps"), [(-0.1, 9), (1.1, 9), (np.nan, 9), (0.5, 0)])
def test_latencies_refuse_what_is_out_of_range(intensity, steps):
    with pytest.raises(ValueError, match="latency: "):
        tasks.latency(np.array([intensity]), steps)


def test_digits_can_be_read_back_from_their_latencies(raw):
    # 17 steps give each of the 16 brightnesses a step of its own, and darkness none.
    split = tasks.digits(steps=17)
    images = 16 - both(split, "latencies") + 0
    np.testing.assert_array_equal(sorted_rows(np.maximum(images, 0), both(split, "labels")), sorted_rows(*raw))


def test_every_bright_pixel_spikes_once_and_no_dark_one(raw):
    train, test = tasks.digits(steps=20)
    spikes = np.concatenate([part.spikes() for part in (train, test)], axis=1)
    assert spikes.shape == (20, 1797, 64)
    assert set(np.unique(spikes)) == {0, 1}
    assert spikes.sum() == np.count_nonzero(raw[0])
    assert spikes.sum(axis=0).max() == 1
    assert train.classes == test.classes == 10


def test_the_split_follows_the_seed():
    one, same, other = (tasks.digits(seed=seed, test_share=0.25) for seed in (3, 3, 4))
    assert len(one.test) == round(0.25 * 1797)
    np.testing.assert_array_equal(one.train.latencies, same.train.latencies)
    assert not np.array_equal(one.test.labels, other.test.labels)


def test_samples_are_taken_in_the_order_that_is_asked_for():
    test = tasks.digits().test
    some = test[np.array([5, 2])]
    np.testing.assert_array_equal(some.labels, [test.labels[5], test.labels[2]])
    np.testing.assert_array_equal(some.spikes(), np.asarray(test.spikes())[:, [5, 2]])


def test_a_wrong_name_gets_the_nearest():
    assert tasks.names() == ("digits",)
    with pytest.raises(KeyError, match="no task 'digts'; the nearest: digits"):
        tasks.load("digts")


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r'pip install "surgrad\[data\]"'):
        tasks.load("digits")
