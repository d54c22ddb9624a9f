"""Time of a training step against the length of a chunk: what `surgrad.nn._budget` chooses by.

    python benchmarks/chunks.py [--rounds 9]

A gradient by the weights of a network, over 500 steps (convolutions: 50), batch 16; lengths take turns. A Markdown
table gives median CPU and wall milliseconds; the length that surgrad chooses is marked.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import jax
import jax.numpy as jnp

import surgrad
from surgrad.nn import LIF, AvgPool2d, Conv2d, Flatten, Linear, MeanOverTime, Recurrent, Sequential, unroll
from surgrad.nn._budget import chunk_length

LENGTHS = (1, 5, 10, 25, 50, 100, 500)
CELL = LIF(surgrad.Arctan(2.0), 10.0)


def networks() -> Iterator[tuple[str, Sequential, tuple[int, ...]]]:
    """Names, networks, and shapes of their inputs."""
    key = jax.random.key(0)
    for n in (128, 256, 512, 1024):
        yield f"dense {n}", Sequential(Linear(n, n, key=key, gain=3.0), CELL, MeanOverTime()), (500, 16, n)
    recurrent = Sequential(Linear(700, 256, key=key, gain=3.0), Recurrent(CELL, 256, key=key), MeanOverTime())
    yield "recurrent 700-256", recurrent, (500, 16, 700)
    first, second = (Conv2d(*channels, (5, 5), key=key, gain=3.0) for channels in ((1, 16), (16, 32)))
    parts = (
        first,
        CELL,
        AvgPool2d((2, 2)),
        second,
        CELL,
        AvgPool2d((2, 2)),
        Flatten(3),
        Linear(512, 10, key=key, gain=3.0),
        CELL,
    )
    yield "convolutions", Sequential(*parts, MeanOverTime()), (50, 16, 28, 28, 1)


def steps(network: Sequential, shape: tuple[int, ...]) -> Iterator[tuple[int, Callable[[], object]]]:
    """A training step for every length that fits, compiled."""
    x = (jax.random.uniform(jax.random.key(1), shape) < 0.1).astype(jnp.float32)
    state = network.init(shape[1:])

    def loss(weights: tuple[object, ...], x: jax.Array, chunk: int) -> jax.Array:
        return unroll(network.with_connections(weights), state, x, keep="last", chunk_size=chunk)[1].mean()

    gradient = jax.jit(jax.grad(loss), static_argnums=2)
    for length in [n for n in LENGTHS if n <= shape[0]]:
        compiled = gradient.lower(network.connections(), x, length).compile()
        yield length, lambda compiled=compiled: jax.block_until_ready(compiled(network.connections(), x))


def timed(calls: dict[int, Callable[[], object]], rounds: int) -> dict[int, tuple[float, float]]:
    """Median CPU and wall milliseconds of calls that take turns, after one round to warm up."""
    samples: dict[int, list[tuple[float, float]]] = {length: [] for length in calls}
    for _ in range(rounds + 1):
        for length, call in calls.items():
            cpu, wall = time.process_time(), time.perf_counter()
            call()
            samples[length].append((1e3 * (time.process_time() - cpu), 1e3 * (time.perf_counter() - wall)))
    medians = {length: tuple(map(statistics.median, zip(*s[1:], strict=True))) for length, s in samples.items()}
    return {length: (cpu, wall) for length, (cpu, wall) in medians.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print("| network |", " | ".join(f"{n} steps" for n in LENGTHS), "| chosen |\n|-|" + "-|" * (len(LENGTHS) + 1))
    for name, network, shape in networks():
        x = jax.ShapeDtypeStruct(shape, jnp.float32)
        found = timed(dict(steps(network, shape)), rounds)
        cells = ["{:.0f} / {:.0f}".format(*found[n]) if n in found else "" for n in LENGTHS]
        chosen = chunk_length(network, x, shape[0])
        print(f"| {name} |", " | ".join(cells), f"| {chosen} |", flush=True)


if __name__ == "__main__":
    main()
