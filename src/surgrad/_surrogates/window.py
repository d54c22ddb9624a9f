"""Surrogates whose slope is 0 outside a window around the threshold."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp

from surgrad._catalogue import Functional, functional
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import fast_rise, finite, fraction, keep_nan, magnitude, side
from surgrad._types import Curve, Membrane, Parameter, Slope


class Boxcar(Surrogate):
    """A rectangular slope, 1/width where |x| < width/2, of area 1; the curve is a ramp from 0 to 1.

    Spyx's `boxcar` has a height of its own.

        >>> surgrad.Boxcar(width=0.5).surrogate_grad(0.1).item()
        2.0

    Parameters:
        width: width of the window, in units of x, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("wu2018spatio",)
    verified: ClassVar[str] = "SpikingJelly's `Rect(1/width)`"
    tags: ClassVar[frozenset[str]] = frozenset({"finite support"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    width: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        inside = jnp.abs(x) < self.width / 2
        ramp = 0.5 + jnp.where(inside, x, 0) / self.width
        return keep_nan(x, jnp.where(inside, ramp, jnp.where(x < 0, 0.0, 1.0)))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return keep_nan(x, jnp.where(jnp.abs(x) < self.width / 2, 1 / self.width, 0))


class Triangle(Surrogate):
    """A triangular slope with a dampening factor, γ max(0, 1 - |x|/width), of peak γ and area γ·width.

    The original's x is (voltage - threshold)/threshold. `ReluGrad(γ/width, width)` is the same slope.

        >>> round(float(surgrad.Triangle().surrogate_grad(0.25)), 4)
        0.225

    Parameters:
        gamma: dampening factor, the largest slope, > 0.
        width: half-width of the triangle, in units of x, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("esser2016convolutional", "bellec2018long")
    verified: ClassVar[str] = "Norse's `triangle_fn`, and `pseudo_derivative` in public copies of the authors' code"
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


class ZIF(Surrogate):
    """A triangular slope of area 1, max(0, γ - |x|)/γ², of peak 1/γ, the same as `PiecewiseQuadratic(1/γ)`.

        >>> surgrad.ZIF().surrogate_grad(0.25).item()
        0.75

    Parameters:
        gamma: half-width of the triangle, in units of x, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("deng2022temporal",)
    verified: ClassVar[str] = (
        "`ZIF` in the authors' code, github.com/brain-intelligence-lab/temporal_efficient_training"
    )
    tags: ClassVar[frozenset[str]] = frozenset({"finite support"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    gamma: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        tail = _height(magnitude(finite(x)), self.gamma) ** 2 / 2
        return jnp.where(x < 0, tail, 1 - tail)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return _height(jnp.abs(finite(x)), self.gamma) / self.gamma


class ClippedStraightThrough(Surrogate):
    """The straight-through estimator inside a window, a slope of 1 where |x| <= width, as in binarized networks.

        >>> surgrad.ClippedStraightThrough().surrogate_grad(jnp.array([0.5, 1.0, 1.5])).tolist()
        [1.0, 1.0, 0.0]

    Parameters:
        width: half-width of the window, in units of x, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("bengio2013estimating", "hubara2016binarized")
    verified: ClassVar[str] = "the paper's equation (4), as a textbook on binarized networks quotes it"
    tags: ClassVar[frozenset[str]] = frozenset({"finite support", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)
    waivers: ClassVar[dict[str, str]] = {"bounded": "the slope is 1 and not normalized; its area is twice the width"}

    width: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        outside = magnitude(x) > self.width
        return 0.5 + jnp.where(outside, side(x) * self.width, jnp.where(outside, 0, x))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return keep_nan(x, jnp.where(jnp.abs(x) <= self.width, 1.0, 0.0))


class SparseFastSigmoid(Surrogate):
    """The fast sigmoid's slope inside a window, 1/(1+α|x|)² where |x| < window, and 0 outside.

    Neurons outside take no part in the backward pass, which makes it sparse. `SFS` of snnTorch is 0 for |x| < window as
    well, and only x > window has a gradient.

        >>> surgrad.SparseFastSigmoid().surrogate_grad(jnp.array([-0.04, 0.04, 2.0])).tolist()
        [0.25, 0.25, 0.0]

    Parameters:
        alpha: steepness, > 0.
        window: half-width of the window, in units of x, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("perez2021sparse", "zenke2018superspike")
    verified: ClassVar[str] = (
        "the slope of the authors' code, github.com/npvoid/SparseSpikingBackprop, and the paper's abstract"
    )
    tags: ClassVar[frozenset[str]] = frozenset({"finite support", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=25.0, above=0)
    window: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        distance = magnitude(finite(x))
        return 0.5 + side(x) * fast_rise(self.alpha, jnp.where(distance >= self.window, self.window, distance))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return jnp.where(jnp.abs(x) >= self.window, 0, fraction(self.alpha, jnp.abs(x)) ** 2)


def _height(distance: Membrane, width: Parameter) -> Slope:
    """max(0, 1 - distance/width)."""
    outside = distance > width
    return jnp.where(outside, 0, 1 - jnp.where(outside, 0, distance) / width)


boxcar: Functional = functional(Boxcar)
triangle: Functional = functional(Triangle)
zif: Functional = functional(ZIF)
clipped_straight_through: Functional = functional(ClippedStraightThrough)
sparse_fast_sigmoid: Functional = functional(SparseFastSigmoid)
