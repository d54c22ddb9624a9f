"""Shape aliases of the annotations.

A membrane has any shape; time leads and neurons come last, `(time, *batch, neurons)`. Curves, slopes and
spikes have the shape of the membrane that they were computed from.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Array, Float

Membrane = Float[Array, "*shape"]
"""(voltage - threshold) / scale, dimensionless."""

Curve = Float[Array, "*shape"]
Slope = Float[Array, "*shape"]
Spikes = Float[Array, "*shape"]

Parameter = float | Float[Array, "..."]
"""A number, or an array that broadcasts to the shape of the membrane (one value a neuron, say)."""

PyTree = Any
