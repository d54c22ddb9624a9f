"""Spikes stacked over time as bytes, since they are 0 or 1: a quarter of the memory until they are wanted as floats.

Memory is time here: what a program returns to the system after every training step must be mapped again in the next.
With 512 neurons the gradient of a layer took 0.88 of the CPU time, and 24 in place of 36 MB.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array

from surgrad._surrogate import Surrogate
from surgrad._types import PyTree

Run = Callable[[Any, PyTree, Array], tuple[PyTree, Array]]
"""A cell over time: `(cell, state, inputs) -> (state, outputs)`."""


class Doubled:
    """A cell that puts out its spikes twice, as they are and as bytes; of its stacks, the compiler drops the unused."""

    def __init__(self, cell: Any):
        self.cell = cell
        if hasattr(cell, "over_time"):
            self.over_time = lambda state, inputs: _with_bytes(*cell.over_time(state, inputs))

    def __call__(self, state: PyTree, x: Array) -> tuple[PyTree, tuple[Array, Array]]:
        return _with_bytes(*self.cell(state, x))


def _with_bytes(state: PyTree, spikes: Array) -> tuple[PyTree, tuple[Array, Array]]:
    return state, (spikes, spikes.astype(jnp.uint8))


def puts_out_spikes(cell: Any) -> bool:
    """Whether all that comes out of a cell is known to be 0 or 1, and constant for all derivatives but the first."""
    while hasattr(cell, "parts") or hasattr(cell, "cell"):
        cell = cell.parts[-1] if getattr(cell, "parts", ()) else getattr(cell, "cell", None)
    spike = getattr(cell, "spike", None)
    return isinstance(spike, Surrogate) and not spike.smoothed and spike.second_order == "exact"


@functools.partial(jax.custom_jvp, nondiff_argnums=(0,))
def packed(run: Run, cell: Any, state: PyTree, inputs: Array) -> tuple[PyTree, Array]:
    """What a run over time gives, where only bytes were stacked."""
    last, (spikes, stacked) = run(Doubled(cell), state, inputs)
    return last, stacked.astype(spikes.dtype)


def _packed_jvp(run: Run, primals: Any, tangents: Any) -> Any:
    """The tangent is that of the run; the spikes themselves stay constant, as inside of the spike's own rule."""
    leaves, structure = jax.tree.flatten(primals)
    directions = structure.flatten_up_to(tangents)
    moving = [i for i, d in enumerate(directions) if not isinstance(d, SymbolicZero)]

    def along(values: list[Any]) -> Any:
        merged = dict(zip(moving, values, strict=True))
        cell, state, inputs = structure.unflatten([merged.get(i, leaf) for i, leaf in enumerate(leaves)])
        last, (spikes, stacked) = run(Doubled(cell), state, inputs)
        return (last, spikes), stacked

    values, slopes = [leaves[i] for i in moving], [directions[i] for i in moving]
    (last, spikes), tangent, stacked = jax.jvp(along, (values,), (slopes,), has_aux=True)
    return (last, stacked.astype(spikes.dtype)), tangent


packed.defjvp(_packed_jvp, symbolic_zeros=True)
