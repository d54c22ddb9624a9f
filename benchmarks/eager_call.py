"""Eager cost of a spike on a small array, beside a jitted `x >= 0`, in microseconds.

Calls alternate, so that load on the machine falls on all of them alike; a median is of single calls.

    python benchmarks/eager_call.py [--surrogate Sigmoid] [--size 32] [--calls 2000] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import surgrad

TARGET = 30.0
"""What an eager spike may cost more than the jitted comparison, µs."""


def calls(surrogate: surgrad.Surrogate, x: jax.Array) -> dict[str, Callable[[], Any]]:
    """What is timed, by name."""
    compare = jax.jit(lambda x: x >= 0)
    slope = jax.jit(lambda surrogate, x: surrogate.surrogate_grad(x))
    gradient = jax.jit(jax.grad(lambda surrogate, x: surrogate(x).sum(), 1))
    function = jax.grad(lambda x: surrogate(x).sum())
    kind = type(surrogate)
    return {
        "jitted x >= 0": lambda: compare(x),
        "eager spike": lambda: surrogate(x),
        "eager spike of a new object": lambda: kind()(x),
        "jitted slope": lambda: slope(surrogate, x),
        "jitted gradient of a sum": lambda: gradient(surrogate, x),
        "eager gradient of a sum": lambda: function(x),
    }


def medians(timed: dict[str, Callable[[], Any]], count: int) -> dict[str, float]:
    """Medians over alternating calls, in µs, after two calls that compile."""
    for call in [*timed.values()] * 2:
        jax.block_until_ready(call())
    samples: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(count):
        for name, call in timed.items():
            begin = time.perf_counter_ns()
            jax.block_until_ready(call())
            samples[name].append((time.perf_counter_ns() - begin) / 1000)
    return {name: statistics.median(values) for name, values in samples.items()}


def report(surrogate: str, size: int, count: int) -> dict[str, Any]:
    """The medians, and by how much a spike exceeds the comparison."""
    timed = calls(surgrad.catalogue()[surrogate](), jnp.linspace(-1.0, 1.0, size))
    median = medians(timed, count)
    return {
        "surrogate": surrogate,
        "size": size,
        "calls": count,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
        "median_us": median,
        "difference_us": median["eager spike"] - median["jitted x >= 0"],
        "target_us": TARGET,
    }


def main() -> None:
    """Measure and print, and write JSON if a path is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surrogate", default="Sigmoid", choices=surgrad.catalogue())
    parser.add_argument("--size", type=int, default=32, help="elements of x")
    parser.add_argument("--calls", type=int, default=2000, help="calls of each")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args()
    found = report(options.surrogate, options.size, options.calls)
    print(f"{found['surrogate']}, {found['size']} elements, {found['device']}, JAX {found['jax']}")
    for name, value in found["median_us"].items():
        print(f"{name:<28} {value:9.1f} µs")
    print(f"a spike costs {found['difference_us']:.1f} µs more than the comparison (target: at most {TARGET:g})")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
