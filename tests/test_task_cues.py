"""Cues to keep in mind: when they come, what comes between them, and what is too short for them."""

import numpy as np
import pytest

from surgrad import tasks


def parts(split):
    spikes = np.concatenate([part.spikes() for part in split], axis=1)
    return spikes, np.concatenate([part.labels for part in split])


def test_a_silent_delay_separates_the_cue_from_the_signal_to_answer():
    spikes, labels = parts(tasks.delayed_memory(classes=3, units=7, cue=4, go=2, noise=0, samples=5, steps=12))
    assert spikes.shape == (12, 15, 8)
    cues, delay, go = spikes[:4, :, :7], spikes[4:10], spikes[10:]
    assert (cues.sum(axis=0) == 1).all()
    assert not delay.any()
    assert not spikes[:10, :, 7].any()
    assert (go == np.arange(8)[None, None] // 7).all()
    # Every sample of a class has the cue of the class, and no two classes have the same.
    of_class = [np.unique(cues[:, labels == label], axis=1) for label in range(3)]
    assert [cue.shape[1] for cue in of_class] == [1, 1, 1]
    assert np.unique(np.concatenate(of_class, axis=1), axis=1).shape[1] == 3


def test_classes_of_the_xor_are_whether_two_cues_differ():
    spikes, labels = parts(tasks.temporal_xor(units=7, cue=4, gap=3, noise=0, samples=6, steps=13))
    assert spikes.shape == (13, 12, 7)
    first, gap, second, rest = spikes[:4], spikes[4:7], spikes[7:11], spikes[11:]
    assert not gap.any() and not rest.any()
    assert (spikes.sum(axis=0) == 2).all()
    np.testing.assert_array_equal((first != second).any(axis=(0, 2)), labels)
    # Both cues come first and second with either class, equally often.
    pairs, counts = np.unique(
        np.concatenate([first, second]).transpose(1, 0, 2).reshape(12, -1), axis=0, return_counts=True
    )
    assert len(pairs) == 4 and set(counts) == {3}


@pytest.mark.parametrize(("name", "quiet"), [("delayed_memory", slice(5, 25)), ("temporal_xor", slice(5, 10))])
def test_noise_fills_what_is_not_a_cue_with_its_probability(name, quiet):
    spikes, _ = parts(tasks.load(name, noise=0.1, samples=100))
    noise = spikes[quiet, :, :20]
    assert abs(noise.mean() - 0.1) < 4 * np.sqrt(0.1 * 0.9 / noise.size)
    assert (spikes[:5, :, :20].sum(axis=0) == 1).all()


def test_cues_without_a_gap_and_without_time_to_answer_are_a_task():
    spikes, _ = parts(tasks.temporal_xor(cue=3, gap=0, steps=6, samples=2))
    assert (spikes.sum(axis=0) == 2).all()


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("delayed_memory", {"steps": 10}, r"a delay needs steps > cue \+ go = 10, got 10"),
        ("delayed_memory", {"cue": 1}, "cue must be an integer >= 2, got 1"),
        ("delayed_memory", {"go": 0}, "go must be an integer >= 1, got 0"),
        ("delayed_memory", {"noise": 1.5}, "noise must be 0 to 1, got 1.5"),
        ("delayed_memory", {"classes": 0}, "classes must be an integer >= 1, got 0"),
        ("delayed_memory", {"samples": 0}, "samples must be an integer >= 1, got 0"),
        ("temporal_xor", {"steps": 14}, r"two cues need steps >= 2 cue \+ gap = 15, got 14"),
        ("temporal_xor", {"cue": 1}, "cue must be an integer >= 2, got 1"),
        ("temporal_xor", {"gap": -1}, "gap must be an integer >= 0, got -1"),
        ("temporal_xor", {"noise": -0.1}, "noise must be 0 to 1, got -0.1"),
        ("temporal_xor", {"units": 0}, "units must be an integer >= 1, got 0"),
    ],
)
def test_options_out_of_range_are_named(name, options, said):
    with pytest.raises(ValueError, match=f"{name}: {said}"):
        tasks.load(name, **options)


def test_more_cues_than_there_are_patterns_are_refused():
    with pytest.raises(ValueError, match="9 cues need more units than 3, or a longer cue than 2 steps"):
        tasks.delayed_memory(classes=9, units=3, cue=2)
