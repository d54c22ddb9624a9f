"""Evaluation over time, in chunks of steps, with checkpoints for backpropagation through time."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, overload

import jax

from surgrad._answers import answers_keywords
from surgrad._kinds import require_choice
from surgrad._numbers import require_real, require_whole
from surgrad._pytree import Pytree
from surgrad._types import PyTree
from surgrad.nn._arguments import UNSET, arranged
from surgrad.nn._budget import chunk_length, segment_length
from surgrad.nn._contract import loop, runs_over_time
from surgrad.nn._former import takes_former_keywords
from surgrad.nn._fused.choose import BACKENDS, Backend, using
from surgrad.nn._lengths import padded
from surgrad.nn._loops import Keep, blocks, carried, opened, summed_wide
from surgrad.nn._recording import recorded
from surgrad.nn._records import Recorded
from surgrad.nn._results import Unrolled, UnrolledRecords


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
    backend: Backend | None = None,
    lengths: Any = None,
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
    backend: Backend | None = None,
    lengths: Any = None,
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
    backend: Backend | None = None,
    lengths: Any = None,
) -> Unrolled: ...


@overload
def unroll(
    cell: Any,
    *arguments: PyTree,
    record: Recorded,
    state: PyTree = ...,
    inputs: PyTree = ...,
    keep: Keep = "all",
    checkpoint_every: int | str | None = None,
    memory_bytes: float | None = None,
    chunk_size: int | None = None,
    backend: Backend | None = None,
    lengths: Any = None,
) -> UnrolledRecords: ...


@takes_former_keywords(chunk="chunk_size", segment="checkpoint_every", memory="memory_bytes")
@answers_keywords
def unroll(
    cell: Any,
    *arguments: PyTree,
    state: PyTree = UNSET,
    inputs: PyTree = UNSET,
    keep: Keep = "all",
    checkpoint_every: int | str | None = None,
    memory_bytes: float | None = None,
    chunk_size: int | None = None,
    backend: Backend | None = None,
    lengths: Any = None,
    record: Recorded | None = None,
) -> Unrolled | UnrolledRecords:
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
        backend: how cells that promise to be `elementwise` run over time. `"pallas"`: as one kernel forwards and one
            backwards, made from the cell's own step; forward mode and higher derivatives are those of the scan. On
            CPUs Pallas interprets it, for tests. `"scan"`: step by step. None: as kernels on GPUs, else as a scan.
        lengths: the length of each sample in time steps, `(batch,)`, for inputs `(time, batch, features)` that are
            padded behind it, with anything. Outputs, states and gradients of a sample are those of the sample alone:
            outputs are 0 behind its end, its state is that at its end, and `keep="last"` gives its own last output
            (0 for a length of 0). A number that all samples share in a state, such as that of the time steps so far,
            becomes one for each.
        record: values of layers that are returned too, as `records`: a name such as `"1.v"`, or `"v"` for the membrane
            potentials of all layers; names with distances in time steps, `{"1.v": 10}`; a `Record`, which has patterns
            and summaries; or a list of them. Nothing else changes but for rounding, and that lengths of chunks and
            between checkpoints become multiples of the distances; where a sample is over, records are 0.

    Raises:
        TypeError: the cell is a class or a connection, or does not return a pair; arguments are in another order;
            memory_bytes is not a number; lengths are not whole numbers.
        ValueError: the inputs have no axis of time, or do not fit the cell; an option is out of its range;
            checkpoint_every and memory_bytes are both given; no checkpoints fit the memory; there is no last output;
            a length is below 0 or above that of time; nothing to record has a name.

    Example:
        >>> import jax.numpy as jnp
        >>> from surgrad import nn
        >>> state, spikes = nn.unroll(nn.LIF(tau=10.0), jnp.ones((100, 8, 3)))
        >>> spikes.shape, state.v.shape
        ((100, 8, 3), (8, 3))
    """
    state, inputs, time = arranged("unroll", cell, arguments, state, inputs, together=lengths is None)
    _check_options(
        keep, time, checkpoint_every=checkpoint_every, memory_bytes=memory_bytes, chunk_size=chunk_size, backend=backend
    )
    if record is not None:
        _require_known(time, "record")
    block: Any = (
        chunk_length(cell, inputs, time, backend == "pallas") if chunk_size is None else min(chunk_size, max(time, 1))
    )
    if memory_bytes is not None or checkpoint_every == "auto":
        measured = functools.partial(_evaluate, keep=keep, chunk=block)
        with using(backend):
            checkpoint_every = segment_length(cell, measured, state, inputs, block, memory_bytes)
    length = None if checkpoint_every is None or int(checkpoint_every) >= time else int(checkpoint_every)
    block = block if length is None else min(block, length)
    cell = opened(cell, state, inputs)
    if record is not None:
        run = functools.partial(_all, keep="all", backend=backend)
        return UnrolledRecords(*recorded(run, cell, state, inputs, record, keep, lengths, block, length))
    if lengths is not None:
        cell, state, inputs = padded(cell, state, inputs, lengths, keep)
        after, outputs = _all(cell, state, inputs, block, length, keep=keep, backend=backend)
        return Unrolled(after.cell, outputs)
    return Unrolled(*_all(cell, state, inputs, block, length, keep=keep, backend=backend))


def _all(
    cell: Any, state: PyTree, inputs: PyTree, block: Any, length: int | None, *, keep: Keep, backend: Backend | None
) -> tuple[PyTree, PyTree]:
    """All steps, as a compiled function where the cell is one of its arguments."""
    if isinstance(cell, Pytree):
        return _compiled(block, length, keep, backend, cell, state, inputs)
    with using(backend):
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


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3), inline=True)
def _compiled(
    chunk: Any, length: int | None, keep: Keep, backend: Backend | None, cell: Any, state: PyTree, inputs: PyTree
) -> tuple[PyTree, PyTree]:
    """One compiled function for all: outside `jit`, equal structures never compile twice."""
    with using(backend):
        return _run(cell, state, inputs, keep=keep, chunk=chunk, length=length)


def _evaluate(cell: Any, state: PyTree, inputs: PyTree, *, keep: Keep, chunk: Any) -> tuple[PyTree, PyTree]:
    """All steps, chunk by chunk where the cell can evaluate many steps at once."""
    if not runs_over_time(cell) or (isinstance(chunk, int) and chunk == 1):
        return loop(cell, state, inputs, keep)

    def block(cell: Any, state: PyTree, inputs: PyTree) -> tuple[PyTree, PyTree]:
        state, outputs = cell.over_time(state, inputs)
        return state, outputs if keep == "all" else jax.tree.map(lambda y: y[-1], outputs)

    return blocks(summed_wide(block, cell), keep, chunk, state, inputs)


def _check_options(keep: str, time: Any, backend: Any, **options: Any) -> None:
    given = {name: value for name, value in options.items() if value is not None}
    require_choice("unroll", "keep", keep, ("all", "last"))
    if backend is not None:
        require_choice("unroll", "backend", backend, BACKENDS)
    if given:
        _require_known(time, ", ".join(options))
    if keep == "last" and isinstance(time, int) and time == 0:
        raise ValueError("unroll: there is no last output of 0 steps; keep='all' gives an empty array.")
    if given.keys() >= {"checkpoint_every", "memory_bytes"}:
        raise ValueError("unroll: checkpoint_every and memory_bytes both set the checkpoints; give one of the two.")
    if "memory_bytes" in given:
        require_real("unroll", "memory_bytes", given.pop("memory_bytes"), above=0, finite=False)
    require_whole("unroll", **{n: v for n, v in given.items() if (n, v) != ("checkpoint_every", "auto")})


def _require_known(time: Any, options: str) -> None:
    if not isinstance(time, int):
        raise ValueError(f"unroll: {options} need a length of time that is a number, got the symbolic {time}.")
