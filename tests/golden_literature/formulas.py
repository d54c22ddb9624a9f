"""The surrogates of the literature in mpmath: curve and slope of the branch in which x lies, limits, kinks, settings.

A curve is the integral of its slope, and 1/2 at the threshold. Functions of a branch are smooth in x and in the
hyperparameters, so that a central difference of them is the derivative of the branch that the library takes.
"""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

from mpmath import atan, cosh, exp, inf, log, mpf, nint, pi, sqrt, tanh


def no_kinks(**parameters):
    return ()


class Formula(NamedTuple):
    """A surrogate.

    `branch(x, **p)` returns curve and slope as functions of (x, **p), `limits(right, **p)` curve and slope at infinity;
    `kinks(**p)` are the points at which the slope or its derivative jumps; `huge` says whether x can be huge,
    `rough` that the slope is not the curve's derivative.
    """

    branch: Callable[..., Any]
    limits: Callable[..., Any]
    settings: tuple[dict[str, Any], ...]
    kinks: Callable[..., Any] = no_kinks
    huge: bool = True
    rough: bool = False

    def is_kink(self, x, **p):
        return x in {float(k) for k in self.kinks(**p)}


SURROGATES: dict[str, Formula] = {}
HALF = mpf(1) / 2


def sign(x):
    return 1 if x >= 0 else -1


def constant(value):
    return lambda x, **p: value


def boxcar(x, width):
    if abs(x) < width / 2:
        return lambda x, width: HALF + x / width, lambda x, width: 1 / width
    return constant(mpf(x > 0)), constant(mpf(0))


SURROGATES["Boxcar"] = Formula(
    boxcar,
    lambda right, width: (mpf(right), mpf(0)),
    tuple({"width": w} for w in (1.0, 0.3, 2.5, 20.0)),
    lambda width: (-width / 2, width / 2),
)


def triangle(x, gamma, width):
    s = sign(x)
    if abs(x) <= width:
        return (
            lambda x, gamma, width: HALF + gamma * (x - s * x**2 / (2 * width)),
            lambda x, gamma, width: gamma * (1 - s * x / width),
        )
    return lambda x, gamma, width: HALF + s * gamma * width / 2, constant(mpf(0))


SURROGATES["Triangle"] = Formula(
    triangle,
    lambda right, gamma, width: (HALF + (1 if right else -1) * gamma * width / 2, mpf(0)),
    ({"gamma": 0.3, "width": 1.0}, {"gamma": 1.0, "width": 0.3}, {"gamma": 2.0, "width": 4.0}),
    lambda gamma, width: (-width, 0, width),
)


SURROGATES["Tanh"] = Formula(
    lambda x, alpha: (
        lambda x, alpha: (1 + tanh(alpha * x)) / 2,
        lambda x, alpha: alpha / 2 / cosh(alpha * x) ** 2,
    ),
    lambda right, alpha: (mpf(right), mpf(0)),
    tuple({"alpha": a} for a in (1.0, 4.0, 0.25, 12.0)),
)


def zif(x, gamma):
    s = sign(x)
    if abs(x) > gamma:
        return constant(mpf(x > 0)), constant(mpf(0))
    return (
        lambda x, gamma: HALF + (x * gamma - s * x**2 / 2) / gamma**2,
        lambda x, gamma: (gamma - s * x) / gamma**2,
    )


SURROGATES["ZIF"] = Formula(
    zif,
    lambda right, gamma: (mpf(right), mpf(0)),
    tuple({"gamma": g} for g in (1.0, 0.3, 4.0)),
    lambda gamma: (-gamma, 0, gamma),
)


def clipped(x, width):
    if abs(x) <= width:
        return lambda x, width: HALF + x, constant(mpf(1))
    s = sign(x)
    return lambda x, width: HALF + s * width, constant(mpf(0))


SURROGATES["ClippedStraightThrough"] = Formula(
    clipped,
    lambda right, width: (HALF + (width if right else -width), mpf(0)),
    tuple({"width": w} for w in (1.0, 0.3, 4.0)),
    lambda width: (-width, width),
)


def fast_sigmoid(x, alpha, scaling):
    s = sign(x)
    factor = {"peak": lambda a: mpf(1), "area": lambda a: a / 2, "steepness": lambda a: a}[scaling]
    return (
        lambda x, alpha: HALF + factor(alpha) * x / (1 + s * alpha * x),
        lambda x, alpha: factor(alpha) / (1 + s * alpha * x) ** 2,
    )


def fast_sigmoid_limits(right, alpha, scaling):
    half = {"peak": 1 / alpha, "area": HALF, "steepness": mpf(1)}[scaling]
    return HALF + (half if right else -half), mpf(0)


SURROGATES["SuperSpike"] = Formula(
    fast_sigmoid,
    fast_sigmoid_limits,
    tuple({"alpha": a, "scaling": s} for s in ("peak", "area", "steepness") for a in (100.0, 1.0, 0.3)),
    lambda alpha, scaling: (0,),
)


def sparse(x, alpha, window):
    s = sign(x)
    if abs(x) < window:
        return (
            lambda x, alpha, window: HALF + x / (1 + s * alpha * x),
            lambda x, alpha, window: 1 / (1 + s * alpha * x) ** 2,
        )
    return lambda x, alpha, window: HALF + s * window / (1 + alpha * window), constant(mpf(0))


def sparse_limits(right, alpha, window):
    half = window / (1 + alpha * window)
    return HALF + (half if right else -half), mpf(0)


SURROGATES["SparseFastSigmoid"] = Formula(
    sparse,
    sparse_limits,
    ({"alpha": 25.0, "window": 1.0}, {"alpha": 100.0, "window": 0.3}, {"alpha": 0.5, "window": 4.0}),
    lambda alpha, window: (-window, 0, window),
)


SURROGATES["Circ"] = Formula(
    lambda x, alpha: (
        lambda x, alpha: (1 + x / sqrt(x**2 + alpha**2)) / 2,
        lambda x, alpha: alpha**2 / 2 / sqrt(x**2 + alpha**2) ** 3,
    ),
    lambda right, alpha: (mpf(right), mpf(0)),
    tuple({"alpha": a} for a in (1.0, 0.05, 10.0)),
)


SURROGATES["Cauchy"] = Formula(
    lambda x, scale: (
        lambda x, scale: HALF + atan(x / scale) / pi,
        lambda x, scale: 1 / (pi * scale * (1 + (x / scale) ** 2)),
    ),
    lambda right, scale: (mpf(right), mpf(0)),
    tuple({"scale": c} for c in (1.0, 0.05, 10.0)),
)


def slayer(x, scale, tau):
    s = sign(x)
    return (
        lambda x, scale, tau: HALF + s * scale / 2 * (1 - exp(-s * x / tau)),
        lambda x, scale, tau: scale / (2 * tau) * exp(-s * x / tau),
    )


SURROGATES["Slayer"] = Formula(
    slayer,
    lambda right, scale, tau: (HALF + (scale if right else -scale) / 2, mpf(0)),
    ({"scale": 1.0, "tau": 1.0}, {"scale": 0.5, "tau": 0.1}, {"scale": 3.0, "tau": 2.0}, {"scale": 1.0, "tau": 0.25}),
    lambda scale, tau: (0,),
)


def escape(x, beta, slope):
    s = sign(x - 1)
    integral = lambda x, beta: s * (1 - exp(-s * beta * (x - 1))) / beta  # from 1 to x
    return (
        lambda x, beta, slope: HALF + slope * (integral(x, beta) + (1 - exp(-beta)) / beta),
        lambda x, beta, slope: slope * exp(-s * beta * (x - 1)),
    )


SURROGATES["SpikeRateEscape"] = Formula(
    escape,
    lambda right, beta, slope: (HALF + slope * ((2 - exp(-beta)) / beta if right else -exp(-beta) / beta), mpf(0)),
    ({"beta": 1.0, "slope": 25.0}, {"beta": 4.0, "slope": 1.0}, {"beta": 0.1, "slope": 2.0}),
    lambda beta, slope: (1,),
)


def periodic(x, width, scale, period):
    k = nint(x / period) if x > 0 else 0
    s = sign(x - k * period)

    def curve(x, width, scale, period):
        step = 2 * scale * width / period * (1 - exp(-period / (2 * width)))
        inner = s * scale * width / period * (1 - exp(-s * (x - k * period) / width))
        return HALF + k * step + inner

    return curve, lambda x, width, scale, period: scale / period * exp(-s * (x - k * period) / width)


def periodic_limits(right, width, scale, period):
    if right:
        return inf, 2 * scale * width / period**2 * (1 - exp(-period / (2 * width)))
    return HALF - scale * width / period, mpf(0)


class Periodic(Formula):
    """All multiples of half a period are kinks."""

    def is_kink(self, x, width, scale, period):
        return x >= 0 and (mpf(2) * mpf(x) / mpf(period)) % 1 == 0


SURROGATES["PeriodicExponential"] = Periodic(
    periodic,
    periodic_limits,
    (
        {"width": 0.5, "scale": 1.0, "period": 1.0},
        {"width": 0.2, "scale": 0.5, "period": 0.5},
        {"width": 2.0, "scale": 3.0, "period": 2.0},
    ),
    lambda width, scale, period: (0, period / 2, period),
    huge=False,
)


SURROGATES["StraightThrough"] = Formula(
    lambda x: (lambda x: HALF + x, constant(mpf(1))), lambda right: (inf if right else -inf, mpf(1)), ({},)
)


def leaky(x, leak):
    if x >= 0:
        return lambda x, leak: HALF + x, constant(mpf(1))
    return lambda x, leak: HALF + leak * x, lambda x, leak: leak


SURROGATES["LeakySpikeOperator"] = Formula(
    leaky,
    lambda right, leak: (inf, mpf(1)) if right else (-inf if leak else HALF, leak),
    ({"leak": 0.1}, {"leak": 0.0}, {"leak": 0.5}),
    lambda leak: (0,),
)


def ramp(x, window, period):
    if x >= -window:
        return lambda x, window, period: HALF + x / period, lambda x, window, period: 1 / period
    return lambda x, window, period: HALF - window / period, constant(mpf(0))


SURROGATES["StepPiecewiseLinear"] = Formula(
    ramp,
    lambda right, window, period: (inf, 1 / period) if right else (HALF - window / period, mpf(0)),
    ({"window": 0.5, "period": 1.0}, {"window": 1.0, "period": 1.3}, {"window": 0.0, "period": 4.0}),
    lambda window, period: (-window,),
)


def quotient(x, alpha):
    s = sign(x)
    if abs(x) <= 1 / alpha:
        return lambda x, alpha: HALF + alpha * x, lambda x, alpha: alpha
    return lambda x, alpha: HALF + s * (1 + log(s * alpha * x)), lambda x, alpha: s / x


SURROGATES["NumericalGradient"] = Formula(
    quotient,
    lambda right, alpha: (inf if right else -inf, mpf(0)),
    ({"alpha": 0.25}, {"alpha": 2.0}, {"alpha": 64.0}),
    lambda alpha: (-1 / alpha, 1 / alpha),
)


def noise(x):
    """The hash of x with key 0, two words of 0: the last step of MurmurHash3, twice, in whole numbers."""
    single = 0.0 if abs(x) < TINY else float(x)
    bits = NEGATIVE_INFINITY if x < -LARGEST else int.from_bytes(struct.pack("<f", single), "little")
    bits = 2**31 if single == 0 else bits
    for _ in range(2):
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            bits = (bits ^ bits >> shift) * factor % 2**32
        bits ^= bits >> 16
    return (mpf(bits >> 9) + HALF) / 2**23 - HALF


TINY, LARGEST, NEGATIVE_INFINITY = 2.0**-126, 3.4028234663852886e38, 0xFF800000


def stochastic(x, mean, variance):
    if x >= 0:
        return lambda x, mean, variance: HALF + x, constant(mpf(1))
    u = noise(x)
    return lambda x, mean, variance: HALF + mean * variance * x, lambda x, mean, variance: (u + mean) * variance


SURROGATES["StochasticSpikeOperator"] = Formula(
    stochastic,
    lambda right, mean, variance: (
        (inf, mpf(1)) if right else (-inf * mean if mean else HALF, (noise(-inf) + mean) * variance)
    ),
    ({"mean": 0.0, "variance": 0.2}, {"mean": 0.5, "variance": 0.9}, {"mean": -1.0, "variance": 0.1}),
    lambda mean, variance: (0,),
    rough=True,
)
