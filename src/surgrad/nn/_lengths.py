"""Sequences of different lengths in one batch: each sample as if it were alone, at its own length."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from surgrad._kinds import called
from surgrad._over_time import checked_lengths
from surgrad._pytree import static
from surgrad._types import PyTree
from surgrad.nn._contract import Cell, is_cell, loop, over_time, promises
from surgrad.nn._lags import placed
from surgrad.nn._loops import automatically_sharded, steps
from surgrad.nn._observables import Observed, each_layer, full_name, observed
from surgrad.nn._records import Entry
from surgrad.nn._recurrent import Recurrent, RecurrentState
from surgrad.nn._sample_axes import one_each
from surgrad.nn._watch import observed_over_time, of_connection, step_by_step, thinned


class PaddedState(NamedTuple):
    """The state of each sample, and the output at its last time step so far."""

    cell: PyTree
    last: PyTree


class Held(Cell):
    """A cell that stands still, and puts out zeros, while its sample is over: `(x, active) -> output`."""

    stands_for = "cell"

    cell: Any

    @property
    def elementwise(self) -> bool:
        """Whether the cell is."""
        return promises(self.cell, "elementwise")

    def observables(self, before: PyTree, x: Any, after: PyTree, output: Any) -> Observed:
        """What can be recorded of the cell."""
        return observed(self.cell, before, x[0], after, output)

    def __call__(self, state: PyTree, x: Any) -> tuple[PyTree, Any]:
        """One time step of one sample."""
        now, active = x
        after, output = self.cell(state, now)
        return _where(active, after, state), _where(active, output, jax.tree.map(jnp.zeros_like, output))


class EndingState(NamedTuple):
    """The state of all samples of a cell, how many time steps each has left, and its outputs at its last one so far."""

    cell: PyTree
    left: Array
    last: Array


class Ending(Cell):
    """All samples of a cell, each of which stands still after time steps that its state counts down.

    Parameters:
        cell: the cell.
        axes: of the samples in the leaves of its state.
    """

    stands_for = "cell"

    cell: Any
    axes: tuple[int, ...] = static()

    def __call__(self, state: EndingState, x: Any) -> tuple[EndingState, Any]:
        """One time step of all samples."""
        active = state.left > 0
        axes = jax.tree.unflatten(jax.tree.structure(state.cell), list(self.axes))
        after, output = jax.vmap(Held(self.cell), (axes, 0), (axes, 0))(state.cell, (x, active))
        last = _where(_alike(active, output), output.astype(state.last.dtype), state.last)
        return EndingState(after, state.left - 1, last), output


class Padded(Cell):
    """A network whose samples end one by one; inputs are `(xs, active, final)`, time first and samples second.

    Parameters:
        cell: the network.
        axes: of the samples in the leaves of the state; None where all samples share a number.
        last: whether outputs are those of each sample's own last time step.
    """

    cell: Any
    axes: tuple[int | None, ...] = static()
    last: bool = static(default=False)

    @property
    def whole_sequence(self) -> bool:
        """Whether the network does."""
        return promises(self.cell, "whole_sequence")

    def __call__(self, state: PaddedState, x: Any) -> tuple[PaddedState, Any]:
        """One time step of all samples."""
        state, outputs = self.over_time(state, jax.tree.map(lambda leaf: leaf[None], x))
        return state, jax.tree.map(lambda y: y[0], outputs)

    def over_time(self, state: PaddedState, inputs: Any) -> tuple[PaddedState, Any]:
        """Many time steps of all samples."""
        state, outputs, _ = self.watch((), state, inputs)
        return state, outputs

    def watch(self, entries: Sequence[Entry], state: PaddedState, inputs: Any) -> tuple[PaddedState, Any, Observed]:
        """Many time steps of all samples, and what is recorded of them: zeros where a sample is over."""
        xs, active, final = inputs
        axes = jax.tree.unflatten(jax.tree.structure(state.cell), list(self.axes))
        cell, ys, found = _over_time(self.cell, (state.cell, axes), xs, active, entries)
        # A connection at the end has outputs of its own for inputs of zero, such as its bias.
        ys = _blanked(active, ys)
        for entry in entries:
            found[entry.name] = _blanked(thinned(active, entry.every), found[entry.name])

        if not self.last:
            return PaddedState(cell, state.last), ys, found

        def latest(before: Any, y: Any) -> Any:
            # A sum, as the derivative of an index would be a scatter.
            found = jnp.where(_alike(final, y), y, jnp.zeros_like(y)).sum(0, dtype=y.dtype)
            return jnp.where(_alike(final.any(0), found), found, before)

        last = jax.tree.map(latest, state.last, ys)
        return PaddedState(cell, last), jax.tree.map(lambda y, z: y.at[-1].set(z), ys, last), found

    def summed(self, cell: Any, state: PyTree, axes: Sequence[int | None], values: Any, active: Array) -> PyTree:
        """The state of a summary after recorded values of all samples; one that is over adds nothing."""
        each = jax.tree.unflatten(jax.tree.structure(state), list(axes))
        alone = jax.vmap(lambda state, x, on: steps(Held(cell), state, (x, on))[0], (each, 1, 1), each)
        return alone(state, values, active)


def _alike(condition: Array, value: Any) -> Array:
    """A condition on samples with as many axes as a value."""
    return condition.reshape(*condition.shape, *[1] * (value.ndim - condition.ndim))


def _blanked(active: Array, values: Any) -> Any:
    """Values over time, 0 where a sample is over."""
    return jax.tree.map(lambda x: jnp.where(_alike(active, x), x, jnp.zeros_like(x)), values)


def _first_of(layer: Any, place: str) -> tuple[Any, str]:
    """The layer that takes the inputs of a network, and its place; None if a network inside has no parts."""
    if not promises(layer, "in_order"):
        return layer, place
    return _first_of(layer.parts[0], full_name(place, "0")) if len(layer.parts) else (None, place)


def _over_time(
    network: Any, state: tuple[PyTree, PyTree], xs: Any, active: Array, entries: Sequence[Entry] = ()
) -> tuple[PyTree, Any, Observed]:
    """Many time steps, layer by layer, from a state and the axes of the samples in it; connections take all samples.

    What lies behind the end may be anything, NaN too, whose derivative a selection of outputs alone would let through.
    """
    first, place_of_first = _first_of(network, "")
    at_connection = first is not None and not is_cell(first)
    if not at_connection:
        xs = _blanked(active, xs)

    def run(layer: Any, place: str, inside: Sequence[Entry], state: Any, xs: Any) -> tuple[PyTree, Any, Observed]:
        if not is_cell(layer):
            if at_connection and place == place_of_first:
                # The backward pass blanks the inputs again, which costs less than keeping another copy of them.
                # The layer may be any function, and so no argument.
                blanked = jax.checkpoint(
                    lambda xs: of_connection(layer, place, inside, _blanked(active, xs)), prevent_cse=False
                )
                return blanked(xs)
            return of_connection(layer, place, inside, xs)

        def alone(state: PyTree, xs: Any, active: Array) -> tuple[PyTree, Any, Observed]:
            if inside:
                return step_by_step(Held(layer), place, inside, state, (xs, active))
            return *loop(Held(layer), state, (xs, active)), {}

        before, axes = state
        if promises(layer, "keeps_inputs") and not inside:
            return *_of_past_inputs(layer, before, axes, xs, active), {}
        if type(layer) is Recurrent and not inside:  # a subclass may do something else
            return *_recurrent(layer, before, axes, xs, active), {}
        return jax.vmap(alone, (axes, 1, 1), (axes, 1, 1))(before, xs, active)

    return each_layer(observed_over_time(entries, run), network, "", _paired(network, *state), xs)


def _of_past_inputs(layer: Any, state: PyTree, axes: PyTree, xs: Any, active: Array) -> tuple[PyTree, Any]:
    """Many time steps of all samples at once, of a layer whose state is the inputs before: those before each end."""
    (before,), tree = jax.tree.flatten(state)
    (axis,) = jax.tree.leaves(axes)
    before = placed(jnp.moveaxis(before, axis, 1), xs)
    _, outputs = over_time(layer, jax.tree.unflatten(tree, [before]), xs)
    outputs = _blanked(active, outputs)
    known = jnp.concatenate([before, xs.astype(before.dtype)])
    which = jnp.arange(len(before))[:, None] + active.sum(axis=0, keepdims=True, dtype=int)
    which = which.reshape(*which.shape, *[1] * (known.ndim - 2))
    kept = automatically_sharded(functools.partial(jnp.take_along_axis, axis=0), known, which)
    return jax.tree.unflatten(tree, [jnp.moveaxis(kept, 1, axis)]), outputs


def _recurrent(
    layer: Recurrent, state: RecurrentState, axes: Any, xs: Any, active: Array
) -> tuple[RecurrentState, Array]:
    """Many time steps of all samples of a recurrent layer, whose products are those of the batch."""
    ending = layer.replace(cell=Ending(layer.cell, tuple(jax.tree.leaves(axes.cell))))
    fed_back = jnp.moveaxis(state.outputs, axes.outputs, 0)
    before = EndingState(state.cell, active.sum(axis=0, dtype=int), fed_back)
    (after, _), outputs = ending.over_time(RecurrentState(before, fed_back), xs)
    return RecurrentState(after.cell, jnp.moveaxis(after.last, 0, axes.outputs)), outputs


def _paired(layer: Any, state: PyTree, axes: PyTree) -> Any:
    """The state of each layer beside the axes of the samples in it."""
    if promises(layer, "in_order"):
        return tuple(_paired(*part) for part in zip(layer.parts, state, axes, strict=True))
    return state, axes


@functools.partial(jax.checkpoint, prevent_cse=False)
def _where(condition: Array, yes: PyTree, no: PyTree) -> PyTree:
    """`jnp.where` on trees. The backward pass keeps the condition alone, not one copy of it for each neuron."""
    return jax.tree.map(lambda yes, no: jnp.where(condition, yes, no), yes, no)


def padded(cell: Any, state: PyTree, inputs: Any, lengths: Any, keep: str) -> tuple[Padded, PaddedState, Any]:
    """A network with its state and inputs as those of samples that end at their own lengths.

    Raises:
        TypeError: lengths are not whole numbers, or the cell has no `init`, which tells where its state holds samples.
        ValueError: inputs have no axis of samples; there is not one length for each sample, or one is below 0 or above
            that of time.
    """
    if not is_cell(cell):
        raise TypeError(f"unroll: with lengths, the cell must have a method init, got {called(cell)}.")
    shape = jnp.shape(jax.tree.leaves(inputs)[0])
    if len(shape) < 2:
        raise ValueError(f"unroll: with lengths, inputs must be (time, batch, ...), got the shape {shape}.")
    time, batch = shape[:2]
    lengths = checked_lengths("unroll", lengths, time, batch)
    state, alone = one_each(cell, state, inputs, batch)
    when, lengths = jnp.arange(time)[:, None], lengths.astype(int)[None]
    active = when < lengths
    inputs = inputs, active, when == lengths - 1
    layer = Padded(cell, alone, keep == "last")
    first = jax.tree.map(lambda x: x[:1], inputs)
    nothing = jax.eval_shape(lambda state, xs: _outputs(layer, state, xs), state, first)
    return layer, PaddedState(state, jax.tree.map(lambda y: jnp.zeros(y.shape, y.dtype), nothing)), inputs


def _outputs(layer: Padded, state: PyTree, first: Any) -> Any:
    axes = jax.tree.unflatten(jax.tree.structure(state), list(layer.axes))
    xs, active, _ = first
    return jax.tree.map(lambda y: y[0], _over_time(layer.cell, (state, axes), xs, active)[1])
