"""Surrogates that come from one paper each."""

from __future__ import annotations

import jax.numpy as jnp

from surgrad._pytree import static
from surgrad._surrogate import Surrogate, functional, parameter
from surgrad._surrogates.numerics import expm1_ratio, finite, log1p_ratio, logistic
from surgrad._types import Curve, Membrane, Parameter, Slope


class S2NN(Surrogate):
    """A logistic step s(αx) below the threshold and a logarithm β ln(x+1+ε) + 1/2 above it.

    The slope is α s(αx) s(-αx) below and β/(x+1) above; it leaves ε out, as the original does, so that it differs
    from the curve's derivative by a relative ε.

    Parameters:
        alpha: steepness below the threshold, > 0.
        beta: slope at the threshold, > 0.
        epsilon: guard of the logarithm, >= 0.
    """

    references = ("suetake2022s3nn",)
    peaks = (-1e-30, 0.0)
    waivers = {"bounded": "a logarithm has no limits"}

    alpha: Parameter = parameter(4.0, above=0)
    beta: Parameter = parameter(1.0, above=0)
    epsilon: Parameter = parameter(1e-8, at_least=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        below, above = finite(jnp.where(x < 0, x, 0)), jnp.where(x < 0, 0, x)
        return jnp.where(x < 0, logistic(self.alpha * below), self.beta * jnp.log1p(above + self.epsilon) + 0.5)

    def surrogate_grad(self, x: Membrane) -> Slope:
        z, above = self.alpha * finite(jnp.where(x < 0, x, 0)), jnp.where(x < 0, 0, x)
        return jnp.where(x < 0, self.alpha * logistic(z) * logistic(-z), self.beta / (1 + above))


class QPseudoSpike(Surrogate):
    """A slope with a tail of any weight, (1 + 2|x|/(α+1))^(-α), of peak 1.

    The area is (α+1)/(α-1) for α > 1 and infinite below. `normalized=True` is the slope as published,
    (1 + 2|x|/(α-1))^(-α), of area 1.

    Parameters:
        alpha: exponent of the tail, > 0; > 1 if normalized.
        normalized: whether to take the published slope.
    """

    references = ("herranz2022stabilizing",)
    peaks = (0.0,)
    waivers = {"bounded": "the area is (α+1)/(α-1), 3 at the default; normalized=True has area 1"}

    alpha: Parameter = parameter(2.0, above=0)
    normalized: bool = static(False, kw_only=True)

    def __post_init__(self) -> None:
        if self.normalized and isinstance(self.alpha, float) and self.alpha <= 1:
            raise ValueError(f"QPseudoSpike: alpha must be > 1 when normalized, got {self.alpha}.")

    def _half_width(self) -> Parameter:
        return (self.alpha - 1) / 2 if self.normalized else (self.alpha + 1) / 2

    def surrogate_fun(self, x: Membrane) -> Curve:
        # x·ψ(u)·φ((1-α)uψ(u)) with ψ = ln(1+u)/u and φ = (e^t - 1)/t: smooth in α through 1 and in x through 0.
        inner = finite(x)
        u = jnp.abs(inner) / self._half_width()
        log_ratio = log1p_ratio(u)
        power = (1 - self.alpha) * u * log_ratio
        if self.normalized:
            tail = jnp.exp(power) / 2
            return self._with_limits(x, jnp.where(x < 0, tail, 1 - tail))
        return self._with_limits(x, 0.5 + inner * log_ratio * expm1_ratio(power))

    def _with_limits(self, x: Membrane, curve: Curve) -> Curve:
        heavy = self.alpha <= 1
        half_area = self._half_width() / jnp.where(heavy, 1, self.alpha - 1)
        return jnp.where(jnp.isinf(x), 0.5 + jnp.sign(x) * jnp.where(heavy, jnp.inf, half_area), curve)

    def surrogate_grad(self, x: Membrane) -> Slope:
        u = jnp.abs(finite(x)) / self._half_width()
        return jnp.where(jnp.isinf(x), 0, jnp.exp(-self.alpha * jnp.log1p(u)))


s2nn = functional(S2NN)
q_pseudo_spike = functional(QPseudoSpike)
