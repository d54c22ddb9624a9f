"""`Scaled`, a surrogate whose slope is multiplied by a factor, and the factor to a given width, height or area."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from surgrad._elementwise import broadcasting
from surgrad._frameworks import unboxed
from surgrad._numbers import require_real
from surgrad._surrogate import Surrogate, parameter
from surgrad._types import Curve, Membrane, Parameter, Slope


class Scaled(Surrogate):
    """A surrogate whose slope is multiplied by a factor; the curve stays at its value at the threshold.

        >>> one = surgrad.Scaled(surgrad.Sigmoid(4.0), 3.0)
        >>> float(one.peak()), float(one.surrogate_fun(0.0)), float(one.area())
        (3.0, 0.5, 3.0)

    Parameters:
        surrogate: the surrogate to scale.
        factor: > 0.
    """

    surrogate: Surrogate
    factor: Parameter = parameter(default=1.0, above=0)

    def __post_init__(self) -> None:
        if not isinstance(self.surrogate, Surrogate):
            raise TypeError(f"{type(self).__name__}: surrogate must be a Surrogate object, got {self.surrogate!r}.")

    def surrogate_fun(self, x: Membrane) -> Curve:
        middle = self.surrogate.surrogate_fun(jnp.zeros_like(x))
        return self.factor * self.surrogate.surrogate_fun(x) + (1 - self.factor) * middle

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.factor * self.surrogate.surrogate_grad(x)

    def peak(self) -> jax.Array:
        return self.surrogate.peak() * unboxed(self.factor)

    def fwhm(self) -> jax.Array:
        return self.surrogate.fwhm()

    def area(self) -> jax.Array:
        return self.surrogate.area() * unboxed(self.factor)

    def _narrowed(self, factor: Parameter) -> Surrogate:
        return self.replace(surrogate=self.surrogate.steeper(factor))

    def _stretched_by(self, factor: Parameter) -> Surrogate:
        return self.replace(surrogate=self.surrogate._stretched_by(factor))

    def _scaled_by(self, factor: Parameter) -> Surrogate:
        return self.replace(factor=self.factor * factor)


def factor_to(surrogate: Surrogate, what: str, wanted: Parameter, measure: Callable[[], jax.Array]) -> Any:
    """Return the factor that takes a width, height or area to another; a Python float if all numbers are.

    Parameters:
        surrogate: what is measured.
        what: `"width"`, `"height"` or `"area"`.
        wanted: the new value, > 0.
        measure: returns the value now.

    Raises:
        TypeError, ValueError: the new value is not a number > 0.
        ValueError: the value now is infinite, zero or not known. It is not checked while it is traced.
    """
    where = f"{type(surrogate).__name__}.with_{what}"
    require_real(where, what, wanted, above=0)
    leaves = jax.tree.leaves((unboxed(surrogate), wanted))
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        return _ratio(wanted, measure())
    with jax.ensure_compile_time_eval():
        size = measure()
        if isinstance(size, Tracer):  # a number that a function of the user has from outside it
            return _ratio(wanted, size)
        if not np.all(np.isfinite(size) & (np.asarray(size) > 0)):
            other = "with_width stretches" if what == "height" else "with_height scales"
            raise ValueError(
                f"{where}: the {what} of {surrogate!r} is {np.asarray(size)}, so there is no factor to {wanted}; "
                f"{other} a surrogate without a finite {what}."
            )
        found = _ratio(wanted, size)
        return float(found) if all(isinstance(leaf, (float, int)) for leaf in leaves) else found


def _ratio(wanted: Parameter, size: jax.Array) -> jax.Array:
    with broadcasting(), jax.numpy_dtype_promotion("standard"):
        return jnp.asarray(wanted) / size
