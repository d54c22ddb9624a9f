"""Time of every surrogate's spike, slope and curve for each element, beside a memory copy and its own bound, in ns.

Calls alternate, so that load on the machine falls on all of them alike. Each writes into the memory of the one before:
fresh memory would cost more than the copy, and not each time the same. `bound` names the least that a slope computes;
where that is a transcendental function, no slope can be as fast as a copy.

    python benchmarks/elementwise.py [--size 4000000] [--repeats 15] [--json PATH]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

import surgrad

METHODS = {"spike": "__call__", "slope": "surrogate_grad", "curve": "surrogate_fun"}
OPERATIONS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "copy": jnp.copy,
    "multiply": lambda x: 1.5 * x,
    "division": lambda x: 1 / (1 + jnp.abs(x)),
    "exp": jnp.exp,
    "exp and division": lambda x: 1 / (1 + jnp.exp(x)),
    "three exp": lambda x: jnp.exp(-(x**2)) + jnp.exp(-((x - 1) ** 2)) + jnp.exp(-((x + 1) ** 2)),
    "log": lambda x: jnp.log(1 + jnp.abs(x)),
    "log and exp": lambda x: jnp.exp(-2.5 * jnp.log(1 + jnp.abs(x))),
    "sin": jnp.sin,
    "atan": jnp.arctan,
}
BOUNDS = {
    "Arctan": "division",
    "Dspike": "exp and division",
    "ERF": "exp",
    "GaussianGrad": "exp",
    "InvSquareGrad": "division",
    "LogTailedRelu": "division",
    "MultiGaussianGrad": "three exp",
    "NonzeroSignLog": "division",
    "PiecewiseExp": "exp",
    "QPseudoSpike": "log and exp",
    "S2NN": "exp and division",
    "Sigmoid": "exp and division",
    "SlayerGrad": "exp",
    "SoftSign": "division",
    "SquarewaveFourierSeries": "division",
}
"""The operations that a slope cannot do without; those of the others are as cheap as a copy."""


Times = dict[str, dict[str, float]]
"""CPU and wall time by name, in ns for each element."""


def bound_of(cls: type[surgrad.Surrogate]) -> str:
    """The operation that bounds the time of a surrogate: its own, or that of the surrogate that it derives from."""
    return next((BOUNDS[base.__name__] for base in cls.__mro__ if base.__name__ in BOUNDS), "copy")


def functions() -> dict[str, tuple[Callable[..., jax.Array], tuple[Any, ...]]]:
    """What is timed, by name, with its arguments before x: hyperparameters are arguments, as in training."""
    found: dict[str, tuple[Callable[..., jax.Array], tuple[Any, ...]]] = {k: (f, ()) for k, f in OPERATIONS.items()}
    for name, cls in surgrad.catalogue().items():
        found |= {f"{name} {what}": (getattr(cls, method), (cls(),)) for what, method in METHODS.items()}
    return found


def timed(functions: dict[str, tuple[Callable[..., jax.Array], tuple[Any, ...]]], x: jax.Array, repeats: int) -> Times:
    """Medians over alternating calls, after two calls that compile."""
    jitted = {k: _into_donated(f) for k, (f, _) in functions.items()}
    samples: dict[str, list[tuple[float, float]]] = {k: [] for k in functions}
    out = jnp.zeros_like(x)
    for repeat in range(repeats + 2):
        for name, call in jitted.items():
            cpu, wall = time.process_time_ns(), time.perf_counter_ns()
            out = jax.block_until_ready(call(out, *functions[name][1], x))
            if repeat >= 2:
                samples[name].append((time.process_time_ns() - cpu, time.perf_counter_ns() - wall))
    medians = {k: [statistics.median(column) / x.size for column in zip(*v, strict=True)] for k, v in samples.items()}
    return {k: dict(zip(("cpu", "wall"), v, strict=True)) for k, v in medians.items()}


def _into_donated(function: Callable[..., jax.Array]) -> Callable[..., jax.Array]:
    return jax.jit(lambda out, *arguments: function(*arguments), donate_argnums=0, keep_unused=True)


def report(size: int, repeats: int) -> dict[str, Any]:
    """All times of float32 normal numbers, and where they were measured."""
    x = jax.random.normal(jax.random.key(0), (size,), jnp.float32)
    return {
        "size": size,
        "repeats": repeats,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": jax.devices()[0].device_kind,
        "cores": os.cpu_count(),
        "bounds": {name: bound_of(cls) for name, cls in surgrad.catalogue().items()},
        "ns_per_element": timed(functions(), x, repeats),
    }


def tables(found: dict[str, Any]) -> str:
    """The operations, then the surrogates: CPU time, wall time in brackets, ratios of CPU times; in Markdown."""
    ns = found["ns_per_element"]

    def cell(name: str) -> str:
        return f"{ns[name]['cpu']:.2f} ({ns[name]['wall']:.2f})"

    def ratio(name: str, other: str) -> str:
        return f"{ns[name]['cpu'] / ns[other]['cpu']:.2f}"

    lines = ["| operation | ns | / copy |", "|-|-|-|"]
    lines += [f"| {name} | {cell(name)} | {ratio(name, 'copy')} |" for name in OPERATIONS]
    lines += ["", "| surrogate | spike | slope | curve | slope / copy | bound | slope / bound |", "|-|-|-|-|-|-|-|"]
    for name, bound in found["bounds"].items():
        slope, times = f"{name} slope", " | ".join(cell(f"{name} {what}") for what in METHODS)
        lines.append(f"| {name} | {times} | {ratio(slope, 'copy')} | {bound} | {ratio(slope, bound)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and print, and write JSON if a path is given."""
    parser = argparse.ArgumentParser(description="Time of every surrogate for each element, in ns.")
    parser.add_argument("--size", type=int, default=4_000_000, help="elements of x")
    parser.add_argument("--repeats", type=int, default=15, help="calls of each")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args()
    found = report(options.size, options.repeats)
    print(f"{found['size']} float32, CPU ns for each element (wall), {found['device']}, JAX {found['jax']}\n")
    print(tables(found))
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
