"""The methods: a fixed scale, calibration, tuning, and scales that hypergradients move during training."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from problem import (
    LIMITS,
    Problem,
    Samples,
    Settings,
    accuracies,
    batch_of,
    loss,
    network,
    optimizer,
    samples,
    training,
)

from surgrad import meta
from surgrad._types import PyTree

Row = dict[str, Any]


class Outcome(NamedTuple):
    """What a run ends with.

    Parameters:
        losses: of every update, before it, in nats.
        path: scales over the run, `(points, layers)`; the last ones are those that it ended with.
        growth: the most that a hypergradient grew while its steps doubled; 0 where there is none.
        validation, test: share of right answers.
    """

    losses: Float[Array, " updates"]
    path: Float[Array, "points layers"]
    growth: Float[Array, ""]
    validation: Float[Array, ""]
    test: Float[Array, ""]


def recorded(plain: meta.Training) -> meta.Training:
    """The same training, whose state holds the loss of every update too."""

    def start(hyper: dict[str, Any]) -> PyTree:
        return plain.start(hyper), jnp.zeros(plain.steps)

    def update(hyper: dict[str, Any], state: PyTree, index: Any) -> tuple[PyTree, Float[Array, ""]]:
        inner, value = plain.update(hyper, state[0], index)
        return (inner, state[1].at[index].set(value)), value

    return plain._replace(start=start, update=update)


def outcome(problem: Problem, seed: Any, data: Samples, scales: Float[Array, " layers"], state: PyTree) -> Outcome:
    """What a recorded training ends with, from its last state."""
    (weights, _), losses = state
    right = accuracies(network(problem, seed, scales, data.train).with_connections(weights), data)
    return Outcome(losses, scales[None], jnp.zeros(()), *right)


def plain(problem: Problem, scales: Float[Array, " layers"], seed: Any, data: Samples) -> Outcome:
    """A run at scales that stay."""
    rule, hyper = recorded(training(problem, seed, data)), {"scales": scales}
    state = jax.lax.fori_loop(0, rule.steps, lambda i, state: rule.update(hyper, state, i)[0], rule.start(hyper))
    return outcome(problem, seed, data, scales, state)


def learned(problem: Problem, scales: Array, seed: Any, data: Samples, settings: Settings, apart: bool) -> Outcome:
    """A run whose scales a hypergradient moves after every window, on samples to validate by.

    The hypergradient is that of the window alone: weights and optimiser go on from where they are. Adam makes steps of
    the logarithm of the scales; a derivative that explodes must not blind it, so that each is clipped.

    Parameters:
        scales: where they begin.
        apart: whether each layer has a scale of its own, or all are moved by one factor.
    """
    at = _networks(problem, scales, seed, data)
    inner, outer = optimizer(problem), optax.chain(optax.clip(settings.clip), optax.adam(settings.outer_rate))

    def inner_loss(weights: PyTree, moved: Array, batch: Array) -> Array:
        return loss(at(weights, moved), data.train[batch])

    def window(now: Any, index: Array) -> Any:
        weights, state, moved, outer_state = now
        judge = data.validation[_validation(problem, seed, index, settings)]
        batches = jax.vmap(lambda i: batch_of(problem, seed, i))(index * settings.window + jnp.arange(settings.window))
        found = meta.hypergradient(
            inner_loss, lambda w, m: loss(at(w, m), judge), weights, moved, batches, inner,
            state=state, mode="forward", limit=jnp.inf,
        )  # fmt: skip
        change, outer_state = outer.update(found.gradient, outer_state, moved)
        # Without limits a scale that does not matter any more would drift away.
        moved = jnp.clip(moved + change, *(jnp.log(limit / scales[: moved.size]) for limit in LIMITS))
        now = found.trained.weights, found.trained.optimizer, moved, outer_state
        return now, (found.trained.losses, scales * jnp.exp(moved), found.diagnosis.growth)

    moved = jnp.zeros(problem.depth if apart else 1)
    weights = network(problem, seed, scales, data.train).connections()
    start = weights, inner.init(weights), moved, outer.init(moved)
    (weights, _, moved, _), (losses, path, growth) = jax.lax.scan(
        window, start, jnp.arange(problem.updates // settings.window)
    )
    right = accuracies(at(weights, moved), data)
    return Outcome(losses.ravel(), jnp.concatenate([scales[None], path]), growth.max(), *right)


def _networks(problem: Problem, scales: Array, seed: Any, data: Samples) -> Callable[[PyTree, Array], Any]:
    """From weights, and logarithms of factors of the scales, to networks."""

    def at(weights: PyTree, moved: Array) -> Any:
        return network(problem, seed, scales * jnp.exp(moved), data.train).with_connections(weights)

    return at


def _validation(problem: Problem, seed: Any, index: Any, settings: Settings) -> Array:
    """The samples that judge a window, drawn independently of the batches."""
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 2**31), index)
    return jax.random.randint(key, (settings.judges,), 0, problem.sizes[1])


def calibrated(problem: Problem, start: float, place: int, settings: Settings) -> Float[Array, " layers"]:
    """The scales of calibration on a batch of the samples to learn from."""
    data = jax.tree.map(lambda x: x[place], samples(problem, settings.seeds))
    seed = settings.seeds[place]
    begin = network(problem, seed, jnp.full(problem.depth, start), data.train)
    return start * meta.calibrate(begin, data.train[batch_of(problem, seed, 0)]).factors


def searched(problem: Problem, place: int, first: Float[Array, " layers"], settings: Settings) -> meta.Tuned:
    """The search of a seed, with the calibrated scales among its candidates."""
    data = jax.tree.map(lambda x: x[place], samples(problem, settings.seeds))
    seed = settings.seeds[place]
    return meta.tune(
        recorded(training(problem, seed, data)),
        {"scales": meta.Range(*LIMITS, shape=(problem.depth,))},
        candidates=settings.candidates,
        first=[{"scales": np.asarray(first)}],
        seed=seed,
    )


def fixed(problem: Problem, settings: Settings) -> list[Row]:
    """A run a scale of the grid and seed."""
    runs = [(scale, place) for scale in settings.scales for place in range(len(settings.seeds))]
    scales = [jnp.full(problem.depth, scale) for scale, _ in runs]
    found = _at_once(problem, functools.partial(plain, problem), scales, [place for _, place in runs], settings)
    return _rows(problem, "fixed", [scale for scale, _ in runs], [place for _, place in runs], found, settings)


def calibrate(problem: Problem, settings: Settings) -> list[Row]:
    """A run a seed at the calibrated scales; those from every start are noted."""
    places = list(range(len(settings.seeds)))
    begin = _clocks()
    each = [[calibrated(problem, start, place, settings) for start in settings.starts] for place in places]
    took = _since(begin)
    found = _at_once(problem, functools.partial(plain, problem), [one[0] for one in each], places, settings)
    rows = _rows(problem, "calibrate", None, places, found, settings)
    for row, one in zip(rows, each, strict=True):
        row["from_starts"] = [_numbers(scales) for scales in one]
        row["calibration_seconds"] = took["cpu_seconds"] / len(places) / len(settings.starts)
    return rows


def tune(problem: Problem, settings: Settings) -> list[Row]:
    """A search a seed."""
    rows = []
    for place, seed in enumerate(settings.seeds):
        begin = _clocks()
        found = searched(problem, place, calibrated(problem, settings.starts[0], place, settings), settings)
        took = _since(begin)
        data = jax.tree.map(lambda x, place=place: x[place], samples(problem, settings.seeds))
        ended = _ended(found.state, jnp.asarray(found.hyper["scales"]), seed, data, problem)
        rows += _rows(problem, "tune", None, [place], (jax.tree.map(lambda x: x[None], ended), took), settings)
        rows[-1] |= {"updates": found.cost.updates, "one_by_one": found.cost.one_by_one}
        rows[-1]["candidates"] = [_numbers(scales) for scales in found.candidates["scales"]]
        rows[-1]["rungs"] = [[rung.steps, list(rung.runs)] for rung in found.rungs]
    return rows


def hypergradient(problem: Problem, settings: Settings, apart: bool = False) -> list[Row]:
    """A run a start and seed, and one a seed from the calibrated scales."""
    places = range(len(settings.seeds))
    runs = [(start, place) for start in (*settings.starts, None) for place in places]
    scales = [
        calibrated(problem, settings.starts[0], place, settings) if start is None else jnp.full(problem.depth, start)
        for start, place in runs
    ]
    run = functools.partial(_learned, problem, settings, apart)
    found = _at_once(problem, run, scales, [place for _, place in runs], settings)
    name = "hypergradient, a scale a layer" if apart else "hypergradient"
    return _rows(problem, name, [start for start, _ in runs], [place for _, place in runs], found, settings)


def _learned(problem: Problem, settings: Settings, apart: bool, scales: Array, seed: Any, data: Samples) -> Outcome:
    return learned(problem, scales, seed, data, settings, apart)


METHODS: dict[str, Callable[[Problem, Settings], list[Row]]] = {
    "fixed": fixed,
    "calibrate": calibrate,
    "tune": tune,
    "hypergradient": hypergradient,
    "hypergradient, a scale a layer": functools.partial(hypergradient, apart=True),
}


def jobs(settings: Settings) -> Iterable[tuple[Problem, str]]:
    """Everything that is run; with a single layer there is nothing to set apart."""
    for problem in settings.problems:
        for method in METHODS:
            if problem.depth > 1 or not method.endswith("a layer"):
                yield problem, method


_ended = jax.jit(
    lambda state, scales, seed, data, problem: outcome(problem, seed, data, scales, state), static_argnums=4
)


def _at_once(
    problem: Problem, run: Callable[..., Outcome], scales: list[Array], places: list[int], settings: Settings
) -> tuple[Outcome, dict[str, float]]:
    """All runs in one compiled program, one after the other, and the share of the time that each took."""
    data, seeds = samples(problem, settings.seeds), jnp.asarray(settings.seeds)

    def one(each: tuple[Array, Array], data: Samples) -> Outcome:
        return run(each[0], seeds[each[1]], jax.tree.map(lambda x: x[each[1]], data))

    columns = jnp.stack(scales), jnp.asarray(places)
    begin = _clocks()
    program = jax.jit(lambda columns, data: jax.lax.map(lambda each: one(each, data), columns))
    compiled = program.lower(columns, data).compile()
    compilation, begin = _since(begin)["cpu_seconds"], _clocks()
    found = jax.device_get(compiled(columns, data))
    return found, {
        **{clock: seconds / len(places) for clock, seconds in _since(begin).items()},
        "compile_seconds": compilation / len(places),
    }


def _rows(
    problem: Problem,
    method: str,
    starts: list[float | None] | None,
    places: list[int],
    found: tuple[Outcome, dict[str, float]],
    settings: Settings,
) -> list[Row]:
    """One row a run."""
    outcomes, took = found
    rows = []
    for i, place in enumerate(places):
        one = jax.tree.map(lambda x, i=i: np.asarray(x[i]), outcomes)
        losses = one.losses.reshape(settings.points, -1).mean(axis=1)
        rows.append(
            {
                "task": problem.task,
                "method": method,
                "start": starts[i] if starts else None,
                "seed": settings.seeds[place],
                "scales": _numbers(one.path[-1]),
                "test_accuracy": float(one.test),
                "validation_accuracy": float(one.validation),
                "losses": _numbers(losses),
                "path": [_numbers(scales) for scales in one.path],
                "growth": float(one.growth),
                "updates": problem.updates,
                **took,
            }
        )
    return rows


def _numbers(values: Any) -> list[float]:
    """Six digits, so that a file of rows stays small."""
    return [float(f"{value:.6g}") for value in np.asarray(values)]


def _clocks() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _since(begin: tuple[float, float]) -> dict[str, float]:
    wall, cpu = (end - start for end, start in zip(_clocks(), begin, strict=True))
    return {"wall_seconds": wall, "cpu_seconds": cpu}
