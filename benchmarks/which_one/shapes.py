"""All shapes of the catalogue at equal width and equal height or area, as one surrogate whose shape is a number.

Width is the full width at half maximum of the slope, in units of x; height is its peak. A shape whose slope never falls
to half has no width: it is stretched along x instead, from what its class makes by default.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike

import surgrad
from surgrad import Surrogate, parameter

SIZES = ("height", "area")
"""What is equal beside the width: the height of the slope is 1, or its area."""
PLACES = np.concatenate([side * np.geomspace(3e-3, 97.0, 150) for side in (-1, 1)])
"""Where slopes are compared, in units of the width."""
SAME = 1e-4
"""The largest difference, in units of the height, between slopes that are the same function."""


class Shape(NamedTuple):
    """A shape, and what is known of it.

    Parameters:
        name: the first of `names`.
        names: the classes whose slopes are this function at some scale, in the order of the catalogue.
        surrogate: the first of them at its defaults.
        width, height, area: those of its slope; an area that is infinite or unknown is NaN, a width that is, is 1.
        has_width: whether the slope falls to half of its peak on both sides.
        has_curve: whether the class defines a curve.
    """

    name: str
    names: tuple[str, ...]
    surrogate: Surrogate
    width: float
    height: float
    area: float
    has_width: bool
    has_curve: bool

    @property
    def sizes(self) -> tuple[str, ...]:
        """The members of `SIZES` that it can be scaled to."""
        return SIZES if np.isfinite(self.area) and self.area > 0 else SIZES[:1]


def measured(name: str, surrogate: Surrogate) -> Shape:
    """A surrogate as a shape of its own."""
    width, height = float(surrogate.fwhm()), float(surrogate.peak())
    try:
        area, curve = float(surrogate.area()), True
    except NotImplementedError:
        area, curve = np.nan, False
    finite = bool(np.isfinite(width))
    known = area if np.isfinite(area) else np.nan
    return Shape(name, (name,), surrogate, width if finite else 1.0, height, known, finite, curve)


def profile(shape: Shape) -> np.ndarray:
    """The slope over its height, where x is measured in widths."""
    x = jnp.asarray(PLACES * shape.width, float)
    return np.asarray(shape.surrogate.surrogate_grad(x)) / shape.height


def distinct(found: list[Shape]) -> tuple[Shape, ...]:
    """The shapes that are different functions, each with the names of all that are the same."""
    groups: list[list[Shape]] = []
    for one in found:
        for group in groups:
            if one.has_width == group[0].has_width and np.abs(profile(one) - profile(group[0])).max() < SAME:
                group.append(one)
                break
        else:
            groups.append([one])
    return tuple(group[0]._replace(names=tuple(one.name for one in group)) for group in groups)


@functools.cache
def shapes() -> tuple[Shape, ...]:
    """The different shapes of the catalogue, in its order."""
    return distinct([measured(name, kind()) for name, kind in surgrad.catalogue().items() if left_out(kind) is None])


def left_out(kind: type[Surrogate]) -> str | None:
    """Why a class is not in the study, or None if it is."""
    try:
        surrogate = kind()
    except TypeError as error:
        return str(error)
    height = float(surrogate.peak())
    return None if np.isfinite(height) and height > 0 else f"the largest slope is {height:g}"


def index_of(name: str) -> int | None:
    """The number of the shape of a class, or None if no shape of the catalogue has that name."""
    return next((i for i, shape in enumerate(shapes()) if name in shape.names), None)


def _rise(shape: Shape) -> Callable[[jax.Array], jax.Array]:
    """The curve of a shape less its value at the threshold."""
    if not shape.has_curve:
        return lambda x: jnp.full_like(x, jnp.nan)
    return lambda x: shape.surrogate.surrogate_fun(x) - shape.surrogate.surrogate_fun(jnp.zeros_like(x))


class AnyShape(Surrogate):
    """A surrogate whose shape is a number, so that one compiled program serves all.

    Parameters:
        index: number of the shape in `shapes()`.
        width: full width at half maximum of the slope, in units of x, > 0.
        by_area: 0 for a slope of height 1, 1 for one of area 1.
    """

    index: Any
    width: ArrayLike = parameter(above=0)
    by_area: ArrayLike = 0.0

    def surrogate_grad(self, x: jax.Array) -> jax.Array:
        unit = x * (self._of("width") / self.width)
        slope = jax.lax.switch(self.index, [shape.surrogate.surrogate_grad for shape in shapes()], unit)
        return slope * (self.peak() / self._of("height"))

    def surrogate_fun(self, x: jax.Array) -> jax.Array:
        """The curve that is 1/2 at the threshold; NaN for a shape that has none."""
        rise = self.peak() * self.width / (self._of("height") * self._of("width"))
        unit = x * (self._of("width") / self.width)
        return 0.5 + rise * jax.lax.switch(self.index, [_rise(shape) for shape in shapes()], unit)

    def _of(self, name: str) -> jax.Array:
        return jnp.asarray([getattr(shape, name) for shape in shapes()])[self.index]

    def peak(self) -> jax.Array:
        relative = self._of("area") / (self._of("width") * self._of("height"))  # the area at unit width and height
        return jnp.where(self.by_area > 0, 1 / (self.width * jnp.where(self.by_area > 0, relative, 1)), 1.0)

    def fwhm(self) -> jax.Array:
        return jnp.asarray(self.width)

    def _narrowed(self, factor: ArrayLike) -> AnyShape:
        return self.replace(width=self.width / factor)


def at(name: str, size: str, width: float) -> AnyShape:
    """A shape at a width, and at unit height or area.

    Raises:
        KeyError: no shape of the catalogue has that name, or it has no such size.
    """
    index = index_of(name)
    if index is None or size not in shapes()[index].sizes:
        raise KeyError(f"no shape {name!r} of unit {size} in the catalogue.")
    return AnyShape(jnp.asarray(index), jnp.asarray(width, float), jnp.asarray(float(size == "area")))
