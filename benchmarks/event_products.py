"""Event-driven products beside XLA's dense product: forward, and the derivatives by events and by weights.

Calls alternate, so that load on the machine falls on all of them alike; figures are medians of single calls, in ms of
wall time and of processor time over all threads. The results of all are compared before anything is timed. SciPy and
brainevent, where it is installed, stand beside them for the product forwards, of spikes that are 0 or 1.

    python benchmarks/event_products.py [--sizes 512 1024] [--rows 8000] [--densities 0.02 0.05] [--crossover] [--peers]
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
import numpy as np

from surgrad.nn._events import event_product, lowering

Call = Callable[[], Any]
Milliseconds = dict[str, dict[str, float]]

DENSITIES = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2)


def sparse(rng: np.random.Generator, rows: int, columns: int, density: float) -> jax.Array:
    """Ones at random places, zero elsewhere."""
    return jnp.asarray(rng.random((rows, columns)) < density, jnp.float32)


def products(product: Callable[[Any, Any], Any]) -> dict[str, Callable[..., Any]]:
    """A product of events and weights, and its derivatives along a cotangent, compiled."""
    return {
        "forward": jax.jit(lambda events, weights, pull: product(events, weights)),
        "by events": jax.jit(lambda events, weights, pull: jax.vjp(lambda x: product(x, weights), events)[1](pull)[0]),
        "by weights": jax.jit(lambda events, weights, pull: jax.vjp(lambda w: product(events, w), weights)[1](pull)[0]),
    }


def peers(events: jax.Array, weights: jax.Array) -> dict[str, Call]:
    """The product forwards, as others do it."""
    import scipy.sparse

    x, w = np.asarray(events), np.asarray(weights)
    calls: dict[str, Call] = {"forward, scipy": lambda: scipy.sparse.csr_array(x) @ w}
    try:
        import brainevent
    except ImportError:
        return calls
    # Its events lie in columns; the transposition of either side is not timed.
    columns = events.T
    binary = jax.jit(lambda w, s: brainevent.binary_densemm(w, s, transpose=True))
    return calls | {"forward, brainevent": lambda: binary(weights, columns)}


def medians(calls: dict[str, Call], count: int) -> Milliseconds:
    """Medians of alternating calls, after two that compile."""
    for call in [*calls.values()] * 2:
        jax.block_until_ready(call())
    wall: dict[str, list[float]] = {name: [] for name in calls}
    cpu: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(count):
        for name, call in calls.items():
            begin, used = time.perf_counter(), time.process_time()
            jax.block_until_ready(call())
            wall[name].append(1e3 * (time.perf_counter() - begin))
            cpu[name].append(1e3 * (time.process_time() - used))
    return {name: {"wall": statistics.median(wall[name]), "cpu": statistics.median(cpu[name])} for name in calls}


def compare(rows: int, n: int, density: float, count: int, with_peers: bool) -> Milliseconds:
    """Both products at a size and a density of events, and of the cotangent, after a check of their equality."""
    rng = np.random.default_rng(0)
    weights = jnp.asarray(rng.standard_normal((n, n)), jnp.float32)
    events, pull = sparse(rng, rows, n, density), sparse(rng, rows, n, density)
    calls: dict[str, Call] = {}
    for name, product in (("dense", jnp.matmul), ("events", event_product)):
        for of, call in products(product).items():
            calls[f"{of}, {name}"] = lambda call=call: call(events, weights, pull)
    for of in ("forward", "by events", "by weights"):
        np.testing.assert_allclose(calls[f"{of}, dense"](), calls[f"{of}, events"](), rtol=1e-3, atol=1e-3)
    if with_peers:
        for name, call in peers(events, weights).items():
            result = np.asarray(call())
            result = result if result.shape == (rows, n) else result.T
            np.testing.assert_allclose(calls["forward, dense"](), result, rtol=1e-3, atol=1e-3)
            calls[name] = call
    return medians(calls, count)


def main() -> None:
    """Measure and print, and write JSON if a path is given."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[512, 1024], help="inputs, and as many outputs")
    parser.add_argument("--rows", type=int, default=8000, help="time steps times batch")
    parser.add_argument("--densities", type=float, nargs="+", default=DENSITIES, help="shares of non-zeros")
    parser.add_argument("--calls", type=int, default=9, help="calls of each")
    parser.add_argument("--crossover", action="store_true", help="run the kernels at every density")
    parser.add_argument("--peers", action="store_true", help="time SciPy and brainevent too")
    parser.add_argument("--json", type=Path, help="file to write the numbers to")
    options = parser.parse_args()
    if options.crossover:
        lowering.SPARSE = 1.0
    found = []
    for n in options.sizes:
        for density in options.densities:
            result = compare(options.rows, n, density, options.calls, options.peers)
            found.append({"rows": options.rows, "n": n, "density": density, "median_ms": result})
            print(f"n = {n}, {options.rows} rows, {density:.1%} non-zero")
            for name, ms in result.items():
                print(f"    {name:<24} {ms['wall']:9.2f} ms wall {ms['cpu']:9.2f} ms CPU", flush=True)
    if options.json:
        versions = {"jax": jax.__version__, "python": platform.python_version(), "machine": platform.processor()}
        options.json.write_text(json.dumps(versions | {"runs": found}, indent=2) + "\n")


if __name__ == "__main__":
    main()
