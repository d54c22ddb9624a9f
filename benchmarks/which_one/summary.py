"""The numbers of the page, as plain JSON that other pages read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.calibration.cases import TASKS as CHOSEN_BY
from benchmarks.which_one import plan, statistics
from benchmarks.which_one.problems import NETS, problems
from benchmarks.which_one.runs import Result
from benchmarks.which_one.statistics import Loss

LEAST_SEEDS = 3


def unseen(task: str) -> bool:
    """Whether the rule of `meta.calibrate` was chosen without any variant of a task."""
    return task.replace(" ", "_") not in {name.partition(",")[0] for name in CHOSEN_BY}


def summarised(rows: Sequence[Result], done: int, planned: int) -> dict[str, Any]:
    """The numbers that the recommendation is made of, as plain JSON."""
    results = first_seeds(rows)
    best, calibrated = statistics.at_best(results), statistics.losses(results, "calibrate")
    fixed = {width: found for width, found in statistics.fixed_losses(results).items() if found}
    common = max((len(found) for found in fixed.values()), default=0)
    fixed = {width: found for width, found in fixed.items() if len(found) > common / 2}
    relative = {case: v for case, v in statistics.relative(best).items() if case.size == "height"}
    shallow = [case for case in relative if NETS[case.net].depth == 1]  # all shapes; deep networks have the usual ones
    whole = {case: relative[case] for case in sorted(statistics.complete(shallow or relative))}
    names = {case.shape for case in whole}
    by_shape = {name: [lost for case, lost in whole.items() if case.shape == name] for name in names}
    ranked = sorted(names, key=lambda name: float(np.mean(by_shape[name])))
    take = taken(ranked, relative)
    tests = statistics.compared(best, "height", take) if ranked else []
    over = statistics.over_cases(relative, take) if ranked else {}
    sure = [name for name in ranked if name in over and over[name][1]]
    worse = [test for test in tests if test.significant and test.difference < 0]
    return {
        "done": done, "planned": planned, "seeds": len({r.run.seed for r in results}),
        "cases": len(best), "tasks": statistics.tasks_of(results), "enough": enough(best),
        "take": take,
        "shapes": {n: _interval(by_shape[n]) | {"cases": len(by_shape[n])} for n in ranked},
        "nets": statistics.below(relative, take),
        "worse": [{"shape": t.surrogate, "task": t.task, "net": t.network, "points": -t.difference} for t in worse],
        "tests": len(tests), "worse_over_cases": [name for name in sure if over[name][0] > 0],
        "better_over_cases": [name for name in sure if over[name][0] < 0],
        "calibrate": _summary(calibrated, rows),
        "unseen": _summary([loss for loss in calibrated if unseen(loss.case.task)], rows),
        "fixed": {f"{width:g}": _summary(found) for width, found in fixed.items()},
    }  # fmt: skip


def taken(ranked: Sequence[str], relative: dict[statistics.Case, float]) -> str:
    """The first usual shape that is not worse than the best of them by more than chance; without any the best shape."""
    usual = [name for name in ranked if name in plan.FIRST]
    if not usual:
        return ranked[0] if ranked else ""
    over = statistics.over_cases(relative, usual[0])
    worse = {name for name, (lost, yes) in over.items() if yes and lost > 0}
    return next(name for name in plan.FIRST if name in usual and name not in worse)


def enough(best: dict[statistics.Case, dict[int, float]]) -> bool:
    """Whether there is enough for a recommendation: on each task several shapes with `LEAST_SEEDS` seeds."""
    shapes = {
        name: {case.shape for case, of in best.items() if case.task == name and len(of) >= LEAST_SEEDS}
        for name in problems()
    }
    return min(map(len, shapes.values())) > 1


def _interval(values: Sequence[float]) -> dict[str, float]:
    return dict(zip(("mean", "low", "high"), (round(v, 3) for v in statistics.interval(values)), strict=True))


def first_seeds(rows: Sequence[Result]) -> list[Result]:
    """The rows of the seeds that all cases have."""
    return [row for row in rows if row.run.seed in plan.SEEDS]


def _summary(found: Sequence[Loss], rows: Sequence[Result] = ()) -> dict[str, Any] | None:
    """Mean and worst loss over cases, and those that lose more than the goal; None if there are no cases."""
    if not found:
        return None
    values = [loss.beside for loss in found]
    worst = max(found, key=lambda loss: loss.beside)
    failing = sorted((loss for loss in found if loss.fails), key=lambda loss: -loss.beside)
    return _interval(values) | {
        "cases": len(found), "worst": round(worst.beside, 2), "worst_case": ", ".join(worst.case),
        "fails": [_failing(loss, rows) for loss in failing],
    }  # fmt: skip


def _failing(loss: Loss, rows: Sequence[Result]) -> dict[str, Any]:
    """A case that loses more than the goal, and what it loses with fresh seeds, where there are any."""
    told = {"case": ", ".join(loss.case), "points": round(loss.beside, 2), "error": round(loss.error, 2)}
    fresh = statistics.repeated(loss, rows)
    if fresh is None:
        return told
    numbers = {"seeds": fresh.seeds, "points": round(fresh.beside, 2), "error": round(fresh.error, 2)}
    return told | {"fresh": numbers | {"fails": fresh.fails}}


def plain(value: Any) -> Any:
    """A value whose numbers JSON knows: None stands for NaN."""
    if isinstance(value, dict):
        return {name: plain(one) for name, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return None if value != value else value
