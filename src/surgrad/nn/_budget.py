"""Choice of the chunk size and of the distance between checkpoints."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._types import PyTree
from surgrad.nn._contract import promises, runs_over_time

Evaluate = Callable[[Any, PyTree, PyTree], tuple[PyTree, PyTree]]
"""All time steps of a cell: `(cell, state, inputs) -> (state, outputs)`."""

_NUMBERS = (float, np.generic, np.ndarray, jax.Array, jax.ShapeDtypeStruct)

SMALL_WEIGHTS = 128 * 1024
"""Bytes of weights that stay in a core's cache between time steps, so that chunks do not pay."""

ROWS = {"cpu": 400}
"""Rows (time steps x batch) of the matrix product of a chunk, by backend. More rows share one pass over the weights and
over their gradient; with fewer rows the currents stay in the cache. `benchmarks/chunks.py` measures it."""

ROOMY_WEIGHTS = 2**20
"""Bytes of weights up to which a core's cache has room for the currents of twice as many rows: 700-256-20, of 1.00 MB,
takes 0.88 of the time of a training step with `ROWS`. At 512-512, 1.05 MB, it is 0.98 to 0.99, for a tenth more memory,
at 2.5 and 4.2 MB 1.02 and 1.04 (CPU time, 21 rounds)."""

MANY_ROWS = 8192
"""The same for other backends: a large product fills an accelerator. Not measured."""


def chunk_length(cell: Any, inputs: PyTree, time: Any, kernels: bool = False) -> Any:
    """The number of time steps to evaluate at once: about as many as give `ROWS` rows, or twice as many (`_rows`).

    There are two exceptions on CPUs: one step if the weights are small, and all steps if a layer promises
    `whole_sequence`. If time or batch are symbolic, it is one step. With kernels for the loop over time, chunks are
    as long as on accelerators.
    """
    batch = max((math.prod(jnp.shape(leaf)[1:-1]) for leaf in jax.tree.leaves(inputs)), default=1)
    if not runs_over_time(cell) or (isinstance(time, int) and time <= 1):
        return 1
    backend = "gpu" if kernels else jax.default_backend()
    if backend == "cpu" and promises(cell, "whole_sequence"):
        return time
    if not isinstance(time, int) or not isinstance(batch, int) or (backend == "cpu" and size_of(cell) <= SMALL_WEIGHTS):
        return 1
    return near_divisor(time, math.ceil(_rows(cell, batch, backend) / max(batch, 1)))


def _rows(cell: Any, batch: int, backend: str) -> int:
    """Rows of a chunk: on CPUs twice `ROWS` for weights up to `ROOMY_WEIGHTS`, unless one time step has `ROWS`."""
    rows = ROWS.get(backend, MANY_ROWS)
    return 2 * rows if backend == "cpu" and batch < rows and size_of(cell) <= ROOMY_WEIGHTS else rows


def near_divisor(time: int, length: int) -> int:
    """The divisor of time nearest to a length, within a factor of 1.5; the length itself where there is none."""
    if length >= time:
        return time
    near = [d for d in range(math.ceil(length / 1.5), int(length * 1.5) + 1) if time % d == 0]
    return min(near, key=lambda d: abs(math.log(d / length)), default=length)


def segment_length(cell: Any, evaluate: Evaluate, state: PyTree, inputs: PyTree, chunk: int, memory: Any) -> int | None:
    """The number of time steps between checkpoints; None if no checkpoints are needed.

    It is a multiple of the chunk size, or smaller than that. With checkpoints every S time steps the backward pass
    stores S a + (time/S) b bytes, where a are the bytes of one time step and b those of the state; that is least at
    S = √(time b/a). It also needs the inputs between two checkpoints and their gradient, one chunk twice, and the state
    and its gradient.

    Raises:
        ValueError: the least is more than `memory`.
    """
    time = jnp.shape(jax.tree.leaves(inputs)[0])[0]
    if time == 0:
        return None
    kept, state_size = max(kept_per_step(cell, evaluate, state, inputs, chunk), 1), max(size_of(state), 1)
    if memory is not None and kept * time + 2 * state_size <= memory:
        return None
    best = math.sqrt(time * state_size / kept)
    whole = chunk if best > chunk else 1
    segment = near_divisor(math.ceil(time / whole), max(1, round(best / whole))) * whole
    inside = segment + (chunk if segment > chunk else 0)
    least = kept * inside + 2 * size_of(inputs) / time * segment + state_size * (math.ceil(time / segment) + 2)
    if memory is not None and least > memory:
        raise ValueError(
            f"unroll: memory_bytes={memory:.0f} is not enough for {time} time steps; checkpoints every {segment} need "
            f"the least, {least:.0f} bytes. Give that, a shorter sequence or a smaller batch."
        )
    return segment


def size_of(tree: PyTree) -> int:
    """The bytes of all arrays of a tree."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, _NUMBERS)]
    return sum(math.prod(jnp.shape(leaf)) * jnp.result_type(leaf).itemsize for leaf in leaves)


def kept_per_step(cell: Any, evaluate: Evaluate, state: PyTree, inputs: PyTree, chunk: int) -> float:
    """The bytes that the backward pass stores for a time step, from the shapes for three chunks and for two."""

    def residuals(count: int) -> int:
        short = jax.tree.map(lambda x: jax.ShapeDtypeStruct((count, *jnp.shape(x)[1:]), jnp.result_type(x)), inputs)
        return size_of(_residuals(evaluate, cell, state, short))

    return (residuals(3 * chunk) - residuals(2 * chunk)) / chunk


def _residuals(function: Callable[..., Any], *arguments: PyTree) -> Any:
    """The shapes of what the backward pass of a function stores, for derivatives by all floating-point numbers."""
    leaves, structure = jax.tree.flatten(arguments)
    moving = [i for i, leaf in enumerate(leaves) if _is_real(leaf)]

    def pull(values: list[Any]) -> Any:
        def apply(values: list[Any]) -> Any:
            merged = dict(zip(moving, values, strict=True))
            return function(*structure.unflatten([merged.get(i, leaf) for i, leaf in enumerate(leaves)]))

        return jax.vjp(apply, values)[1]

    shapes = [jax.ShapeDtypeStruct(jnp.shape(leaves[i]), jnp.result_type(leaves[i])) for i in moving]
    return jax.eval_shape(pull, shapes)


def _is_real(leaf: Any) -> bool:
    """Whether a leaf is a floating-point number or array; leaves may also be functions or integers."""
    return isinstance(leaf, _NUMBERS) and jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
