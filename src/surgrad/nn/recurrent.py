"""Recurrent connections: the spikes of a step are inputs of the next."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float

from surgrad._pytree import Pytree, static
from surgrad._types import PyTree
from surgrad.nn.admission import (
    floating,
    require_alike,
    require_callable,
    require_flag,
    require_real,
    require_same,
    require_state,
    sizes,
)
from surgrad.nn.connections import normal, product
from surgrad.nn.unroll import steps


class RecurrentState(NamedTuple):
    """The state of the cell, and its outputs at the step before."""

    cell: PyTree
    outputs: Float[Array, "*batch neurons"]


class Recurrent(Pytree):
    """A cell whose outputs come back to it a step later, through weights: its input is I + s W.

    Parameters:
        cell: the neurons.
        weights: W, `(neurons, neurons)`, from the rows to the columns.
        event_driven: whether products go through the spikes that there are, see `Dense`.
    """

    cell: Any
    weights: Float[Array, "neurons neurons"]
    event_driven: bool = static(default=False, kw_only=True)

    @property
    def all_at_once(self) -> bool:
        """Whether chunks of time cost more than they save on a CPU (250 steps of 64 x 256: 1.3 times as much)."""
        return self.event_driven

    def __post_init__(self) -> None:
        require_callable("Recurrent: cell", self.cell, "a cell, (state, input) -> (state, output)")
        if not hasattr(self.cell, "init"):
            raise TypeError(f"Recurrent: cell must have a method init(shape, dtype), as cells do, got {self.cell!r}.")
        require_real(self, "weights")
        require_flag(self, "event_driven")
        shape = jnp.shape(self.weights)
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ValueError(f"Recurrent: weights must be (neurons, neurons), got shape {shape}.")

    @classmethod
    def random(cls, key: Array, cell: Any, neurons: int, gain: float = 1.0, **options: Any) -> Recurrent:
        """Normal weights of standard deviation gain/√neurons.

        Raises:
            ValueError: neurons is not a whole number, >= 1.
        """
        return cls(cell, normal(cls, key, (neurons, neurons), gain), **options)

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> RecurrentState:
        """The resting state of the cell, and no spikes.

        Raises:
            ValueError: the last axis of the shape is not as long as the weights are high.
        """
        shape, neurons = sizes(shape), self.weights.shape[0]
        if shape[-1:] != (neurons,):
            raise ValueError(f"Recurrent: the last axis of the input must be {neurons} long, got shape {shape}.")
        return RecurrentState(self.cell.init(shape, dtype), jnp.zeros(shape, floating(dtype)))

    def __call__(self, state: RecurrentState, current: Array) -> tuple[RecurrentState, Array]:
        """One step: the state, and the outputs of the cell.

        Raises:
            TypeError: the state is not what `init` makes.
            ValueError: the input does not fit the weights or the state; time leads in sequences, which `unroll` takes.
                The cell puts out another shape than it takes in.
        """
        require_state(self, state, RecurrentState)
        require_same(self, jnp.shape(state.outputs), jnp.shape(current))
        fed_back = product(state.outputs, self.weights, self.event_driven)
        cell, outputs = self.cell(state.cell, current + fed_back)
        if jnp.shape(outputs) != jnp.shape(state.outputs):
            raise ValueError(
                f"Recurrent: the cell must put out the shape {jnp.shape(state.outputs)} that it takes in, since its "
                f"outputs come back to it, got {jnp.shape(outputs)}."
            )
        return RecurrentState(cell, outputs), outputs

    def connections(self) -> Array:
        """The weights: what is learned where the cell stays as it is."""
        return self.weights

    def with_connections(self, weights: Array) -> Recurrent:
        """The same cell with other weights.

        Raises:
            ValueError: they have another shape.
        """
        require_alike(self, weights, self.weights)
        return self.replace(weights=weights)

    def over_time(self, state: RecurrentState, currents: Array) -> tuple[RecurrentState, Array]:
        """Many steps; the gradient of the weights is one product for all of them."""
        if not jnp.issubdtype(currents.dtype, jnp.inexact):  # the rule below differentiates by the currents
            currents = currents.astype(self.weights.dtype)
        return _over_time(self, state, currents)


@jax.custom_jvp
def _over_time(recurrent: Recurrent, state: RecurrentState, currents: Array) -> tuple[RecurrentState, Array]:
    return steps(recurrent, state, currents)


def _over_time_jvp(primals: Any, tangents: Any) -> Any:
    """The same derivative as that of the scan, with all steps' s dW in one product.

    In a scan, reverse mode would add up the gradient of W step by step. A tangent of W only changes the currents, by
    s dW with the spikes of the step before, so that it can be added to the tangent of the currents beforehand.
    """
    recurrent, state, currents = primals
    along_weights, cell, moved_state, moved_currents = tangents[0].weights, tangents[0].cell, *tangents[1:]
    leaves, structure = jax.tree.flatten((recurrent.cell, state, currents))
    directions = structure.flatten_up_to((cell, moved_state, moved_currents))
    # Those of the currents are the last, and always move here: by the tangent of W if by nothing else.
    moving = [i for i, d in enumerate(directions[:-1]) if not isinstance(d, SymbolicZero)] + [len(leaves) - 1]

    def run(values: list[Any]) -> Any:
        merged = dict(zip(moving, values, strict=True))
        cell, state, currents = structure.unflatten([merged.get(i, leaf) for i, leaf in enumerate(leaves)])
        return steps(recurrent.replace(cell=cell), state, currents)

    (last, outputs), linear = jax.linearize(run, [leaves[i] for i in moving])
    change = directions[-1]
    if not isinstance(along_weights, SymbolicZero):
        before = jnp.concatenate([state.outputs[None], outputs[:-1]])
        by_weights = product(before, along_weights, recurrent.event_driven)
        change = by_weights if isinstance(change, SymbolicZero) else change + by_weights
    if isinstance(change, SymbolicZero):
        change = jnp.zeros_like(currents)
    return (last, outputs), linear([*(directions[i] for i in moving[:-1]), change])


_over_time.defjvp(_over_time_jvp, symbolic_zeros=True)
