"""Accuracy at each scale of a grid, and what can be seen of each scale before training.

    python -m benchmarks.calibration.collect results/calibration.jsonl

One line a case; a run that was interrupted goes on where it stopped.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.calibration.cases import Case, cases
from surgrad import tasks
from surgrad.meta import record

SCALES = tuple(float(f"{s:.3g}") for s in np.logspace(-1.5, 2, 15))
"""Four to a decade."""
SEEDS = (0, 1, 2)
UPDATES, BATCH = 200, 64
OPTIMIZER = optax.adam(5e-3)
QUANTILES = np.linspace(0, 1, 401)


def loss(network: Any, batch: tasks.Dataset) -> jax.Array:
    logits = network.outputs(batch.spikes())[-1][-1]
    return optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels).mean()


def accuracy(network: Any, data: tasks.Dataset) -> jax.Array:
    return (network.outputs(data.spikes())[-1][-1].argmax(-1) == data.labels).mean()


def drawn(seed: jax.Array, data: tasks.Split) -> tuple[jax.Array, jax.Array]:
    """The key of the initial weights, and the samples of each update."""
    start, order = jax.random.split(jax.random.key(seed))
    return start, jax.random.randint(order, (UPDATES, BATCH), 0, len(data.train))


def update(network: Any, state: Any, batch: tasks.Dataset) -> tuple[Any, jax.Array]:
    """Weights and state of the optimiser after an update, and the loss before it."""
    weights, inner = state
    value, gradient = jax.value_and_grad(lambda w: loss(network.with_connections(w), batch))(weights)
    updates, inner = OPTIMIZER.update(gradient, inner, weights)
    return (optax.apply_updates(weights, updates), inner), value


def fitted(network: Any, data: tasks.Split, chosen: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The accuracy on the samples to test after training, and the losses before."""
    begin = network.connections(), OPTIMIZER.init(network.connections())
    (weights, _), losses = jax.lax.scan(lambda s, i: update(network, s, data.train[i]), begin, chosen)
    return accuracy(network.with_connections(weights), data.test), losses


def trained(case: Case, data: tasks.Split, scale: jax.Array, seed: jax.Array) -> dict[str, jax.Array]:
    """What a run ends with, and norms of its first gradient."""
    start, chosen = drawn(seed, data)
    network = case.network(start, data.train, scale)
    reached, losses = fitted(network, data, chosen)
    first = gradients(network, data.train[chosen[0]])
    return {"accuracy": reached, "losses": losses.reshape(-1, 10).mean(axis=1), **first}


def gradients(network: Any, batch: tasks.Dataset) -> dict[str, jax.Array]:
    """Norms of the first gradient: of the weights of each part, and of the errors at each surrogate and step."""
    weights = network.connections()
    gradient = jax.grad(lambda w: loss(network.with_connections(w), batch))(weights)
    inputs = batch.spikes()

    def by_offsets(offsets: Any) -> jax.Array:
        logits = record(network, inputs, offsets).outputs[-1]
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels).mean()

    shapes = jax.eval_shape(lambda x: record(network, x).membranes, inputs)
    errors = jax.grad(by_offsets)(tuple(jnp.zeros(s.shape) for s in shapes))
    return {
        "weights": jnp.stack(
            [jnp.sqrt(sum((jnp.sum(x**2) for x in jax.tree.leaves(g)), 0.0)) for g in gradient if g is not None]
        ),
        "errors": jnp.stack([jnp.sqrt(jnp.sum(e**2, axis=(1, 2))) for e in errors]),
    }


def membranes(case: Case, data: tasks.Split) -> dict[str, Any]:
    """Quantiles of x at each surrogate over a batch, for each seed, and rates."""
    found: dict[str, Any] = {"quantiles": [], "rates": []}
    for seed in SEEDS:
        start, _ = jax.random.split(jax.random.key(seed))
        network = case.network(start, data.train, 1.0)
        seen = record(network, data.train[jnp.arange(256)].spikes()).membranes
        found["quantiles"].append([np.quantile(np.asarray(x), QUANTILES).tolist() for x in seen])
        found["rates"].append([float((x >= 0).mean()) for x in seen])
    return found


def collected(case: Case) -> dict[str, Any]:
    data, begin = case.data(), time.process_time()
    scales, seeds = (x.ravel() for x in jnp.meshgrid(jnp.array(SCALES), jnp.array(SEEDS), indexing="ij"))
    run = jax.jit(lambda both: jax.lax.map(lambda each: trained(case, data, *each), both))
    results = jax.device_get(run((scales, seeds)))
    shape = len(SCALES), len(SEEDS)
    results = {k: np.asarray(v).reshape(*shape, *v.shape[1:]).tolist() for k, v in results.items()}
    return {
        **asdict(case), "scales": SCALES, "seeds": SEEDS, **results, **membranes(case, data),
        "cpu_seconds": time.process_time() - begin,
    }  # fmt: skip


def main(path: Path, first: int = 0, every: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    done = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
    known = {tuple(row[k] for k in asdict(next(cases()))) for row in done}
    everything = list(cases())
    order = np.random.default_rng(0).permutation(len(everything))  # a part of them has all tasks already
    for case in [everything[i] for i in order][first::every]:
        if tuple(asdict(case).values()) in known:
            continue
        row = collected(case)
        with path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        mean = np.mean(row["accuracy"], axis=1)
        print(case, f"{row['cpu_seconds']:.0f} s", *(f"{100 * a:.0f}" for a in mean), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
