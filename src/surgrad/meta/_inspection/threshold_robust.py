"""Spikes of the size of the threshold, whose gradient does not depend on it."""

from __future__ import annotations

from typing import Any

from jaxtyping import Array

from surgrad._dtypes import like
from surgrad._kinds import called
from surgrad._types import Numbers, PyTree, Shape
from surgrad.nn._contract import Cell, cell_field, promises, start
from surgrad.nn._observables import observed


class ThresholdRobust(Cell):
    """A cell whose spikes are as large as its threshold θ, so that their gradient by v is the slope, for every θ.

    TrSG (Kook et al. 2025, Stabilizing direct training of spiking neural networks, arXiv 2511.08708, equations 10 and
    11): the output θ s has the derivative σ'(x) by v, where that of s, for x = (v - θ)/θ, is σ'(x)/θ. By θ it is
    s - σ'(x) v/θ. So a threshold may be trained without gradients that explode as it becomes small, and vanish as it
    becomes large. Behind training the factor θ belongs into the weights that follow. The rule was checked against
    trsg.py and trlif.py of github.com/kookhh0827/SNN-MP-Init-TRSG, the authors' code.

        >>> import jax, jax.numpy as jnp, surgrad
        >>> from surgrad import nn
        >>> def output(v, threshold):
        ...     cell = ThresholdRobust(nn.LIF(surgrad.Sigmoid(4.0), threshold=threshold))
        ...     return cell(cell.init(()), v)[1]
        >>> [float(jax.grad(output)(threshold, threshold)) for threshold in (0.1, 1.0, 10.0)]
        [1.0, 1.0, 1.0]

    Parameters:
        cell: a cell with a `threshold`, such as `LIF`: one that promises `linear_response`.

    Raises:
        TypeError: the cell does not make that promise.
    """

    cell: Any = cell_field()

    @property
    def elementwise(self) -> bool:
        """Whether its cell is."""
        return promises(self.cell, "elementwise")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not promises(self.cell, "linear_response"):
            raise TypeError(
                f"ThresholdRobust: expected a cell with a threshold, such as LIF, that promises linear_response, got "
                f"{called(self.cell)}."
            )

    def init(self, shape: Shape, dtype: Any = None) -> PyTree:
        """The state of the cell before the first step."""
        return start(self.cell, shape, dtype)

    def __call__(self, state: PyTree, x: Numbers) -> tuple[PyTree, Array]:
        """One time step: the state of the cell, and its spikes times its threshold."""
        state, spikes = self.cell(state, x)
        return state, like(spikes, self.cell.threshold) * spikes

    def observables(self, before: PyTree, x: Numbers, after: PyTree, output: Array) -> dict[str, Any]:
        """What can be recorded of the cell."""
        return observed(self.cell, before, x, after, output)
