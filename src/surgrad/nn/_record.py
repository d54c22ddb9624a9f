"""States and outputs of all layers at all time steps."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from surgrad._answers import answers_keywords, missing_attribute
from surgrad._kinds import called
from surgrad._over_time import checked_lengths
from surgrad._types import PyTree
from surgrad.nn._arguments import UNSET, arranged
from surgrad.nn._contract import is_cell, promises, step
from surgrad.nn._loops import scan, summed_wide
from surgrad.nn._sample_axes import axes_of_samples


class Recording(NamedTuple):
    """States and outputs of all time steps; of a network, tuples with one item for each layer.

    Parameters:
        states: the states after each time step, time first; None for a layer that has none.
        outputs: the outputs, `(time, *batch, features)`.
    """

    states: Any
    outputs: Any

    __getattr__ = missing_attribute


@answers_keywords
def record(
    cell: Any, *arguments: PyTree, state: PyTree = UNSET, inputs: PyTree = UNSET, lengths: Any = None
) -> Recording:
    """Run a network, or any cell, over time, and return all that happens in it: `record(net, xs)`.

    `recording.states[1].v` are the membrane potentials of layer 1 after the reset, `(time, *batch, neurons)`, and
    `recording.outputs[1]` its spikes. Layers without a state have None for states. It takes memory for all time steps,
    and runs step by step: use `unroll(net, xs, record=...)` in training, and for long sequences.

    Parameters:
        cell, state, inputs: as those of `unroll`.
        lengths: the length of each sample in time steps, `(batch,)`, as of `unroll`: states and outputs are 0 behind
            it, but for numbers that all samples share, such as that of the time steps so far. Without it, padding is
            recorded as any other input.

    Raises:
        TypeError, ValueError: as `unroll`.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from surgrad import nn
        >>> net = nn.Sequential(nn.Linear(3, 5, key=jax.random.key(0)), nn.LIF())
        >>> recording = nn.record(net, jnp.ones((100, 8, 3)))
        >>> recording.states[1].v.shape, recording.outputs[1].shape
        ((100, 8, 5), (100, 8, 5))
    """
    state, inputs, time = arranged("record", cell, arguments, state, inputs)

    def observed(cell: Any, state: PyTree, x: Any) -> tuple[PyTree, Recording]:
        state, outputs = _all_outputs(cell, state, x)
        return state, Recording(state, outputs)

    if lengths is None:
        return scan(summed_wide(observed, cell), state, inputs)[1]
    active = _active(cell, inputs, time, lengths)
    axes = axes_of_samples(cell, state, inputs, active.shape[1])
    # What lies behind the end may be anything, NaN too, whose derivative a selection alone would let through.
    found = scan(summed_wide(observed, cell), state, jax.tree.map(lambda x: _only(active, x, 0), inputs))[1]
    leaves, structure = jax.tree.flatten(found.states)
    states = [_only(active, leaf, axis) for leaf, axis in zip(leaves, axes, strict=True)]
    return Recording(structure.unflatten(states), jax.tree.map(lambda y: _only(active, y, 0), found.outputs))


def _active(cell: Any, inputs: PyTree, time: Any, lengths: Any) -> Array:
    """Whether a time step belongs to a sample, `(time, batch)`.

    Raises:
        TypeError: lengths are not whole numbers, or the cell has no `init`, which tells where its state holds samples.
        ValueError: inputs have no axis of samples; lengths do not fit.
    """
    if not is_cell(cell):
        raise TypeError(f"record: with lengths, the cell must have a method init, got {called(cell)}.")
    shape = jnp.shape(jax.tree.leaves(inputs)[0])
    if len(shape) < 2:
        raise ValueError(f"record: with lengths, inputs must be (time, batch, ...), got the shape {shape}.")
    return jnp.arange(time)[:, None] < checked_lengths("record", lengths, time, shape[1]).astype(int)[None]


def _only(active: Array, values: Array, axis: int | None) -> Array:
    """Values over time, and zeros where a sample is over; all of them where the samples, on no axis, share a number."""
    if axis is None:
        return values
    shape = [len(active), *[1] * (values.ndim - 1)]
    shape[axis + 1] = active.shape[1]
    return jnp.where(active.reshape(shape), values, jnp.zeros_like(values))


def _all_outputs(cell: Any, state: PyTree, x: Any) -> tuple[PyTree, Any]:
    """One time step: the state, and the outputs of all layers of a network, or the output of any other cell."""
    if promises(cell, "in_order"):
        return cell.through(step, state, x)
    return cell(state, x)
