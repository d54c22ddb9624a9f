"""Surrogates whose slope is a smooth density of area 1."""

from __future__ import annotations

from typing import ClassVar

from surgrad._catalogue import Functional, functional
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import finite, logistic, logistic_slope
from surgrad._types import Curve, Membrane, Parameter, Slope


class Tanh(Surrogate):
    """A hyperbolic tangent, (1 + tanh(αx))/2; slope (α/2) sech²(αx), largest α/2, the same as `Sigmoid(2α)`.

    The curve is that of Norse's documentation of `heavi_tanh_fn`; the slopes there and in Spyx's `tanh` leave out α/2.

        >>> round(float(surgrad.Tanh().surrogate_grad(0.25)), 4)
        0.47

    Parameters:
        alpha: steepness, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("pehle2021norse",)
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    alpha: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return logistic(2 * self.alpha * finite(x))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return 2 * self.alpha * logistic_slope(2 * self.alpha * finite(x))


tanh: Functional = functional(Tanh)
