"""Cells over time: step by step, in chunks of steps, and in segments whose inside is computed again going backwards."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._pytree import Pytree
from surgrad._types import PyTree
from surgrad.nn.admission import described, require_callable
from surgrad.nn.budget import Keep, chunk_length, segment_length
from surgrad.nn.packed import packed, puts_out_spikes

Block = Callable[[PyTree, PyTree], tuple[PyTree, PyTree]]
"""Some steps at once: `(state, inputs) -> (state, outputs)`, where time leads."""


def unroll(
    cell: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]],
    state: PyTree,
    inputs: PyTree,
    *,
    keep: Keep = "all",
    segment: int | str | None = None,
    memory: float | None = None,
    chunk: int | None = None,
) -> tuple[Any, Any]:
    """The last state of a cell, and its outputs, `(time, *batch, neurons)`; time leads, in inputs and in outputs.

    Outputs and derivatives are those of one `lax.scan` over the steps, to rounding, whatever the options. A cell that
    has a method `over_time` (a `Sequential`, say) is evaluated layer by layer in chunks of steps, so that a connection
    is one matrix product a chunk.

    Parameters:
        cell: a function of a state and the input of a step that returns the next state and the output.
        state: the state before the first step, of the cell's `init`.
        inputs: a tree of arrays, `(time, *batch, ...)`.
        keep: `"all"` outputs, or only the `"last"`, which then needs no memory for the others.
        segment: steps between checkpoints. Going backwards, what lies between two of them is computed again, so that
            the memory grows with the steps of a segment and the number of segments, for the time of one more forward
            pass. `"auto"` takes the length that needs the least memory, about √time; None keeps everything.
        memory: bytes that the backward pass may keep, besides inputs, outputs and weights, > 0; the segment is chosen
            from it, if one is needed at all. All numbers in `cell`, `state` and `inputs` count as differentiated.
            Under `vmap` it counts one element of the map: divide by their number.
        chunk: steps that are evaluated at once; None chooses by the sizes of the connections.

    Raises:
        TypeError: the cell is a class, a connection, or gives back no pair; chunk or segment is not a whole number,
            memory not a number.
        ValueError: the inputs have no axis of time, or differ in its length, or do not fit the cell; keep is unknown;
            chunk or segment is below 1, memory not above 0; both segment and memory are given; no segment fits the
            memory; the last output of no steps is asked for.
    """
    _require_cell(cell, state, inputs)
    time = _time(inputs)
    _require_step(cell, state, inputs, time)
    _require_options(keep, time, segment=segment, memory=memory, chunk=chunk)
    chunk = chunk_length(cell, state, inputs, time) if chunk is None else min(chunk, max(time, 1))
    if memory is not None or segment == "auto":
        measured = functools.partial(_evaluate, keep=keep, chunk=chunk)
        segment = segment_length(cell, measured, state, inputs, chunk, memory)
    length = int(segment or max(time, 1))
    chunk = min(chunk, length)
    if isinstance(cell, Pytree):
        return _compiled(chunk, length, keep, cell, state, inputs)
    return _run(cell, state, inputs, keep=keep, chunk=chunk, length=length)


@functools.partial(jax.jit, static_argnums=(0, 1, 2), inline=True)
def _compiled(chunk: int, length: int, keep: Keep, cell: Any, state: PyTree, inputs: PyTree) -> tuple[PyTree, PyTree]:
    """One compiled function for all: outside of `jit`, equal structures never compile twice."""
    run = functools.partial(_run, keep=keep, chunk=chunk, length=length)
    return packed(run, cell, state, inputs) if keep == "all" and puts_out_spikes(cell) else run(cell, state, inputs)


def _run(cell: Any, state: PyTree, inputs: PyTree, *, keep: Keep, chunk: int, length: int) -> tuple[PyTree, PyTree]:
    """All steps, in segments of a length, if that is shorter, that are computed again going backwards."""
    evaluate = functools.partial(_evaluate, cell, keep=keep, chunk=chunk)
    if length >= _time(inputs):
        return evaluate(state, inputs)
    # Inside of a scan nothing is merged across iterations, so the barrier against merging would only cost.
    again = jax.checkpoint(evaluate, prevent_cse=False)
    return _blocks(again, keep, length, state, inputs)


def _evaluate(cell: Any, state: PyTree, inputs: PyTree, *, keep: Keep, chunk: int) -> tuple[PyTree, PyTree]:
    """All steps, chunk by chunk where the cell can evaluate many steps at once."""
    if chunk == 1 or not hasattr(cell, "over_time"):
        return steps(cell, state, inputs, keep)

    def block(state: PyTree, inputs: PyTree) -> tuple[PyTree, PyTree]:
        state, outputs = cell.over_time(state, inputs)
        return state, outputs if keep == "all" else jax.tree.map(lambda y: y[-1], outputs)

    return _blocks(block, keep, chunk, state, inputs)


def steps(cell: Callable[..., Any], state: PyTree, inputs: PyTree, keep: Keep = "all") -> tuple[PyTree, PyTree]:
    """All steps, one by one, in one scan."""
    # A function of its own keeps scan from hashing the cell, whose numbers may be traced.
    if keep == "all":
        return jax.lax.scan(lambda state, now: cell(state, now), state, inputs)
    return _scan_last(lambda state, now: cell(state, now), state, inputs)


def _blocks(block: Block, keep: Keep, size: int, state: PyTree, inputs: PyTree) -> tuple[PyTree, PyTree]:
    """Blocks of a number of steps, one after the other, and what is left over at the end as a shorter one."""
    time = _time(inputs)
    count, rest = divmod(time, size)
    if time <= size:
        return block(state, inputs)
    whole = jax.tree.map(lambda x: x[: count * size].reshape(count, size, *x.shape[1:]), inputs)
    if keep == "last":
        state, outputs = _scan_last(block, state, whole)
        return block(state, jax.tree.map(lambda x: x[count * size :], inputs)) if rest else (state, outputs)
    state, outputs = jax.lax.scan(lambda state, now: block(state, now), state, whole)
    outputs = jax.tree.map(lambda y: y.reshape(count * size, *y.shape[2:]), outputs)
    if rest:
        state, tail = block(state, jax.tree.map(lambda x: x[count * size :], inputs))
        outputs = jax.tree.map(lambda *both: jnp.concatenate(both), outputs, tail)
    return state, outputs


def _scan_last(block: Block, state: PyTree, inputs: PyTree) -> tuple[PyTree, PyTree]:
    """A scan that keeps the last output in its state, and stacks none."""
    _, output = jax.eval_shape(block, state, jax.tree.map(lambda x: x[0], inputs))
    nothing = jax.tree.map(lambda y: jnp.zeros(y.shape, y.dtype), output)
    return jax.lax.scan(lambda carry, now: (block(carry[0], now), None), (state, nothing), inputs)[0]


def _time(inputs: PyTree) -> int:
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(inputs)}
    if len(lengths) != 1 or () in lengths:
        shapes = ", ".join(str(jnp.shape(leaf)) for leaf in jax.tree.leaves(inputs)) or "nothing"
        raise ValueError(f"unroll: inputs must share a leading axis of time, got {shapes}.")
    return lengths.pop()[0]


def _require_cell(cell: Any, state: PyTree, inputs: PyTree) -> None:
    """Refuse what does not take a state and an input: classes, connections."""
    require_callable("unroll: the cell", cell, "a function, (state, input) -> (state, output)")
    try:
        inspect.signature(cell).bind(state, inputs)
    except TypeError as error:
        name = getattr(cell, "__name__", type(cell).__name__)
        raise TypeError(
            f"unroll: the cell must take a state and the input of a step, which {name} does not ({error}); "
            f"a connection acts on all steps without it, or as a part of a Sequential."
        ) from error
    except ValueError:  # some functions that are not written in Python have no signature
        return


def _require_step(cell: Callable[..., Any], state: PyTree, inputs: PyTree, time: int) -> None:
    """Try one step on shapes alone, and say how the inputs were read where it does not fit."""
    step = jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x)[1:], jnp.result_type(x)), inputs)
    try:
        made = jax.eval_shape(cell, state, step)
    except ValueError as error:
        shapes = ", ".join(str(leaf.shape) for leaf in jax.tree.leaves(step))
        raise ValueError(
            f"{error} (unroll read the inputs as {time} steps of shape {shapes}: time leads, (time, *batch, neurons).)"
        ) from error
    if not isinstance(made, (tuple, list)) or len(made) != 2:
        raise TypeError(f"unroll: the cell must give back a pair, (state, output), got {described(made)}.")


def _require_options(keep: str, time: int, *, segment: Any, memory: Any, chunk: Any) -> None:
    if keep not in ("all", "last"):
        raise ValueError(f"unroll: keep must be 'all' or 'last', got {keep!r}.")
    if keep == "last" and time == 0:
        raise ValueError("unroll: there is no last output of 0 steps; keep='all' gives an empty array.")
    if segment is not None and memory is not None:
        raise ValueError("unroll: segment and memory both set the checkpoints; give only one of the two.")
    for name, value in (("segment", segment), ("chunk", chunk)):
        if value is None or (name == "segment" and value == "auto"):
            continue
        if isinstance(value, bool) or not hasattr(value, "__index__"):
            allowed = "'auto' or a whole number" if name == "segment" else "a whole number"
            raise TypeError(f"unroll: {name} must be {allowed} of steps, got {value!r}.")
        if value < 1:
            raise ValueError(f"unroll: {name} must be at least 1 step, got {value}.")
    if memory is None:
        return
    if isinstance(memory, bool) or not isinstance(memory, (int, float, np.integer, np.floating)):
        raise TypeError(f"unroll: memory must be a number of bytes, got {memory!r}.")
    if not memory > 0:
        raise ValueError(f"unroll: memory must be above 0 bytes, got {memory}.")
