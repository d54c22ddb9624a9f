"""A cell that draws its spikes anew in each time step."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Int

from surgrad._answers import missing_attribute
from surgrad._kinds import called
from surgrad._trees import selected, with_selected
from surgrad._types import PyTree, Shape
from surgrad.forward import Mode
from surgrad.nn._contract import Cell, cell_field, is_cell, promises, start
from surgrad.nn._observables import observed


class FreshDrawsState(NamedTuple):
    """State of `FreshDraws`: that of its cell, and the number of time steps so far."""

    cell: PyTree
    step: Int[Array, ""]

    __getattr__ = missing_attribute


class FreshDraws(Cell):
    """A cell whose forward modes get a new key in each time step, drawn from their own and the number of the step.

    Forward modes that draw spikes, such as `surgrad.forward.Bernoulli`, know no time, and derive their draws from the
    bits of the membrane potentials. Here draws depend on the key, the time step and the place of a neuron in the batch
    alone: they differ in each step also where no membrane potential has changed, and are the same in each path that
    computes a network, however that rounds. Modes without draws stay as they are.

        >>> import jax, jax.numpy as jnp, surgrad
        >>> from surgrad import forward, nn
        >>> spike = surgrad.Sigmoid(4.0).with_forward(forward.Bernoulli(jax.random.key(0)))
        >>> constant = jnp.full((1000, 1), 0.0)  # a membrane potential of 0 spikes with a probability of 0.018
        >>> state, spikes = nn.unroll(nn.FreshDraws(nn.LIF(spike, reset="zero")), constant)
        >>> 5 < int(spikes.sum()) < 35
        True

    Where `jax.vmap` or `jax.shard_map` split the batch, every part draws the same, unless it has a key of its own.

    Parameters:
        cell: the cell.

    Raises:
        TypeError: the cell is not one.
    """

    cell: Any = cell_field()

    @property
    def spiking(self) -> bool:
        """Whether its cell is."""
        return promises(self.cell, "spiking")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_cell(self.cell):
            raise TypeError(
                f"FreshDraws: expected a cell, such as LIF(spike), got {called(self.cell)}, which has no init."
            )

    def init(self, shape: Shape, dtype: Any = None) -> FreshDrawsState:
        """The state of the cell before the first step, for inputs of a shape `(*batch, neurons)`, and 0 steps."""
        return FreshDrawsState(start(self.cell, shape, dtype), jnp.int32(0))

    def __call__(self, state: FreshDrawsState, x: Any) -> tuple[FreshDrawsState, Any]:
        """One time step: that of the cell, with new keys."""
        modes = selected(self.cell, _is_mode)
        cell = with_selected(self.cell, _is_mode, [mode.at_step(state.step) for mode in modes])
        after, output = cell(state.cell, x)
        return FreshDrawsState(after, state.step + 1), output

    def observables(self, before: FreshDrawsState, x: Any, after: FreshDrawsState, output: Any) -> dict[str, Any]:
        """What can be recorded of the cell."""
        return observed(self.cell, before.cell, x, after.cell, output)


def _is_mode(part: Any) -> bool:
    return isinstance(part, Mode)
