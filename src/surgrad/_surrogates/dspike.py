"""`Dspike`, whose temperature is adapted during training; see `surgrad.meta.adapt_temperature`."""

from __future__ import annotations

import math
from typing import ClassVar

import jax.numpy as jnp

from surgrad._catalogue import Functional, functional
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import (
    Real,
    cosine_series,
    decay_integral,
    finite,
    logistic,
    logistic_slope,
    magnitude,
    side,
    sine_series,
)
from surgrad._types import Curve, Membrane, Parameter, Slope


class Dspike(Surrogate):
    """A hyperbolic tangent from 0 at x = -1/2 to 1 at x = 1/2, 1/2 + tanh(bx)/(2 tanh(b/2)).

    The slope is b/(2 tanh(b/2)) sech²(bx) inside and 0 outside: a rectangle as b → 0, a spike as b → ∞. Its window is
    one unit of x wide; `Temperature(Dspike(b), width)` has another. The curve of the authors' account is this one
    without the ends; those, and the default, are SpikingJelly's.

        >>> round(float(surgrad.Dspike().surrogate_grad(0.25)), 4)
        0.9887

    Parameters:
        b: what the paper calls the temperature, > 0; steep where large.
    """

    references: ClassVar[tuple[str, ...]] = ("li2021differentiable",)
    verified: ClassVar[str] = (
        "the authors' account, guslab.org/projects/3_project, and `DSpike` in SpikingJelly's model/spike_dhs.py"
    )
    tags: ClassVar[frozenset[str]] = frozenset({"finite support"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    b: Parameter = parameter(default=3.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        b, distance = jnp.asarray(self.b, x.dtype), magnitude(finite(x))
        distance = jnp.where(distance > 0.5, 0.5, distance)
        # Around 0 a tail would lose the derivative by b to cancellation, in the tails the tangent would.
        near = jnp.maximum(b, math.pi) * distance <= math.pi / 4
        inner, outer = jnp.where(near, distance, 0), jnp.where(near, 0.5, distance)
        square, tail = (b * inner) ** 2, _tail(b, outer)
        rise = inner * sine_series(square) / cosine_series(square) * _height(b)
        return jnp.where(near, 0.5 + side(x) * rise, jnp.where(x < 0, tail, 1 - tail))

    def surrogate_grad(self, x: Membrane) -> Slope:
        b, outside = jnp.asarray(self.b, x.dtype), jnp.abs(x) > 0.5
        slope = 4 * _height(b) * logistic_slope(2 * b * jnp.where(outside, 0.5, x))
        return jnp.where(outside, 0, slope)


def _height(b: Real) -> Real:
    """b/(2 tanh(b/2)), by series where its derivative would cancel."""
    small, decay = b <= math.pi, jnp.exp(-b)
    square = (jnp.where(small, b, 0) / 2) ** 2
    return jnp.where(small, cosine_series(square) / sine_series(square), b / 2 * (1 + decay) / (1 - decay))


def _tail(b: Real, distance: Real) -> Real:
    """sinh(br)/(2 sinh(b/2) cosh(b d)) with r = 1/2 - d: what is left of the curve at a distance d below 0."""
    small, rest = b <= math.pi, 0.5 - distance
    little, large = jnp.where(small, b, 0), jnp.where(small, math.pi, b)
    series = rest * sine_series((little * rest) ** 2) / sine_series((little / 2) ** 2)
    series = series / cosine_series((little * distance) ** 2)
    decay = decay_integral(2 * rest, large) / decay_integral(jnp.ones_like(rest), large)
    return jnp.where(small, series, decay * logistic(-2 * large * distance))


dspike: Functional = functional(Dspike)
