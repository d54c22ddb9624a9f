"""Shape aliases of the annotations.

A membrane has any shape; time leads and neurons come last, `(time, *batch, neurons)`. Curves, slopes and
spikes have the shape of the membrane that they were computed from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, Real, Shaped

Membrane = Float[Array, "*shape"]
"""(voltage - threshold) / scale, dimensionless."""


@runtime_checkable
class Quantity(Protocol):
    """A number with a unit, as `brainunit` has it."""

    mantissa: Any
    unit: Any


Input = Shaped[Array | np.ndarray, "*shape"] | np.generic | bool | float | Quantity
"""What a surrogate takes for a membrane: arrays and numbers, real; quantities without a unit."""

Numbers = Shaped[Array | np.ndarray, "..."] | np.generic | bool | float
"""What layers take: arrays of floating numbers, of events or of bytes; their own checks say which shapes fit."""

Shape = int | Sequence[Any]
"""Lengths of axes, which are symbolic in programs that are exported; one number is the length of one axis."""

Spikes = Float[Array, "*shape"]
Curve = Float[Array, "..."]
Slope = Float[Array, "..."]
"""Of the shape of the membrane, or narrower, where it varies along a part of the axes alone."""

if TYPE_CHECKING:  # formulas are written for arrays of JAX, and NumPy's do as well
    Parameter = float | Float[Array, "..."]
else:
    Parameter = float | np.floating | np.integer | Real[Array | np.ndarray, "..."]
"""A number, or an array that broadcasts to the shape of the membrane (one value a neuron, say)."""

PyTree = Any
