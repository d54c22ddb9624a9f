"""Hyperparameters chosen while training: many runs begin, the better ones go on."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from surgrad._numbers import require_real, require_whole
from surgrad._types import PyTree
from surgrad.meta.model_based import search
from surgrad.meta.population import Population, Training
from surgrad.meta.space import (
    Candidates,
    Space,
    pick,
    require_candidate,
    require_space,
    resolve,
    sample,
    stack,
    unstack,
)

METHODS = ("halving", "optuna")
MARGIN = 0.2
"""Relative lead in loss by which a candidate must beat those of `first`; see `benchmarks/calibration`."""
BESIDE = 0.4
"""Cost of all other runs, in whole runs."""


class Rung(NamedTuple):
    """One comparison of runs.

    Parameters:
        steps: updates that each has behind it.
        runs: numbers of the runs, the best first, those of `first` ahead within the margin.
        losses: their mean losses over the updates since the rung before.
    """

    steps: int
    runs: tuple[int, ...]
    losses: tuple[float, ...]


class Cost(NamedTuple):
    """What a search cost, in updates.

    Parameters:
        updates: of all runs together.
        plain: of one whole run.
        one_by_one: of all candidates, had each been trained to the end.
        seconds: wall time, compilation included.
    """

    updates: int
    plain: int
    one_by_one: int
    seconds: float

    @property
    def ratio(self) -> float:
        """Updates in units of one whole run."""
        return self.updates / self.plain


class Tuned(NamedTuple):
    """The result of a search.

    Parameters:
        hyper: the best hyperparameters by name, as the training gets them.
        state: the state of their run after its last update.
        candidates: all that were tried, by name, along a leading axis.
        rungs: the comparisons, in order.
        cost: what it took.
    """

    hyper: dict[str, Any]
    state: PyTree
    candidates: Candidates
    rungs: tuple[Rung, ...]
    cost: Cost


def tune(
    training: Training,
    space: Space,
    *,
    method: str = "halving",
    candidates: int = 8,
    first: Sequence[Mapping[str, Any]] = (),
    margin: float = MARGIN,
    schedule: Sequence[tuple[int, int]] | None = None,
    seed: int = 0,
    mapping: str | None = None,
) -> Tuned:
    """The best of some candidates, trained to the end.

    Successive halving (Jamieson & Talwalkar 2016): all runs begin, and at each rung the worse ones end. All see the
    same batches, and one compiled program serves all. What diverges ends first.

    Parameters:
        training: see `training`.
        space: a `Range` or a `Choice` by name.
        method: `"halving"`, candidates fill the space evenly; or `"optuna"`, all but the first few are proposed by
            Optuna's tree-structured Parzen estimator from the first rung of those before, and halved from there on.
        candidates: number of runs that begin, those of `first` included.
        first: candidates that are tried in any case, such as a calibrated one, and that only a clear lead beats,
            so give good guesses alone; of a `Choice` the number of the option, from 0.
        margin: that lead, as a share of the loss, >= 0: what a few updates say of the end is worth less than a good
            guess.
        schedule: rungs, `(updates, runs)`: after so many updates so many runs go on. None: `rungs(...)`.
        seed: of the candidates.
        mapping: `"map"`, runs one after the other, or `"vmap"`; None: what suits the machine.

    Raises:
        ImportError: Optuna is not installed.
        TypeError, ValueError: an argument is not what it must be; the message says which.
        FloatingPointError: no run has a finite loss.
    """
    require_space(space)
    known = _require(training, space, method, candidates, first, mapping)
    require_real("tune", "margin", margin, at_least=0)
    require_whole("tune", 0, seed=seed)
    begin = time.perf_counter()
    plan = rungs(training.steps, candidates) if schedule is None else _require_schedule(schedule, training.steps)
    tried = stack([*known, *unstack(sample(space, candidates, seed))][:candidates])
    population = Population(training, lambda c: resolve(space, c), tried, mapping)
    losses = search(population, space, len(known), plan[0][0], seed) if method == "optuna" else None
    handicap = np.where(np.arange(candidates) < len(known), 0.0, margin)
    history, updates = _halve(population, handicap, plan, training.steps, losses)
    best = history[-1].runs[0]
    cost = Cost(updates, training.steps, candidates * training.steps, time.perf_counter() - begin)
    tried = jax.device_get(population.candidates)
    return Tuned(resolve(space, pick(tried, best)), population.state(best), tried, tuple(history), cost)


def rungs(steps: int, candidates: int) -> list[tuple[int, int]]:
    """A schedule: a quarter of the runs go on at each rung, two until the last, which cost as much as 0.4 runs more.

    All stages cost the same, so that what is left is compared for longer. The first rung comes after the second update
    at least, since the loss before the first is that of the initial weights; with few updates that costs more.
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


def _halve(
    population: Population, handicap: np.ndarray, plan: Sequence[tuple[int, int]], steps: int, known: np.ndarray | None
) -> tuple[list[Rung], int]:
    """All rungs, the last one after the last update of the run that is left, and the updates of all.

    Parameters:
        handicap: share of its loss by which each run counts as worse.
        known: losses of the first rung, where its updates are done.
    """
    alive, done, updates, history = np.arange(len(handicap)), 0, 0, []
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
    return history, updates


def _require(
    training: Training, space: Space, method: str, candidates: int, first: Sequence[Any], mapping: str | None
) -> list[dict[str, Any]]:
    if method not in METHODS:
        raise ValueError(f"tune: method must be one of {', '.join(map(repr, METHODS))}, got {method!r}.")
    if mapping not in (None, "map", "vmap"):
        raise ValueError(f"tune: mapping must be 'map', 'vmap' or None, got {mapping!r}.")
    require_whole("tune", candidates=candidates)
    if candidates < len(first):
        raise ValueError(f"tune: candidates must hold the {len(first)} of first, got {candidates}.")
    for one in first:
        require_candidate(space, one)
    return [dict(one) for one in first]


def _require_schedule(schedule: Sequence[tuple[int, int]], steps: int) -> Sequence[tuple[int, int]]:
    flat = list(schedule)
    for at, runs in flat:
        require_whole("tune", **{"updates of schedule": at, "runs of schedule": runs})
    ats, left = [at for at, _ in flat], [runs for _, runs in flat]
    if ats != sorted(set(ats)) or any(not 0 < at < steps for at in ats) or left != sorted(left, reverse=True):
        raise ValueError(
            f"tune: schedule must be (updates, runs) with rising updates, 0 < updates < {steps}, and falling runs, "
            f"got {schedule}."
        )
    return flat
