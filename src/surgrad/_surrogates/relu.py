"""Surrogates with piecewise linear slopes, and rectifiers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import jax.numpy as jnp

from surgrad._catalogue import Functional, functional
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import finite, keep_nan, leaky, magnitude, side
from surgrad._types import Curve, Membrane, Parameter, Slope

_STARTS_AT_ZERO = "a rectifier passes through 0 at the threshold"
_GROWS = "a line has no limits"


class PiecewiseLeakyRelu(Surrogate):
    """A ramp from 0 to 1 over |x| <= w, and lines of slope c outside; slope 1/(2w) inside.

        >>> round(float(surgrad.PiecewiseLeakyRelu().surrogate_grad(0.25)), 4)
        0.5

    Parameters:
        c: slope outside the window, >= 0.
        w: half-width of the window, in units of x, > 0. `alpha` may be given for it, with w = 1/alpha.
    """

    references: ClassVar[tuple[str, ...]] = (
        "wu2018spatio",
        "huh2018gradient",
        "kaiser2020synaptic",
        "fang2023spikingjelly",
    )
    aliases: ClassVar[dict[str, tuple[str, Callable[[Any], Any]]]] = {"alpha": ("w", lambda alpha: 1 / alpha)}
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0, float("inf"))
    waivers: ClassVar[dict[str, str]] = {"bounded": _GROWS}

    c: Parameter = parameter(default=0.01, at_least=0)
    w: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        inside = jnp.abs(x) <= self.w
        ramp = 0.5 + jnp.where(inside, x, 0) / (2 * self.w)
        outside = jnp.where(x < 0, leaky(self.c, x + self.w), leaky(self.c, x - self.w) + 1)
        return jnp.where(inside, ramp, outside)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return keep_nan(x, jnp.where(jnp.abs(x) <= self.w, 1 / (2 * self.w), self.c))


class LeakyRelu(Surrogate):
    """Leaky rectifier, αx below 0 and βx from 0 on; slope α and β. α = β = 1 is the straight-through estimator.

        >>> round(float(surgrad.LeakyRelu().surrogate_grad(0.25)), 4)
        1.0

    Parameters:
        alpha: slope below the threshold, >= 0.
        beta: slope from the threshold on, >= 0.
    """

    references: ClassVar[tuple[str, ...]] = ("maas2013rectifier", "bengio2013estimating", "yin2017algorithm")
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail", "asymmetric", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (-1.0, 0.0)
    waivers: ClassVar[dict[str, str]] = {"centred": _STARTS_AT_ZERO, "bounded": _GROWS}

    alpha: Parameter = parameter(default=0.1, at_least=0)
    beta: Parameter = parameter(default=1.0, at_least=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return jnp.where(x >= 0, leaky(self.beta, x), leaky(self.alpha, x))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return keep_nan(x, jnp.where(x >= 0, self.beta, self.alpha))


class LogTailedRelu(Surrogate):
    """Rectifier with a logarithmic tail: αx, then x up to 1, then 1 + ln x; slope α, 1 and 1/x.

        >>> round(float(surgrad.LogTailedRelu().surrogate_grad(0.25)), 4)
        1.0

    Parameters:
        alpha: slope at and below the threshold, >= 0.
    """

    references: ClassVar[tuple[str, ...]] = ("cai2017deep",)
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail", "asymmetric", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0, 0.5)
    waivers: ClassVar[dict[str, str]] = {
        "centred": _STARTS_AT_ZERO,
        "bounded": "a logarithm has no limits",
        "peak_at_threshold": "the original takes the left slope, alpha, at the threshold itself",
    }

    alpha: Parameter = parameter(default=0.0, at_least=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        tail = 1 + jnp.log(jnp.where(x > 1, x, 1))
        return jnp.where(x <= 0, leaky(self.alpha, x), jnp.where(x > 1, tail, x))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return keep_nan(x, jnp.where(x <= 0, self.alpha, 1 / jnp.where(x > 1, x, 1)))


class ReluGrad(Surrogate):
    """A triangular slope, max(0, α(w - |x|)), of peak αw and area αw²; the curve goes from 1/2 - αw²/2 to 1/2 + αw²/2.

        >>> round(float(surgrad.ReluGrad().surrogate_grad(0.25)), 4)
        0.225

    Parameters:
        alpha: steepness of the slope itself, > 0.
        width: half-width w of the triangle, in units of x, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("esser2016convolutional", "bellec2018long")
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"finite support", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=0.3, above=0)
    width: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        distance = magnitude(finite(x))
        inner = jnp.where(distance > self.width, self.width, distance)
        return 0.5 + side(x) * self.alpha * inner * (self.width - inner / 2)

    def surrogate_grad(self, x: Membrane) -> Slope:
        distance = jnp.abs(finite(x))
        return self.alpha * jnp.where(distance > self.width, 0, self.width - distance)


piecewise_leaky_relu: Functional = functional(PiecewiseLeakyRelu)
leaky_relu: Functional = functional(LeakyRelu)
log_tailed_relu: Functional = functional(LogTailedRelu)
relu_grad: Functional = functional(ReluGrad)
