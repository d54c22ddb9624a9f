"""Samples of surrogates for pictures: points, curves, slopes and peaks."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from surgrad._surrogate import Surrogate
from surgrad._width import half_maximum

Points = Float[np.ndarray, " points"]


class Peak(NamedTuple):
    """The largest slope, its position, and where the slope has fallen to half of it (None if it never does)."""

    x: float
    height: float
    left: float | None
    right: float | None


def slope(surrogate: Surrogate, x: Points) -> Points:
    """Return the slope at points.

    Raises:
        ValueError: a hyperparameter has more than one value.
    """
    return _values(surrogate, "surrogate_grad", x)


def curve(surrogate: Surrogate, x: Points) -> Points | None:
    """Return the curve at points; None if the surrogate has none."""
    try:
        return _values(surrogate, "surrogate_fun", x)
    except NotImplementedError:
        return None


def area(surrogate: Surrogate) -> float | None:
    """Return the area under the slope, from the limits of the curve; None if there is no curve, or no limits."""
    try:
        value = float(surrogate.area())
    except NotImplementedError:
        return None
    return None if math.isnan(value) else value


def _values(surrogate: Surrogate, method: str, x: Points) -> Points:
    # Points are along the first axis, so that one value per neuron shows in the shape.
    values = np.asarray(_evaluate(surrogate, method, x[:, None]))
    if values.shape != (len(x), 1):
        raise ValueError(
            f"{type(surrogate).__name__}: a picture needs one value of every hyperparameter, "
            f"got one a neuron ({values.shape[-1]}); choose a neuron with replace."
        )
    return values[:, 0]


@functools.partial(jax.jit, static_argnums=1)
def _evaluate(surrogate: Surrogate, method: str, x: jax.Array) -> jax.Array:
    return getattr(surrogate, method)(x)


# All grids have the same number of points, so that a class compiles once.
_EVEN, _NEAR = 1201, 250


def grid(ends: tuple[float, float]) -> Points:
    """Return points from end to end, denser around the threshold, which is one of them."""
    near = max(map(abs, ends)) * np.geomspace(1e-5, 0.1, _NEAR)
    x = np.sort(np.concatenate([np.linspace(*ends, _EVEN), -near, [0.0], near]))
    return x[(x >= ends[0]) & (x <= ends[1])].astype(np.float32)


def reach(surrogate: Surrogate) -> float:
    """Return a round half-width of the x axis that shows the slope: four half-widths, or the period."""
    if isinstance(period := getattr(surrogate, "t_period", None), float):
        return period
    side = np.geomspace(1e-6, 1e3, (_EVEN + 2 * _NEAR + 1) // 2)
    x = np.concatenate([-side[::-1], side]).astype(np.float32)
    heights = np.abs(slope(surrogate, x))
    high = x[heights >= 0.5 * np.nanmax(heights)]
    if np.any(np.abs(high) > 500):  # a slope that never falls has no width
        return 3.0
    needed = abs(high[0] + high[-1]) / 2 + 2 * (high[-1] - high[0])
    scale = 10.0 ** np.floor(np.log10(needed))
    return float(next(step for step in scale * _ROUND if step >= needed))


_ROUND = np.array([1, 1.5, 2, 3, 4, 5, 6, 8, 10])


def peak(surrogate: Surrogate) -> Peak:
    """Return the peak of a slope, the one nearest to the threshold if there are several, and its half maxima."""
    at, height, left, right = map(float, half_maximum(surrogate, surrogate.peaks))
    at = at if math.isfinite(at) else 0.0
    return Peak(at, height, at - left if math.isfinite(left) else None, at + right if math.isfinite(right) else None)
