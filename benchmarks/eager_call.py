"""Eager cost of a spike and of its gradient on a small array, beside a jitted `x >= 0` and braintools, in microseconds.

Calls alternate, so that load on the machine falls on all of them alike; a median is of single calls. Without braintools
its figures are null. Its gradient takes longer with every call, so that a ratio depends on how many there were: that
of the first and of the last tenth of the calls are given too.

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

TARGET = 20.0
"""What an eager spike may take, µs."""

TARGET_RATIO = 0.25
"""What an eager gradient may take, as a fraction of what it takes with braintools."""

OURS, THEIRS = "eager gradient of a sum", "braintools, eager gradient of a sum"

Call = Callable[[], Any]
Samples = dict[str, list[tuple[float, float]]]
"""By name, CPU and wall time of each call, in µs."""


def calls(surrogate: surgrad.Surrogate, x: jax.Array) -> dict[str, Call]:
    """What is timed of surgrad, by name."""
    compare = jax.jit(lambda x: x >= 0)
    slope = jax.jit(lambda surrogate, x: surrogate.surrogate_grad(x))
    gradient = jax.jit(jax.grad(lambda surrogate, x: surrogate(x).sum(), 1))
    function = jax.grad(lambda x: surrogate(x).sum())
    sine = jax.jit(jnp.sin)
    of_sum = jax.grad(lambda x: x.sum())  # what JAX takes for any gradient
    of_sine = jax.grad(lambda x: sine(x).sum())  # what it takes for any function that is compiled
    kind = type(surrogate)
    return {
        "jitted x >= 0": lambda: compare(x),
        "eager spike": lambda: surrogate(x),
        "eager spike of a new object": lambda: kind()(x),
        "jitted slope": lambda: slope(surrogate, x),
        "jitted gradient of a sum": lambda: gradient(surrogate, x),
        OURS: lambda: function(x),
        "eager gradient of a sum of nothing else": lambda: of_sum(x),
        "eager gradient of a sum of a jitted sine": lambda: of_sine(x),
    }


def calls_of_braintools(name: str, x: jax.Array) -> dict[str, Call]:
    """What is timed of braintools; nothing where it is not installed, or has no such surrogate."""
    try:
        from braintools import surrogate as theirs
    except ImportError:
        return {}
    if not hasattr(theirs, name):
        return {}
    surrogate = getattr(theirs, name)()
    function = jax.grad(lambda x: surrogate(x).sum())
    return {"braintools, eager spike": lambda: surrogate(x), THEIRS: lambda: function(x)}


def measured(timed: dict[str, Call], count: int) -> Samples:
    """Times of alternating calls, after two calls that compile."""
    for call in [*timed.values()] * 2:
        jax.block_until_ready(call())
    samples: Samples = {name: [] for name in timed}
    for _ in range(count):
        for name, call in timed.items():
            cpu, wall = time.process_time_ns(), time.perf_counter_ns()
            jax.block_until_ready(call())
            wall, cpu = time.perf_counter_ns() - wall, time.process_time_ns() - cpu
            samples[name].append((cpu / 1000, wall / 1000))
    return samples


def medians(samples: Samples, calls: slice = slice(None)) -> dict[str, dict[str, float]]:
    """Medians of CPU and wall time over some of the calls, in µs."""
    columns = {
        name: [statistics.median(column) for column in zip(*values[calls], strict=True)]
        for name, values in samples.items()
    }
    return {name: dict(zip(("cpu", "wall"), column, strict=True)) for name, column in columns.items()}


def ratio(found: dict[str, dict[str, float]], name: str = OURS) -> dict[str, float] | None:
    """The time of a gradient relative to that with braintools."""
    theirs = found.get(THEIRS)
    return {clock: value / theirs[clock] for clock, value in found[name].items()} if theirs else None


def report(name: str, size: int, count: int) -> dict[str, Any]:
    """The medians, and the gradient's time relative to that with braintools."""
    x = jnp.linspace(-1.0, 1.0, size)
    samples = measured(calls(surgrad.catalogue()[name](), x) | calls_of_braintools(name, x), count)
    found, tenth = medians(samples), max(count // 10, 1)
    first, last = (medians(samples, calls) for calls in (slice(tenth), slice(-tenth, None)))
    return {
        "surrogate": name,
        "size": size,
        "calls": count,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
        "median_us": found,
        "target_us": TARGET,
        "first_us": first,
        "last_us": last,
        "gradient_ratio": ratio(found),
        "gradient_ratio_of_the_first_tenth": ratio(first),
        "gradient_ratio_of_the_last_tenth": ratio(last),
        "sum_ratio_of_the_first_tenth": ratio(first, "eager gradient of a sum of nothing else"),
        "target_ratio": TARGET_RATIO,
    }


def main() -> None:
    """Measure and print, and write JSON if a path is given."""
    parser = argparse.ArgumentParser(description="Eager cost of a spike and of its gradient.")
    parser.add_argument("--surrogate", default="Sigmoid", choices=surgrad.catalogue())
    parser.add_argument("--size", type=int, default=32, help="elements of x")
    parser.add_argument("--calls", type=int, default=2000, help="calls of each")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args()
    found = report(options.surrogate, options.size, options.calls)
    print(f"{found['surrogate']}, {found['size']} elements, {found['device']}, JAX {found['jax']}")
    for name, value in found["median_us"].items():
        print(f"{name:<36} {value['cpu']:9.1f} µs CPU {value['wall']:9.1f} µs wall")
    print(f"target of an eager spike: at most {TARGET:g} µs")
    if found["gradient_ratio"]:
        ratios = [found[f"gradient_ratio{which}"]["cpu"] for which in ("", "_of_the_first_tenth", "_of_the_last_tenth")]
        every, first, last = (f"{value:.2f}" for value in ratios)
        print(f"a gradient takes {every} of braintools' time (target: at most {TARGET_RATIO:g})")
        print(f"{first} in the first tenth of the calls, {last} in the last")
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
