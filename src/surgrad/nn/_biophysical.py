"""Biophysical cells, in mV, pA and ms, integrated by forward Euler steps of `dt` milliseconds.

Voltage and recovery both advance from the state before the time step; then neurons with v >= v_peak spike and are
reset. The error of a trajectory is proportional to dt. NaN in an input makes the voltage NaN, and so does the reset of
an infinite voltage (∞ - ∞); such a neuron never spikes again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from surgrad._dtypes import like, wide
from surgrad._fields import parameter
from surgrad._pytree import static
from surgrad._types import Membrane, Numbers, Parameter, Shape, Spikes
from surgrad.nn._checks import returned
from surgrad.nn._contract import Cell, flag, spike_function
from surgrad.nn._membrane import Current, Voltage, admitted, at_rest, events, fire, jumps, of_single_neurons


class AdExState(NamedTuple):
    """State of `AdEx` neurons after the reset: voltage v in mV, and adaptation current w in pA (`recovery`)."""

    v: Voltage
    recovery: Current


class AdEx(Cell):
    """Adaptive exponential integrate-and-fire (AdEx) neurons.

    C dV/dt = -g_L (V - E_L) + g_L Δ_T e^((V - V_T)/Δ_T) - w + I and τ_w dw/dt = a (V - E_L) - w. A neuron spikes at
    V >= v_peak; a spike sets V to v_reset and adds b to w. The surrogate gets the dimensionless x = (V - v_peak)/scale.

    In one time step the exponential term moves the voltage by v_peak - v_reset at most, so that it and its derivative
    are finite for every voltage. The cap does not change spikes: a neuron that reaches it spikes in that time step with
    or without the cap, unless inhibition lowers its voltage by V - v_reset in the same time step.

    Defaults are those of the source, except for `v_peak`, which may be anywhere high on the upstroke, and `scale`, by
    which the resting potential is at x = -1, as in LIF.

    Each parameter is one number, or one for each neuron.

    Parameters:
        surrogate: the spike function: a surrogate, or any function of x that spikes.
        capacitance: C, pF, > 0.
        g_leak: leak conductance g_L, nS, > 0.
        e_leak: resting potential E_L, mV.
        v_threshold: threshold potential V_T, mV, from which the exponential takes over.
        slope_factor: Δ_T, mV, > 0; sharpness of the upstroke.
        tau_w: time constant of the adaptation, ms, > 0.
        a: coupling of the adaptation to the voltage, nS.
        b: increase of the adaptation current by a spike, pA.
        v_reset: voltage after a spike, mV.
        v_peak: voltage that counts as a spike, mV, > v_reset.
        scale: unit of x, mV, > 0; if it is small, only voltages near v_peak have a slope.
        dt: length of a time step, ms, > 0.
        detach_reset: whether the reset of the voltage is a constant for the derivative; the increase of w never is.

    Example:
        >>> import jax.numpy as jnp
        >>> from surgrad import nn
        >>> cell = nn.AdEx()
        >>> state, spikes = nn.unroll(cell, jnp.full((5000, 1), 800.0))  # 500 ms under 800 pA
        >>> bool(1 < spikes.sum() < 50)
        True

    Source: Brette & Gerstner (2005), Adaptive exponential integrate-and-fire model as an effective description of
    neuronal activity.
    """

    spiking = True

    @property
    def elementwise(self) -> bool:
        """Whether its spike function is."""
        return of_single_neurons(self.surrogate)

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
    v_peak: Parameter = parameter(default=20.0, exceeds="v_reset", unit="mV")
    scale: Parameter = parameter(default=90.6, above=0, unit="mV")
    dt: float = static(default=0.1, kw_only=True, above=0)
    detach_reset: bool = flag(default=False)

    def init(self, shape: Shape, dtype: Any = None) -> AdExState:
        """The state at rest, V = E_L and w = 0, for inputs of a shape `(*batch, neurons)`.

        Raises:
            ValueError: a parameter does not broadcast to the shape.
        """
        voltage = at_rest(self, shape, dtype, self.e_leak)
        return AdExState(voltage, jnp.zeros_like(voltage))

    def __call__(self, state: AdExState, current: Numbers) -> tuple[AdExState, Spikes]:
        """One time step under a current in pA, `(*batch, neurons)`: the state after the reset, and the spikes.

        Raises:
            TypeError: the state is not one that `init` makes.
            ValueError: state, current and parameters differ in shape.
        """
        x, current = current, admitted(self, state, AdExState, current)
        voltage, recovery = self._advanced(state, current)
        voltage, spikes = _fire_and_fall(self, voltage, self.v_reset)
        return AdExState(voltage, recovery + like(voltage, self.b) * spikes), returned(spikes, x)

    def observables(self, before: AdExState, x: Numbers, after: AdExState, output: Array) -> dict[str, Array]:
        """What can be recorded of a time step: `v`, `v_before_reset`, and `recovery`, the adaptation current w."""
        return _membranes(self, before, x, after)

    def _advanced(self, state: AdExState, current: Current) -> tuple[Voltage, Current]:
        """Voltage and adaptation current before a spike."""
        v, w = state
        rest, dt = like(v, self.e_leak), self.dt
        drift = current - w - like(v, self.g_leak) * (v - rest)
        voltage = v + dt / like(v, self.capacitance) * drift + self._upstroke(v)
        return voltage, w + dt / like(v, self.tau_w) * (like(v, self.a) * (v - rest) - w)

    def _upstroke(self, v: Voltage) -> Voltage:
        """The change of the voltage by the exponential term in one time step, mV; its exponent is capped."""
        slope_factor = like(v, self.slope_factor)
        gain = self.dt * like(v, self.g_leak) * slope_factor / like(v, self.capacitance)
        cap = jnp.log((like(v, self.v_peak) - like(v, self.v_reset)) / gain)
        exponent = (v - like(v, self.v_threshold)) / slope_factor
        # `minimum` would store a float for the derivative, where this stores a bit.
        return gain * jnp.exp(jnp.where(exponent < cap, exponent, cap))


class IzhikevichState(NamedTuple):
    """State of `Izhikevich` neurons after the reset: voltage v and recovery u (`recovery`), both in mV."""

    v: Voltage
    recovery: Voltage


class Izhikevich(Cell):
    """Izhikevich neurons, dv/dt = 0.04 v² + 5 v + 140 - u + I and du/dt = a (b v - u).

    A neuron spikes at v >= v_peak; a spike sets v to c and adds d to u. The surrogate gets the dimensionless
    x = (v - v_peak)/scale. Defaults are those of the source's regular spiking neuron, except for `scale`, by which c is
    at x = -1. Both v and u advance from the state before the time step; the program that the source prints advances v
    in two half steps, and u from the new v.

    Each parameter is one number, or one for each neuron.

    Parameters:
        surrogate: the spike function: a surrogate, or any function of x that spikes.
        a: rate of the recovery, 1/ms.
        b: sensitivity of the recovery to the voltage.
        c: voltage after a spike, mV.
        d: increase of the recovery by a spike, mV.
        v_peak: voltage that counts as a spike, mV, > c.
        scale: unit of x, mV, > 0; if it is small, only voltages near v_peak have a slope.
        dt: length of a time step, ms, > 0.
        detach_reset: whether the reset of the voltage is a constant for the derivative; the increase of u never is.

    Example:
        >>> import jax.numpy as jnp
        >>> from surgrad import nn
        >>> state, spikes = nn.unroll(nn.Izhikevich(), jnp.full((1000, 1), 10.0))  # 500 ms under 10 mV/ms
        >>> bool(1 < spikes.sum() < 50)
        True

    Source: Izhikevich (2003), Simple model of spiking neurons, equations 1 to 3.
    """

    spiking = True

    @property
    def elementwise(self) -> bool:
        """Whether its spike function is."""
        return of_single_neurons(self.surrogate)

    linear_response = False

    surrogate: Callable[[Membrane], Spikes] = spike_function()
    a: Parameter = parameter(default=0.02)
    b: Parameter = parameter(default=0.2)
    c: Parameter = parameter(default=-65.0)
    d: Parameter = parameter(default=8.0)
    v_peak: Parameter = parameter(default=30.0, exceeds="c", unit="mV")
    scale: Parameter = parameter(default=95.0, above=0, unit="mV")
    dt: float = static(default=0.5, kw_only=True, above=0)
    detach_reset: bool = flag(default=False)

    def init(self, shape: Shape, dtype: Any = None) -> IzhikevichState:
        """The state at rest for inputs of a shape `(*batch, neurons)`: the lower zero of 0.04 v² + (5 - b) v + 140.

        The recovery is u = b v. If the polynomial has no zero, the neuron never rests, and starts from its minimum.

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
        """One time step under a current in mV/ms, `(*batch, neurons)`: the state after the reset, and the spikes.

        Raises:
            TypeError: the state is not one that `init` makes.
            ValueError: state, current and parameters differ in shape.
        """
        x, current = current, admitted(self, state, IzhikevichState, current)
        voltage, recovery = self._advanced(state, current)
        voltage, spikes = _fire_and_fall(self, voltage, self.c)
        return IzhikevichState(voltage, recovery + like(voltage, self.d) * spikes), returned(spikes, x)

    def observables(
        self, before: IzhikevichState, x: Numbers, after: IzhikevichState, output: Array
    ) -> dict[str, Array]:
        """What can be recorded of a time step: `v`, `v_before_reset` and `recovery`."""
        return _membranes(self, before, x, after)

    def _advanced(self, state: IzhikevichState, current: Current) -> tuple[Voltage, Voltage]:
        """Voltage and recovery before a spike."""
        v, u = state
        dt = self.dt
        voltage = v + dt * (0.04 * jnp.square(v) + 5 * v + 140 - u + current)
        return voltage, u + dt * like(v, self.a) * (like(v, self.b) * v - u)


def _membranes(cell: AdEx | Izhikevich, before: Any, x: Numbers, after: Any) -> dict[str, Array]:
    """What can be recorded of both cells."""
    current = jnp.asarray(x).astype(after.v.dtype)
    return {"v": after.v, "v_before_reset": cell._advanced(before, current)[0], "recovery": after.recovery}


def _fire_and_fall(cell: AdEx | Izhikevich, voltage: Voltage, bottom: Parameter) -> tuple[Voltage, Spikes]:
    """The voltage after the reset to `bottom`, and the spikes; the products are exact where a spike is 0 or 1."""
    spikes = fire(cell.surrogate, (voltage - like(voltage, cell.v_peak)) / like(voltage, cell.scale))
    fallen = jumps(cell, events(cell.surrogate, spikes))
    return (1 - fallen) * voltage + fallen * like(voltage, bottom), spikes
