"""Leaky cells: one time step of a population of neurons, `(state, input) -> (state, output)`.

A state is a named tuple of arrays of one shape, `(*batch, neurons)`, and one dtype, float32 or wider. Inputs and
parameters are cast to it; spikes come out in the dtype of the input. Time constants and the time step `dt` have the
same unit: with the default, `dt=1`, time constants count time steps; with `dt` in ms they are in ms. The decay of a
time step is β = e^(-dt/τ).

NaN in an input makes the membrane potential NaN, which never spikes again; it raises nothing. An infinite membrane
potential spikes; a reset by subtraction leaves it infinite, a reset to zero makes it NaN (∞ - ∞).

Parameters are checked when a cell is built out of numbers, not while they are traced. To train a time constant, see
`partition`: it trains the logarithm, so that the time constant stays positive.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array

from surgrad._answers import missing_attribute
from surgrad._dtypes import like
from surgrad._fields import parameter
from surgrad._pytree import static
from surgrad._types import Numbers, Parameter, Shape, Spikes
from surgrad.nn._checks import returned
from surgrad.nn._contract import Cell
from surgrad.nn._membrane import (
    Current,
    Refractory,
    ThresholdCell,
    Voltage,
    admitted,
    at_rest,
    decay,
    decayed,
    of_single_neurons,
    takes_beta,
)


class LeakyIntegratorState(NamedTuple):
    """State of leaky integrators: the membrane potential v."""

    v: Voltage

    __getattr__ = missing_attribute


@takes_beta
class LeakyIntegrator(Cell):
    """Leaky integrator without spikes, v ← e^(-dt/τ) v + I; the output is the membrane potential v.

    Parameters:
        tau: time constant τ in units of `dt`, > 0, infinite for no leak; one number, or one for each neuron.
        dt: length of a time step, > 0.
        beta: decay of a time step, above 0 to 1, in place of `tau`.
    """

    spiking = False
    elementwise = True

    tau: Parameter = parameter(default=10.0, above=0, finite=False, unit="of dt")
    dt: float = static(default=1.0, kw_only=True, above=0)

    @property
    def beta(self) -> Array:
        """The decay of the membrane potential in a time step, e^(-dt/τ)."""
        return decay(self.tau, self.dt)

    def init(self, shape: Shape, dtype: Any = None) -> LeakyIntegratorState:
        """The state at rest, v = 0, for inputs of a shape `(*batch, neurons)`.

        Raises:
            ValueError: a parameter does not broadcast to the shape.
        """
        return LeakyIntegratorState(at_rest(self, shape, dtype))

    def __call__(self, state: LeakyIntegratorState, current: Numbers) -> tuple[LeakyIntegratorState, Voltage]:
        """One time step: the new state, and the membrane potential.

        Raises:
            TypeError: the state is not one that `init` makes.
            ValueError: state, current and parameters differ in shape.
        """
        current = admitted(self, state, LeakyIntegratorState, current)
        v = decayed(state.v, self.tau, self.dt) + current
        return LeakyIntegratorState(v), v

    def observables(
        self, before: LeakyIntegratorState, x: Numbers, after: LeakyIntegratorState, output: Array
    ) -> dict[str, Array]:
        """What can be recorded of a time step: `v`, the membrane potential."""
        return {"v": after.v}


class LIFState(NamedTuple):
    """State of LIF neurons: the membrane potential after the reset, and time steps left of the refractory period."""

    v: Voltage
    refractory: Refractory | None = None

    __getattr__ = missing_attribute


@takes_beta
class LIF(ThresholdCell):
    """Leaky integrate-and-fire neurons, v ← e^(-dt/τ) v + I; they spike where v >= θ, and are reset after that.

    The input I is added as it is, as in snnTorch; SpikingJelly and Norse multiply it by dt/τ. The surrogate gets the
    dimensionless x = (v - θ)/θ. In each of the `refractory` time steps after a spike the membrane potential stays
    where the reset left it, and the input has no effect. Backpropagation through time stores one number for each
    neuron and time step for a reset by subtraction, three for a reset to zero, two if that is detached.

    Parameters:
        surrogate: the spike function: a surrogate, or any function of x that spikes.
        tau: time constant τ in units of `dt`, > 0, infinite for no leak; one number, or one for each neuron.
        threshold: membrane potential θ of a spike, > 0; one number, or one for each neuron.
        reset: `"subtract"` subtracts the threshold, v ← v - θ; `"zero"` sets v ← 0.
        detach_reset: whether the reset is a constant for the derivative.
        refractory: length of the refractory period in time steps, an integer >= 0.
        dt: length of a time step, > 0.
        beta: decay of a time step, above 0 to 1, in place of `tau`.

    Example:
        >>> import jax.numpy as jnp
        >>> from surgrad import nn
        >>> lif = nn.LIF(beta=0.9)
        >>> state, spikes = lif(lif.init((3,)), jnp.array([0.5, 1.0, 1.5]))
        >>> spikes.tolist(), state.v.tolist()
        ([0.0, 1.0, 1.0], [0.5, 0.0, 0.5])
    """

    spiking = linear_response = True

    @property
    def elementwise(self) -> bool:
        """Whether its spike function is."""
        return of_single_neurons(self.surrogate)

    def init(self, shape: Shape, dtype: Any = None) -> LIFState:
        """The state at rest, v = 0 and not refractory, for inputs of a shape `(*batch, neurons)`.

        Raises:
            ValueError: a parameter does not broadcast to the shape.
        """
        v = at_rest(self, shape, dtype)
        return LIFState(v, self._ready(v))

    def __call__(self, state: LIFState, current: Numbers) -> tuple[LIFState, Spikes]:
        """One time step: the state after the reset, and the spikes.

        Raises:
            TypeError: the state is not one that `init` makes.
            ValueError: state, current and parameters differ in shape.
        """
        x, current = current, self._admitted(state, LIFState, current)
        v, refractory, spikes = self._integrate(state, current, like(current, self.threshold))
        return LIFState(v, refractory), returned(spikes, x)

    def observables(self, before: LIFState, x: Numbers, after: LIFState, output: Array) -> dict[str, Array]:
        """What can be recorded of a time step: `v`, `v_before_reset`, and `refractory` if there is such a period."""
        return self._membranes(before, x, after)


class CuBaLIFState(NamedTuple):
    """State of CuBaLIF neurons: that of LIF neurons, and the synaptic current."""

    v: Voltage
    current: Current
    refractory: Refractory | None = None

    __getattr__ = missing_attribute


@takes_beta
class CuBaLIF(ThresholdCell):
    """Current-based LIF neurons, i ← e^(-dt/τ_syn) i + I, then v ← e^(-dt/τ) v + i with the new synaptic current i.

    Reset and refractory period concern the membrane potential; the synaptic current flows on. snnTorch calls these
    neurons `Synaptic`, with alpha = e^(-dt/τ_syn).

    Parameters:
        surrogate, tau, threshold, reset, detach_reset, refractory, dt, beta: as those of `LIF`.
        tau_syn: time constant τ_syn of the synaptic current in units of `dt`, > 0; one number, or one for each neuron.
    """

    spiking = linear_response = True

    @property
    def elementwise(self) -> bool:
        """Whether its spike function is."""
        return of_single_neurons(self.surrogate)

    tau_syn: Parameter = parameter(default=5.0, above=0, finite=False, unit="of dt")

    def init(self, shape: Shape, dtype: Any = None) -> CuBaLIFState:
        """The state at rest, v = 0 and i = 0, for inputs of a shape `(*batch, neurons)`. Raises as `LIF.init`."""
        v = at_rest(self, shape, dtype)
        return CuBaLIFState(v, jnp.zeros_like(v), self._ready(v))

    def __call__(self, state: CuBaLIFState, current: Numbers) -> tuple[CuBaLIFState, Spikes]:
        """One time step: the state after the reset, and the spikes. Raises as `LIF` does."""
        x, current = current, self._admitted(state, CuBaLIFState, current)
        current = decayed(state.current, self.tau_syn, self.dt) + current
        v, refractory, spikes = self._integrate(state, current, like(current, self.threshold))
        return CuBaLIFState(v, current, refractory), returned(spikes, x)

    def observables(self, before: CuBaLIFState, x: Numbers, after: CuBaLIFState, output: Array) -> dict[str, Array]:
        """What can be recorded of a time step: that of `LIF`, and `current`, the synaptic one."""
        return self._membranes(before, after.current, after) | {"current": after.current}


class ALIFState(NamedTuple):
    """State of ALIF neurons: that of LIF neurons, and the adaptation."""

    v: Voltage
    adaptation: Voltage
    refractory: Refractory | None = None

    __getattr__ = missing_attribute


class ALIF(ThresholdCell):
    """LIF neurons with an adaptive threshold: they spike where v >= θ + b a, then a ← e^(-dt/τ_a) a + s.

    A spike s raises the threshold from the next time step on, and a reset by subtraction subtracts the baseline θ, as
    in Bellec et al. (2020), A solution to the learning dilemma for recurrent networks of spiking neurons. (Bellec et
    al. (2018), Long short-term memory and learning-to-learn in networks of spiking neurons, subtracts θ + b a, and a
    spike adds 1 - e^(-dt/τ_a) to a.) The surrogate gets x = (v - θ - b a)/θ. A detached reset leaves the adaptation in
    the derivative; during the refractory period the adaptation decays on.

    Parameters:
        surrogate, tau, threshold, reset, detach_reset, refractory, dt: as those of `LIF`.
        tau_adaptation: time constant τ_a of the adaptation in units of `dt`, > 0; one number, or one for each neuron.
        adaptation_strength: rise b of the threshold by a spike, in units of v; one number, or one for each neuron.
            Bellec et al. call it β, which is the decay of the membrane potential elsewhere here.
    """

    spiking = linear_response = True

    @property
    def elementwise(self) -> bool:
        """Whether its spike function is."""
        return of_single_neurons(self.surrogate)

    tau_adaptation: Parameter = parameter(default=100.0, above=0, finite=False, unit="of dt")
    adaptation_strength: Parameter = parameter(default=0.1)

    def init(self, shape: Shape, dtype: Any = None) -> ALIFState:
        """The state at rest, v = 0 and a = 0, for inputs of a shape `(*batch, neurons)`. Raises as `LIF.init`."""
        v = at_rest(self, shape, dtype)
        return ALIFState(v, jnp.zeros_like(v), self._ready(v))

    def __call__(self, state: ALIFState, current: Numbers) -> tuple[ALIFState, Spikes]:
        """One time step: the state after the reset, and the spikes. Raises as `LIF` does."""
        x, current = current, self._admitted(state, ALIFState, current)
        threshold = like(current, self.threshold) + like(current, self.adaptation_strength) * state.adaptation
        v, refractory, spikes = self._integrate(state, current, threshold)
        adaptation = decayed(state.adaptation, self.tau_adaptation, self.dt) + spikes
        return ALIFState(v, adaptation, refractory), returned(spikes, x)

    def observables(self, before: ALIFState, x: Numbers, after: ALIFState, output: Array) -> dict[str, Array]:
        """What can be recorded of a time step: that of `LIF`, and `adaptation`."""
        return self._membranes(before, x, after) | {"adaptation": after.adaptation}
