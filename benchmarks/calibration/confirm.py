"""The held-out cases again, with seeds that nothing was chosen by: calibrated, tuned, and at the grid's best scales.

    python -m benchmarks.calibration.confirm results/calibration.jsonl results/confirmed.jsonl

Each run begins at a scale drawn from 0.01 to 1000, whence `meta.calibrate` and `meta.tune` have to find a better one;
layers may differ. Beside them run the scale that was best in the collected runs of the case, and its two neighbours.
One line a case; a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.calibration.cases import Case
from benchmarks.calibration.collect import OPTIMIZER, UPDATES, accuracy, drawn, fitted, update
from benchmarks.calibration.rules import Row, read, smooth
from surgrad import meta, tasks

SEEDS = tuple(range(3, 9))
TUNED = SEEDS[:2]
"""Seeds that `meta.tune` runs with; it compiles anew for each."""
CANDIDATES = 4
BATCH = 64
STARTS = 1e-2, 1e3
REPEATS = 20


def around_best(row: Row) -> np.ndarray:
    """The scale that was best, between its neighbours."""
    best = int(np.clip(smooth(row.accuracy).argmax(), 1, len(row.scales) - 2))
    return row.scales[best - 1 : best + 2]


def calibrated(case: Case, data: tasks.Split, begin: Any, start: jax.Array) -> Any:
    """A network that began at a scale, calibrated by the first samples."""
    network = case.network(start, data.train, begin)
    return meta.calibrate(network, data.train[jnp.arange(BATCH)]).model


def grid(case: Case, data: tasks.Split, scales: np.ndarray) -> np.ndarray:
    """Accuracies, `(scales, seeds)`."""

    def run(both: tuple[jax.Array, jax.Array]) -> jax.Array:
        start, chosen = drawn(both[1], data)
        return fitted(case.network(start, data.train, both[0]), data, chosen)[0]

    pairs = jnp.meshgrid(jnp.asarray(scales), jnp.asarray(SEEDS), indexing="ij")
    found = jax.jit(lambda all_: jax.lax.map(run, all_))(tuple(x.ravel() for x in pairs))
    return np.asarray(found).reshape(len(scales), len(SEEDS))


def by_calibration(case: Case, data: tasks.Split, begins: np.ndarray) -> np.ndarray:
    """Accuracies of networks calibrated from the scales at which they begin, one a seed."""

    def run(both: tuple[jax.Array, jax.Array]) -> jax.Array:
        start, chosen = drawn(both[1], data)
        return fitted(calibrated(case, data, both[0], start), data, chosen)[0]

    return np.asarray(jax.jit(lambda all_: jax.lax.map(run, all_))((jnp.asarray(begins), jnp.asarray(SEEDS))))


def by_tuning(case: Case, data: tasks.Split, begin: float, seed: int) -> dict[str, Any]:
    """Accuracy of a tuned network, what the calibrated one of the same seed gets, and seconds of both."""
    start, chosen = drawn(jnp.asarray(seed), data)
    base = calibrated(case, data, begin, start)
    middle = meta.calibrate(case.network(start, data.train, 1.0), data.train[jnp.arange(BATCH)]).factors

    def network(hyper: dict[str, Any]) -> Any:
        """All layers steeper by a factor than the calibrated ones."""
        factor = hyper["scale"] / jnp.exp(jnp.log(middle).mean())
        return meta.with_surrogates(base, lambda _, s: s.steeper(factor))

    def begins(hyper: dict[str, Any]) -> Any:
        weights = network(hyper).connections()
        return weights, OPTIMIZER.init(weights)

    def updates(hyper: dict[str, Any], state: Any, index: jax.Array) -> Any:
        return update(network(hyper), state, data.train[chosen[index]])

    training = meta.Training(begins, updates, UPDATES)
    space = {"scale": meta.LogRange(*STARTS)}
    initial = [{"scale": float(np.exp(np.log(np.asarray(middle)).mean()))}]
    tuned = meta.tune(training, space, method=meta.Halving(CANDIDATES), initial_candidates=initial, seed=seed)
    plain = meta.tune(training, space, method=meta.Halving(1), initial_candidates=initial)
    score = jax.jit(lambda w: accuracy(base.with_connections(w), data.test))
    return {
        "accuracy": float(score(tuned.state[0])), "calibrated": float(score(plain.state[0])),
        "kept": tuned.rungs[-1].runs[0] == 0, "updates": tuned.cost.updates, "one_by_one": tuned.cost.one_by_one,
        "seconds": tuned.cost.seconds, "plain_seconds": plain.cost.seconds,
    }  # fmt: skip


def cost(case: Case, data: tasks.Split) -> dict[str, float]:
    """Median seconds of a calibration and of an update, in turn, both compiled."""
    start, chosen = drawn(jnp.asarray(0), data)
    network, batch = case.network(start, data.train, 1.0), data.train[chosen[0]]
    inputs = batch.spikes()
    state = network.connections(), OPTIMIZER.init(network.connections())
    calls = {
        "calibrate": jax.jit(lambda n: meta.calibrate(n, inputs).factors),
        "update": jax.jit(lambda n: update(n, state, batch)),
    }
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(REPEATS + 1):
        for name, call in calls.items():
            begin = time.perf_counter()
            jax.block_until_ready(call(network))
            times[name].append(time.perf_counter() - begin)
    return {name: float(np.median(found[1:])) for name, found in times.items()}


def confirmed(row: Row) -> dict[str, Any]:
    case = Case(**row.case)
    data, scales = case.data(), around_best(row)
    random = np.random.default_rng([row.case["depth"], *map(ord, row.case["task"] + row.case["shape"])])
    begins = np.exp(random.uniform(np.log(STARTS[0]), np.log(STARTS[1]), len(SEEDS)))
    return {
        **row.case, "scales": scales.tolist(), "begins": begins.tolist(), "grid": grid(case, data, scales).tolist(),
        "calibrated": by_calibration(case, data, begins).tolist(),
        "tuned": [by_tuning(case, data, float(begin), seed) for begin, seed in zip(begins, TUNED, strict=False)],
        "seconds": cost(case, data),
    }  # fmt: skip


def main(collected: Path, path: Path, first: int = 0, every: int = 1) -> None:
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = [{k: row[k] for k in ("task", "shape", "normalisation", "depth", "recurrent", "held_out")} for row in done]
    for row in [row for row in read(collected) if row.case["held_out"] and row.case not in known][first::every]:
        begin = time.perf_counter()
        found = confirmed(row)
        with path.open("a") as file:
            file.write(json.dumps(found) + "\n")
        best, ours = 100 * np.mean(found["grid"], axis=1), 100 * np.mean(found["calibrated"])
        print(row.case, np.round(best, 1), f"calibrated {ours:.1f}, {time.perf_counter() - begin:.0f} s", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
