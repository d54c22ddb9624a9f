"""What a readout must see: counts of spikes do not tell the classes of the timing tasks, their times do."""

import warnings

import numpy as np
import pytest

from surgrad import tasks

linear_model = pytest.importorskip("sklearn.linear_model")
neighbors = pytest.importorskip("sklearn.neighbors")

TIMING = {
    "manifolds": {"classes": 4, "samples": 200, "steps": 20},
    "delayed_memory": {"samples": 200, "noise": 0.05},
    "temporal_xor": {"samples": 400, "noise": 0.05},
}


def accuracy(readout, see, split):
    """Of a readout that was fitted to what it sees of the spikes, `(time, samples, channels)`."""
    (x, y), (x_test, y_test) = ((see(np.asarray(part.spikes())), np.asarray(part.labels)) for part in split)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without information there is nothing to converge to
        return readout.fit(x, y).score(x_test, y_test)


def linear():
    return linear_model.LogisticRegression(tol=1e-3)


def counts(spikes):
    return spikes.mean(axis=0)


def all_steps(spikes):
    return np.moveaxis(spikes, 1, 0).reshape(spikes.shape[1], -1)


def times(spikes):
    return spikes.argmax(axis=0)


def is_chance(score, split):
    """Whether a share of right answers is within four standard deviations of guessing."""
    chance = 1 / split.test.classes
    return abs(score - chance) <= 4 * np.sqrt(chance * (1 - chance) / len(split.test))


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", TIMING)
def test_counts_of_spikes_do_not_tell_the_class(name, seed):
    split = tasks.load(name, seed=seed, **TIMING[name])
    assert is_chance(accuracy(linear(), counts, split), split)


def test_counts_of_spikes_do_tell_digits_in_the_rate_code():
    train, test = tasks.digits(code="rate")
    assert accuracy(linear(), counts, tasks.Split(train[np.arange(500)], test)) > 0.9


@pytest.mark.parametrize(
    ("name", "see"), [("manifolds", times), ("delayed_memory", all_steps), ("temporal_xor", all_steps)]
)
def test_the_times_of_spikes_tell_the_class(name, see):
    nearest = neighbors.KNeighborsClassifier(1)
    assert accuracy(nearest, see, tasks.load(name, **TIMING[name])) > 0.95


def test_the_cue_must_be_kept_in_mind():
    split = tasks.delayed_memory(**TIMING["delayed_memory"])
    assert accuracy(linear(), lambda spikes: all_steps(spikes[:5]), split) == 1
    assert is_chance(accuracy(linear(), lambda spikes: all_steps(spikes[5:]), split), split)


@pytest.mark.parametrize("see", [slice(0, 5), slice(10, 15), slice(0, 25)], ids=["first", "second", "both"])
def test_the_xor_is_in_neither_cue_and_not_linear_in_both(see):
    split = tasks.temporal_xor(**TIMING["temporal_xor"])
    assert is_chance(accuracy(linear(), lambda spikes: all_steps(spikes[see]), split), split)
