"""Elementary functions whose values and derivatives stay finite and accurate in the tails."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Float

Real = Float[Array, "*shape"]


def finite(x: Real) -> Real:
    """x with infinities replaced by numbers so large that a saturating function has reached its limit.

    A derivative by a parameter multiplies by x, and `0 * inf` is NaN. NaN stays NaN.
    """
    bound = math.sqrt(float(jnp.finfo(x.dtype).max))
    return jnp.clip(x, -bound, bound)


def leaky(slope: Real, x: Real) -> Real:
    """`slope * x` for slope >= 0, with its limits at infinite x: 0 where the slope is 0."""
    return jnp.where(jnp.isinf(x) & (slope > 0), x, slope * finite(x))


def keep_nan(x: Real, y: Real) -> Real:
    """y, but NaN where x is: for functions that only compare x."""
    return jnp.where(jnp.isnan(x), x, y)


def logistic(z: Real) -> Real:
    """1 / (1 + exp(-z)), both tails and their derivatives accurate (1 - s(z) cancels)."""
    e = jnp.exp(-jnp.abs(z))
    return jnp.where(z >= 0, 1, e) / (1 + e)


def expm1_ratio(t: Real) -> Real:
    """(exp(t) - 1) / t, smooth through 0, where it is 1."""
    small = jnp.abs(t) < 0.5
    near, far = jnp.where(small, t, 0), jnp.where(small, 1, t)
    series = jnp.ones_like(near)
    for k in range(15, 1, -1):
        series = 1 + near / k * series
    return jnp.where(small, series, jnp.expm1(far) / far)


def log1p_ratio(u: Real) -> Real:
    """log(1 + u) / u for u >= 0, smooth through 0, where it is 1."""
    small = u < 0.25
    near, far = jnp.where(small, u, 0), jnp.where(small, 1, u)
    square = (near / (2 + near)) ** 2  # log(1 + u) = 2 artanh(u / (2 + u))
    series = jnp.zeros_like(near)
    for k in range(21, 1, -2):
        series = square * (1 / k + series)
    return jnp.where(small, 2 / (2 + near) * (1 + series), jnp.log1p(far) / far)
