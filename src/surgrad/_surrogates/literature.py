"""Surrogates from one paper each."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp

from surgrad._catalogue import Functional, functional
from surgrad._pytree import static
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import (
    bounded,
    decay_integral,
    finite,
    log1p,
    log1p_ratio,
    logistic,
    logistic_slope,
    magnitude,
    side,
    stretched_log,
    with_limits,
)
from surgrad._types import Curve, Membrane, Parameter, Slope


class S2NN(Surrogate):
    """A logistic step s(αx) below the threshold and a logarithm β ln(x+1+ε) + 1/2 above it.

    The slope is α s(αx) s(-αx) below and β/(x+1) above; it leaves ε out, as the original does, so that it differs
    from the curve's derivative by a relative ε.

        >>> round(float(surgrad.S2NN().surrogate_grad(0.25)), 4)
        0.8

    Parameters:
        alpha: steepness below the threshold, > 0.
        beta: slope at the threshold, > 0.
        epsilon: guard of the logarithm, >= 0.
    """

    references: ClassVar[tuple[str, ...]] = ("suetake2022s3nn",)
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail", "asymmetric", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (-1e-30, 0.0)
    waivers: ClassVar[dict[str, str]] = {"bounded": "a logarithm has no limits"}

    alpha: Parameter = parameter(default=4.0, above=0)
    beta: Parameter = parameter(default=1.0, above=0)
    epsilon: Parameter = parameter(default=1e-8, at_least=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        below, above = jnp.where(x < 0, finite(x), 0), jnp.where(x < 0, 0, bounded(x))
        logarithm = self.beta * log1p(above + self.epsilon) + 0.5
        return with_limits(jnp.where(x < 0, logistic(self.alpha * below), logarithm), x, 0, jnp.inf)

    def surrogate_grad(self, x: Membrane) -> Slope:
        below, above = jnp.where(x < 0, finite(x), 0), jnp.where(x < 0, 0, x)
        return jnp.where(x < 0, self.alpha * logistic_slope(self.alpha * below), self.beta / (1 + above))


class QPseudoSpike(Surrogate):
    """A slope with a tail of any weight, (1 + 2|x|/(α+1))^(-α), of peak 1.

    The area is (α+1)/(α-1) for α > 1 and infinite below. `normalized=True` is the slope as published,
    (1 + 2|x|/(α-1))^(-α), of area 1.

        >>> round(float(surgrad.QPseudoSpike().surrogate_grad(0.25)), 4)
        0.7347

    Parameters:
        alpha: exponent of the tail, > 0; > 1 if normalized.
        normalized: whether to take the published slope.
    """

    references: ClassVar[tuple[str, ...]] = ("herranz2022stabilizing",)
    verified: ClassVar[str] = "braintools 0.3.0"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)
    waivers: ClassVar[dict[str, str]] = {
        "bounded": "the area is (α+1)/(α-1), 3 at the default; normalized=True has area 1"
    }

    alpha: Parameter = parameter(default=2.0, above=0)
    normalized: bool = static(default=False, kw_only=True)

    def __post_init__(self) -> None:
        if self.normalized and isinstance(self.alpha, float) and self.alpha <= 1:
            raise ValueError(f"QPseudoSpike: alpha must be > 1 when normalized, got {self.alpha}.")

    def _half_width(self) -> Parameter:
        return (self.alpha - 1) / 2 if self.normalized else (self.alpha + 1) / 2

    def surrogate_fun(self, x: Membrane) -> Curve:
        # With w for the half-width, the slope is exp(-(α-1)y/w) dy/dx in y = w ln(1+|x|/w): smooth in α through 1.
        distance = magnitude(bounded(x))
        y = stretched_log(distance, self._half_width())
        rate = (self.alpha - 1) / self._half_width()
        if self.normalized:
            tail = jnp.exp(-rate * y) / 2
            return with_limits(jnp.where(x < 0, tail, 1 - tail), x, 0, 1)
        heavy = self.alpha <= 1
        half_area = jnp.where(heavy, jnp.inf, self._half_width() / jnp.where(heavy, 1, self.alpha - 1))
        return with_limits(0.5 + side(x) * decay_integral(y, rate), x, 0.5 - half_area, 0.5 + half_area)

    def surrogate_grad(self, x: Membrane) -> Slope:
        slope = jnp.exp(-self.alpha * log1p_ratio(jnp.abs(bounded(x)), self._half_width()))
        return with_limits(slope, x, 0, 0)


s2nn: Functional = functional(S2NN)
q_pseudo_spike: Functional = functional(QPseudoSpike)
