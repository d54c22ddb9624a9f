"""Lengths of chunks and segments: from the sizes of weights, and from the bytes that a backward pass keeps."""

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
"""All steps of a cell: `(cell, state, inputs) -> (state, outputs)`."""

_NUMBERS = (float, np.generic, np.ndarray, jax.Array, jax.ShapeDtypeStruct)

SMALL_WEIGHTS = 128 * 1024
"""Bytes of weights that stay in a core's cache from step to step, so that chunks would only cost."""

ROWS = {"cpu": 400}
"""Rows (steps times batch) of a chunk's matrix product: enough that a pass over the weights, and over the sum of their
gradients, costs little beside it, and few enough that currents stay in the cache. `benchmarks/chunks.py` shows both."""

MANY_ROWS = 8192
"""The same on an accelerator, which a large product fills. Not measured."""


def chunk_length(cell: Any, inputs: PyTree, time: Any) -> Any:
    """Steps to evaluate at once: about as many as give `ROWS` rows.

    On a CPU there are two exceptions: small weights are best taken step by step, and layers that promise
    `whole_sequence` all at once. A time or a batch that is symbolic has no size to choose by.
    """
    batch = max((math.prod(jnp.shape(leaf)[1:-1]) for leaf in jax.tree.leaves(inputs)), default=1)
    if not runs_over_time(cell) or (isinstance(time, int) and time <= 1):
        return 1
    backend = jax.default_backend()
    if backend == "cpu" and promises(cell, "whole_sequence"):
        return time
    if not isinstance(time, int) or not isinstance(batch, int) or (backend == "cpu" and size_of(cell) <= SMALL_WEIGHTS):
        return 1
    return near_divisor(time, math.ceil(ROWS.get(backend, MANY_ROWS) / max(batch, 1)))


def near_divisor(time: int, length: int) -> int:
    """The divisor of time nearest to a length, within a factor of 1.5; the length itself where there is none."""
    if length >= time:
        return time
    near = [d for d in range(math.ceil(length / 1.5), int(length * 1.5) + 1) if time % d == 0]
    return min(near, key=lambda d: abs(math.log(d / length)), default=length)


def segment_length(cell: Any, evaluate: Evaluate, state: PyTree, inputs: PyTree, chunk: int, memory: Any) -> int | None:
    """Steps between checkpoints, a multiple of the chunk or less than one; None where everything fits the memory.

    A segment of S steps needs `S a + (time/S) b` bytes, where a is what the backward pass keeps of a step and b the
    size of the state (which holds what a `Delay` keeps); that is least at S = √(time b/a). Going backwards, there are
    besides the inputs of a segment and their gradient, a chunk of the segment once more, and state and gradient of it.

    Raises:
        ValueError: the least is more than the memory.
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
            f"unroll: memory of {memory:.0f} bytes is not enough for {time} steps; segments of {segment} steps need "
            f"the least, {least:.0f} bytes. Give that, a shorter sequence or a smaller batch."
        )
    return segment


def size_of(tree: PyTree) -> int:
    """Bytes of all arrays in a tree."""
    leaves = [leaf for leaf in jax.tree.leaves(tree) if isinstance(leaf, _NUMBERS)]
    return sum(math.prod(jnp.shape(leaf)) * jnp.result_type(leaf).itemsize for leaf in leaves)


def kept_per_step(cell: Any, evaluate: Evaluate, state: PyTree, inputs: PyTree, chunk: int) -> float:
    """Bytes that a backward pass keeps of a step: the difference between three chunks and two, from shapes alone."""

    def residuals(count: int) -> int:
        short = jax.tree.map(lambda x: jax.ShapeDtypeStruct((count, *jnp.shape(x)[1:]), jnp.result_type(x)), inputs)
        return size_of(_residuals(evaluate, cell, state, short))

    return (residuals(3 * chunk) - residuals(2 * chunk)) / chunk


def _residuals(function: Callable[..., Any], *arguments: PyTree) -> Any:
    """The shapes of what the backward pass of a function keeps, where all floating numbers are differentiated."""
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
    """Whether a leaf is a floating number; a cell may also be a function, or hold whole numbers."""
    return isinstance(leaf, _NUMBERS) and jnp.issubdtype(jnp.result_type(leaf), jnp.floating)
