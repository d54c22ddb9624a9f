"""What follows from the runs: differences to the best fixed scale, and claims that hold or do not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

import numpy as np
from endings import ANY, CALIBRATED, LEFT, Line, best, fixed, grouped, lines
from jobs import APART, BLIND
from problem import Problem, Settings
from rows import Row

MARGIN = 1.0
"""Percentage points: what is less counts as no difference."""
EXACT = 1e-5
"""Relative error below which a hypergradient counts as that of the differences."""

Tables = dict[Problem, list[Line]]
Gaps = dict[str, dict[str, "Gap"]]
"""Differences by problem and start."""


class Gap(NamedTuple):
    """A difference of accuracies in points, paired by seed, and its standard error (one seed: NaN)."""

    mean: float
    error: float

    @property
    def clear(self) -> bool:
        """Whether it is above the margin, either way, and above two standard errors."""
        return abs(self.mean) > MARGIN and not abs(self.mean) <= 2 * self.error

    def __str__(self) -> str:
        # Zero has no sign.
        return f"{round(self.mean, 1) + 0.0:+.1f} ± {self.error:.1f}".replace(" ± nan", "").replace("-", "−")


class Claim(NamedTuple):
    """A sentence that might be true, the numbers, and whether it is."""

    claim: str
    here: str
    holds: bool


def gap(ones: np.ndarray, others: np.ndarray) -> Gap:
    """How much higher the ones are."""
    difference = ones - others
    count = len(difference)
    return Gap(float(difference.mean()), float(difference.std(ddof=1) / count**0.5) if count > 1 else float("nan"))


def claims(rows: list[Row], settings: Settings) -> list[Claim]:
    """All claims, in the order of the page."""
    tables = {problem: lines(rows, problem, settings) for problem in settings.problems}
    numbers = tuple(f"{start:g}" for start in settings.starts)
    made = [_loss_falls(tables), *_against_best(rows, settings, tables, numbers)]
    made.insert(2, _same_from_all_starts(rows, settings))
    made += _against_each_other(tables, numbers)
    return [*made, _exact(rows, settings)]


def _against_best(rows: list[Row], settings: Settings, tables: Tables, numbers: tuple[str, ...]) -> list[Claim]:
    bests = {problem: best(fixed(rows, problem, settings)).accuracies for problem in tables}

    def gaps(method: str, starts: tuple[str, ...]) -> Gaps:
        return {
            problem.title: {
                line.start: gap(line.accuracies, bests[problem])
                for line in table
                if line.method == method and line.start in starts
            }
            for problem, table in tables.items()
        }

    near = f"ends within {MARGIN:g} point of the best fixed scale"
    return [
        _all("A fixed scale that is badly chosen loses", gaps(LEFT, numbers), lambda found: any(map(_below, found))),
        _all(f"Calibration {near}", gaps("calibrate", (ANY,)), _near),
        _all(f"Tuning {near}", gaps("tune", (ANY,)), _near),
        _all(f"Tuning that does not know the calibrated scales {near}", gaps(BLIND, (ANY,)), _near),
        _all(f"A hypergradient {near}, from every start", gaps("hypergradient", numbers), _near),
    ]


def _against_each_other(tables: Tables, numbers: tuple[str, ...]) -> list[Claim]:
    def gaps(method: str, other: str, starts: dict[str, str]) -> Gaps:
        """Of two methods, by the starts of the one, from which those of the other follow."""
        found = {}
        for problem, table in tables.items():
            by = {(line.method, line.start): line.accuracies for line in table}
            pairs = {start: ((method, start), (other, theirs)) for start, theirs in starts.items()}
            found[problem.title] = {s: gap(by[one], by[two]) for s, (one, two) in pairs.items() if one in by}
        return {title: some for title, some in found.items() if some}

    same = {start: start for start in numbers}
    made = [
        _all(
            "Tuning is not worse than calibration alone",
            gaps("tune", "calibrate", {ANY: ANY}),
            lambda found: not any(map(_below, found)),
        ),
        _all(
            "From every start a hypergradient does better than leaving the scale there",
            gaps("hypergradient", LEFT, same),
            _all_above,
        ),
        _all(
            "From the calibrated scale a hypergradient adds to calibration",
            gaps("hypergradient", "calibrate", {CALIBRATED: ANY}),
            _all_above,
        ),
    ]
    apart = gaps(APART, "hypergradient", {**same, CALIBRATED: CALIBRATED})
    return [*made, _all("A scale a layer is better than one factor for all", apart, _all_above)] if apart else made


def _all(claim: str, gaps: Gaps, holds: Callable[[list[Gap]], bool]) -> Claim:
    """A claim about differences, which holds if it does in every problem."""
    text = "; ".join(f"{title}: {_listed(found)} points" for title, found in gaps.items())
    return Claim(claim, text, all(holds(list(found.values())) for found in gaps.values()))


def _listed(found: dict[str, Gap]) -> str:
    return ", ".join(f"{value}" if name == ANY else f"from {name} {value}" for name, value in found.items())


def _near(gaps: list[Gap]) -> bool:
    return all(one.mean >= -MARGIN for one in gaps)


def _below(one: Gap) -> bool:
    return one.clear and one.mean < 0


def _all_above(gaps: list[Gap]) -> bool:
    return all(one.clear and one.mean > 0 for one in gaps)


def _loss_falls(tables: Tables) -> Claim:
    """That of the calibrated and the tuned runs, in every seed, to less than half of what it begins with."""
    parts, holds = [], True
    for problem, table in tables.items():
        for line in table:
            if line.method in ("calibrate", "tune"):
                begin, end = line.losses[:, 0], line.losses[:, -1]
                parts.append(f"{problem.title}, {line.method}: {begin.mean():.2f} → {end.mean():.2f} nats")
                holds &= bool(np.all(end < begin / 2))
    claim = "With a calibrated or tuned scale the training loss falls to less than half, in every seed"
    return Claim(claim, "; ".join(parts), holds)


def _same_from_all_starts(rows: list[Row], settings: Settings) -> Claim:
    parts, holds = [], True
    for problem in settings.problems:
        found = np.array([row["from_starts"] for row in grouped(rows, problem)["calibrate", None]], float)
        spread = float((found.max(axis=1) / found.min(axis=1)).max() - 1)
        parts.append(
            f"{problem.title}: {found.min():.3g} to {found.max():.3g} over seeds, starts apart by {spread:.0e}"
        )
        holds &= spread < 1e-3
    starts = ", ".join(f"{start:g}" for start in settings.starts)
    return Claim(f"Calibration finds the same scales from {starts}", "; ".join(parts), holds)


def _exact(rows: list[Row], settings: Settings) -> Claim:
    errors = {steps: errors_of(rows, None, steps) for steps in settings.horizons}
    text = ", ".join(f"K = {steps}: at most {max(found):.0e}" for steps, found in errors.items() if found)
    holds = all(found and max(found) < EXACT for found in errors.values())
    return Claim(f"Hypergradients are those of central differences, to a relative error of {EXACT:.0e}", text, holds)


def errors_of(rows: Iterable[Row], task: str | None, steps: int) -> list[float]:
    """Relative errors of the hypergradients through so many updates; a case whose spikes jump has none."""
    found = (row for row in rows if row["method"] == "differences" and row["steps"] == steps)
    return [row["error"] for row in found if row["error"] is not None and task in (None, row["task"])]
