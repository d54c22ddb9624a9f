"""The runs of a case that form a grid of widths and seeds, of a study that goes on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

Curve = dict[float, dict[int, float]]
"""Accuracies in % by width and seed."""


class Grid(NamedTuple):
    """The widths and the seeds of a case that have run with each other.

    Parameters:
        widths, seeds: their values.
        accuracy: in %, `(widths, seeds)`.
    """

    widths: list[float]
    seeds: list[int]
    accuracy: np.ndarray

    def of(self, seeds: Iterable[int]) -> Grid:
        """The grid of some of its seeds."""
        kept = [i for i, seed in enumerate(self.seeds) if seed in set(seeds)]
        return Grid(self.widths, [self.seeds[i] for i in kept], self.accuracy[:, kept])

    def beside(self) -> np.ndarray:
        """The accuracy of each seed at the width that is best on average for the other seeds."""
        best = [int(np.delete(self.accuracy, i, axis=1).mean(axis=1).argmax()) for i in range(len(self.seeds))]
        return self.accuracy[best, np.arange(len(self.seeds))]


def grid_of(curve: Curve) -> Grid:
    """The most runs of a case that form a grid: a study that goes on has seeds and widths that are not complete."""
    count = Counter(seed for by_seed in curve.values() for seed in by_seed)
    order = sorted(count, key=lambda seed: (-count[seed], seed))
    tried = []
    for several in range(min(2, len(order)), len(order) + 1):
        seeds = sorted(order[:several])
        widths = [width for width, by_seed in curve.items() if by_seed.keys() >= set(seeds)]
        tried.append((len(seeds) * len(widths), seeds, widths))
    _, seeds, widths = max(tried, key=lambda one: (one[0], len(one[2])))
    return Grid(widths, seeds, np.array([[curve[width][seed] for seed in seeds] for width in widths]))
