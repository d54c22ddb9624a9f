"""Elementary functions whose values and derivatives stay finite and accurate in the tails."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._types import Parameter

Real = Float[Array, "*shape"]


def finite(x: Real) -> Real:
    """The real x with infinities replaced by numbers so large that moderate multiples of them are still finite.

    A derivative by a parameter multiplies by x, and `0 * inf` is NaN. NaN stays NaN.
    """
    bound = float(jnp.finfo(x.dtype).max) / 2**20
    return jnp.clip(x, -bound, bound)


def saturated(z: Real) -> Real:
    """The number z cut at ±10⁴, where exp(-|z|) is 0 in every precision, so that its square stays finite."""
    return jnp.clip(z, -1e4, 1e4)


def magnitude(x: Real) -> Real:
    """|x| with derivative 1 at 0, since a membrane at the threshold spikes; the derivative of `abs` is 0 there."""
    return jnp.where(x < 0, -x, x)


def side(x: Real) -> Real:
    """-1 below the threshold, 1 from it on."""
    return jnp.where(x < 0, -1, 1)


def with_limits(y: Real, x: Real, left: float | Real, right: float | Real) -> Real:
    """The curve y of x, but its limits at x = -∞ and x = ∞."""
    return jnp.where(jnp.isinf(x), jnp.where(x < 0, left, right), y)


def leaky(slope: Parameter, x: Real) -> Real:
    """`slope * x` for slope >= 0, with its limits at infinite x: 0 where the slope is 0."""
    bound = float(jnp.finfo(x.dtype).max)
    line = slope * jnp.clip(x, -bound, bound)
    return jnp.where(slope > 0, with_limits(line, x, -jnp.inf, jnp.inf), line)


def keep_nan(x: Real, y: Real) -> Real:
    """y, but NaN where x is: for functions that only compare x."""
    return jnp.where(jnp.isnan(x), x, y)


def logistic(z: Real) -> Real:
    """1 / (1 + exp(-z)), both tails and their derivatives accurate (1 - s(z) cancels)."""
    e = jnp.exp(-magnitude(z))
    return jnp.where(z < 0, e, 1) / (1 + e)


def logistic_slope(z: Real) -> Real:
    """s(z) s(-z), by tanh around 0, where the derivative of a product of exponentials cancels."""
    near = jnp.abs(z) < 1
    t, e = jnp.tanh(jnp.where(near, z, 0) / 2), jnp.exp(-jnp.abs(z))
    return jnp.where(near, (1 - t**2) / 4, e / (1 + e) ** 2)


def decay_integral(y: Real, rate: Parameter) -> Real:
    """The integral of exp(-rate t) over 0 <= t <= y, smooth in rate through 0, with accurate derivatives."""
    t = rate * y
    small = jnp.abs(t) < 0.5
    near, far = jnp.where(small, t, 0), jnp.where(small, 1, t)
    series = jnp.ones_like(near)
    for k in range(15, 1, -1):
        series = 1 - near / k * series
    return jnp.where(small, y * series, (1 - jnp.exp(-far)) / jnp.where(small, 1, rate))


def log1p_ratio(distance: Real, width: Parameter) -> Real:
    """log(1 + distance/width) for distance >= 0, without squares of a huge distance in the derivatives by width."""
    huge = math.sqrt(float(jnp.finfo(distance.dtype).max)) / 2**30
    return jnp.log1p(jnp.minimum(distance, huge) / width) + jnp.log(jnp.maximum(distance, huge) / huge)


def stretched_log(distance: Real, width: Parameter) -> Real:
    """Width * log(1 + distance/width) for distance >= 0, with a derivative by width that does not cancel around 0."""
    u = distance / width
    small = u < 0.25
    near = jnp.where(small, u, 0)
    square = (near / (2 + near)) ** 2  # log(1 + u) = 2 artanh(u / (2 + u))
    series = jnp.zeros_like(near)
    for k in range(21, 1, -2):
        series = square * (1 / k + series)
    far = width * log1p_ratio(jnp.where(small, 1, distance), width)
    return jnp.where(small, distance * 2 / (2 + near) * (1 + series), far)


def twin_bumps(z: Real, width: Parameter) -> Real:
    """exp(-((z-1)/width)²/2) + exp(-((z+1)/width)²/2), as one term around 0, where the two slopes cancel."""
    tilt = z / width**2
    near = jnp.abs(tilt) < 1
    centre = 2 * jnp.exp(-(z**2 + 1) / (2 * width**2)) * jnp.cosh(jnp.where(near, tilt, 0))
    apart = jnp.exp(-(((z - 1) / width) ** 2) / 2) + jnp.exp(-(((z + 1) / width) ** 2) / 2)
    return jnp.where(near, centre, apart)
