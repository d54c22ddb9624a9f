"""Evaluation over time, in chunks of steps, with checkpoints for backpropagation through time."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, NamedTuple, overload

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._answers import answers_keywords, missing_attribute
from surgrad._fields import check_callable
from surgrad._numbers import require_real, require_whole
from surgrad._pytree import Pytree
from surgrad._types import PyTree
from surgrad.nn._budget import chunk_length, segment_length
from surgrad.nn._contract import at_rest, described, runs_over_time
from surgrad.nn._former import takes_former_keywords
from surgrad.nn._loops import Keep, blocks, carried, opened, steps, summed_wide


class Unrolled(NamedTuple):
    """The result of `unroll`.

    Parameters:
        state: the state after the last time step.
        outputs: the outputs, `(time, *batch, features)`, or what `keep` leaves of them.
    """

    state: Any
    outputs: Any

    __getattr__ = missing_attribute


_UNSET: Any = object()


@overload
def unroll(
    cell: Any,
    inputs: PyTree,
    /,
    *,
    keep: Keep = "all",
    checkpoint_every: int | str | None = None,
    memory_bytes: float | None = None,
    chunk_size: int | None = None,
) -> Unrolled: ...


@overload
def unroll(
    cell: Any,
    /,
    *,
    inputs: PyTree,
    state: PyTree = ...,
    keep: Keep = "all",
    checkpoint_every: int | str | None = None,
    memory_bytes: float | None = None,
    chunk_size: int | None = None,
) -> Unrolled: ...


@overload
def unroll(
    cell: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]],
    state: PyTree,
    inputs: PyTree,
    /,
    *,
    keep: Keep = "all",
    checkpoint_every: int | str | None = None,
    memory_bytes: float | None = None,
    chunk_size: int | None = None,
) -> Unrolled: ...


@takes_former_keywords(chunk="chunk_size", segment="checkpoint_every", memory="memory_bytes")
@answers_keywords
def unroll(
    cell: Any,
    *arguments: PyTree,
    state: PyTree = _UNSET,
    inputs: PyTree = _UNSET,
    keep: Keep = "all",
    checkpoint_every: int | str | None = None,
    memory_bytes: float | None = None,
    chunk_size: int | None = None,
) -> Unrolled:
    """Run a network, or any cell, over time: `unroll(net, xs)` from rest, `unroll(net, state, xs)` from a state.

    Returns `(state, outputs)`, also as fields: the state after the last time step, and the outputs over time. Outputs
    and derivatives are those of `jax.lax.scan(cell, state, inputs)`, to rounding, with all options. A `Sequential`
    is evaluated layer by layer in chunks of time steps, so that a `Linear` layer is one matrix product a chunk.
    Gradients by half-precision numbers are summed over time in float32.

    Parameters:
        cell: a cell, such as a network; or a function of a state and the input of a time step that returns the next
            state and the output.
        state: the state before the first step, as the cell's `init` makes it; `cell.init` is called if it is left out.
        inputs: an array `(time, *batch, features)`, or a tree of arrays of one length of time.
        keep: `"all"` outputs, or the `"last"` only; then none are stacked over time.
        checkpoint_every: time steps between checkpoints. The backward pass computes what lies between two of them
            again, so that memory grows with `checkpoint_every` and with the number of checkpoints, for the time of one
            more forward pass. `"auto"` takes the number that needs the least memory, about √time; None stores all.
        memory_bytes: bytes that the backward pass may store besides inputs, outputs and weights, > 0; checkpoints are
            chosen from it, if any are needed. All floating-point numbers of cell, state and inputs count as
            differentiated. Under `vmap` it counts one element of the map.
        chunk_size: time steps that are evaluated at once; None chooses by the sizes of the layers.

    Raises:
        TypeError: the cell is a class or a connection, or does not return a pair; arguments are in another order;
            memory_bytes is not a number.
        ValueError: the inputs have no axis of time, or do not fit the cell; an option is out of its range;
            checkpoint_every and memory_bytes are both given; no checkpoints fit the memory; there is no last output.

    Example:
        >>> import jax.numpy as jnp
        >>> from surgrad import nn
        >>> state, spikes = nn.unroll(nn.LIF(tau=10.0), jnp.ones((100, 8, 3)))
        >>> spikes.shape, state.v.shape
        ((100, 8, 3), (8, 3))
    """
    state, inputs = arranged("unroll", cell, arguments, state, inputs)
    time = checked("unroll", cell, state, inputs)
    _check_options(keep, time, checkpoint_every=checkpoint_every, memory_bytes=memory_bytes, chunk_size=chunk_size)
    block: Any = chunk_length(cell, inputs, time) if chunk_size is None else min(chunk_size, max(time, 1))
    if memory_bytes is not None or checkpoint_every == "auto":
        measured = functools.partial(_evaluate, keep=keep, chunk=block)
        checkpoint_every = segment_length(cell, measured, state, inputs, block, memory_bytes)
    length = None if checkpoint_every is None or int(checkpoint_every) >= time else int(checkpoint_every)
    block = block if length is None else min(block, length)
    cell = opened(cell, state, inputs)
    if isinstance(cell, Pytree):
        return Unrolled(*_compiled(block, length, keep, cell, state, inputs))
    return Unrolled(*_run(cell, state, inputs, keep=keep, chunk=block, length=length))


def arranged(where: str, cell: Any, arguments: tuple[Any, ...], state: Any, inputs: Any) -> tuple[Any, Any]:
    """State and inputs, given by position or by name; the state is that at rest if it is left out.

    Raises:
        TypeError: there are too many arguments or too few, or one twice.
        ValueError: there is no state, and the cell has no `init`.
    """
    named = {name: value for name, value in (("state", state), ("inputs", inputs)) if value is not _UNSET}
    names = [name for name in ("state", "inputs") if name not in named][-len(arguments) or 2 :]
    given = dict(zip(names, arguments, strict=False)) | named
    if len(arguments) > len(names) or "inputs" not in given:
        raise TypeError(
            f"{where}: the arguments are {where}(cell, inputs) or {where}(cell, state, inputs), got "
            f"({', '.join(map(described, (cell, *arguments)))}{''.join(f', {name}' for name in named)})."
        )
    if "state" not in given:
        check_cell(where, cell, None, given["inputs"])
        given["state"] = at_rest(where, cell, given["inputs"])
    return given["state"], given["inputs"]


def checked(where: str, cell: Any, state: PyTree, inputs: PyTree) -> Any:
    """The length of time of inputs that fit a cell.

    Raises:
        TypeError, ValueError: they do not; the message says how they were read.
    """
    check_cell(where, cell, state, inputs)
    try:
        time = _time_of(where, inputs)
        _check_step(where, cell, state, inputs, time)
    except (TypeError, ValueError) as error:
        if _fits(cell, inputs, state):
            raise TypeError(
                f"{where}: the arguments are {where}(cell, state, inputs), in this order; state and inputs are swapped."
            ) from error
        raise
    return time


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


def _time_of(where: str, inputs: PyTree) -> Any:
    """The length of time of the inputs.

    Raises:
        ValueError: they have none, or several.
    """
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(inputs)}
    if len(lengths) != 1 or () in lengths:
        shapes = ", ".join(str(jnp.shape(leaf)) for leaf in jax.tree.leaves(inputs)) or "nothing"
        raise ValueError(f"{where}: inputs must share a leading axis of time, got {shapes}.")
    return lengths.pop()[0]


def check_cell(where: str, cell: Any, state: PyTree, inputs: PyTree) -> None:
    """Refuse what does not take a state and an input: arrays, classes, connections.

    Raises:
        TypeError: it is one of these.
    """
    if isinstance(cell, (jax.Array, np.ndarray)):
        raise TypeError(
            f"{where}: the arguments are {where}(cell, state, inputs), in this order; the first is {described(cell)}."
        )
    check_callable(f"{where}: the cell", cell, "a function, (state, input) -> (state, output)")
    try:
        inspect.signature(cell).bind(state, inputs)
    except TypeError as error:
        name = getattr(cell, "__name__", type(cell).__name__)
        raise TypeError(
            f"{where}: the cell must take a state and the input of a step, which {name} does not ({error}); "
            f"a connection acts on all steps without it, or as a part of a Sequential."
        ) from error
    except ValueError:  # some functions that are not written in Python have no signature
        return


def _check_step(where: str, cell: Callable[..., Any], state: PyTree, inputs: PyTree, time: Any) -> None:
    """Try one step on shapes alone, and say how the inputs were read where it does not fit."""
    step = jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x)[1:], jnp.result_type(x)), inputs)
    try:
        made = jax.eval_shape(cell, state, step)
    except ValueError as error:
        shapes = ", ".join(str(leaf.shape) for leaf in jax.tree.leaves(step))
        raise ValueError(
            f"{error} ({where} read the inputs as {time} steps of shape {shapes}: time leads, (time, *batch, neurons).)"
        ) from error
    if not isinstance(made, (tuple, list)) or len(made) != 2:
        raise TypeError(f"{where}: the cell must give back a pair, (state, output), got {described(made)}.")


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
    if given.keys() >= {"checkpoint_every", "memory_bytes"}:
        raise ValueError("unroll: checkpoint_every and memory_bytes both set the checkpoints; give one of the two.")
    if "memory_bytes" in given:
        require_real("unroll", "memory_bytes", given.pop("memory_bytes"), above=0, finite=False)
    require_whole("unroll", **{n: v for n, v in given.items() if (n, v) != ("checkpoint_every", "auto")})
