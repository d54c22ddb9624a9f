"""Successive halving: all runs start, and at each rung the worse ones end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surgrad._numbers import require_real, require_whole
from surgrad.meta._search.method import Rung, Search
from surgrad.meta._search.population import Population

Plan = Sequence[tuple[int, int]]
"""Rungs, `(updates, runs)`: after so many updates so many runs go on."""
MARGIN = 0.2
"""Relative lead in loss by which a candidate must beat the initial ones; see `benchmarks/calibration`."""
BESIDE = 0.4
"""Cost of all other runs together, in whole runs."""


def default_rungs(steps: int, candidates: int) -> list[tuple[int, int]]:
    """Rungs at which a quarter of the runs go on, two until the last, for the cost of 0.4 whole runs besides the best.

    All stages cost the same, so that the runs that are left are compared for longer. The first rung comes after the
    second update at least, since the loss before the first is that of the initial weights; with few updates that costs
    more.
    """
    if candidates < 2:
        return []
    alive = [candidates]
    while alive[-1] > 2:
        alive.append(max(2, alive[-1] // 4))
    plan, at = [], 0.0
    for runs, left in zip(alive, [*alive[1:], 1], strict=True):
        at += BESIDE * steps / len(alive) / max(1, runs - 1)
        plan.append((max(2, int(at)), left))
    return [(at, left) for (at, left), (after, _) in zip(plan, [*plan[1:], (steps, 1)], strict=True) if at < after]


def halved(population: Population, initial: int, margin: float, plan: Plan, known: np.ndarray | None = None) -> Search:
    """All rungs, the last one after the last update of the run that is left.

    Parameters:
        population: of runs.
        initial: how many of the first runs are judged without the margin.
        margin: share of its loss by which each other run counts as worse.
        plan: the rungs.
        known: losses of all runs at the first rung, if its updates are already made.
    """
    steps, handicap = population.training.steps, np.where(np.arange(len(population)) < initial, 0.0, margin)
    alive, done, updates, history = np.arange(len(population)), 0, 0, []
    for at, left in [*plan, (steps, 1)]:
        losses = known if known is not None and not done else np.asarray(population.advance(alive, done, at - done))
        updates, done = updates + len(alive) * (at - done), at
        judged = np.where(np.isfinite(losses), losses + handicap[alive] * np.abs(losses), np.inf)
        order = np.argsort(judged, kind="stable")
        if not np.isfinite(losses[order[0]]):
            raise FloatingPointError(f"tune: no run has a finite loss after {at} updates; lower the learning rate.")
        alive, losses = alive[order], losses[order]
        history.append(Rung(at, tuple(map(int, alive)), tuple(map(float, losses))))
        alive = alive[: max(1, left)]
    return Search(tuple(history), updates)


def require_options(where: str, candidates: int, rungs: Plan | None, margin: float) -> None:
    """Check the options of successive halving that do not depend on the training.

    Raises:
        TypeError, ValueError: one is not a number, or out of range; the message says which.
    """
    require_whole(where, candidates=candidates)
    require_real(where, "margin", margin, at_least=0)
    for at, runs in rungs or ():
        require_whole(where, **{"updates of rungs": at, "runs of rungs": runs})


def require_plan(where: str, rungs: Plan | None, steps: int) -> None:
    """Check rungs against the number of updates of a whole run.

    Raises:
        ValueError: they are out of order, or beyond the last update.
    """
    if rungs is None:
        return
    ats, left = [at for at, _ in rungs], [runs for _, runs in rungs]
    if ats != sorted(set(ats)) or any(not 0 < at < steps for at in ats) or left != sorted(left, reverse=True):
        raise ValueError(
            f"{where}: rungs must be (updates, runs) with rising updates, 0 < updates < {steps}, and falling runs, "
            f"got {rungs}."
        )
