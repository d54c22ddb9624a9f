"""Forward modes of more than two levels: spikes of either sign, and several spikes in a time step."""

from __future__ import annotations

from typing import Any, ClassVar

import jax.numpy as jnp

from surgrad._fields import parameter
from surgrad._pytree import static
from surgrad._types import Curve, Membrane, Parameter, Slope, Spikes
from surgrad.forward._mode import Mode


class Ternary(Mode):
    """Spikes of either sign: 1 where x >= 0, -1 where x <= -gap, and 0 between the two thresholds.

    The slope of the surrogate stands at both thresholds, σ'(x) + σ'(-gap - x). A cell's x is (v - θ)/θ, so that with
    the default gap of 2 the thresholds are θ and -θ.

        >>> import jax.numpy as jnp, surgrad
        >>> spike = surgrad.Sigmoid(4.0).with_forward(surgrad.forward.Ternary())
        >>> spike(jnp.array([-2.5, -1.0, 0.0])).tolist()
        [-1.0, 0.0, 1.0]

    Parameters:
        gap: distance of the two thresholds along x, > 0.

    Source: Guo et al. (2024), Ternary spike: learning ternary spikes for spiking neural networks, AAAI (the abstract
    was read, which gives the levels; the slope at both thresholds is that of their sum of two steps).
    """

    references: ClassVar[tuple[str, ...]] = ("guo2023ternary",)
    elementwise = counts = True

    gap: Parameter = parameter(2.0, above=0)

    def value(self, x: Membrane, surrogate: Any) -> Spikes:
        return (x >= 0).astype(x.dtype) - (x <= -self.gap).astype(x.dtype)

    def slope(self, x: Membrane, surrogate: Any) -> Slope:
        return surrogate.surrogate_grad(x) + surrogate.surrogate_grad(-self.gap - x)

    def curve(self, x: Membrane, surrogate: Any) -> Curve:
        return surrogate.surrogate_fun(x) - surrogate.surrogate_fun(-self.gap - x)


class MultiSpike(Mode):
    """Several spikes in a time step: the number of thresholds at 0, spacing, 2 spacing, … that x has reached.

    The slope is that of the surrogate around the nearest threshold. A cell's x is (v - θ)/θ, so that with the default
    spacing of 1 the number is ⌊v/θ⌋, and a reset by subtraction takes θ away for each spike.

        >>> import jax.numpy as jnp, surgrad
        >>> spike = surgrad.Sigmoid(4.0).with_forward(surgrad.forward.MultiSpike(maximum=3))
        >>> spike(jnp.array([-0.5, 0.0, 1.5, 9.0])).tolist()
        [0.0, 1.0, 2.0, 3.0]

    Parameters:
        maximum: largest number of spikes in a time step, >= 1; None for no limit.
        spacing: distance of thresholds along x, > 0.

    Source: Weidel and Sheik (2021), WaveSense, arXiv 2111.01456, as implemented in Sinabs (`MultiSpike`, `MaxSpike`,
    `PeriodicExponential`) and Rockpool (`StepPWL`), whose code was read: the slope repeats around each threshold, and
    around the last one for all x above it.
    """

    references: ClassVar[tuple[str, ...]] = ("weidel2021wavesense",)
    elementwise = counts = True

    maximum: int | None = static(default=None, whole=1, optional=True)
    spacing: Parameter = parameter(1.0, above=0, kw_only=True)

    def _nearest(self, x: Membrane) -> tuple[Membrane, Membrane]:
        """Return the number of the nearest threshold, from 0, and x as seen from there."""
        index = jnp.maximum(jnp.floor(x / self.spacing + 0.5), 0)
        if self.maximum is not None:
            index = jnp.minimum(index, self.maximum - 1)
        return index, x - index * self.spacing

    def value(self, x: Membrane, surrogate: Any) -> Spikes:
        return jnp.where(jnp.isnan(x), 0, jnp.clip(jnp.floor(x / self.spacing) + 1, 0, self.maximum))

    def slope(self, x: Membrane, surrogate: Any) -> Slope:
        return surrogate.surrogate_grad(self._nearest(x)[1])

    def curve(self, x: Membrane, surrogate: Any) -> Curve:
        index, beyond = self._nearest(x)
        return index + surrogate.surrogate_fun(beyond)
