"""Connections between cells, and their evaluation over time, layer by layer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._pytree import Pytree
from surgrad._types import PyTree


class Dense(Pytree):
    """Weighted sums of all inputs, x W + b, along the last axis; all steps of time in one product.

    Parameters:
        weights: W, `(inputs, outputs)`.
        bias: b, `(outputs,)`.
    """

    weights: Float[Array, "inputs outputs"]
    bias: Float[Array, " outputs"]

    def __post_init__(self) -> None:
        weights, bias = jnp.shape(self.weights), jnp.shape(self.bias)
        if len(weights) != 2 or bias != weights[1:]:
            raise ValueError(
                f"Dense: weights must be (inputs, outputs) and bias (outputs,), got shapes {weights} and {bias}."
            )

    @classmethod
    def random(cls, key: Array, inputs: int, outputs: int, gain: float = 1.0) -> Dense:
        """Normal weights of standard deviation gain/√inputs, and a bias of zero."""
        weights = jax.random.normal(key, (inputs, outputs)) * (gain / inputs**0.5)
        return cls(weights, jnp.zeros(outputs))

    def __call__(self, x: Float[Array, "... inputs"]) -> Float[Array, "... outputs"]:
        """Weighted sums.

        Raises:
            ValueError: the last axis of x is not as long as the weights are high.
        """
        inputs = self.weights.shape[0]
        if jnp.shape(x)[-1:] != (inputs,):
            raise ValueError(f"Dense: the last axis of the input must be {inputs} long, got shape {jnp.shape(x)}.")
        return x @ self.weights + self.bias


class Feedforward(Pytree):
    """A chain of connections and cells: the outputs of a cell over all time are the inputs of the next connection.

    Parameters:
        layers: connections, functions of `(time, *batch, inputs)`.
        cells: as many cells.
    """

    layers: tuple[Any, ...]
    cells: tuple[Any, ...]

    def __post_init__(self) -> None:
        if len(self.layers) != len(self.cells):
            raise ValueError(
                f"Feedforward: every layer needs a cell, got {len(self.layers)} layers and {len(self.cells)} cells."
            )

    def __call__(self, inputs: Float[Array, "time *batch inputs"]) -> tuple[Array, ...]:
        """The outputs of every cell, from rest, `(time, *batch, neurons)` each."""
        outputs = []
        for layer, cell in zip(self.layers, self.cells, strict=True):
            currents = layer(inputs)
            inputs = unroll(cell, cell.init(currents.shape[1:]), currents)[1]
            outputs.append(inputs)
        return tuple(outputs)


def unroll(cell: Callable[[PyTree, PyTree], tuple[PyTree, PyTree]], state: PyTree, inputs: PyTree) -> tuple[Any, Any]:
    """The last state of a cell and its outputs over time; time leads, in inputs and in outputs.

    Raises:
        ValueError: the inputs have no axis of time, or differ in its length.
    """
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(inputs)}
    if len(lengths) != 1 or () in lengths:
        shapes = ", ".join(str(jnp.shape(leaf)) for leaf in jax.tree.leaves(inputs)) or "nothing"
        raise ValueError(f"unroll: inputs must share a leading axis of time, got {shapes}.")
    # A function of its own keeps scan from hashing the cell, whose numbers may be traced.
    return jax.lax.scan(lambda state, now: cell(state, now), state, inputs)
