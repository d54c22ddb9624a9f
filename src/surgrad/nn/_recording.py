"""`unroll` with a recording: what is recorded, how time is cut into blocks, and what comes back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from surgrad._types import PyTree
from surgrad.nn._contract import is_cell, runs_over_time, start
from surgrad.nn._lengths import padded
from surgrad.nn._records import Entry, Recorded, planned, visible
from surgrad.nn._sample_axes import one_each
from surgrad.nn._watch import Latest, Stepped, Watched, WatchedState, aligned, thinned

Run = Callable[[Any, PyTree, Any, Any, Any], tuple[PyTree, Any]]
"""All time steps: `(cell, state, inputs, block, length) -> (state, outputs)`."""


def recorded(
    run: Run, cell: Any, state: PyTree, inputs: Any, record: Recorded, keep: str, lengths: Any, block: Any, length: Any
) -> tuple[PyTree, Any, dict[str, Any]]:
    """The last state, the outputs, and what was recorded.

    Parameters:
        run: the loop over all time steps.
        cell, state, inputs, record, keep, lengths: as those of `unroll`.
        block: time steps that are evaluated at once.
        length: time steps between checkpoints, or None.

    Raises:
        TypeError, ValueError: as `planned` and `padded`.
    """
    cell = cell if is_cell(cell) else Stepped(cell)
    known = visible(cell, state, inputs)
    entries, summaries = planned(record, known)
    latest = {name: {label: Latest(one) for label, one in some.items()} for name, some in summaries.items()}
    begin = {entry.name: _started(latest, entry, known) for entry in entries if entry.summarised}
    last = _nothing(cell, state, inputs) if keep == "last" else None
    stepwise, axes = block == 1 or not runs_over_time(cell), None
    if stepwise and not summaries:  # one loop; values for summaries are kept for the time of a block
        block = len(jax.tree.leaves(inputs)[0]) if length is None else length
    inside, block, length = aligned(entries, block, length)
    if lengths is not None:
        cell, state, inputs = padded(cell, state, inputs, lengths, keep)
        begin, axes = _one_each(latest, begin, entries, known)
    watched = Watched(cell, latest, inside, keep == "last", stepwise, axes)
    after, (outputs, series) = run(watched, WatchedState(state, last, begin), inputs, block, length)
    outputs = after.last if keep == "last" else outputs
    records = {entry.name: _result(entry, within, after, series) for entry, within in zip(entries, inside, strict=True)}
    return (after.cell if lengths is None else after.cell.cell), outputs, records


def _result(entry: Entry, within: Entry, after: WatchedState, series: Mapping[str, Any]) -> Any:
    if not entry.summarised:
        return thinned(series[entry.name], entry.every // within.every)
    results = {label: output for label, (_, output) in after.summaries[entry.name].items()}
    return results.get("", results)


def _started(latest: Mapping[str, Any], entry: Entry, known: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    """The states of the summaries of a value before the first step."""
    values = known[entry.place, entry.value]
    return {label: start(cell, values.shape, values.dtype) for label, cell in latest[entry.name].items()}


def _one_each(
    latest: Mapping[str, Any], begin: Mapping[str, Any], entries: Sequence[Entry], known: Mapping[tuple[str, str], Any]
) -> tuple[dict[str, Any], tuple[Any, ...]]:
    """The states of summaries in which every sample has its own numbers, and the axes of the samples in them."""
    states: dict[str, Any] = {name: {} for name in begin}
    axes = []
    for entry in entries:
        values = known[entry.place, entry.value]
        over_time = jax.ShapeDtypeStruct((1, *values.shape), values.dtype)
        for label, cell in latest.get(entry.name, {}).items():
            begun = begin[entry.name][label]
            states[entry.name][label], found = one_each(cell, begun, over_time, values.shape[0])
            axes.append(((entry.name, label), found))
    return states, tuple(axes)


def _nothing(cell: Any, state: PyTree, inputs: Any) -> PyTree:
    """Zeros in place of the last output, before there is one."""
    first = jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x)[1:], jnp.result_type(x)), inputs)
    return jax.tree.map(lambda y: jnp.zeros(y.shape, y.dtype), jax.eval_shape(cell, state, first)[1])
