"""A task of relative spike times, whose classes differ in the order in which channels spike, and in nothing else."""

from __future__ import annotations

import math

import numpy as np

from surgrad._numbers import require_share, require_whole
from surgrad.tasks._dataset import Split, dataset, require_split, split
from surgrad.tasks._registry import register


@register
def coincidences(
    *,
    classes: int = 4,
    units: int = 5,
    gap: int = 8,
    jitter: int = 1,
    noise: float = 0.01,
    samples: int = 250,
    steps: int = 50,
    seed: int = 0,
    test_share: float = 0.2,
) -> Split:
    """Coincidences: tell in which order the channels spiked, from spikes that lie further apart than neurons remember.

    Each channel spikes once, `gap` time steps after the one before it, in an order that depends on the class; when the
    first one spikes is random. So neither spike counts nor times tell the class, and at no moment are there two spikes
    within `gap - 2 jitter` steps but by noise. Neurons with a longer memory, or delays under which the spikes of one
    class coincide, can tell. Read the mean over time (`nn.MeanOverTime`), which adds no memory of its own.

    Parameters:
        classes: number of orders, at most units!.
        units: number of channels, >= 2.
        gap: time steps between two spikes, >= 1.
        jitter: each spike is moved by up to so many time steps, at random, less than half of the gap.
        noise: probability of another spike for each channel and time step, 0 to 1.
        samples: number of samples of each class.
        steps: length of a sample in time steps.
        seed: seed of the orders, the times, the noise and the split.
        test_share: share of the samples that are held out, from 0 to below 1.

    Raises:
        ValueError: an option is out of range, or the steps are too few for all spikes.
    """
    require_whole("coincidences", 2, units=units)
    require_whole("coincidences", classes=classes, samples=samples, steps=steps, gap=gap)
    require_whole("coincidences", 0, (gap - 1) // 2, jitter=jitter)
    require_share("coincidences", noise=noise)
    require_split("coincidences", seed, test_share)
    span = gap * (units - 1) + 2 * jitter + 1
    if steps < span:
        raise ValueError(f"coincidences: all spikes need steps >= {span}, got {steps}.")
    if classes > math.factorial(units):
        raise ValueError(f"coincidences: {units} units have {math.factorial(units)} orders, got {classes} classes.")
    random = np.random.default_rng(seed)
    orders, labels = _orders(random, classes, units), np.repeat(np.arange(classes), samples)
    begin = random.integers(steps - span + 1, size=(len(labels), 1)) + jitter
    times = begin + gap * orders[labels] + random.integers(-jitter, jitter + 1, size=(len(labels), units))
    spikes = random.random((steps, len(labels), units)) < noise
    spikes |= times == np.arange(steps)[:, None, None]
    return split(dataset(spikes, labels, steps, classes), random, test_share)


def _orders(random: np.random.Generator, orders: int, units: int) -> np.ndarray:
    """Distinct random orders, as the place of each unit, `(orders, units)`."""
    found: dict[tuple[int, ...], None] = {}
    while len(found) < orders:
        found[tuple(random.permutation(units).tolist())] = None
    return np.array(list(found))
