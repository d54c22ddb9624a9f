"""Surrogates whose curve is a soft step from 0 to 1, and the logarithmic sign."""

from __future__ import annotations

import math
from typing import ClassVar

import jax
import jax.numpy as jnp

from surgrad._catalogue import Functional, functional
from surgrad._frameworks import unboxed
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import (
    arctan_tail,
    bounded,
    finite,
    fraction,
    log1p_ratio,
    logistic,
    logistic_slope,
    magnitude,
    near_or_far,
    saturated,
    side,
    with_limits,
)
from surgrad._types import Curve, Membrane, Parameter, Slope


class Sigmoid(Surrogate):
    """Logistic step, s(αx) with s(z) = 1/(1+e⁻ᶻ); slope α s(αx) s(-αx), largest α/4.

        >>> round(float(surgrad.Sigmoid().surrogate_grad(0.25)), 4)
        0.7864

    Parameters:
        alpha: steepness, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("wu2018spatio", "zenke2021remarkable")
    verified: ClassVar[str] = "braintools 0.3.0"
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=4.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return logistic(self.alpha * finite(x))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.alpha * logistic_slope(self.alpha * finite(x))

    def fwhm(self) -> jax.Array:
        return jnp.asarray(4 * math.asinh(1) / unboxed(self.alpha))


class SoftSign(Surrogate):
    """Soft sign, (1 + αx/(1+α|x|))/2; slope α/(2(1+α|x|)²), largest α/2, with tails like x⁻².

        >>> round(float(surgrad.SoftSign().surrogate_grad(0.25)), 4)
        0.32

    Parameters:
        alpha: steepness, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("zenke2018superspike", "neftci2019surrogate")
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        tail = fraction(self.alpha, magnitude(x)) / 2
        return jnp.where(x < 0, tail, 1 - tail)

    def surrogate_grad(self, x: Membrane) -> Slope:
        part = fraction(self.alpha, jnp.abs(x))
        return self.alpha / 2 * part * part

    def fwhm(self) -> jax.Array:
        return jnp.asarray(2 * (math.sqrt(2) - 1) / unboxed(self.alpha))


class Arctan(Surrogate):
    """Arc tangent, arctan(παx/2)/π + 1/2; slope α/(2(1+(παx/2)²)), largest α/2, a Cauchy density.

        >>> round(float(surgrad.Arctan().surrogate_grad(0.25)), 4)
        0.4332

    Parameters:
        alpha: steepness, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("fang2021incorporating",)
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        tail = arctan_tail(*near_or_far(math.pi / 2 * self.alpha, magnitude(x))) / math.pi
        return jnp.where(x < 0, tail, 1 - tail)

    def surrogate_grad(self, x: Membrane) -> Slope:
        far, z = near_or_far(math.pi / 2 * self.alpha, jnp.abs(x))
        return self.alpha / 2 * jnp.where(far, z, 1) * jnp.where(far, z, 1) / (1 + z**2)

    def fwhm(self) -> jax.Array:
        return jnp.asarray(4 / math.pi / unboxed(self.alpha))


class ERF(Surrogate):
    """Gaussian step, erfc(-αx)/2; slope α e^(-α²x²)/√π, largest α/√π.

        >>> round(float(surgrad.ERF().surrogate_grad(0.25)), 4)
        0.53

    Parameters:
        alpha: steepness, > 0; the standard deviation is 1/(α√2).
    """

    references: ClassVar[tuple[str, ...]] = ("esser2015backpropagation", "wu2018spatio")
    verified: ClassVar[str] = "braintools 0.3.0"
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return jax.lax.erfc(saturated(-self.alpha * finite(x))) / 2

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.alpha / math.sqrt(math.pi) * jnp.exp(-(saturated(self.alpha * finite(x)) ** 2))

    def fwhm(self) -> jax.Array:
        return jnp.asarray(2 * math.sqrt(math.log(2)) / unboxed(self.alpha))


class PiecewiseExp(Surrogate):
    """Two exponentials, e^(αx)/2 below 0 and 1 - e^(-αx)/2 above; slope (α/2) e^(-α|x|), largest α/2.

        >>> round(float(surgrad.PiecewiseExp().surrogate_grad(0.25)), 4)
        0.3894

    Parameters:
        alpha: steepness, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("shrestha2018slayer", "neftci2019surrogate")
    verified: ClassVar[str] = "braintools 0.3.0"
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        tail = jnp.exp(-self.alpha * magnitude(finite(x))) / 2
        return jnp.where(x < 0, tail, 1 - tail)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.alpha / 2 * jnp.exp(-self.alpha * jnp.abs(finite(x)))

    def fwhm(self) -> jax.Array:
        return jnp.asarray(2 * math.log(2) / unboxed(self.alpha))


class PiecewiseQuadratic(Surrogate):
    """Two parabolas; slope max(0, α - α²|x|), a triangle of area 1 that ends at |x| = 1/α.

        >>> round(float(surgrad.PiecewiseQuadratic().surrogate_grad(0.25)), 4)
        0.75

    Parameters:
        alpha: steepness, > 0; the largest slope.
    """

    references: ClassVar[tuple[str, ...]] = ("esser2016convolutional", "wu2018spatio", "bellec2018long")
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"finite support"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=1.0, above=0)

    def _height(self, distance: Membrane) -> Slope:
        # The end is compared in units of x, since α|x| may round to 1 beyond it; at it, 1 - α|x| may round below 0.
        height = 1 - self.alpha * distance
        height = height - jax.lax.stop_gradient(jnp.minimum(height, 0))
        return jnp.where(distance > 1 / self.alpha, 0, height)

    def surrogate_fun(self, x: Membrane) -> Curve:
        tail = self._height(magnitude(finite(x))) ** 2 / 2
        return jnp.where(x < 0, tail, 1 - tail)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.alpha * self._height(jnp.abs(finite(x)))

    def fwhm(self) -> jax.Array:
        return jnp.asarray(1 / unboxed(self.alpha))


class NonzeroSignLog(Surrogate):
    """Logarithmic sign, sgn(x) ln(1+α|x|), without limits; slope α/(1+α|x|), largest α.

        >>> round(float(surgrad.NonzeroSignLog().surrogate_grad(0.25)), 4)
        0.8

    Parameters:
        alpha: steepness, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("fang2023spikingjelly",)
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)
    waivers: ClassVar[dict[str, str]] = {
        "centred": "the sign of the original, -1 to 1, passes through 0 at the threshold",
        "bounded": "a logarithm has no limits",
    }

    alpha: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        logarithm = log1p_ratio(magnitude(bounded(x)), 1 / self.alpha)
        return with_limits(side(x) * logarithm, x, -jnp.inf, jnp.inf)

    def surrogate_grad(self, x: Membrane) -> Slope:
        # In the tails (1/|x|)/(1+1/(α|x|)), whose derivative by α does not cancel.
        far, z = near_or_far(self.alpha, jnp.abs(x))
        return jnp.where(far, 1 / jnp.where(far, jnp.abs(x), 1), self.alpha) / (1 + z)

    def fwhm(self) -> jax.Array:
        return jnp.asarray(2 / unboxed(self.alpha))


sigmoid: Functional = functional(Sigmoid)
piecewise_quadratic: Functional = functional(PiecewiseQuadratic)
piecewise_exp: Functional = functional(PiecewiseExp)
soft_sign: Functional = functional(SoftSign)
arctan: Functional = functional(Arctan)
nonzero_sign_log: Functional = functional(NonzeroSignLog)
erf: Functional = functional(ERF)
