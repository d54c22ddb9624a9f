"""Neurons without a reset that are computed in parallel over time: how fast, and what the missing reset costs.

    python -m benchmarks.parallel [--seeds 5] [--calls 5] [--out benchmarks/parallel.md]

Two tables. The time of forward and backward pass of `ParallelLIF` and of `LIF`, in turn, after the first has been found
to agree with a scan of its own time steps. And the accuracy of one network with either, after equally many updates.
"""

from __future__ import annotations

import argparse
import functools
import platform
import statistics
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import surgrad
from surgrad import nn, tasks, train
from surgrad.nn._loops import steps as step_by_step

LENGTHS, BATCH, NEURONS = (128, 512, 2048), 32, 128
SPIKE = surgrad.Arctan(2.0)
CELLS: dict[str, type[Any]] = {"LIF": nn.LIF, "ParallelLIF": nn.ParallelLIF}
WAYS = ("LIF", "ParallelLIF, step by step", "ParallelLIF")
TASKS: dict[str, dict[str, Any]] = {"digits": {"steps": 25}, "temporal_xor": {}}
HIDDEN, EPOCHS, BATCH_OF_TRAINING, RATE = 64, 20, 50, 5e-3


def run(way: str, currents: jax.Array) -> jax.Array:
    """Spikes over time."""
    cell = CELLS[way.partition(",")[0]](SPIKE, 10.0)
    if "," in way:
        return step_by_step(cell, cell.init(currents.shape[1:], currents.dtype), currents)[1]
    return nn.unroll(cell, currents, chunk_size=len(currents)).outputs


def milliseconds(length: int, calls: int) -> dict[str, float]:
    """Of forward and backward pass: medians of calls in turn."""
    random = np.random.default_rng(0)
    currents = jnp.asarray(random.normal(0.1, 0.3, (length, BATCH, NEURONS)), jnp.float32)
    pull = jnp.asarray(random.normal(size=currents.shape), jnp.float32)
    both = {way: jax.jit(jax.value_and_grad(lambda x, pull, way=way: (run(way, x) * pull).sum())) for way in WAYS}
    spikes = [jax.jit(functools.partial(run, way))(currents) for way in WAYS[1:]]
    differing = float((spikes[0] != spikes[1]).mean())
    if differing > 1e-5:  # those of membrane potentials that rounding puts on either side of the threshold
        raise SystemExit(f"{differing:.1e} of the spikes differ from those of single time steps")
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    for call in range(calls + 1):
        for way, function in both.items():
            begun = time.perf_counter()
            jax.block_until_ready(function(currents, pull))
            taken[way] += [1e3 * (time.perf_counter() - begun)] * (call > 0)
    return {way: statistics.median(times) for way, times in taken.items()}


def accuracy(cell: str, split: tasks.Split, key: jax.Array) -> jax.Array:
    """The share of right answers on the samples held out, after the last update."""
    first, *keys = jax.random.split(key, EPOCHS + 1)
    into, out = jax.random.split(first)
    data = split.train
    net = nn.Sequential(
        nn.Linear(data.channels, HIDDEN, key=into, gain=3.0),
        CELLS[cell](SPIKE, 10.0),
        nn.Linear(HIDDEN, data.classes, key=out),
        nn.LeakyIntegrator(20.0),
    )
    optimizer = optax.adam(RATE)

    def epoch(fit: train.Fit, key: jax.Array) -> Any:
        return train.epoch(fit, optimizer, data, train.batches(len(data), BATCH_OF_TRAINING, key=key))

    fit, _ = jax.lax.scan(epoch, train.start(net, optimizer), jnp.stack(keys))
    return train.score(fit.network, split.test).accuracy


def accuracies(cell: str, task: str, seeds: int) -> np.ndarray:
    """That of each seed of the weights, in percent."""
    together = jax.jit(jax.vmap(functools.partial(accuracy, cell, tasks.load(task, **TASKS[task]))))
    return 100 * np.asarray(together(jax.random.split(jax.random.key(0), seeds)))


def page(measured: dict[int, dict[str, float]], found: dict[str, dict[str, np.ndarray]], command: str) -> str:
    """The results in Markdown."""
    names = ("surgrad", "jax", "jaxlib", "optax", "numpy")
    versions = ", ".join(f"{n} {surgrad.__version__ if n == 'surgrad' else metadata.version(n)}" for n in names)
    lines = [
        "# Neurons in parallel over time",
        "",
        f"`{command}`: {versions}; Python {platform.python_version()}, {jax.default_backend().upper()}.",
        "",
        "## Time",
        "",
        f"Forward and backward pass of {NEURONS} neurons and {BATCH} samples, in ms: medians of calls in turn.",
        "",
        "| time steps |" + "".join(f" {way} |" for way in WAYS) + " LIF over ParallelLIF |",
        "|-|" + "-|" * (len(WAYS) + 1),
    ]
    for length, times in measured.items():
        cells = " | ".join(f"{times[way]:.1f}" for way in WAYS)
        lines.append(f"| {length} | {cells} | {times['LIF'] / times['ParallelLIF']:.2f} |")
    lines += [
        "",
        "## Accuracy",
        "",
        f"In percent, on samples held out, after {EPOCHS} epochs: {HIDDEN} neurons with τ = 10 steps between two",
        f"connections, and a leaky readout; {len(next(iter(found.values()))['LIF'])} seeds of the weights.",
        "",
        "| task | LIF, reset by subtraction | ParallelLIF, no reset | lost: mean over seeds ± standard error |",
        "|-|-|-|-|",
    ]
    for task, cells in found.items():
        lost = cells["LIF"] - cells["ParallelLIF"]
        means = " | ".join(
            f"{values.mean():.1f} ({', '.join(f'{v:.1f}' for v in values)})" for values in cells.values()
        )
        lines.append(f"| {task} | {means} | {lost.mean():+.1f} ± {lost.std(ddof=1) / len(lost) ** 0.5:.1f} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Measure, train, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="at least 2")
    parser.add_argument("--calls", type=int, default=5, help="of each")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".md"))
    options = parser.parse_args()
    measured = {length: milliseconds(length, options.calls) for length in LENGTHS}
    print(measured, file=sys.stderr, flush=True)
    found = {task: {cell: accuracies(cell, task, options.seeds) for cell in CELLS} for task in TASKS}
    command = f"python -m benchmarks.parallel --seeds {options.seeds} --calls {options.calls}"
    text = page(measured, found, command)
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
