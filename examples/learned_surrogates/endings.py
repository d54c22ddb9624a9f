"""Where each method ends, from each start."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import jobs
import numpy as np
from problem import Problem, Settings
from rows import Row

ANY, CALIBRATED = "any", "calibrated"
LEFT, GRID = "leave it", "grid, by validation"


class Line(NamedTuple):
    """A method from a start, over all seeds.

    Parameters:
        method, start: what tables call them.
        accuracies: `(seeds,)`, of the samples to test by, in %.
        losses: `(seeds, points)`, of training, in nats.
        scales: `(seeds, layers)`, at the end.
        updates, cpu: cost in units of one plain run, by updates and by CPU seconds.
    """

    method: str
    start: str
    accuracies: np.ndarray
    losses: np.ndarray
    scales: np.ndarray
    updates: float
    cpu: float

    @property
    def scale(self) -> float:
        """The geometric mean over seeds and layers."""
        return float(np.exp(np.log(self.scales).mean()))


def lines(rows: Iterable[Row], problem: Problem, settings: Settings) -> list[Line]:
    """All methods from all starts, in the order of the table."""
    groups = grouped(rows, problem)
    runs = [row for scale in settings.scales for row in groups["fixed", scale]]
    plain = float(np.mean([row["cpu_seconds"] for row in runs]))
    made = [_line(LEFT, start, groups["fixed", start], problem, plain) for start in settings.starts]
    made.append(_by_validation(groups, problem, settings, plain))
    for method in ("calibrate", "tune", jobs.BLIND):
        made.append(_line(method, None, groups[method, None], problem, plain))
    for method in ("hypergradient", jobs.APART) if problem.depth > 1 else ("hypergradient",):
        made += [_line(method, start, groups[method, start], problem, plain) for start in settings.starts]
        begun = _line(method, None, groups[method + jobs.CALIBRATED, None], problem, plain)
        made.append(begun._replace(start=CALIBRATED))
    return made


def fixed(rows: Iterable[Row], problem: Problem, settings: Settings) -> list[Line]:
    """A line for each scale of the grid."""
    groups = grouped(rows, problem)
    return [_line("fixed", scale, groups["fixed", scale], problem, 1.0) for scale in settings.scales]


def best(grid: list[Line]) -> Line:
    """The fixed scale that is best in hindsight, by the mean on the samples to test by."""
    return max(grid, key=lambda line: line.accuracies.mean())


def grouped(rows: Iterable[Row], problem: Problem) -> dict[tuple[str, float | None], list[Row]]:
    """The rows of a problem by method and start, each in the order of seeds."""
    groups: dict[tuple[str, float | None], list[Row]] = {}
    for row in sorted((row for row in rows if row["task"] == problem.task), key=lambda row: row["seed"]):
        groups.setdefault((row["method"], row.get("start")), []).append(row)
    return groups


def _line(method: str, start: float | None, rows: list[Row], problem: Problem, plain: float) -> Line:
    extra = float(np.mean([row.get("calibration_seconds", 0.0) for row in rows]))
    return Line(
        method,
        ANY if start is None else f"{start:g}",
        100 * np.array([row["test_accuracy"] for row in rows]),
        np.array([row["losses"] for row in rows], float),
        np.array([row["scales"] for row in rows], float),
        float(np.mean([row["updates"] for row in rows])) / problem.updates,
        (float(np.mean([row["cpu_seconds"] for row in rows])) + extra) / plain,
    )


def _by_validation(groups: Any, problem: Problem, settings: Settings, plain: float) -> Line:
    """Of each seed the fixed scale that is best on the samples to validate by, at the cost of all."""
    columns = zip(*(groups["fixed", scale] for scale in settings.scales), strict=True)
    chosen = [max(column, key=lambda row: row["validation_accuracy"]) for column in columns]
    count = len(settings.scales)
    return _line(GRID, None, chosen, problem, plain)._replace(updates=float(count), cpu=float(count))
