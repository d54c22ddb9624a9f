"""Cells in units of the laboratory, integrated by forward Euler steps of `dt` milliseconds.

Voltage and recovery both advance from the state before the step, then the neuron spikes where v >= v_peak, which
resets them. The error of a trace falls in proportion to dt. NaN in an input makes the voltage NaN, and so does the
reset of an infinite one (∞ - ∞); it never spikes again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp

from surgrad._fields import parameter
from surgrad._pytree import static
from surgrad._types import Membrane, Numbers, Parameter, Shape, Spikes
from surgrad.nn._checks import check_above, returned
from surgrad.nn._contract import Cell, flag, spike_function
from surgrad.nn._dtypes import like, wide
from surgrad.nn._membrane import Current, Voltage, admitted, at_rest, fire, jumps


class AdExState(NamedTuple):
    """Voltage, mV, and adaptation current w, pA, after the reset."""

    v: Voltage
    recovery: Current


class AdEx(Cell):
    """Adaptive exponential integrate-and-fire neurons.

    C dV/dt = -g_L (V - E_L) + g_L Δ_T e^((V - V_T)/Δ_T) - w + I, τ_w dw/dt = a (V - E_L) - w; a spike at v_peak
    puts V to v_reset and adds b to w. The surrogate gets x = (V - v_peak)/scale.

    The exponential term moves the voltage by v_peak - v_reset in one step and no more. From a voltage that the cap
    reaches a neuron spikes in that step with or without it (unless inhibition takes V - v_reset off in that step), so
    that spikes stay as they are, while the exponential and its derivative are finite for every voltage.

    Defaults are those of the source, but for `v_peak`, which may stand anywhere high on the upstroke, and `scale`, by
    which rest is at x = -1 as in LIF.

    Parameters (one value, or one a neuron, the last axis):
        surrogate: the spike function: a surrogate, or any function of x that spikes.
        capacitance: C, pF, > 0.
        g_leak: leak conductance g_L, nS, > 0.
        e_leak: resting potential E_L, mV.
        v_threshold: threshold potential V_T, mV, from which the exponential takes over.
        slope_factor: Δ_T, mV, > 0; sharpness of the upstroke.
        tau_w: time constant of the adaptation, ms, > 0.
        a: adaptation below the threshold, nS.
        b: adaptation by a spike, pA.
        v_reset: voltage after a spike, mV.
        v_peak: voltage that counts as a spike, mV, > v_reset.
        scale: of x, mV, > 0; a small one lets the derivative see only voltages near v_peak.
        dt: length of a step, ms, > 0.
        detach_reset: whether the reset of the voltage is a constant for the derivative; that of w never is.

    Source: Brette & Gerstner (2005), Adaptive exponential integrate-and-fire model as an effective description of
    neuronal activity.
    """

    spiking = elementwise = True
    linear_response = False

    surrogate: Callable[[Membrane], Spikes] = spike_function()
    capacitance: Parameter = parameter(default=281.0, above=0, unit="pF")
    g_leak: Parameter = parameter(default=30.0, above=0, unit="nS")
    e_leak: Parameter = parameter(default=-70.6, unit="mV")
    v_threshold: Parameter = parameter(default=-50.4, unit="mV")
    slope_factor: Parameter = parameter(default=2.0, above=0, unit="mV")
    tau_w: Parameter = parameter(default=144.0, above=0, unit="ms")
    a: Parameter = parameter(default=4.0)
    b: Parameter = parameter(default=80.5)
    v_reset: Parameter = parameter(default=-70.6, unit="mV")
    v_peak: Parameter = parameter(default=20.0, unit="mV")
    scale: Parameter = parameter(default=90.6, above=0, unit="mV")
    dt: float = static(default=0.1, kw_only=True, above=0)
    detach_reset: bool = flag(default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_above(self, "v_peak", "v_reset")

    def init(self, shape: Shape, dtype: Any = None) -> AdExState:
        """The resting state of a shape, `(*batch, neurons)`: V = E_L, w = 0.

        Raises:
            ValueError: a parameter does not broadcast to the shape.
        """
        voltage = at_rest(self, shape, dtype, self.e_leak)
        return AdExState(voltage, jnp.zeros_like(voltage))

    def __call__(self, state: AdExState, current: Numbers) -> tuple[AdExState, Spikes]:
        """One step under a current, pA: the state after the reset, and the spikes.

        Raises:
            TypeError: the state is not what `init` makes.
            ValueError: state, current and parameters differ in shape.
        """
        x, current = current, admitted(self, state, AdExState, current)
        v, w = state
        rest, dt = like(v, self.e_leak), self.dt
        drift = current - w - like(v, self.g_leak) * (v - rest)
        voltage = v + dt / like(v, self.capacitance) * drift + self._upstroke(v)
        recovery = w + dt / like(v, self.tau_w) * (like(v, self.a) * (v - rest) - w)
        voltage, spikes = _fire_and_fall(self, voltage, self.v_reset)
        return AdExState(voltage, recovery + like(v, self.b) * spikes), returned(spikes, x)

    def _upstroke(self, v: Voltage) -> Voltage:
        """What the exponential adds to the voltage in one step, capped in the exponent."""
        slope_factor = like(v, self.slope_factor)
        gain = self.dt * like(v, self.g_leak) * slope_factor / like(v, self.capacitance)
        cap = jnp.log((like(v, self.v_peak) - like(v, self.v_reset)) / gain)
        exponent = (v - like(v, self.v_threshold)) / slope_factor
        # A `minimum` would keep a float for the derivative where this keeps a bit.
        return gain * jnp.exp(jnp.where(exponent < cap, exponent, cap))


class IzhikevichState(NamedTuple):
    """Voltage v and recovery u after the reset, both in mV."""

    v: Voltage
    recovery: Voltage


class Izhikevich(Cell):
    """Izhikevich's neurons, dv/dt = 0.04 v² + 5 v + 140 - u + I, du/dt = a (b v - u); a spike puts v to c, u to u + d.

    The surrogate gets x = (v - v_peak)/scale. Defaults are those of the source's regular spiking neuron, but for
    `scale`, by which c is at x = -1. Here u advances from the v before the step, as forward Euler has it; the program
    that the source prints takes two halves of a step for v, and advances u from the new v.

    Parameters (one value, or one a neuron, the last axis):
        surrogate: the spike function: a surrogate, or any function of x that spikes.
        a: rate of the recovery, 1/ms.
        b: pull of the voltage on the recovery.
        c: voltage after a spike, mV.
        d: what a spike adds to the recovery, mV.
        v_peak: voltage that counts as a spike, mV, > c.
        scale: of x, mV, > 0; a small one lets the derivative see only voltages near v_peak.
        dt: length of a step, ms, > 0.
        detach_reset: whether the reset of the voltage is a constant for the derivative; that of u never is.

    Source: Izhikevich (2003), Simple model of spiking neurons, equations 1 to 3.
    """

    spiking = elementwise = True
    linear_response = False

    surrogate: Callable[[Membrane], Spikes] = spike_function()
    a: Parameter = parameter(default=0.02)
    b: Parameter = parameter(default=0.2)
    c: Parameter = parameter(default=-65.0)
    d: Parameter = parameter(default=8.0)
    v_peak: Parameter = parameter(default=30.0, unit="mV")
    scale: Parameter = parameter(default=95.0, above=0, unit="mV")
    dt: float = static(default=0.5, kw_only=True, above=0)
    detach_reset: bool = flag(default=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_above(self, "v_peak", "c")

    def init(self, shape: Shape, dtype: Any = None) -> IzhikevichState:
        """The resting state of a shape, `(*batch, neurons)`: the stable zero of 0.04 v² + (5 - b) v + 140, u = b v.

        Where there is none the neuron never rests, and starts from the minimum.

        Raises:
            ValueError: a parameter does not broadcast to the shape.
        """
        b = jnp.asarray(self.b)
        b = b.astype(wide(b.dtype))
        square = (5 - b) ** 2 - 4 * 0.04 * 140
        root = jnp.where(square > 0, jnp.sqrt(jnp.where(square > 0, square, 1)), 0)
        voltage = at_rest(self, shape, dtype, (b - 5 - root) / (2 * 0.04))
        return IzhikevichState(voltage, like(voltage, b) * voltage)

    def __call__(self, state: IzhikevichState, current: Numbers) -> tuple[IzhikevichState, Spikes]:
        """One step under a current, in mV/ms: the state after the reset, and the spikes. Raises as `AdEx` does."""
        x, current = current, admitted(self, state, IzhikevichState, current)
        v, u = state
        dt = self.dt
        voltage = v + dt * (0.04 * jnp.square(v) + 5 * v + 140 - u + current)
        recovery = u + dt * like(v, self.a) * (like(v, self.b) * v - u)
        voltage, spikes = _fire_and_fall(self, voltage, self.c)
        return IzhikevichState(voltage, recovery + like(v, self.d) * spikes), returned(spikes, x)


def _fire_and_fall(cell: AdEx | Izhikevich, voltage: Voltage, bottom: Parameter) -> tuple[Voltage, Spikes]:
    """The voltage after a hard reset, and the spikes. The products are exact where a spike is 0 or 1."""
    spikes = fire(cell.surrogate, (voltage - like(voltage, cell.v_peak)) / like(voltage, cell.scale))
    fallen = jumps(cell, spikes)
    return (1 - fallen) * voltage + fallen * like(voltage, bottom), spikes
