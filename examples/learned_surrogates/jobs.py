"""What is run: rows of results, by problem and method."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import differences
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from methods import Outcome, calibrated, learned, learned_apart, outcome, plain, samples_of, searched
from problem import Problem, Settings
from rows import Row

APART = "hypergradient, a scale a layer"
BLIND = "tune, not calibrated"
CALIBRATED = ", from the calibrated scale"


def fixed(problem: Problem, settings: Settings) -> list[Row]:
    """A run a scale of the grid and seed."""
    runs = [(scale, place) for scale in settings.scales for place in range(len(settings.seeds))]
    scales = [jnp.full(problem.depth, scale) for scale, _ in runs]
    return _each("fixed", plain, problem, settings, runs, scales)


def calibrate(problem: Problem, settings: Settings) -> list[Row]:
    """A run a seed at the calibrated scales; those from every start are noted."""
    runs = [(None, place) for place in range(len(settings.seeds))]
    calibrated(problem, settings.starts[0], 0, settings)  # compiles
    begin = _clocks()
    found = [[calibrated(problem, start, place, settings) for start in settings.starts] for _, place in runs]
    seconds = _since(begin)["cpu_seconds"] / len(runs) / len(settings.starts)
    rows = _each("calibrate", plain, problem, settings, runs, [one[0] for one in found])
    noted = [{"from_starts": [_numbers(scales) for scales in one], "calibration_seconds": seconds} for one in found]
    return [row | note for row, note in zip(rows, noted, strict=True)]


def tune(problem: Problem, settings: Settings, blind: bool = False) -> list[Row]:
    """A search a seed, which knows the calibrated scales if it is not blind."""
    rows = []
    for place in range(len(settings.seeds)):
        begin = _clocks()
        guess = None if blind else calibrated(problem, settings.starts[0], place, settings)
        found = searched(problem, place, settings, guess)
        took = _since(begin)
        scales, data = jnp.asarray(found.hyper["scales"]), samples_of(problem, place, settings)
        ended = _ended(problem, settings.seeds[place], data, scales, found.state)
        rows.append(_row(BLIND if blind else "tune", problem, settings, (None, place), jax.device_get(ended), took))
        rows[-1] |= {"updates": found.cost.updates, "one_by_one": found.cost.one_by_one}
        rows[-1] |= {"candidates": [_numbers(one) for one in found.candidates["scales"]]}
        rows[-1] |= {"rungs": [[rung.steps, list(rung.runs)] for rung in found.rungs]}
    return rows


def hypergradient(problem: Problem, settings: Settings, apart: bool = False) -> list[Row]:
    """A run a start and seed."""
    runs = [(start, place) for start in settings.starts for place in range(len(settings.seeds))]
    scales = [jnp.full(problem.depth, start) for start, _ in runs]
    name, run = (APART, learned_apart) if apart else ("hypergradient", learned)
    return _each(name, run, problem, settings, runs, scales)


def from_calibration(problem: Problem, settings: Settings, apart: bool = False) -> list[Row]:
    """A run a seed that begins at the calibrated scales."""
    runs = [(None, place) for place in range(len(settings.seeds))]
    scales = [calibrated(problem, settings.starts[0], place, settings) for _, place in runs]
    name, run = (APART, learned_apart) if apart else ("hypergradient", learned)
    return _each(name + CALIBRATED, run, problem, settings, runs, scales)


METHODS: dict[str, Callable[[Problem, Settings], list[Row]]] = {
    "fixed": fixed,
    "calibrate": calibrate,
    "tune": tune,
    BLIND: functools.partial(tune, blind=True),
    "hypergradient": hypergradient,
    "hypergradient" + CALIBRATED: from_calibration,
    APART: functools.partial(hypergradient, apart=True),
    APART + CALIBRATED: functools.partial(from_calibration, apart=True),
    "differences": differences.compare,
}


def jobs(settings: Settings) -> Iterable[tuple[Problem, str]]:
    """Everything that is run; with a single layer there is nothing to set apart."""
    for problem in settings.problems:
        for method in METHODS:
            if problem.depth > 1 or not method.startswith(APART):
                yield problem, method


def work(problem: Problem, method: str, settings: Settings) -> list[Row]:
    """The rows of a job; where it does not time its runs, each has a share of its time."""
    begin = _clocks()
    rows = METHODS[method](problem, settings)
    share = {clock: seconds / len(rows) for clock, seconds in _since(begin).items()}
    return [{**share, **row} for row in rows]


_ended = jax.jit(outcome, static_argnums=0)


def _each(
    method: str,
    run: Callable[..., Outcome],
    problem: Problem,
    settings: Settings,
    runs: Sequence[tuple[float | None, int]],
    scales: list[Array],
) -> list[Row]:
    """Rows of runs, given by start and place of the seed, one after the other by one compiled program."""
    begin = _clocks()
    program = _compiled(run, problem, settings)
    compilation = _since(begin)["cpu_seconds"]
    rows = []
    for each, begin_at in zip(runs, scales, strict=True):
        data, seed = samples_of(problem, each[1], settings), jnp.asarray(settings.seeds[each[1]])
        begin = _clocks()
        found = jax.device_get(program(begin_at, seed, data))
        rows.append(_row(method, problem, settings, each, found, _since(begin)))
        rows[-1]["compile_seconds"] = compilation / len(runs)
    return rows


@functools.lru_cache
def _compiled(run: Callable[..., Outcome], problem: Problem, settings: Settings) -> Any:
    """The program of a run."""
    example = jnp.ones(problem.depth), jnp.asarray(settings.seeds[0]), samples_of(problem, 0, settings)
    return jax.jit(functools.partial(run, problem, settings)).lower(*example).compile()


def _row(
    method: str, problem: Problem, settings: Settings, run: tuple[float | None, int], found: Outcome, took: Row
) -> Row:
    start, place = run
    losses = np.asarray(found.losses).reshape(settings.points, -1).mean(axis=1)
    return {
        "task": problem.task,
        "method": method,
        "start": start,
        "seed": settings.seeds[place],
        "scales": _numbers(found.path[-1]),
        "test_accuracy": float(found.test),
        "validation_accuracy": float(found.validation),
        "losses": _numbers(losses),
        "path": [_numbers(scales) for scales in found.path],
        "growth": float(found.growth),
        "updates": problem.updates,
        **took,
    }


def _numbers(values: Any) -> list[float]:
    """Six digits, so that a file of rows stays small."""
    return [float(f"{value:.6g}") for value in np.asarray(values)]


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(begin: tuple[float, float]) -> dict[str, float]:
    wall, cpu = (end - start for end, start in zip(_clocks(), begin, strict=True))
    return {"wall_seconds": wall, "cpu_seconds": cpu}
