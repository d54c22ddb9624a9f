"""Surrogates that are defined by the bump of their slope."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import erf

from surgrad._catalogue import Functional, functional
from surgrad._frameworks import unboxed
from surgrad._pytree import static
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import (
    decay_integral,
    fast_rise,
    finite,
    fraction,
    magnitude,
    near_or_far,
    saturated,
    side,
    twin_bumps,
    with_limits,
)
from surgrad._types import Curve, Membrane, Parameter, Slope

_AREA = "the original's area, 2/alpha, makes the curve end at 1/2 ± 1/alpha"


class GaussianGrad(Surrogate):
    """A Gaussian slope, α N(x; 0, σ²), of area α and peak α/(σ√(2π)); the curve goes from (1-α)/2 to (1+α)/2.

        >>> round(float(surgrad.GaussianGrad().surrogate_grad(0.25)), 4)
        0.3521

    Parameters:
        sigma: standard deviation, in units of x, > 0.
        alpha: area of the slope, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("yin2020effective", "yin2021accurate")
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    sigma: Parameter = parameter(default=0.5, above=0)
    alpha: Parameter = parameter(default=0.5, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        # In some releases of XLA erf ends a unit short of 1.
        half = self.alpha / 2
        curve = 0.5 + half * erf(saturated(finite(x) / self.sigma) / math.sqrt(2))
        return with_limits(curve, x, 0.5 - half, 0.5 + half)

    def surrogate_grad(self, x: Membrane) -> Slope:
        z = saturated(finite(x) / self.sigma)
        return self.alpha / (self.sigma * math.sqrt(2 * math.pi)) * jnp.exp(-(z**2) / 2)

    def fwhm(self) -> jax.Array:
        return jnp.asarray(2 * math.sqrt(2 * math.log(2)) * unboxed(self.sigma))


class MultiGaussianGrad(Surrogate):
    """A Gaussian with two negative side lobes, scale·[(1+h) N(x; 0, σ²) - h N(x; σ, (sσ)²) - h N(x; -σ, (sσ)²)].

        >>> round(float(surgrad.MultiGaussianGrad().surrogate_grad(0.25)), 4)
        0.3853

    Parameters:
        h: weight of the lobes, >= 0.
        s: width of the lobes relative to the bump, > 0.
        sigma: standard deviation of the bump and distance of the lobes, in units of x, > 0.
        scale: factor of the whole, > 0. `gamma` may be given for it, the name in the authors' code.
    """

    references: ClassVar[tuple[str, ...]] = ("yin2021accurate",)
    aliases: ClassVar[dict[str, tuple[str, Callable[[Any], Any]]]] = {"gamma": ("scale", lambda gamma: gamma)}
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)
    waivers: ClassVar[dict[str, str]] = {
        "non_negative": "the negative lobes are the point of the original",
        "monotone": "the curve falls where the lobes are",
    }

    h: Parameter = parameter(default=0.15, at_least=0)
    s: Parameter = parameter(default=6.0, above=0)
    sigma: Parameter = parameter(default=0.5, above=0)
    scale: Parameter = parameter(default=0.5, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        z, wide = saturated(finite(x) / self.sigma), self.s * math.sqrt(2)
        lobes = erf((z - 1) / wide) + erf((z + 1) / wide)
        curve = 0.5 + self.scale / 2 * ((1 + self.h) * erf(z / math.sqrt(2)) - self.h * lobes)
        half = self.scale * (1 - self.h) / 2
        return with_limits(curve, x, 0.5 - half, 0.5 + half)

    def surrogate_grad(self, x: Membrane) -> Slope:
        z = saturated(finite(x) / self.sigma)
        bumps = (1 + self.h) * jnp.exp(-(z**2) / 2) - self.h / self.s * twin_bumps(z, self.s)
        return self.scale / (self.sigma * math.sqrt(2 * math.pi)) * bumps


class InvSquareGrad(Surrogate):
    """The fast sigmoid's slope, 1/(1+α|x|)², of peak 1 and area 2/α, known from SuperSpike.

        >>> round(float(surgrad.InvSquareGrad().surrogate_grad(0.25)), 4)
        0.0015

    Parameters:
        alpha: steepness, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("zenke2018superspike",)
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=100.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return 0.5 + side(x) * fast_rise(self.alpha, magnitude(x))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return fraction(self.alpha, jnp.abs(x)) ** 2

    def fwhm(self) -> jax.Array:
        return jnp.asarray(2 * (math.sqrt(2) - 1) / unboxed(self.alpha))


class SuperSpike(InvSquareGrad):
    """SuperSpike's slope at its published steepness, 1/(1+α|x|)², the same as `InvSquareGrad`, or at another scale.

    This is the scale of the publication. Spyx calls the steepness k; Norse 1.1 has α = 1 for every `alpha`;
    SpikingJelly's surrogate of this name is α/(1+|x|)², another family.

        >>> surgrad.SuperSpike(10.0).surrogate_grad(0.1).item()
        0.25
        >>> surgrad.SuperSpike(10.0, scaling="steepness").surrogate_grad(0.1).item()
        2.5

    Parameters:
        alpha: steepness, > 0.
        scaling: `"peak"`: a peak of 1 and an area of 2/α, as published; `"area"`: an area of 1 and a peak of α/2, as
            `SoftSign`; `"steepness"`: a peak of α and an area of 2, as stork's `SuperSpike_asymptote`, so that the
            curve goes from -1/2 to 3/2, which the law `bounded` of `check` reports.
    """

    references: ClassVar[tuple[str, ...]] = ("zenke2018superspike", "zenke2021remarkable")
    verified: ClassVar[str] = "stork's `SuperSpike` and `SuperSpike_asymptote`, Spyx's `superspike`"

    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=100.0, above=0)
    scaling: str = static(default="peak", choices=("peak", "area", "steepness"), kw_only=True)

    def surrogate_fun(self, x: Membrane) -> Curve:
        if self.scaling == "area":
            tail = fraction(self.alpha, magnitude(x)) / 2
            return jnp.where(x < 0, tail, 1 - tail)
        if self.scaling == "peak":
            return 0.5 + side(x) * fast_rise(self.alpha, magnitude(x))
        far, z = near_or_far(self.alpha, magnitude(x))
        return 0.5 + side(x) * jnp.where(far, 1, z) / (1 + z)

    def surrogate_grad(self, x: Membrane) -> Slope:
        part = fraction(self.alpha, jnp.abs(x))
        height = {"peak": 1, "area": self.alpha / 2, "steepness": self.alpha}[self.scaling]
        return height * part * part

    fwhm = InvSquareGrad.fwhm


class FastSigmoid(SuperSpike):
    """The fast sigmoid's slope at the steepness of snnTorch, 1/(1+α|x|)², the same as `InvSquareGrad`.

        >>> surgrad.FastSigmoid().surrogate_grad(0.04).item()
        0.25

    Parameters:
        alpha: steepness, > 0; snnTorch, jaxpike and sparx call it slope.
        scaling: as of `SuperSpike`.
    """

    references: ClassVar[tuple[str, ...]] = ("zenke2018superspike", "eshraghian2023training")
    verified: ClassVar[str] = "snnTorch's `fast_sigmoid`"

    alpha: Parameter = parameter(default=25.0, above=0)


class SlayerGrad(Surrogate):
    """SLAYER's slope, e^(-α|x|), of peak 1 and area 2/α.

        >>> round(float(surgrad.SlayerGrad().surrogate_grad(0.25)), 4)
        0.7788

    Parameters:
        alpha: steepness, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("shrestha2018slayer",)
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)
    waivers: ClassVar[dict[str, str]] = {"bounded": _AREA}

    alpha: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return 0.5 + side(x) * decay_integral(magnitude(finite(x)), self.alpha)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return jnp.exp(-self.alpha * jnp.abs(finite(x)))

    def fwhm(self) -> jax.Array:
        return jnp.asarray(2 * math.log(2) / unboxed(self.alpha))


gaussian_grad: Functional = functional(GaussianGrad)
multi_gaussian_grad: Functional = functional(MultiGaussianGrad)
inv_square_grad: Functional = functional(InvSquareGrad)
super_spike: Functional = functional(SuperSpike)
fast_sigmoid: Functional = functional(FastSigmoid)
slayer_grad: Functional = functional(SlayerGrad)
