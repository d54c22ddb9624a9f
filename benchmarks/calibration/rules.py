"""Rules of calibration on the collected cases: chosen on one half of them, judged on the other.

    python -m benchmarks.calibration.rules results/calibration.jsonl

A rule is a number that is seen before training at each scale, and the value that it should have. That value, and how
it grows with the number of slopes in a row that a gradient passes in a step, is the one that loses least on the half to
choose by. What a scale loses is its accuracy, interpolated between the scales of the grid, against the grid's best.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

FINE = np.geomspace(1e-2, 1e3, 201)
"""Scales at which statistics of membranes are solved for."""
RELATIVE: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": lambda x: 1 / np.cosh(np.clip(2 * x, -300, 300)) ** 2,
    "arctan": lambda x: 1 / (1 + (np.pi / 2 * x) ** 2),
    "soft sign": lambda x: 1 / (1 + np.abs(x)) ** 2,
    "gaussian": lambda x: np.exp(-2 * x**2),
    "triangle": lambda x: np.maximum(1 - np.abs(x), 0),
    "exponential": lambda x: np.exp(-np.abs(x)),
}
"""Slopes σ'(x)/max σ' of the shapes at their defaults."""
GROWTH = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
"""Of the value with each further slope in a row."""


class Row(NamedTuple):
    """A case, what was seen before training, and what came out.

    Parameters:
        case: its fields.
        scales: of the grid.
        accuracy: in %, `(scales, seeds)`.
        membranes: quantiles of x, `(seeds, layers, quantiles)`.
        weights: norms of the first gradient by each part, `(scales, seeds, parts)`.
        errors: its norms at each surrogate and step, `(scales, seeds, layers, time)`.
    """

    case: dict[str, Any]
    scales: np.ndarray
    accuracy: np.ndarray
    membranes: np.ndarray
    weights: np.ndarray
    errors: np.ndarray

    @property
    def in_a_row(self) -> int:
        """Slopes that a gradient passes in a step: those of the layers, and of recurrent ones once more."""
        return self.case["depth"] * (1 + self.case["recurrent"])

    def relative(self, scale: np.ndarray) -> np.ndarray:
        """Relative slopes at the membranes, `(scales, seeds, layers, quantiles)`."""
        return RELATIVE[self.case["shape"]](scale[:, None, None, None] * self.membranes)


def read(path: Path) -> list[Row]:
    """The collected cases."""
    rows = []
    for line in path.read_text().splitlines():
        row = json.loads(line)
        arrays = (np.array(row[k]) for k in ("scales", "accuracy", "quantiles", "weights", "errors"))
        scales, accuracy, membranes, weights, errors = arrays
        fields = ("task", "shape", "normalisation", "depth", "recurrent", "held_out")
        rows.append(Row({k: row[k] for k in fields}, scales, 100 * accuracy, membranes, weights, errors))
    return rows


def smooth(accuracy: np.ndarray) -> np.ndarray:
    """Means over seeds and, by 1/4, 1/2, 1/4, over neighbouring scales."""
    mean = accuracy.mean(axis=1)
    return np.convolve(np.pad(mean, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")


def lost(row: Row, scales: np.ndarray) -> float:
    """Points lost on average over the scales picked, one a seed, against the best of the grid.

    The best of several noisy means is too good: a perfect rule would lose something by this.
    """
    curve = smooth(row.accuracy)
    return float(np.mean(curve.max() - np.interp(np.log(scales), np.log(row.scales), curve)))


def lost_beside(row: Row, scales: np.ndarray) -> float:
    """The same against the scale of the grid that is best for the other seeds: no bias for either."""
    found = []
    for seed in range(row.accuracy.shape[1]):
        best = smooth(np.delete(row.accuracy, seed, axis=1)).argmax()
        curve = smooth(row.accuracy[:, [seed]])
        found.append(curve[best] - np.interp(np.log(scales[seed]), np.log(row.scales), curve))
    return float(np.mean(found))


Statistic = Callable[[Row], tuple[np.ndarray, np.ndarray]]
"""Scales, and what is seen there: `(scales, seeds, layers)`."""


def power(exponent: float) -> Statistic:
    """The mean of a power of the relative slope."""
    return lambda row: (FINE, (row.relative(FINE) ** exponent).mean(axis=-1))


def within_half_width(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """The share of membranes where the slope is above half of its peak."""
    return FINE, (row.relative(FINE) > 0.5).mean(axis=-1)


def curvature(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """The mean change of the relative slope with the logarithm of the scale."""
    step = 0.01
    change = row.relative(FINE * np.exp(step)) - row.relative(FINE * np.exp(-step))
    return FINE, np.abs(change).mean(axis=-1) / (2 * step)


def fluctuation(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """Half the width of the slope at half its peak over the standard deviation of the membranes."""
    x = np.linspace(0, 5, 50001)
    half = x[np.argmin(np.abs(RELATIVE[row.case["shape"]](x) - 0.5))]
    return FINE, half / FINE[:, None, None] / row.membranes.std(axis=-1)


def by_rate(exponent: float, of_rate: float) -> Statistic:
    """The mean of a power of the relative slope over one of the spike rate."""

    def statistic(row: Row) -> tuple[np.ndarray, np.ndarray]:
        rate = (row.membranes >= 0).mean(axis=-1).clip(1e-3)
        return FINE, (row.relative(FINE) ** exponent).mean(axis=-1) / rate**of_rate

    return statistic


def between_layers(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """The error at the first surrogate over that at the last."""
    norms = np.linalg.norm(row.errors, axis=-1) + 1e-30
    return row.scales, (norms[..., 0] / norms[..., -1])[..., None]


def through_time(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """The error in the first third of the steps over that in the last, at the first surrogate."""
    third = row.errors.shape[-1] // 3
    norms = [np.linalg.norm(part, axis=-1) + 1e-30 for part in (row.errors[..., :third], row.errors[..., -third:])]
    return row.scales, (norms[0] / norms[1])[..., :1]


def weights_by_readout(row: Row) -> tuple[np.ndarray, np.ndarray]:
    """The gradient by the first weights over that by the readout's."""
    return row.scales, (row.weights[..., 0] / (row.weights[..., -1] + 1e-30))[..., None]


STATISTICS: dict[str, tuple[Statistic, np.ndarray]] = {
    "mean relative slope": (power(1.0), np.geomspace(0.03, 0.4, 28)),
    "mean of its square": (power(2.0), np.geomspace(0.02, 0.4, 28)),
    "mean of its square root": (power(0.5), np.geomspace(0.06, 0.5, 28)),
    "mean of its power 0.6": (power(0.6), np.geomspace(0.05, 0.5, 28)),
    "mean of its power 0.4": (power(0.4), np.geomspace(0.08, 0.6, 28)),
    "mean relative slope over rate^(1/2)": (by_rate(1.0, 0.5), np.geomspace(0.1, 3, 28)),
    "mean of its square root over rate^(1/4)": (by_rate(0.5, 0.25), np.geomspace(0.06, 1, 36)),
    "mean of its square root over rate^(1/8)": (by_rate(0.5, 0.125), np.geomspace(0.06, 1, 36)),
    "mean of its power 0.4 over rate^(1/4)": (by_rate(0.4, 0.25), np.geomspace(0.06, 1, 36)),
    "share within half width": (within_half_width, np.geomspace(0.03, 0.5, 28)),
    "mean change with log scale": (curvature, np.geomspace(0.02, 0.5, 28)),
    "half width over sd of the membrane": (fluctuation, np.geomspace(0.05, 2, 28)),
    "error, first over last surrogate": (between_layers, np.geomspace(0.1, 30, 28)),
    "error, early over late": (through_time, np.geomspace(0.01, 30, 28)),
    "gradient, first weights over readout's": (weights_by_readout, np.geomspace(0.03, 10, 28)),
}


class Rule(NamedTuple):
    """A statistic, the value that it should have, and the growth of that with each further slope in a row."""

    statistic: Statistic
    value: float
    growth: float

    def __call__(self, row: Row) -> np.ndarray:
        """The scale for each seed, the geometric mean over layers."""
        scales, seen = self.statistic(row)
        target = self.value * (1 + self.growth * (row.in_a_row - 1))
        nearest = np.abs(np.log(seen + 1e-30) - np.log(target)).argmin(axis=0)
        return np.exp(np.log(scales[nearest]).mean(axis=-1))


class Outcome(NamedTuple):
    """Points lost on average and at worst, and on average against the best scale for the other seeds."""

    mean: float
    worst: float
    beside: float


def outcome(rule: Callable[[Row], np.ndarray], rows: list[Row]) -> Outcome:
    """What a rule loses on some cases."""
    picked = [rule(row) for row in rows]
    by_case = [lost(row, scales) for row, scales in zip(rows, picked, strict=True)]
    beside = [lost_beside(row, scales) for row, scales in zip(rows, picked, strict=True)]
    return Outcome(float(np.mean(by_case)), float(np.max(by_case)), float(np.mean(beside)))


def chosen(name: str, rows: list[Row], growth: tuple[float, ...] = GROWTH) -> Rule:
    """The value and growth of a statistic that lose least on average."""
    statistic, values = STATISTICS[name]
    seen = {id(row): statistic(row) for row in rows}
    rules = (Rule(lambda row: seen[id(row)], value, each) for value, each in itertools.product(values, growth))
    best = min(rules, key=lambda rule: np.mean([lost(row, rule(row)) for row in rows]))
    return best._replace(statistic=statistic)


def main(path: Path) -> None:
    rows = read(path)
    halves = [[row for row in rows if row.case["held_out"] == held] for held in (False, True)]
    print(f"{len(halves[0])} cases to choose by, {len(halves[1])} held out; mean, worst, mean beside other seeds\n")
    for growth, name in itertools.product(((0.0,), GROWTH), STATISTICS):
        rule = chosen(name, halves[0], growth)
        found = "  ".join("{:5.2f} {:6.2f} {:5.2f}".format(*outcome(rule, half)) for half in halves)
        print(f"{name:40s} {rule.value:6.3f} growth {rule.growth:4.2f}  {found}")
    for scale in (0.562, 1.0, 1.78, 3.16):
        found = "  ".join(
            "{:5.2f} {:6.2f} {:5.2f}".format(*outcome(lambda _, s=scale: np.full(3, s), h)) for h in halves
        )
        print(f"{f'scale {scale}':40s} {'':18s}  {found}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
