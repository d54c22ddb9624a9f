"""Tasks of working memory, whose classes differ in spike times and not in spike counts."""

from __future__ import annotations

import numpy as np

from surgrad._numbers import require_share, require_whole
from surgrad.tasks._dataset import Split, dataset, require_split, split
from surgrad.tasks._registry import register


@register
def delayed_memory(
    *,
    classes: int = 4,
    units: int = 20,
    cue: int = 5,
    go: int = 5,
    noise: float = 0.02,
    samples: int = 250,
    steps: int = 25,
    seed: int = 0,
    test_share: float = 0.2,
) -> Split:
    """Delayed memory: tell, after a delay, which cue was shown.

    During the cue each channel spikes once, at a time that depends on the class. Then there is only noise, until the
    last channel, the go signal, spikes at each of the final `go` time steps. Read the answer at the end
    (`nn.LastStep`): an answer before the delay needs no memory.

    Parameters:
        classes: number of cues.
        units: number of channels besides the go signal.
        cue: length of the cue in time steps, >= 2.
        go: length of the go signal in time steps.
        noise: probability of a spike for each channel and time step after the cue, 0 to 1.
        samples: number of samples of each class.
        steps: length of a sample in time steps; the delay is what cue and go signal leave.
        seed: seed of the cues, the noise and the split.
        test_share: share of the samples that are held out, from 0 to below 1.

    Raises:
        ValueError: an option is out of range, or the steps leave no delay.
    """
    require_whole("delayed_memory", 2, cue=cue)
    require_whole("delayed_memory", classes=classes, units=units, go=go, samples=samples, steps=steps)
    require_share("delayed_memory", noise=noise)
    require_split("delayed_memory", seed, test_share)
    if steps <= cue + go:
        raise ValueError(f"delayed_memory: a delay needs steps > cue + go = {cue + go}, got {steps}.")
    random = np.random.default_rng(seed)
    cues, labels = _cues(random, classes, units, cue), np.repeat(np.arange(classes), samples)
    spikes = np.zeros((len(labels), steps, units + 1), bool)
    spikes[:, :, :-1] = random.random((len(labels), steps, units)) < noise
    spikes[:, :cue, :-1] = cues[labels]
    spikes[:, -go:, -1] = True
    return split(dataset(spikes.swapaxes(0, 1), labels, steps, classes), random, test_share)


@register
def temporal_xor(
    *,
    units: int = 20,
    cue: int = 5,
    gap: int = 5,
    noise: float = 0.02,
    samples: int = 500,
    steps: int = 25,
    seed: int = 0,
    test_share: float = 0.2,
) -> Split:
    """Temporal XOR: two cues in sequence, each one of two patterns; class 1 if they differ, class 0 if they are equal.

    During a cue each channel spikes once, at a time that depends on the pattern; outside the cues there is only noise.
    Neither cue alone tells the class.

    Parameters:
        units: number of channels.
        cue: length of a cue in time steps, >= 2.
        gap: time steps between the cues.
        noise: probability of a spike for each channel and time step outside the cues, 0 to 1.
        samples: number of samples of each class.
        steps: length of a sample in time steps; those after the second cue are time to answer.
        seed: seed of the cues, the noise and the split.
        test_share: share of the samples that are held out, from 0 to below 1.

    Raises:
        ValueError: an option is out of range, or the steps are too few for both cues and the gap.
    """
    require_whole("temporal_xor", units=units, samples=samples, steps=steps)
    require_whole("temporal_xor", 0, gap=gap)
    require_whole("temporal_xor", 2, cue=cue)
    require_share("temporal_xor", noise=noise)
    require_split("temporal_xor", seed, test_share)
    if steps < 2 * cue + gap:
        raise ValueError(f"temporal_xor: two cues need steps >= 2 cue + gap = {2 * cue + gap}, got {steps}.")
    random = np.random.default_rng(seed)
    cues, pair = _cues(random, 2, units, cue), np.arange(2 * samples) % 4
    spikes = random.random((2 * samples, steps, units)) < noise
    spikes[:, :cue] = cues[pair // 2]
    spikes[:, cue + gap : 2 * cue + gap] = cues[pair % 2]
    return split(dataset(spikes.swapaxes(0, 1), pair // 2 ^ pair % 2, steps, 2), random, test_share)


def _cues(random: np.random.Generator, cues: int, units: int, steps: int) -> np.ndarray:
    """Distinct random patterns in which each channel spikes once, `(cues, steps, units)`.

    Raises:
        ValueError: there are too few such patterns to draw distinct ones.
    """
    if cues**2 > steps**units:  # most draws would have to be repeated
        raise ValueError(f"{cues} cues need more units than {units}, or a longer cue than {steps} steps.")
    while True:
        times = random.integers(steps, size=(cues, units))
        if len(np.unique(times, axis=0)) == cues:
            return times[:, None] == np.arange(steps)[:, None]
