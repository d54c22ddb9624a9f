"""Cells over time: step by step, in chunks of steps, and in segments whose inside is computed again going backwards."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._fields import check_callable
from surgrad._numbers import require_real, require_whole
from surgrad._pytree import Pytree
from surgrad._types import PyTree
from surgrad.nn.budget import chunk_length, segment_length
from surgrad.nn.contract import described, runs_over_time
from surgrad.nn.loops import Keep, blocks, carried, opened, steps, summed_wide


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

    Outputs and derivatives are those of one `lax.scan` over the steps, to rounding, with all options. A cell whose
    class has a method `over_time` (a `Sequential`, say) is evaluated layer by layer in chunks of steps, so that a
    connection is one matrix product a chunk. Gradients by half-precision numbers are summed over time in float32.

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
        TypeError: the cell is a class, a connection, or gives back no pair; memory is not a number.
        ValueError: the inputs have no axis of time, or differ in its length, or do not fit the cell; keep is unknown;
            chunk or segment is not an integer from 1 on, memory not above 0; both segment and memory are given; no
            segment fits the memory; the last output of no steps is asked for; segments or chunks of a symbolic time
            are asked for.
    """
    _check_cell(cell, state, inputs)
    try:
        time = _time(inputs)
        _check_step(cell, state, inputs, time)
    except (TypeError, ValueError) as error:
        if _fits(cell, inputs, state):
            raise TypeError(
                "unroll: the arguments are unroll(cell, state, inputs), in this order; state and inputs are swapped."
            ) from error
        raise
    _check_options(keep, time, segment=segment, memory=memory, chunk=chunk)
    block: Any = chunk_length(cell, inputs, time) if chunk is None else min(chunk, max(time, 1))
    if memory is not None or segment == "auto":
        measured = functools.partial(_evaluate, keep=keep, chunk=block)
        segment = segment_length(cell, measured, state, inputs, block, memory)
    length = None if segment is None or int(segment) >= time else int(segment)
    block = block if length is None else min(block, length)
    cell = opened(cell, state, inputs)
    if isinstance(cell, Pytree):
        return _compiled(block, length, keep, cell, state, inputs)
    return _run(cell, state, inputs, keep=keep, chunk=block, length=length)


def _run(
    cell: Any, state: PyTree, inputs: PyTree, *, keep: Keep, chunk: Any, length: int | None
) -> tuple[PyTree, PyTree]:
    """All steps, in segments of a length, if there is one, that are computed again going backwards."""
    state = carried(cell, state, inputs)
    evaluate = functools.partial(_evaluate, keep=keep, chunk=chunk)
    if length is None:
        return evaluate(cell, state, inputs)
    # Inside a scan nothing is merged across iterations, so the barrier against merging would only cost.
    again = jax.checkpoint(summed_wide(evaluate, cell), prevent_cse=False)
    return blocks(again, keep, length, state, inputs)


@functools.partial(jax.jit, static_argnums=(0, 1, 2), inline=True)
def _compiled(
    chunk: Any, length: int | None, keep: Keep, cell: Any, state: PyTree, inputs: PyTree
) -> tuple[PyTree, PyTree]:
    """One compiled function for all: outside `jit`, equal structures never compile twice."""
    return _run(cell, state, inputs, keep=keep, chunk=chunk, length=length)


def _evaluate(cell: Any, state: PyTree, inputs: PyTree, *, keep: Keep, chunk: Any) -> tuple[PyTree, PyTree]:
    """All steps, chunk by chunk where the cell can evaluate many steps at once."""
    if not runs_over_time(cell) or (isinstance(chunk, int) and chunk == 1):
        return steps(cell, state, inputs, keep)

    def block(cell: Any, state: PyTree, inputs: PyTree) -> tuple[PyTree, PyTree]:
        state, outputs = cell.over_time(state, inputs)
        return state, outputs if keep == "all" else jax.tree.map(lambda y: y[-1], outputs)

    return blocks(summed_wide(block, cell), keep, chunk, state, inputs)


def _time(inputs: PyTree) -> Any:
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(inputs)}
    if len(lengths) != 1 or () in lengths:
        shapes = ", ".join(str(jnp.shape(leaf)) for leaf in jax.tree.leaves(inputs)) or "nothing"
        raise ValueError(f"unroll: inputs must share a leading axis of time, got {shapes}.")
    return lengths.pop()[0]


def _check_cell(cell: Any, state: PyTree, inputs: PyTree) -> None:
    """Refuse what does not take a state and an input: arrays, classes, connections."""
    if isinstance(cell, (jax.Array, np.ndarray)):
        raise TypeError(
            f"unroll: the arguments are unroll(cell, state, inputs), in this order; the first is {described(cell)}."
        )
    check_callable("unroll: the cell", cell, "a function, (state, input) -> (state, output)")
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


def _check_step(cell: Callable[..., Any], state: PyTree, inputs: PyTree, time: Any) -> None:
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


def _fits(cell: Callable[..., Any], state: PyTree, inputs: PyTree) -> bool:
    """Whether a cell takes a state and inputs over time, by their shapes."""
    try:
        after, _ = jax.eval_shape(lambda state, xs: cell(state, jax.tree.map(lambda x: x[0], xs)), state, inputs)
    except Exception:  # any error of a cell's own
        return False
    return jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)


def _check_options(keep: str, time: Any, **options: Any) -> None:
    given = {name: value for name, value in options.items() if value is not None}
    if keep not in ("all", "last"):
        raise ValueError(f"unroll: keep must be 'all' or 'last', got {keep!r}.")
    if given and not isinstance(time, int):
        names = ", ".join(options)
        raise ValueError(f"unroll: {names} need a length of time that is a number, got the symbolic {time}.")
    if keep == "last" and isinstance(time, int) and time == 0:
        raise ValueError("unroll: there is no last output of 0 steps; keep='all' gives an empty array.")
    if given.keys() >= {"segment", "memory"}:
        raise ValueError("unroll: segment and memory both set the checkpoints; give only one of the two.")
    if "memory" in given:
        require_real("unroll", "memory, in bytes,", given.pop("memory"), above=0, finite=False)
    require_whole("unroll", **{f"{n}, in steps,": v for n, v in given.items() if (n, v) != ("segment", "auto")})
