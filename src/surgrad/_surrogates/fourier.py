"""The periodic surrogate: a truncated Fourier series of a square wave."""

from __future__ import annotations

import math
import operator

import jax
import jax.numpy as jnp

from surgrad._pytree import static
from surgrad._surrogate import Surrogate, functional, parameter
from surgrad._surrogates.numerics import Real
from surgrad._types import Curve, Membrane, Parameter, Slope


class SquarewaveFourierSeries(Surrogate):
    """The first n terms of a square wave: 1/2 + (2/π) Σ sin((2i-1)θ)/(2i-1), θ = 2πx/T; slope (4/T) Σ cos((2i-1)θ).

    Periodic, so without limits: NaN at ±∞. x is reduced by the period first, which keeps the phase of a large x.

    Parameters:
        n: number of terms, an integer >= 1; structure, not a leaf.
        t_period: period T, in units of x, > 0.
    """

    references = ("fang2023spikingjelly",)
    peaks = (0.0,)
    waivers = {
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

    def _phase(self, x: Membrane) -> Real:
        return 2 * math.pi * jax.lax.rem(x, jnp.asarray(self.t_period, x.dtype) + jnp.zeros_like(x)) / self.t_period

    def surrogate_fun(self, x: Membrane) -> Curve:
        sine = jnp.sin(self._phase(x))
        terms = _odd_multiples(sine, -sine, 2 - 4 * sine**2, self.n)
        return 0.5 + 2 / math.pi * sum((term / (2 * i + 1) for i, term in enumerate(terms)), jnp.zeros_like(x))

    def surrogate_grad(self, x: Membrane) -> Slope:
        cosine = jnp.cos(self._phase(x))
        terms = _odd_multiples(cosine, cosine, 4 * cosine**2 - 2, self.n)
        return 4 / self.t_period * sum(terms, jnp.zeros_like(x))


def _odd_multiples(first: Real, before: Real, twice: Real, n: int) -> list[Real]:
    """Sine or cosine f of θ, 3θ, 5θ, ..., from f(θ), f(-θ) and twice cos(2θ): f(k+2) = 2 cos(2θ) f(k) - f(k-2)."""
    terms = [first]
    for _ in range(n - 1):
        before, first = first, twice * first - before
        terms.append(first)
    return terms


squarewave_fourier_series = functional(SquarewaveFourierSeries)
