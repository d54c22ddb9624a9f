"""Hyperparameters chosen during training: many runs start, and the better ones go on."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import jax

from surgrad._former import answers
from surgrad._kinds import require_choice
from surgrad._mapping import MAPPINGS
from surgrad._numbers import require_whole
from surgrad._types import PyTree
from surgrad.meta._search.halving import Halving
from surgrad.meta._search.method import Rung, Search, SearchMethod
from surgrad.meta._search.population import Population
from surgrad.meta._search.resuming import ResumedPopulation, settings_of
from surgrad.meta._search.space import (
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
from surgrad.meta._search.training import Training
from surgrad.train._checkpoints import Checkpoints, Store

_METHODS = "method=meta.Halving(candidates=8) or meta.Optuna(candidates=8)"


class Cost(NamedTuple):
    """What a search cost, in updates.

    Parameters:
        updates: of all runs together.
        plain: of one whole run.
        one_by_one: of all candidates, if each had been trained to the end.
        seconds: wall time, compilation included; with checkpoints that of all calls, as far as checkpoints tell.
    """

    updates: int
    plain: int
    one_by_one: int
    seconds: float

    @property
    def ratio(self) -> float:
        """Updates in units of one whole run."""
        return self.updates / self.plain


class Tuning(NamedTuple):
    """The result of `tune`.

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


@answers(
    candidates="it is an option of the method: write method=meta.Halving(candidates=...)",
    margin="it is an option of the method: write method=meta.Halving(margin=...)",
    schedule="write method=meta.Halving(rungs=[(updates, runs), ...])",
    rungs="it is an option of the method: write method=meta.Halving(rungs=[(updates, runs), ...])",
    first="write initial_candidates=[...]",
)
def tune(
    training: Training,
    space: Space,
    *,
    method: SearchMethod = Halving(),  # noqa: B008 (immutable)
    initial_candidates: Sequence[Mapping[str, Any]] = (),
    seed: int = 0,
    mapping: str | None = None,
    checkpoints: str | os.PathLike[str] | Checkpoints | None = None,
) -> Tuning:
    """The best of several candidates, trained to the end; all see the same batches, in one compiled program.

        >>> import jax.numpy as jnp
        >>> from surgrad.meta import LogRange
        >>> def update(hyper, state, index):  # the best scale is 3
        ...     return state, jnp.abs(jnp.log(hyper["scale"] / 3))
        >>> training = Training(lambda hyper: jnp.zeros(()), update, steps=40)
        >>> found = tune(training, {"scale": LogRange(0.01, 1000)}, initial_candidates=[{"scale": 3.0}])
        >>> float(found.hyper["scale"]), found.cost.updates, found.cost.one_by_one
        (3.0, 61, 320)

    Parameters:
        training: what is run, see `Training.of_network`.
        space: a `Range`, a `LogRange` or a `Choice` by name.
        method: `Halving`, `Optuna`, or one of your own, a `SearchMethod`.
        initial_candidates: candidates that are tried in any case, such as a calibrated one. Only a clear lead beats
            them, so give good guesses alone. The value of a `Choice` is the number of the option, from 0.
        seed: of the candidates, >= 0.
        mapping: `"map"`, runs one after the other, or `"vmap"`, all at once; None: the one that suits the machine.
        checkpoints: a folder, or `train.Checkpoints`: the search can be killed at any time, and the same call goes on
            from the newest checkpoint, to the same result, bit by bit. Functions, and the values of data, are not
            compared: they must be the same.

    Raises:
        ImportError: the method, or checkpoints, need a package that is not installed.
        TypeError, ValueError: an argument is not what it must be; the message says which. A checkpoint is of another
            search, or damaged.
        FloatingPointError: no run has a finite loss.
        OSError: a checkpoint cannot be written. Earlier ones stay as they were.
    """
    _require(training, space, method, initial_candidates, mapping)
    require_whole("tune", 0, seed=seed)
    known = [dict(one) for one in initial_candidates]
    tried = stack([*known, *unstack(sample(space, method.candidates, seed))][: method.candidates])
    runs = training, lambda candidate: resolve(space, candidate), tried, mapping
    if checkpoints is None:
        begin, population = time.perf_counter(), Population(*runs)
        found = method.search(population, space, len(known), seed)
        return _result(training, space, population, found, time.perf_counter() - begin)
    wanted = checkpoints if isinstance(checkpoints, Checkpoints) else Checkpoints(checkpoints)
    with closing(Store(wanted, writer="tune")) as store:
        resumed = ResumedPopulation(*runs, wanted, store, settings_of(training, space, method, seed, known))
        found = method.search(resumed, space, len(known), seed)
        resumed.save()
    return _result(training, space, resumed, found, resumed.seconds)


def _result(training: Training, space: Space, population: Population, found: Search, seconds: float) -> Tuning:
    best, tried = found.rungs[-1].runs[0], jax.device_get(population.candidates)
    cost = Cost(found.updates, training.steps, len(population) * training.steps, seconds)
    return Tuning(resolve(space, pick(tried, best)), population.state(best), tried, found.rungs, cost)


def _require(
    training: Training, space: Space, method: Any, initial_candidates: Sequence[Any], mapping: str | None
) -> None:
    require_space(space)
    if not isinstance(method, SearchMethod):
        raise TypeError(f"tune: method must be an object, {_METHODS}, got {method!r}.")
    method.require(training.steps)
    require_choice("tune", "mapping", mapping, MAPPINGS)
    if method.candidates < len(initial_candidates):
        raise ValueError(
            f"tune: the method must have as many candidates as there are initial_candidates, "
            f"{len(initial_candidates)}, at least, got candidates={method.candidates}."
        )
    for one in initial_candidates:
        require_candidate(space, one)
