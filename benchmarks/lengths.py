"""What lengths cost: a training step with `unroll(..., lengths=)` beside one of the same padded batch without.

    python -m benchmarks.lengths [--rounds 15] [--write]

Inputs are spikes, 3 % of (250, 64, 700), as float32 and as bytes; samples are 125 to 250 time steps long. The steps
take turns; a Markdown table gives median CPU milliseconds and the median of the ratios of a round. With `--write` it
goes to `benchmarks/lengths.md`.
"""

from __future__ import annotations

import argparse
import datetime
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

import surgrad
from surgrad import nn

TIME, BATCH, INPUTS, HIDDEN, CLASSES, RATE = 250, 64, 700, 256, 20, 0.03


def networks() -> Iterator[tuple[str, nn.Sequential]]:
    """Names and networks."""
    into, back, out = jax.random.split(jax.random.key(0), 3)
    cell = nn.LIF(surgrad.FastSigmoid(), 20.0)
    end = nn.Linear(HIDDEN, CLASSES, key=out), nn.LeakyIntegrator(20.0)
    for name, event_driven in (("through events", "auto"), ("dense", False)):
        first = nn.Linear(INPUTS, HIDDEN, key=into, gain=3.0, event_driven=event_driven)
        recurrent = nn.Recurrent(cell, HIDDEN, key=back, event_driven=event_driven)
        yield f"feed-forward, {name}", nn.Sequential(first, cell, *end)
        yield f"recurrent, {name}", nn.Sequential(first, recurrent, *end)


def step(network: nn.Sequential, inputs: jax.Array, lengths: jax.Array | None, labels: jax.Array) -> Callable[[], Any]:
    """A compiled gradient of a loss by the weights."""

    def loss(weights: Any, inputs: jax.Array, lengths: jax.Array | None) -> jax.Array:
        outputs = nn.unroll(network.with_connections(weights), inputs, keep="last", lengths=lengths).outputs
        return optax.softmax_cross_entropy_with_integer_labels(outputs, labels).mean()

    weights, gradient = network.connections(), jax.jit(jax.value_and_grad(loss))
    return lambda: jax.block_until_ready(gradient(weights, inputs, lengths))


def timed(calls: tuple[Callable[[], Any], ...], rounds: int) -> list[list[float]]:
    """CPU milliseconds of calls that take turns, round by round, after one to warm up."""
    found: list[list[float]] = []
    for _ in range(rounds + 1):
        found.append([])
        for call in calls:
            begin = time.process_time()
            call()
            found[-1].append(1e3 * (time.process_time() - begin))
    return found[1:]


def rows(rounds: int) -> Iterator[str]:
    """The lines of the table."""
    chance = np.random.default_rng(0)
    spikes = chance.random((TIME, BATCH, INPUTS)) < RATE
    lengths = jnp.asarray(chance.integers(TIME // 2, TIME + 1, BATCH))
    labels = jnp.asarray(chance.integers(0, CLASSES, BATCH))
    yield "| network | inputs | without, ms | with lengths, ms | ratio |"
    yield "|-|-|-|-|-|"
    for name, network in networks():
        for dtype in ("float32", "uint8"):
            inputs = jnp.asarray(spikes, dtype)
            found = timed((step(network, inputs, None, labels), step(network, inputs, lengths, labels)), rounds)
            without, along = (statistics.median(column) for column in zip(*found, strict=True))
            ratio = statistics.median(b / a for a, b in found)
            yield f"| {name} | {dtype} | {without:.0f} | {along:.0f} | {ratio:.2f} |"


def main() -> None:
    """Print the table, and write it if asked to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    about = f"{datetime.date.today()}, surgrad {surgrad.__version__}, JAX {jax.__version__}, {given.rounds} rounds."
    lines = ["# What lengths cost", "", f"Made by `python -m benchmarks.lengths --write`. {about}", ""]
    for line in rows(given.rounds):
        print(line, flush=True)
        lines.append(line)
    if given.write:
        Path(__file__).with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
