"""Elementary functions whose values and derivatives stay finite and accurate in the tails."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._types import Parameter

Real = Float[Array, "..."]

_TAN_22 = math.sqrt(2) - 1  # tan(π/8)


def finite(x: Real) -> Real:
    """Return x clipped so far out that moderate multiples of it are still finite; for slopes that are 0 there.

    A derivative by a hyperparameter multiplies by x, and `0 * inf` is NaN. NaN stays NaN. Tails that vanish more slowly
    than an exponential are computed with `near_or_far`, logarithms with `bounded`, which clip no finite number.
    """
    bound = float(jnp.finfo(x.dtype).max) / 2**20
    return jnp.clip(x, -bound, bound)


def bounded(x: Real) -> Real:
    """Return x with infinities replaced by the largest number, which keeps its own derivative. NaN stays NaN."""
    bound = float(jnp.finfo(x.dtype).max)
    return jnp.where(jnp.isinf(x), jnp.where(x < 0, -bound, bound), x)


@jax.custom_jvp
def inverse(rate: Real, distance: Real) -> Real:
    """Return 1 / (rate * distance), for numbers > 0. Derivatives square neither, so that none over- or underflows."""
    return 1 / rate / distance


@inverse.defjvp
def _inverse_jvp(primals: tuple[Real, Real], tangents: tuple[Real, Real]) -> tuple[Real, Real]:
    value = inverse(*primals)
    relative = [tangent / primal for tangent, primal in zip(tangents, primals, strict=True)]
    return value, -value * relative[0] - value * relative[1]


def fraction(rate: Parameter, distance: Real) -> Real:
    """Return 1 / (1 + rate * distance), for a rate > 0 and a distance >= 0, which may be infinite."""
    return _fraction(jnp.asarray(rate, distance.dtype), bounded(distance))


@jax.custom_jvp
def _fraction(rate: Real, distance: Real) -> Real:
    return 1 / (1 + rate * distance)


@_fraction.defjvp
def _fraction_jvp(primals: tuple[Real, Real], tangents: tuple[Real, Real]) -> tuple[Real, Real]:
    # The rule of a quotient squares the denominator, which overflows; here each factor is at most 1/rate or rate.
    (rate, distance), value = primals, _fraction(*primals)
    by_rate, by_distance = -value * (value * distance), -value * (value * rate)
    return value, by_rate * tangents[0] + by_distance * tangents[1]


def near_or_far(rate: Parameter, distance: Real) -> tuple[Array, Real]:
    """Return whether z = rate * distance > 1, and 1/z if so, else z, in [0, 1]; the distance may be infinite."""
    far = distance > 1 / rate
    tail = inverse(jnp.asarray(rate, distance.dtype), jnp.where(far, distance, 1))
    return far, jnp.where(far, tail, rate * jnp.where(far, 0, distance))


def within_or_beyond(width: Parameter, distance: Real) -> tuple[Array, Real]:
    """Return whether z = distance / width > 1, and 1/z if so, else z, as `near_or_far` does with a rate."""
    far = distance > width
    tail = width * inverse(jnp.ones_like(distance), jnp.where(far, distance, 1))
    return far, jnp.where(far, tail, jnp.where(far, 0, distance) / width)


def fast_rise(rate: Parameter, distance: Real) -> Real:
    """Return distance / (1 + rate * distance), the integral of 1 / (1 + rate * d)²; the distance may be infinite."""
    # In the tails that is (1/rate)/(1+1/(rate·distance)), whose derivatives do not cancel.
    far, z = near_or_far(rate, distance)
    return jnp.where(far, 1 / rate, jnp.where(far, 0, distance)) / (1 + z)


def saturated(z: Real) -> Real:
    """Return z clipped at ±10⁴, where exp(-|z|) is 0 in every precision, so that its square is finite."""
    return jnp.clip(z, -1e4, 1e4)


def magnitude(x: Real) -> Real:
    """Return |x| with derivative 1 at 0, where a neuron spikes; JAX does so for `abs` too, but does not document it."""
    return jnp.where(x < 0, -x, x)


def side(x: Real) -> Array:
    """Return -1 below the threshold, 1 from it on."""
    return jnp.where(x < 0, -1, 1)


def with_limits(y: Real, x: Real, left: Parameter, right: Parameter) -> Real:
    """Return the curve y of x, but its limits where x is infinite."""
    # An infinite limit is x itself there: on a constant that is infinite, `jax.debug_infs` would raise.
    end = jax.lax.stop_gradient(x)
    left, right = (end if isinstance(limit, float) and math.isinf(limit) else limit for limit in (left, right))
    return jnp.where(jnp.isinf(x), jnp.where(x < 0, left, right), y)


def leaky(slope: Parameter, x: Real) -> Real:
    """Return `slope * x` for slope >= 0, with its limits at infinite x: 0 where the slope is 0."""
    line = slope * bounded(x)
    return jnp.where(slope > 0, with_limits(line, x, -jnp.inf, jnp.inf), line)


def keep_nan(x: Real, y: Real) -> Real:
    """Return y, but NaN where x is NaN; for functions that only compare x."""
    return jnp.where(jnp.isnan(x), x, y)


def logistic(z: Real) -> Real:
    """Return 1 / (1 + exp(-z)), with accurate tails and derivatives (1 - s(z) cancels)."""
    e = jnp.exp(-magnitude(z))
    return jnp.where(z < 0, e, 1) / (1 + e)


def power_series(t: Real, coefficient: Callable[[int], float], radius: float) -> Real:
    """Return Σ coefficient(k) tᵏ for |t| <= radius, with all terms that affect the second derivative."""
    unit = float(jnp.finfo(t.dtype).eps) / 8
    count = next(k for k in itertools.count(3) if k**2 * abs(coefficient(k)) * radius ** (k - 2) < unit)
    total = jnp.full_like(t, coefficient(count - 1))
    for k in range(count - 2, -1, -1):
        total = total * t + coefficient(k)
    return total


def cosine_series(t: Real) -> Real:
    """1 + t/2! + t²/4! + ..., which is cosh(z) of t = z² and cos(z) of t = -z², for |z| <= π/2."""
    return power_series(t, lambda k: 1 / math.factorial(2 * k), math.pi**2 / 4)


def sine_series(t: Real) -> Real:
    """1 + t/3! + t²/5! + ..., which is sin(z)/z of t = -z², for |z| <= π/2."""
    return power_series(t, lambda k: 1 / math.factorial(2 * k + 1), math.pi**2 / 4)


def artanh_series(t: Real, radius: float) -> Real:
    """1 + t/3 + t²/5 + ..., which is artanh(z)/z of t = z² and arctan(z)/z of t = -z², for |t| <= radius."""
    return power_series(t, lambda k: 1 / (2 * k + 1), radius)


def arctan_tail(far: Array, z: Real) -> Real:
    """π/2 - arctan(y) for y = 1/z >= 1 where far, else y = z; accurate in the tail, and without XLA's arctan.

    That is, on a CPU, a call for each element.
    """
    small = z < _TAN_22
    # arctan(z) is that of a small r, plus a multiple of π/4.
    r = jnp.where(small, z, z - 1) / jnp.where(small, 1, z + 1)
    angle = jnp.where(small, 0, math.pi / 4) + r * artanh_series(-(r**2), _TAN_22**2)
    return jnp.where(far, angle, math.pi / 2 - angle)


def log1p(u: Real) -> Real:
    """Return log(1 + u) for u >= 0, corrected for the rounding of 1 + u; twice as fast as XLA's own on a CPU."""
    y, info = 1 + u, jnp.finfo(u.dtype)
    # Without reduce_precision XLA takes (1 + u) - 1 for u.
    lost = u - (jax.lax.reduce_precision(y, info.nexp, info.nmant) - 1)
    return jnp.log(y) + jnp.where(u < 1, jax.lax.stop_gradient(lost), 0) / y


def logistic_slope(z: Real) -> Real:
    """s(z) s(-z), by cosh around 0, where the derivative of a product of exponentials cancels."""
    near = jnp.abs(z) < 1
    e, cosh = jnp.exp(-jnp.abs(z)), cosine_series(jnp.where(near, z, 0) ** 2)
    return jnp.where(near, 1, e) / jnp.where(near, 2 + 2 * cosh, (1 + e) ** 2)


def decay_integral(y: Real, rate: Parameter) -> Real:
    """The integral of exp(-rate t) over 0 <= t <= y, smooth in rate through 0, with accurate derivatives."""
    t = rate * y
    small = jnp.abs(t) < 1
    near, far = jnp.where(small, t, 0), jnp.where(small, 1, t)
    series = power_series(-near, lambda k: 1 / math.factorial(k + 1), 1)
    return jnp.where(small, y * series, (1 - jnp.exp(-far)) / jnp.where(small, 1, rate))


def log1p_ratio(distance: Real, width: Parameter) -> Real:
    """log(1 + distance/width) for finite distance >= 0, also where the ratio or its derivative by width overflows."""
    # Beyond 1/eps the 1 has no digits, and the logarithm of distance/width is the difference of two.
    far = distance > width / float(jnp.finfo(distance.dtype).eps)
    near = log1p(jnp.where(far, 0, distance) / width)
    return jnp.where(far, jnp.log(jnp.where(far, distance, 1)) - jnp.log(width), near)


def stretched_log(distance: Real, width: Parameter) -> Real:
    """Width * log(1 + distance/width) for distance >= 0, with a derivative by width that does not cancel around 0."""
    small = distance < width / 4
    inner = jnp.where(small, distance, 0)
    near = inner / width
    # log(1 + u) = 2 artanh(u / (2 + u))
    series = artanh_series((near / (2 + near)) ** 2, 1 / 81)
    far = width * log1p_ratio(jnp.where(small, 1, distance), width)
    return jnp.where(small, inner * 2 / (2 + near) * series, far)


def twin_bumps(z: Real, width: Parameter) -> Real:
    """exp(-((z-1)/width)²/2) + exp(-((z+1)/width)²/2), as one term around 0, where the two slopes cancel."""
    precision = 1 / width**2
    tilt = z * precision
    near = jnp.abs(tilt) < 1
    square = jnp.where(near, z**2 + 1, (jnp.abs(z) - 1) ** 2)
    both = jnp.where(near, 2 * cosine_series(jnp.where(near, tilt, 0) ** 2), 1 + jnp.exp(-2 * jnp.abs(tilt)))
    return jnp.exp(square * (-precision / 2)) * both


def laplace_curve(x: Real, width: Parameter, height: Parameter, area: Parameter) -> Real:
    """The curve of the slope height·exp(-|x|/width), whose area is given besides: accurate in the tails if that is 1.

    Derivatives by one of the three do not cancel, if the others are functions of it that do not.
    """
    distance = magnitude(x)
    near, z = distance < width, distance / width
    rise = height * decay_integral(jnp.where(near, distance, 0), 1 / width)
    tail = (1 - area) / 2 + area / 2 * jnp.exp(-jnp.where(near, 1, z))
    return jnp.where(near, 0.5 + side(x) * rise, jnp.where(x < 0, tail, 1 - tail))


def nearest_multiple(x: Real, period: Parameter) -> tuple[Real, Real]:
    """Return k, the nearest integer to x/period, and x - k·period.

    As exact as a remainder, which XLA computes by a call for each element: the period is the sum of three parts of so
    few digits that k times a part is exact for k up to 2¹⁶ in float32 and 2³⁵ in float64. Beyond that, x is rounded
    once more; and where floats are a period apart, the remainder, which they do not hold, and k are 0.
    """
    period, info = jnp.asarray(period, x.dtype), jnp.finfo(x.dtype)
    x = jnp.where(jnp.abs(x) < period * 2.0**info.nmant, x, 0 * x)
    k = jax.lax.stop_gradient(jnp.round(x * (1 / period)))
    rest = period
    for _ in range(2):
        part = jax.lax.stop_gradient(jax.lax.reduce_precision(rest, info.nexp, info.nmant // 3))
        x, rest = x - k * part, rest - part
    return k, x - k * rest
