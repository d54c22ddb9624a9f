"""Surrogates whose slope decays exponentially from a peak, or from several."""

from __future__ import annotations

from typing import ClassVar

import jax.numpy as jnp
from jaxtyping import Array

from surgrad._catalogue import Functional, functional
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import (
    decay_integral,
    finite,
    laplace_curve,
    magnitude,
    nearest_multiple,
    side,
    with_limits,
)
from surgrad._types import Curve, Membrane, Parameter, Slope


class Slayer(Surrogate):
    """SLAYER's slope with scale and time constant, (scale/2τ) e^(-|x|/τ), of area `scale`, as in lava-dl.

    `PiecewiseExp(1/τ)` is the one of scale 1, and `SlayerGrad(1/τ)` that of peak 1.

        >>> round(float(surgrad.Slayer(scale=2.0, tau=0.5).surrogate_grad(0.25)), 4)
        1.2131

    Parameters:
        scale: area of the slope, > 0; lava-dl calls it scale_rho, or scale_grad.
        tau: distance in which the slope falls to 1/e, in units of x, > 0; lava-dl calls it tau_rho.
    """

    references: ClassVar[tuple[str, ...]] = ("shrestha2018slayer",)
    verified: ClassVar[str] = "`_spike_backward` in lava-dl's src/lava/lib/dl/slayer/spike/spike.py"
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)

    scale: Parameter = parameter(default=1.0, above=0)
    tau: Parameter = parameter(default=1.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return laplace_curve(finite(x), self.tau, self.scale / 2 / self.tau, self.scale)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.scale / 2 / self.tau * jnp.exp(-jnp.abs(finite(x)) / self.tau)


class SpikeRateEscape(Surrogate):
    """An exponential on both sides of x = 1, slope·e^(-β|x-1|): snnTorch's `spike_rate_escape`.

    The formula there, of the membrane potential and for a threshold of 1, has its peak at the threshold. But what the
    code takes is the potential minus the threshold, so that its peak is one unit above it, and so is the peak here.
    `Shift(SpikeRateEscape(), -1.0)` has it at the threshold, and so has `SlayerGrad`.

        >>> surgrad.SpikeRateEscape().surrogate_grad(1.0).item()
        25.0

    Parameters:
        beta: steepness, > 0.
        slope: height of the peak, > 0.
    """

    references: ClassVar[tuple[str, ...]] = ("eshraghian2023training",)
    verified: ClassVar[str] = "snnTorch's `spike_rate_escape`"
    tags: ClassVar[frozenset[str]] = frozenset({"asymmetric", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (1.0,)
    waivers: ClassVar[dict[str, str]] = {
        "bounded": "the original's area, 2·slope/beta, is 50 at the defaults",
        "peak_at_threshold": "the original has its peak at x = 1",
    }

    beta: Parameter = parameter(default=1.0, above=0)
    slope: Parameter = parameter(default=25.0, above=0)

    def surrogate_fun(self, x: Membrane) -> Curve:
        # The integral from 0: on either side of the peak as a product that does not cancel.
        x = finite(x)
        above, inner = x > 1, jnp.where(x < 0, 0, jnp.where(x > 1, 1, x))
        flank = decay_integral(jnp.where(above, 1, magnitude(x)), self.beta) * jnp.exp(-self.beta * (1 - inner))
        return 0.5 + self.slope * (side(x) * flank + decay_integral(jnp.where(above, x - 1, 0), self.beta))

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.slope * jnp.exp(-self.beta * jnp.abs(finite(x) - 1))


class PeriodicExponential(Surrogate):
    """A peak at the threshold and at each multiple of it, (scale/period) e^(-d/width), for several spikes a step.

    Below the threshold d = -x; above it d is the distance to the nearest multiple of the period. The curve is a soft
    staircase, whose step k is at x = k·period. Sinabs' surrogate of this name is this one for a threshold of 1.

        >>> surgrad.PeriodicExponential().surrogate_grad(jnp.array([0.0, 1.0, 2.0])).tolist()
        [1.0, 1.0, 1.0]

    Parameters:
        width: distance in which the slope falls to 1/e, in units of x, > 0.
        scale: factor of the slope, > 0.
        period: distance from threshold to threshold, in units of x, > 0: 1 if x is (voltage - threshold)/threshold.
    """

    references: ClassVar[tuple[str, ...]] = ("weidel2021wavesense",)
    verified: ClassVar[str] = "`PeriodicExponential` in Rockpool's nn/modules/torch/lif_torch.py"
    tags: ClassVar[frozenset[str]] = frozenset({"several spikes", "heavy tail", "asymmetric", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)
    waivers: ClassVar[dict[str, str]] = {"bounded": "a staircase has no limit"}

    width: Parameter = parameter(default=0.5, above=0)
    scale: Parameter = parameter(default=1.0, above=0)
    period: Parameter = parameter(default=1.0, above=0)

    def _mean_slope(self) -> Parameter:
        """The height of a step divided by its length."""
        return self._area() * decay_integral(jnp.asarray(self.period / 2 / self.width), 1.0) / self.period

    def _area(self) -> Parameter:
        return 2 * self.scale * self.width / self.period

    def _is_far(self, x: Membrane) -> Array:
        """Whether floats are a period apart, so that they hold no phase; curve and slope are those of the mean line."""
        return x >= self.period * 2.0 ** jnp.finfo(x.dtype).nmant

    def _nearest(self, x: Membrane) -> tuple[Membrane, Membrane]:
        """The number of the nearest peak, and x relative to it."""
        x = finite(x)
        k, rest = nearest_multiple(jnp.where((x < 0) | self._is_far(x), 0, x), self.period)
        return k, jnp.where(x < 0, x, rest)

    def surrogate_fun(self, x: Membrane) -> Curve:
        k, rest = self._nearest(x)
        steps = k * self.period * self._mean_slope()
        stairs = laplace_curve(rest, self.width, self.scale / self.period, self._area()) + steps
        far = self._is_far(x)
        line = 0.5 + jnp.where(far, finite(x), 0) * self._mean_slope()
        return with_limits(jnp.where(far, line, stairs), x, 0.5 - self._area() / 2, jnp.inf)

    def surrogate_grad(self, x: Membrane) -> Slope:
        peaks = self.scale / self.period * jnp.exp(-magnitude(self._nearest(x)[1]) / self.width)
        return jnp.where(self._is_far(x), self._mean_slope(), peaks)


slayer: Functional = functional(Slayer)
spike_rate_escape: Functional = functional(SpikeRateEscape)
periodic_exponential: Functional = functional(PeriodicExponential)
