"""States and outputs of all layers at all time steps."""

from __future__ import annotations

from typing import Any, NamedTuple

from surgrad._answers import answers_keywords, missing_attribute
from surgrad._types import PyTree
from surgrad.nn._arguments import UNSET, arranged
from surgrad.nn._contract import promises, step
from surgrad.nn._loops import scan, summed_wide


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
def record(cell: Any, *arguments: PyTree, state: PyTree = UNSET, inputs: PyTree = UNSET) -> Recording:
    """Run a network, or any cell, over time, and return all that happens in it: `record(net, xs)`.

    `recording.states[1].v` are the membrane potentials of layer 1 after the reset, `(time, *batch, neurons)`, and
    `recording.outputs[1]` its spikes. Layers without a state have None for states. It takes memory for all time steps,
    and runs step by step: use `unroll(net, xs, record=...)` in training, and for long sequences.

    Parameters:
        cell, state, inputs: as those of `unroll`.

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
    state, inputs, _ = arranged("record", cell, arguments, state, inputs)

    def observed(cell: Any, state: PyTree, x: Any) -> tuple[PyTree, Recording]:
        state, outputs = _all_outputs(cell, state, x)
        return state, Recording(state, outputs)

    return scan(summed_wide(observed, cell), state, inputs)[1]


def _all_outputs(cell: Any, state: PyTree, x: Any) -> tuple[PyTree, Any]:
    """One time step: the state, and the outputs of all layers of a network, or the output of any other cell."""
    if promises(cell, "in_order"):
        return cell.through(step, state, x)
    return cell(state, x)
