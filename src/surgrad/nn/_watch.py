"""Running a network over time while some of its values are recorded.

A layer of which a state is recorded runs in one loop over its steps, which keeps recorded steps only; all other layers
run as they do without a recording, and so do those of which only inputs, outputs or spikes are recorded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from surgrad._pytree import static
from surgrad._types import PyTree, Shape
from surgrad.nn._contract import Cell, is_cell, over_time, start
from surgrad.nn._loops import Keep, an_iteration, carried, scan, steps, summed_wide
from surgrad.nn._observables import Evaluate, Observed, each_layer, in_sequences, observed, observed_step
from surgrad.nn._records import Entry

Run = Callable[[Any, str, Sequence[Entry], PyTree, Any], tuple[PyTree, Any, Observed]]
"""Many time steps of one layer: `(layer, place, entries, state, inputs) -> (state, outputs, observed)`."""


class WatchedState(NamedTuple):
    """The state of a network, its last output if that is kept, and the states of the summaries."""

    cell: PyTree
    last: PyTree
    summaries: PyTree


class Watched(Cell):
    """A network whose outputs are `(outputs, series)`: what is recorded over time, besides its own.

    Parameters:
        cell: the network.
        summaries: cells that take recorded values, by the names of the values and of their own.
        entries: what is recorded.
        last: whether the last output is in the state, in place of the outputs.
        stepwise: whether the network runs step by step, not layer by layer.
        axes: of the samples in the states of the summaries, in their order, where samples end one by one.
    """

    cell: Any
    summaries: dict[str, Any]
    entries: tuple[Entry, ...] = static()
    last: bool = static(default=False)
    stepwise: bool = static(default=False)
    axes: Any = static(default=None)

    def __call__(self, state: WatchedState, x: Any) -> tuple[WatchedState, Any]:
        """One time step, which is recorded."""
        state, outputs = self.over_time(state, jax.tree.map(lambda leaf: leaf[None], x))
        return state, jax.tree.map(lambda y: y[0], outputs)

    def over_time(self, state: WatchedState, inputs: Any) -> tuple[WatchedState, Any]:
        """Many time steps, of which the first is recorded."""
        if self.axes is not None:
            cell, outputs, found = self.cell.watch(self.entries, state.cell, inputs)
        elif self.stepwise:
            keep: Keep = "last" if self.last else "all"
            cell, outputs, found = step_by_step(self.cell, "", self.entries, state.cell, inputs, keep)
        else:
            evaluate = observed_over_time(self.entries, _run)
            cell, outputs, found = each_layer(evaluate, self.cell, "", state.cell, inputs)
        last = jax.tree.map(lambda y: y[-1], outputs) if self.last else None
        series = {entry.name: found[entry.name] for entry in self.entries if not entry.summarised}
        after = WatchedState(cell, last, self._summed(state.summaries, found, inputs))
        return after, (None if self.last else outputs, series)

    def _summed(self, states: PyTree, found: Observed, inputs: Any) -> PyTree:
        after: dict[str, Any] = {}
        for entry in self.entries:
            if not entry.summarised:
                continue
            name, values, after[entry.name] = entry.name, found[entry.name], {}
            for label, cell in self.summaries[name].items():
                before = states[name][label]
                if self.axes is None:
                    after[name][label] = steps(cell, before, values)[0]
                else:
                    active, axes = thinned(inputs[1], entry.every), dict(self.axes)[name, label]
                    after[name][label] = self.cell.summed(cell, before, axes, values, active)
        return after


class Latest(Cell):
    """A cell whose state holds its last output too, and which puts out nothing."""

    cell: Any

    def init(self, shape: Shape, dtype: Any = None) -> tuple[PyTree, PyTree]:
        state, x = start(self.cell, shape, dtype), jax.ShapeDtypeStruct(shape, dtype)
        output = jax.eval_shape(lambda x: self.cell(state, x)[1], x)
        return state, jax.tree.map(lambda y: jnp.zeros(y.shape, y.dtype), output)

    def __call__(self, state: tuple[PyTree, PyTree], x: Any) -> tuple[tuple[PyTree, PyTree], Any]:
        return self.cell(state[0], x), None


class Stepped(Cell):
    """A function `(state, input) -> (state, output)` as a cell."""

    cell: Any

    def __call__(self, state: PyTree, x: Any) -> tuple[PyTree, Any]:
        return self.cell(state, x)


def thinned(values: PyTree, every: int) -> PyTree:
    """The first of values over time, and each `every`-th after it."""
    return values if every == 1 else jax.tree.map(lambda leaf: leaf[::every], values)


def observed_over_time(entries: Sequence[Entry], run: Run) -> Evaluate:
    """Many time steps of a layer with what is recorded of it; inputs and outputs need no loop of their own."""

    def evaluate(layer: Any, place: str, state: PyTree, xs: Any) -> tuple[PyTree, Any, Observed]:
        mine = [entry for entry in entries if entry.place == place]
        known = in_sequences(layer, None, None)
        inside = [entry for entry in mine if entry.value not in known]
        after, outputs, found = run(layer, place, inside, state, xs)
        known = in_sequences(layer, xs, outputs)
        outside = {e.name: thinned(known[e.value], e.every) for e in mine if e.value in known}
        return after, outputs, found | outside

    return evaluate


def _run(layer: Any, place: str, entries: Sequence[Entry], state: PyTree, xs: Any) -> tuple[PyTree, Any, Observed]:
    if not is_cell(layer):
        return of_connection(layer, place, entries, xs)
    if entries:
        return step_by_step(layer, place, entries, state, xs)
    return *over_time(layer, state, xs), {}


def of_connection(layer: Any, place: str, entries: Sequence[Entry], xs: Any) -> tuple[None, Any, Observed]:
    """Many time steps of a connection, and what its class says can be observed of them."""
    _, outputs = over_time(layer, None, xs)
    look = jax.vmap(lambda x, y: observed(layer, None, x, None, y))
    found = {e.name: look(thinned(xs, e.every), thinned(outputs, e.every))[e.value] for e in entries}
    return None, outputs, found


def step_by_step(
    layer: Any, place: str, entries: Sequence[Entry], state: PyTree, xs: Any, keep: Keep = "all"
) -> tuple[PyTree, Any, Observed]:
    """Many time steps of a cell in one loop, and what is recorded of them; with `keep="last"` outputs are the last one.

    A value of every k-th step overwrites one place in each step up to the recorded one, which is the last that does: on
    a CPU that costs less than a loop in a loop, or than a branch.
    """
    wanted = {(entry.place, entry.value) for entry in entries}
    look = observed_step(lambda *where: where in wanted)
    each = [entry.name for entry in entries if entry.every == 1]
    sparse = {entry.name: entry.every for entry in entries if entry.every > 1}

    def one(layer: Any, carry: Any, now: Any) -> tuple[Any, Any]:
        (state, _, kept), (t, x) = carry, now
        after, output, found = each_layer(look, layer, place, state, x)
        kept = {name: _written(kept[name], found[name], -(-t // every)) for name, every in sparse.items()}
        last, output = (None, output) if keep == "all" else (output, None)
        return (after, last, kept), (output, {name: found[name] for name in each})

    time = len(jax.tree.leaves(xs)[0])
    state = carried(lambda state, x: each_layer(look, layer, place, state, x)[:2], state, xs)
    _, output, shapes = jax.eval_shape(lambda state, xs: each_layer(look, layer, place, state, _one(xs)), state, xs)
    last = None if keep == "all" else _zeros(output)
    # What comes after the last recorded step is written behind it.
    kept = {name: _zeros(shapes[name], -(-time // every) + 1) for name, every in sparse.items()}
    inputs = jnp.arange(time), xs
    (after, last, kept), (outputs, found) = scan(
        summed_wide(one, layer), (state, last, kept), inputs, "all", an_iteration()
    )
    outputs = outputs if keep == "all" else jax.tree.map(lambda y: y[None], last)
    return after, outputs, found | jax.tree.map(lambda y: y[:-1], kept)


def _one(xs: PyTree) -> PyTree:
    """The input of one step, in shape, also where there is none."""
    return jax.tree.map(lambda x: x[0] if len(x) else jnp.zeros(x.shape[1:], x.dtype), xs)


def _zeros(shapes: PyTree, *time: int) -> PyTree:
    """Zeros of some shapes, over time if that is given; over a mesh, sharded as those."""
    return jax.tree.map(lambda y: jnp.broadcast_to(jnp.zeros_like(y), (*time, *y.shape)), shapes)


def _written(kept: PyTree, values: PyTree, place: Any) -> PyTree:
    return jax.tree.map(lambda old, new: jax.lax.dynamic_update_index_in_dim(old, new, place, 0), kept, values)


def aligned(entries: Sequence[Entry], block: int, length: int | None) -> tuple[tuple[Entry, ...], int, int | None]:
    """What is recorded inside a block, the length of a block, and that of a segment between checkpoints.

    Both are multiples of the recorded distances, so that every block begins with a recorded step. Where segments are
    shorter than that, more is recorded in them, at a distance that fits, than is left at the end.
    """
    whole = math.lcm(*(entry.every for entry in entries))
    unit = whole
    if length is not None and length < whole and not any(entry.summarised for entry in entries):
        unit = max(size for size in range(1, length + 1) if whole % size == 0)
    inside = tuple(entry._replace(every=math.gcd(entry.every, unit)) for entry in entries)
    block = max(1, -(-block // unit)) * unit
    return inside, block, None if length is None else max(unit, length // unit * unit)
