"""Shape aliases of the annotations.

A membrane potential has any shape; sequences are time-major, with neurons last, `(time, *batch, neurons)`. Curves,
slopes and spikes have the shape of the membrane potential from which they are computed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, Real, Shaped

Membrane = Float[Array, "*shape"]
"""Membrane potential relative to the threshold, (voltage - threshold) / scale, dimensionless."""


@runtime_checkable
class Quantity(Protocol):
    """A number with a unit, as in `brainunit`."""

    mantissa: Any
    unit: Any


Input = Shaped[Array | np.ndarray, "*shape"] | np.generic | bool | float | Quantity
"""What a surrogate accepts as x: real arrays and numbers, and dimensionless quantities."""

Numbers = Shaped[Array | np.ndarray, "..."] | np.generic | bool | float
"""What layers accept: arrays of floats, booleans or integers. Each layer checks the shape itself."""

Shape = int | Sequence[Any]
"""Lengths of axes, symbolic in exported programs; a single number is the length of one axis."""

Spikes = Float[Array, "*shape"]
"""0 or 1, in the shape and dtype of the membrane potential."""
Curve = Float[Array, "..."]
"""Shape: that of the membrane potential, or one that broadcasts to it."""
Slope = Float[Array, "..."]
"""Shape: that of the membrane potential, or one that broadcasts to it."""

if TYPE_CHECKING:  # formulas are written for arrays of JAX; those of NumPy work too
    Parameter = float | Float[Array, "..."]
else:
    Parameter = float | np.floating | np.integer | Real[Array | np.ndarray, "..."]
"""A number, or an array that broadcasts to the shape of the membrane potential, such as one value per neuron."""

PyTree = Any
"""A tree of JAX: arrays and numbers in objects, tuples, lists and dictionaries."""
