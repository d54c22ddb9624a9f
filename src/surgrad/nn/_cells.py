"""Cells of leaky membranes: one step of a population of neurons, `(state, input) -> (state, output)`, as scan wants it.

Time is counted in steps. A state is a named tuple whose parts have one shape, `(*batch, neurons)`, and one type,
float32 or wider, to which inputs and parameters are cast; spikes come out in the type of the input. NaN in an input
makes the voltage NaN, which never spikes again: a neuron that has met NaN is silent, not an error. An infinite voltage
spikes; a soft reset leaves it infinite, and a hard one makes it NaN (∞ - ∞), since telling it apart would keep a mask
for the derivative at every step.

Parameters are checked where they are built as numbers, not while they are traced. A time constant that is trained
stays positive by its logarithm, see `partition`.
"""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax.numpy as jnp

from surgrad._fields import parameter
from surgrad._types import Numbers, Parameter, Shape, Spikes
from surgrad.nn._checks import returned
from surgrad.nn._contract import Cell
from surgrad.nn._dtypes import like
from surgrad.nn._membrane import Current, ThresholdCell, Voltage, Waiting, admitted, at_rest, decayed


class LIState(NamedTuple):
    """The voltage of leaky integrators."""

    voltage: Voltage


class LI(Cell):
    """Leaky integrators, v ← e^(-1/τ) v + I; the output is the voltage.

    Parameters:
        tau: time constant, in steps, > 0, infinite without leak; one value, or one a neuron (the last axis).
    """

    spiking = False
    elementwise = True

    tau: Parameter = parameter(default=10.0, above=0, finite=False, unit="steps")

    def init(self, shape: Shape, dtype: Any = None) -> LIState:
        """The resting state of a shape, `(*batch, neurons)`: zero voltage.

        Raises:
            ValueError: a parameter does not broadcast to the shape.
        """
        return LIState(at_rest(self, shape, dtype))

    def __call__(self, state: LIState, current: Numbers) -> tuple[LIState, Voltage]:
        """One step: the new state, and its voltage.

        Raises:
            TypeError: the state is not what `init` makes.
            ValueError: state, current and parameters differ in shape.
        """
        current = admitted(self, state, LIState, current)
        voltage = decayed(state.voltage, self.tau) + current
        return LIState(voltage), voltage


class LIFState(NamedTuple):
    """Voltage after the reset, and steps left of the refractory period (None where there is none)."""

    voltage: Voltage
    waiting: Waiting | None = None


@dataclasses.dataclass(eq=False, repr=False)  # a constructor of its own, whose errors name it
class LIF(ThresholdCell):
    """Leaky integrate-and-fire neurons, v ← e^(-1/τ) v + I, that spike where v >= θ and are reset after that.

    The surrogate gets x = (v - θ)/θ, which has no dimension. In each of the `refractory` steps after a spike the
    voltage stays where the reset left it, without leak; the input of that step is lost, and so is its derivative.
    Reverse mode keeps one number a neuron and step for a soft reset, three for a hard one, two if that is detached.

    Parameters:
        spike: the surrogate, or any function of x that spikes.
        tau: time constant τ, in steps, > 0, infinite without leak; one value, or one a neuron (the last axis).
        threshold: voltage θ of a spike, > 0; one value, or one a neuron.
        reset: `"subtract"` takes the threshold off, v ← v - θ; `"zero"` starts again from rest, v ← 0.
        reset_detached: whether the reset is a constant for the derivative.
        refractory: whole steps after a spike in which the neuron cannot spike, >= 0.
    """

    spiking = elementwise = linear_response = True

    def init(self, shape: Shape, dtype: Any = None) -> LIFState:
        """The resting state of a shape, `(*batch, neurons)`: zero voltage, ready to spike.

        Raises:
            ValueError: a parameter does not broadcast to the shape.
        """
        voltage = at_rest(self, shape, dtype)
        return LIFState(voltage, self._ready(voltage))

    def __call__(self, state: LIFState, current: Numbers) -> tuple[LIFState, Spikes]:
        """One step: the state after the reset, and the spikes.

        Raises:
            TypeError: the state is not what `init` makes.
            ValueError: state, current and parameters differ in shape.
        """
        x, current = current, admitted(self, state, LIFState, current)
        voltage, waiting, spikes = self._integrate(state, current, like(current, self.threshold))
        return LIFState(voltage, waiting), returned(spikes, x)


class CuBaLIFState(NamedTuple):
    """Voltage after the reset, synaptic current, and steps left of the refractory period."""

    voltage: Voltage
    current: Current
    waiting: Waiting | None = None


class CuBaLIF(ThresholdCell):
    """LIF neurons behind a synapse, i ← e^(-1/τ_syn) i + I, then v ← e^(-1/τ) v + i with the current of this step.

    Reset and refractory period are those of the voltage; the synaptic current flows on.

    Parameters:
        spike, tau, threshold, reset, reset_detached, refractory: as those of `LIF`.
        tau_syn: time constant τ_syn of the synaptic current, in steps, > 0; one value, or one a neuron.
    """

    spiking = elementwise = linear_response = True

    tau_syn: Parameter = parameter(default=5.0, above=0, finite=False, unit="steps")

    def init(self, shape: Shape, dtype: Any = None) -> CuBaLIFState:
        """The resting state of a shape, `(*batch, neurons)`: zero voltage, no current. Raises as `LIF.init`."""
        voltage = at_rest(self, shape, dtype)
        return CuBaLIFState(voltage, jnp.zeros_like(voltage), self._ready(voltage))

    def __call__(self, state: CuBaLIFState, current: Numbers) -> tuple[CuBaLIFState, Spikes]:
        """One step: the state after the reset, and the spikes. Raises as `LIF` does."""
        x, current = current, admitted(self, state, CuBaLIFState, current)
        current = decayed(state.current, self.tau_syn) + current
        voltage, waiting, spikes = self._integrate(state, current, like(current, self.threshold))
        return CuBaLIFState(voltage, current, waiting), returned(spikes, x)


class ALIFState(NamedTuple):
    """Voltage after the reset, adaptation, and steps left of the refractory period."""

    voltage: Voltage
    adaptation: Voltage
    waiting: Waiting | None = None


class ALIF(ThresholdCell):
    """LIF neurons whose threshold rises with each spike s: they spike where v >= θ + β a, then a ← e^(-1/τ_a) a + s.

    A spike so raises the threshold from the next step on, and the soft reset takes off the baseline θ, both as in
    Bellec et al. (2020), A solution to the learning dilemma for recurrent networks of spiking neurons. (Bellec et
    al. (2018), Long short-term memory and learning-to-learn in networks of spiking neurons, takes off θ + β a, and
    its a grows by 1 - e^(-1/τ_a) a spike.) The surrogate gets x = (v - θ - β a)/θ. A detached reset leaves the
    adaptation in the derivative; in the refractory period it decays on.

    Parameters:
        spike, tau, threshold, reset, reset_detached, refractory: as those of `LIF`.
        tau_adaptation: time constant τ_a of the adaptation, in steps, > 0; one value, or one a neuron.
        beta: rise β of the threshold with a spike, in units of the voltage; one value, or one a neuron.
    """

    spiking = elementwise = linear_response = True

    tau_adaptation: Parameter = parameter(default=100.0, above=0, finite=False, unit="steps")
    beta: Parameter = parameter(default=0.1)

    def init(self, shape: Shape, dtype: Any = None) -> ALIFState:
        """The resting state of a shape, `(*batch, neurons)`: zero voltage, not adapted. Raises as `LIF.init`."""
        voltage = at_rest(self, shape, dtype)
        return ALIFState(voltage, jnp.zeros_like(voltage), self._ready(voltage))

    def __call__(self, state: ALIFState, current: Numbers) -> tuple[ALIFState, Spikes]:
        """One step: the state after the reset, and the spikes. Raises as `LIF` does."""
        x, current = current, admitted(self, state, ALIFState, current)
        threshold = like(current, self.threshold) + like(current, self.beta) * state.adaptation
        voltage, waiting, spikes = self._integrate(state, current, threshold)
        adaptation = decayed(state.adaptation, self.tau_adaptation) + spikes
        return ALIFState(voltage, adaptation, waiting), returned(spikes, x)
