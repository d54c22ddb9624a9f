"""Surrogates whose curve is a smooth step from 0 to 1, named by their density or their function."""

from __future__ import annotations

import math
from typing import ClassVar

import jax.numpy as jnp

from surgrad._catalogue import Functional, functional
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import arctan_tail, finite, logistic, logistic_slope, magnitude, within_or_beyond
from surgrad._types import Curve, Membrane, Parameter, Slope


class Tanh(Surrogate):
    """A hyperbolic tangent, (1 + tanh(αx))/2; slope (α/2) sech²(αx), largest α/2, the same as `Sigmoid(2α)`.

    The slopes of `tanh` in Norse and in Spyx leave out the factor α/2.

        >>> round(float(surgrad.Tanh().surrogate_grad(0.25)), 4)
        0.47

    Parameters:
        alpha: steepness, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("pehle2021norse",)
    verified: ClassVar[str] = "the curve in the documentation of Norse's `heavi_tanh_fn`"
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return logistic(2 * self.alpha * finite(x))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return 2 * self.alpha * logistic_slope(2 * self.alpha * finite(x))


class Circ(Surrogate):
    """A circular step, (1 + x/√(x² + α²))/2; slope (α²/2)(x² + α²)^(-3/2), largest 1/(2α), with tails like x⁻³.

    The slope of Norse's `heavi_circ_fn` is 2α times this one.

        >>> round(float(surgrad.Circ().surrogate_grad(0.25)), 4)
        0.4565

    Parameters:
        alpha: width, in units of x, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("pehle2021norse",)
    verified: ClassVar[str] = "the curve in the documentation of Norse's `heavi_circ_fn`"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        # (1 - u/√(1+u²))/2 = 1/(2r(r+u)) with u = |x|/α and r = √(1+u²), which does not cancel.
        far, z = within_or_beyond(self.alpha, magnitude(x))
        r = jnp.sqrt(1 + z**2)
        tail = jnp.where(far, z, 1) * jnp.where(far, z, 1) / (2 * r * (r + jnp.where(far, 1, z)))
        return jnp.where(x < 0, tail, 1 - tail)

    def surrogate_grad(self, x: Membrane) -> Slope:
        far, z = within_or_beyond(self.alpha, jnp.abs(x))
        share = jnp.where(far, z, 1) / jnp.sqrt(1 + z**2)
        return share * share * share / (2 * self.alpha)


class Cauchy(Surrogate):
    """A Cauchy density, 1/(πc(1 + (x/c)²)), largest 1/(πc), the same as `Arctan(2/(πc))`, with tails like x⁻².

        >>> round(float(surgrad.Cauchy().surrogate_grad(0.25)), 4)
        0.2996

    Parameters:
        scale: half-width at half maximum c, in units of x, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("fang2021incorporating",)
    verified: ClassVar[str] = "snnTorch's `atan(2/(π·scale))`"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    scale: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        tail = arctan_tail(*within_or_beyond(self.scale, magnitude(x))) / math.pi
        return jnp.where(x < 0, tail, 1 - tail)

    def surrogate_grad(self, x: Membrane) -> Slope:
        far, z = within_or_beyond(self.scale, jnp.abs(x))
        return jnp.where(far, z, 1) * jnp.where(far, z, 1) / (math.pi * self.scale * (1 + z**2))


tanh: Functional = functional(Tanh)
circ: Functional = functional(Circ)
cauchy: Functional = functional(Cauchy)
