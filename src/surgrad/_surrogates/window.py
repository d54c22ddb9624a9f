"""Surrogates whose slope is 0 outside of a window around the threshold."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp

from surgrad._catalogue import Functional, functional
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import finite, keep_nan, magnitude, side
from surgrad._types import Curve, Membrane, Parameter, Slope


class Boxcar(Surrogate):
    """A rectangular slope, 1/width where |x| < width/2, of area 1; the curve is a ramp from 0 to 1.

    The formula is that of SpikingJelly's `Rect(1/width)`; Spyx's `boxcar` has a height of its own.

        >>> surgrad.Boxcar(width=0.5).surrogate_grad(0.1).item()
        2.0

    Parameters:
        width: width of the window, in units of x, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("wu2018spatio", "fang2023spikingjelly")
    tags: ClassVar[frozenset[str]] = frozenset({"finite support"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    width: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        inside = jnp.abs(x) < self.width / 2
        ramp = 0.5 + jnp.where(inside, x, 0) / self.width
        return keep_nan(x, jnp.where(inside, ramp, jnp.where(x < 0, 0, 1)))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return keep_nan(x, jnp.where(jnp.abs(x) < self.width / 2, 1 / self.width, 0))


class Triangle(Surrogate):
    """A triangular slope with a dampening factor, γ max(0, 1 - |x|/width), of peak γ and area γ·width.

    It was checked against the pseudo-derivative in the authors' code, github.com/IGITUGraz/LSNN-official, where x is
    (voltage - threshold)/threshold, and against Norse's `triangle_fn`. `ReluGrad(γ/width, width)` is the same slope.

        >>> round(float(surgrad.Triangle().surrogate_grad(0.25)), 4)
        0.225

    Parameters:
        gamma: dampening factor, the largest slope, > 0.
        width: half-width of the triangle, in units of x, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("esser2016convolutional", "bellec2018long")
    tags: ClassVar[frozenset[str]] = frozenset({"finite support", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    gamma: Parameter = parameter(default=0.3, above=0)
    width: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        distance = magnitude(finite(x))
        inner = jnp.where(distance > self.width, self.width, distance)
        return 0.5 + side(x) * self.gamma * inner * (1 - inner / self.width / 2)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.gamma * _height(jnp.abs(finite(x)), self.width)


def _height(distance: Membrane, width: Parameter) -> Slope:
    """max(0, 1 - distance/width)."""
    outside = distance > width
    return jnp.where(outside, 0, 1 - jnp.where(outside, 0, distance) / width)


boxcar: Functional = functional(Boxcar)
triangle: Functional = functional(Triangle)
