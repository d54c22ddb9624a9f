"""The periodic surrogate: a truncated Fourier series of a square wave."""

from __future__ import annotations

import math
import operator
from typing import ClassVar

import jax.numpy as jnp

from surgrad._catalogue import Functional, functional
from surgrad._pytree import static
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import Real, cosine_series, nearest_multiple, sine_series
from surgrad._types import Curve, Membrane, Parameter, Slope


class SquarewaveFourierSeries(Surrogate):
    """The first n terms of a square wave: 1/2 + (2/π) Σ sin((2i-1)θ)/(2i-1), θ = 2πx/T; slope (4/T) Σ cos((2i-1)θ).

    Periodic, so without limits: NaN at ±∞. x is reduced by the period first, which keeps the phase of a large x.

        >>> round(float(surgrad.SquarewaveFourierSeries().surrogate_grad(0.25)), 4)
        0.9061

    Parameters:
        n: number of terms, an integer >= 1; structure, not a leaf.
        t_period: period T, in units of x, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("fang2023spikingjelly",)
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)
    waivers: ClassVar[dict[str, str]] = {
        "bounded": "a truncated Fourier series overshoots",
        "monotone": "a square wave falls again after half a period",
        "non_negative": "a square wave falls again after half a period",
    }

    n: int = static(default=2, at_least=1, above=None)
    t_period: Parameter = parameter(default=8.0, above=0)

    def __post_init__(self) -> None:
        try:
            self.n = operator.index(self.n)
        except TypeError:
            message = f"{type(self).__name__}: n must be an integer, got {self.n!r}; it sets the program's shape."
            raise TypeError(message) from None

    def surrogate_fun(self, x: Membrane) -> Curve:
        angle, sign = _phase(x, self.t_period)
        sine = angle * sine_series(-(angle**2))
        terms = _odd_multiples(sine, -sine, 2 - 4 * sine**2, self.n)
        return 0.5 + 2 / math.pi * sign * sum((term / (2 * i + 1) for i, term in enumerate(terms)), jnp.zeros_like(x))

    def surrogate_grad(self, x: Membrane) -> Slope:
        angle, sign = _phase(x, self.t_period)
        cosine = cosine_series(-(angle**2))
        terms = _odd_multiples(cosine, cosine, 4 * cosine**2 - 2, self.n)
        return 4 / self.t_period * sign * sum(terms, jnp.zeros_like(x))


def _phase(x: Membrane, period: Parameter) -> tuple[Real, Real]:
    """2πx/period less its nearest multiple kπ, and (-1)ᵏ, the sign that sines and cosines of odd multiples take."""
    half = jnp.asarray(period, x.dtype) / 2
    k, rest = nearest_multiple(x, half)
    return math.pi * rest / half, 1 - 4 * (k / 2 - jnp.floor(k / 2))


def _odd_multiples(first: Real, before: Real, twice: Real, n: int) -> list[Real]:
    """Sine or cosine f of θ, 3θ, 5θ, ..., from f(θ), f(-θ) and twice cos(2θ): f(k+2) = 2 cos(2θ) f(k) - f(k-2)."""
    terms = [first]
    for _ in range(n - 1):
        before, first = first, twice * first - before
        terms.append(first)
    return terms


squarewave_fourier_series: Functional = functional(SquarewaveFourierSeries)
