"""Surrogates whose slope is constant, or constant on each side, and the slope of a difference quotient."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp

from surgrad._catalogue import Functional, functional
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import bounded, finite, keep_nan, leaky, magnitude, side, with_limits
from surgrad._types import Curve, Membrane, Parameter, Slope

_NO_LIMITS = "a line has no limits"


class StraightThrough(Surrogate):
    """The straight-through estimator: a slope of 1 everywhere, as if the spike were its input.

    >>> surgrad.StraightThrough().surrogate_grad(jnp.array([-3.0, 3.0])).tolist()
    [1.0, 1.0]
    """

    references: ClassVar[tuple[str, ...]] = ("bengio2013estimating",)
    verified: ClassVar[str] = "snnTorch's `straight_through_estimator`"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)
    waivers: ClassVar[dict[str, str]] = {"bounded": _NO_LIMITS}

    def surrogate_fun(self, x: Membrane) -> Curve:
        return 0.5 + x

    def surrogate_grad(self, x: Membrane) -> Slope:
        return keep_nan(x, jnp.ones_like(x))


class LeakySpikeOperator(Surrogate):
    """A slope of 1 from the threshold on and of `leak` below it, as that of `LeakyRelu(leak, 1)`.

    The name is that of snnTorch, whose `LSO` raises an error when it is called, in the versions that were looked at.

        >>> round(float(surgrad.LeakySpikeOperator().surrogate_grad(-0.25)), 4)
        0.1

    Parameters:
        leak: slope below the threshold, >= 0; snnTorch calls it slope.
    """

    references: ClassVar[tuple[str, ...]] = ("eshraghian2023training",)
    verified: ClassVar[str] = "the formula in the documentation of snnTorch's `LSO`"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail", "asymmetric", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (-1.0, 0.0)
    waivers: ClassVar[dict[str, str]] = {"bounded": _NO_LIMITS}

    leak: Parameter = parameter(default=0.1, at_least=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return 0.5 + jnp.where(x >= 0, x, leaky(self.leak, x))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return keep_nan(x, jnp.where(x >= 0, 1, self.leak))


class StepPiecewiseLinear(Surrogate):
    """A slope of 1/period from x = -window on, and 0 below, for several spikes a step: the line through a staircase.

    Rockpool's `StepPWL`, there 1/threshold for a voltage of at least threshold - window, and with a window of 1 the
    `Heaviside` of Sinabs. The publication is that of Rockpool's other surrogate for several spikes.

        >>> surgrad.StepPiecewiseLinear().surrogate_grad(jnp.array([-1.0, -0.5, 7.0])).tolist()
        [0.0, 1.0, 1.0]

    Parameters:
        window: how far below the threshold the slope begins, in units of x, >= 0.
        period: distance from threshold to threshold, in units of x, > 0: 1 if x is (voltage - threshold)/threshold.
    """

    references: ClassVar[tuple[str, ...]] = ("weidel2021wavesense",)
    verified: ClassVar[str] = "`StepPWL` in Rockpool's nn/modules/torch/lif_torch.py, Sinabs' `Heaviside`"
    tags: ClassVar[frozenset[str]] = frozenset({"several spikes", "heavy tail", "asymmetric", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)
    waivers: ClassVar[dict[str, str]] = {"bounded": _NO_LIMITS}

    window: Parameter = parameter(default=0.5, at_least=0)
    period: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        below = x < -self.window
        inner = jnp.where(below, -self.window, jnp.where(below, 0, bounded(x)))
        return with_limits(0.5 + inner / self.period, x, 0.5 - self.window / self.period, jnp.inf)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return keep_nan(x, jnp.where(x >= -self.window, 1 / self.period, 0))


class NumericalGradient(Surrogate):
    """The difference quotient of the step from the threshold to x, 1/|x|, and at most α.

    SpikingJelly's `FakeNumericalGradient`, whose slope at x = -0 is -∞.

        >>> round(float(surgrad.NumericalGradient().surrogate_grad(5.0)), 4)
        0.2

    Parameters:
        alpha: largest slope, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("fang2023spikingjelly",)
    verified: ClassVar[str] = "SpikingJelly's `FakeNumericalGradient`"
    tags: ClassVar[frozenset[str]] = frozenset({"heavy tail", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)
    waivers: ClassVar[dict[str, str]] = {"bounded": "a logarithm has no limits"}

    alpha: Parameter = parameter(default=0.3, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        distance = magnitude(bounded(x))
        far = distance > 1 / self.alpha
        tail = 1 + jnp.log(self.alpha) + jnp.log(jnp.where(far, distance, 1))
        rise = jnp.where(far, tail, self.alpha * jnp.where(far, 0, distance))
        return with_limits(0.5 + side(x) * rise, x, -jnp.inf, jnp.inf)

    def surrogate_grad(self, x: Membrane) -> Slope:
        distance = jnp.abs(x)
        far = distance > 1 / self.alpha
        return jnp.where(far, 1 / jnp.where(far, distance, 1), keep_nan(x, self.alpha + 0 * finite(x)))


straight_through: Functional = functional(StraightThrough)
leaky_spike_operator: Functional = functional(LeakySpikeOperator)
step_piecewise_linear: Functional = functional(StepPiecewiseLinear)
numerical_gradient: Functional = functional(NumericalGradient)
