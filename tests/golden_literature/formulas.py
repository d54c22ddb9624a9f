"""The surrogates of the literature in mpmath: curve and slope of the branch in which x lies, limits, kinks, settings.

A curve is the integral of its slope, and 1/2 at the threshold. Functions of a branch are smooth in x and in the
hyperparameters, so that a central difference of them is the derivative of the branch that the library takes.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from mpmath import cosh, inf, mpf, tanh


def no_kinks(**parameters):
    return ()


class Formula(NamedTuple):
    """A surrogate.

    `branch(x, **p)` returns curve and slope as functions of (x, **p), `limits(right, **p)` curve and slope at infinity;
    `kinks(**p)` are the points at which the slope or its derivative jumps.
    """

    branch: Callable[..., Any]
    limits: Callable[..., Any]
    settings: tuple[dict[str, Any], ...]
    kinks: Callable[..., Any] = no_kinks

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
