"""What the rows say: accuracy by shape and width, what a choice loses, and what differs by more than chance."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from benchmarks.which_one import plan, shapes
from benchmarks.which_one.grids import Curve, grid_of
from benchmarks.which_one.problems import problems
from benchmarks.which_one.runs import Result, Run
from surgrad import study
from surgrad.study import Comparison, Row

CONFIDENCE = 0.95
GOAL_MEAN, GOAL_WORST = 0.3, 1.5
"""Points that calibration may lose: on average over cases, and in one case beyond its standard error."""


class Case(NamedTuple):
    """A task, an architecture, a shape and a size: what a width is chosen for.

    Parameters:
        task, net, shape, size: as of a run.
    """

    task: str
    net: str
    shape: str
    size: str


class Loss(NamedTuple):
    """Points of accuracy that a choice loses in a case.

    Parameters:
        case: the case.
        seeds: seeds that all compared runs have.
        best: width that is best on average over the seeds.
        accuracy: mean accuracy of the choice, in %.
        beside: against the width that is best for the other seeds, seed by seed: no bias for either.
        over: against the best of the means, which is too good by chance.
        error: standard error of `beside`.
    """

    case: Case
    seeds: int
    best: float
    accuracy: float
    beside: float
    over: float
    error: float

    @property
    def fails(self) -> bool:
        """Whether it loses more than its standard error plus `GOAL_WORST`."""
        return self.beside > self.error + GOAL_WORST


def case_of(result: Result) -> Case:
    """The case of a result, under the name that its shape has today."""
    run = result.run.same()
    return Case(run.task, run.net, run.shape, run.size)


def curves(results: Iterable[Result]) -> dict[Case, Curve]:
    """Accuracies in % with fixed widths, by case, width and seed."""
    found: dict[Case, dict[float, dict[int, float]]] = defaultdict(lambda: defaultdict(dict))
    for result in results:
        if result.run.rule == "fixed":
            found[case_of(result)][result.run.width][result.run.seed] = 100 * result.test_accuracy
    return {case: dict(sorted(widths.items())) for case, widths in found.items()}


def by_rule(results: Iterable[Result], rule: str) -> dict[Case, dict[int, Result]]:
    """The results of a rule, by case and seed."""
    found: dict[Case, dict[int, Result]] = defaultdict(dict)
    for result in results:
        if result.run.rule == rule:
            found[case_of(result)][result.run.seed] = result
    return dict(found)


def lost(case: Case, curve: Curve, chosen: dict[int, float]) -> Loss | None:
    """What a choice loses against the best width of a curve; None if fewer than two widths or seeds can be compared."""
    grid = grid_of(curve).of(chosen)
    if len(grid.seeds) < 2 or len(grid.widths) < 2:
        return None
    ours, mean = np.array([chosen[seed] for seed in grid.seeds]), grid.accuracy.mean(axis=1)
    apart = grid.beside() - ours
    best, error = grid.widths[int(mean.argmax())], apart.std(ddof=1) / math.sqrt(len(apart))
    numbers = ours.mean(), apart.mean(), mean.max() - ours.mean(), error
    return Loss(case, len(grid.seeds), best, *map(float, numbers))


def losses(results: Sequence[Result], rule: str) -> list[Loss]:
    """What a rule loses in all cases that have enough runs."""
    curve = curves(results)
    chosen = {
        case: {s: 100 * r.test_accuracy for s, r in found.items()} for case, found in by_rule(results, rule).items()
    }
    found = (lost(case, curve[case], chosen[case]) for case in chosen if case in curve)
    return [one for one in found if one is not None]


def again(loss: Loss) -> list[Run]:
    """The runs that show a loss of calibration once more: its case at the best width and calibrated, fresh seeds."""
    task, net, shape, size = loss.case
    both = (("fixed", loss.best), ("calibrate", 0.0))
    return [Run(task, net, rule, shape, size, width, seed) for seed in plan.FRESH for rule, width in both]


def repeated(loss: Loss, results: Iterable[Result]) -> Loss | None:
    """What calibration loses in a case with fresh seeds, against the width that was best for the others.

    None if fewer than two of them have both runs.
    """
    runs = {run: (run.rule, run.seed) for run in again(loss)}
    found = {runs[r.run.same()]: 100 * r.test_accuracy for r in results if r.run.same() in runs}
    seeds = [seed for seed in plan.FRESH if {("fixed", seed), ("calibrate", seed)} <= set(found)]
    if len(seeds) < 2:
        return None
    ours, best = (np.array([found[rule, seed] for seed in seeds]) for rule in ("calibrate", "fixed"))
    mean, error = float((best - ours).mean()), float((best - ours).std(ddof=1) / math.sqrt(len(seeds)))
    return Loss(loss.case, len(seeds), loss.best, float(ours.mean()), mean, mean, error)


def fixed_losses(results: Sequence[Result]) -> dict[float, list[Loss]]:
    """What it costs to keep each width in all cases."""
    found: dict[float, list[Loss]] = defaultdict(list)
    for case, curve in curves(results).items():
        for width, chosen in curve.items():
            if (one := lost(case, curve, chosen)) is not None:
                found[width].append(one)
    return dict(sorted(found.items()))


def at_best(results: Sequence[Result]) -> dict[Case, dict[int, float]]:
    """The accuracy of each seed at the width that is best for the other seeds, by case."""
    grids = {case: grid_of(curve) for case, curve in curves(results).items()}
    return {
        case: dict(zip(grid.seeds, grid.beside().tolist(), strict=True))
        for case, grid in grids.items()
        if len(grid.seeds) > 1
    }


def at_calibrated(results: Sequence[Result]) -> dict[Case, dict[int, float]]:
    """The accuracy of each seed at the calibrated widths, by case, where there are two seeds or more."""
    found = by_rule(results, "calibrate")
    return {case: {s: 100 * r.test_accuracy for s, r in of.items()} for case, of in found.items() if len(of) > 1}


def compared(accuracies: dict[Case, dict[int, float]], size: str, against: str) -> list[Comparison]:
    """All shapes beside one, on each task and architecture: paired by seed, corrected by Holm's method.

    Parameters:
        accuracies: in %, by case and seed.
        size: the cases of which size.
        against: the shape.
    """
    cases = {case: of for case, of in accuracies.items() if case.size == size}
    reference = {(c.task, c.net): of for c, of in cases.items() if c.shape == against}
    rows = [
        Row(c.shape, "size", float(shapes.SIZES.index(size)), seed, value, 0, 0, 0, 0, c.shape, c.task, c.net, 1)
        for c, of in cases.items()
        if len(set(reference.get((c.task, c.net), {})) & set(of)) > 1
        for seed, value in of.items()
    ]
    return study.compare(rows, against=against, confidence=CONFIDENCE) if rows else []


def over_cases(points: dict[Case, float], against: str) -> dict[str, tuple[float, bool]]:
    """All shapes beside one over tasks and architectures: points below it on average, and whether by more than chance.

    Wilcoxon's signed-rank test, paired by task and architecture; corrected by Holm's method.

    Parameters:
        points: what cases of one size lose.
        against: the shape.
    """
    from scipy import stats
    from statsmodels.stats.multitest import multipletests

    rows: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    for case, lost in points.items():
        rows[case.shape][case.task, case.net] = lost
    reference = rows.pop(against)
    apart = {name: [of[row] - reference[row] for row in of if row in reference] for name, of in rows.items()}
    apart = {name: values for name, values in apart.items() if len(values) > 1 and any(values)}
    if not apart:
        return {}
    chances = [stats.wilcoxon(values).pvalue for values in apart.values()]
    significant = multipletests(chances, alpha=1 - CONFIDENCE, method="holm")[0]
    return {n: (float(np.mean(v)), bool(yes)) for (n, v), yes in zip(apart.items(), significant, strict=True)}


def relative(accuracies: dict[Case, dict[int, float]]) -> dict[Case, float]:
    """Points below the best shape of the same task, architecture and size."""
    means = {case: float(np.mean(list(of.values()))) for case, of in accuracies.items()}
    best: dict[Any, float] = defaultdict(lambda: -math.inf)
    for case, mean in means.items():
        key = case._replace(shape="")
        best[key] = max(best[key], mean)
    return {case: best[case._replace(shape="")] - mean for case, mean in means.items()}


def below(points: dict[Case, float], against: str) -> dict[str, dict[str, float]]:
    """Points below one shape, averaged over the tasks that both have: by architecture, then by shape.

    Parameters:
        points: what cases of one size lose.
        against: the shape.
    """
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for case, lost in points.items():
        reference = points.get(case._replace(shape=against))
        if reference is not None and case.shape != against:
            found[case.net][case.shape].append(lost - reference)
    return {net: {n: round(float(np.mean(v)), 2) for n, v in of.items()} for net, of in found.items()}


def complete(cases: Iterable[Case]) -> set[Case]:
    """The cases of a size whose means can be compared: shapes that most rows have, in the rows that have all of these.

    A row is a task and an architecture.
    """
    there = set(cases)
    rows = {(case.task, case.net) for case in there}
    count = Counter(case.shape for case in there)
    usual = {shape for shape, number in count.items() if number > len(rows) / 2}
    whole = {row for row in rows if usual <= {case.shape for case in there if (case.task, case.net) == row}}
    return {case for case in there if case.shape in usual and (case.task, case.net) in whole}


def interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean and confidence interval of some values (Student's t)."""
    from scipy import stats

    numbers = np.asarray(values, float)
    if len(numbers) < 2:
        return float(numbers.mean()), math.nan, math.nan
    half = stats.t.ppf((1 + CONFIDENCE) / 2, len(numbers) - 1) * numbers.std(ddof=1) / math.sqrt(len(numbers))
    return float(numbers.mean()), float(numbers.mean() - half), float(numbers.mean() + half)


@dataclasses.dataclass(frozen=True)
class Shares:
    """Parts of the variance of accuracy, averaged over tasks, architectures and sizes, in points².

    Parameters:
        width: between the widths of a shape.
        shape: between the shapes at their best widths.
        seed: between seeds of the same run.
        cases: number of tasks, architectures and sizes.
    """

    width: float
    shape: float
    seed: float
    cases: int


def shares(results: Sequence[Result]) -> Shares | None:
    """What separates runs: width, shape, or chance."""
    curve, best = curves(results), at_best(results)
    groups: dict[Any, list[Case]] = defaultdict(list)
    for case in best:
        groups[case._replace(shape="")].append(case)
    widths, forms, seeds = [], [], []
    for cases in (group for group in groups.values() if len(group) > 1):
        forms.append(np.var([np.mean(list(best[case].values())) for case in cases], ddof=1))
        for case in cases:
            grid = [list(of.values()) for of in curve[case].values()]
            widths.append(np.var([np.mean(of) for of in grid], ddof=1) if len(grid) > 1 else 0.0)
            seeds += [np.var(of, ddof=1) for of in grid if len(of) > 1]
    if not forms:
        return None
    return Shares(float(np.mean(widths)), float(np.mean(forms)), float(np.mean(seeds)), len(forms))


def tasks_of(results: Iterable[Result]) -> list[str]:
    """The tasks that have rows, in the order of the problems."""
    there = {result.run.task for result in results}
    return [name for name in problems() if name in there]
