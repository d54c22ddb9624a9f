"""Time of `unroll` with a recording as a ratio of the time without one.

    python benchmarks/recording.py [--steps 16000] [--rounds 7]

Networks run forwards and with a gradient by their weights, batch 4; the programs of a network take turns in each round.
A Markdown table gives the median over rounds of the ratio of CPU times within a round, and the milliseconds without.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

import surgrad
from surgrad import nn

BATCH = 4
CELL = nn.LIF(surgrad.Arctan(2.0), 10.0)
RECORDS: dict[str, Any] = {
    "without": None,
    "v, every 10th step": {"v": 10},
    "v before the reset, every 10th": {"v_before_reset": 10},
    "v, every step": "v",
    "spikes, every step": "spikes",
    "firing rates": nn.Record("spikes", summary=nn.MeanOverTime()),
}


def networks() -> Iterator[tuple[str, nn.Sequential, int]]:
    """Names, networks and their number of inputs."""
    keys = jax.random.split(jax.random.key(0), 4)
    for n in (256, 64):
        parts = nn.Linear(n, n, key=keys[0], gain=3.0), CELL, nn.Linear(n, n, key=keys[1], gain=3.0), CELL
        yield f"{n}-{n}-{n}", nn.Sequential(*parts), n
    recurrent = nn.Linear(100, 128, key=keys[2], gain=3.0), nn.Recurrent(CELL, 128, key=keys[3])
    yield "100-128 recurrent", nn.Sequential(*recurrent), 100


def programs(network: nn.Sequential, xs: jax.Array, gradient: bool) -> dict[str, Callable[[], object]]:
    """Calls of compiled programs by what they record."""
    calls: dict[str, Callable[[], object]] = {}
    for name, record in RECORDS.items():

        def run(weights: Any, xs: jax.Array, record: Any = record) -> tuple[jax.Array, Any]:
            options = {} if record is None else {"record": record}
            _, last, *records = nn.unroll(network.with_connections(weights), xs, keep="last", **options)
            return last.mean(), records

        function = jax.value_and_grad(run, has_aux=True) if gradient else run
        compiled = jax.jit(function).lower(network.connections(), xs).compile()
        calls[name] = lambda compiled=compiled: jax.block_until_ready(compiled(network.connections(), xs))
    return calls


def measured(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of calls that take turns, after one round to warm up."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds + 1):
        for name, call in calls.items():
            begin = time.process_time()
            call()
            times[name].append(time.process_time() - begin)
    return {name: some[1:] for name, some in times.items()}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=16000)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    print("| network |", " | ".join(RECORDS), "|\n|-|" + "-|" * len(RECORDS))
    for name, network, inputs in networks():
        xs = (jax.random.uniform(jax.random.key(1), (options.steps, BATCH, inputs)) < 0.1).astype(jnp.float32)
        for gradient in (False, True):
            times = measured(programs(network, xs, gradient), options.rounds)
            plain = times.pop("without")
            ratios = [[a / b for a, b in zip(some, plain, strict=True)] for some in times.values()]
            cells = [f"{1e3 * statistics.median(plain):.0f} ms", *(f"{statistics.median(r):.2f}" for r in ratios)]
            print(f"| {name}{', gradient' if gradient else ''} |", " | ".join(cells), "|", flush=True)


if __name__ == "__main__":
    main()
