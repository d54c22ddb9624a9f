"""What cells share: leak, spike, reset and refractory period."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from surgrad._fields import parameter
from surgrad._pytree import Pytree, static
from surgrad._types import Membrane, Parameter, Shape, Spikes
from surgrad.nn._checks import check_broadcast, check_membranes, check_state, entered, sizes
from surgrad.nn._contract import Cell, flag, spike_function
from surgrad.nn._dtypes import like, wide

Voltage = Float[Array, "*shape"]
Current = Float[Array, "*shape"]
Waiting = Int[Array, "*shape"]

SHORTEST = 1e-3
"""Steps: a time constant so short that nothing is left after one, e^(-1000), in float64 either."""


class ThresholdCell(Cell):
    """Threshold, reset and refractory period of the LIF family, as `LIF` documents them."""

    spike: Callable[[Membrane], Spikes] = spike_function()
    tau: Parameter = parameter(default=10.0, above=0, finite=False, unit="steps")
    threshold: Parameter = parameter(default=1.0, above=0)
    reset: str = static(default="subtract", kw_only=True, choices=("subtract", "zero"))
    reset_detached: bool = flag(default=False)
    refractory: int = static(default=0, kw_only=True, whole=0)

    def _check_waiting(self, waiting: Waiting | None) -> None:
        """Refuse a state that was made for a cell with, or without, a refractory period."""
        if (waiting is not None) != bool(self.refractory):
            raise ValueError(
                f"{type(self).__name__}: the state was made for another refractory period; start from this cell's init."
            )

    def _ready(self, voltage: Voltage) -> Waiting | None:
        """No steps of waiting; nothing at all where there is no refractory period."""
        return jnp.zeros(voltage.shape, jnp.int32) if self.refractory else None

    def _integrate(self, state: Any, current: Current, threshold: Array) -> tuple[Voltage, Waiting | None, Spikes]:
        """The voltage after the reset, the steps left of the refractory period, and the spikes."""
        self._check_waiting(state.waiting)
        voltage = decayed(state.voltage, self.tau) + current
        if not self.refractory:
            spikes = self._fire(voltage, threshold)
            return self._fall(voltage, spikes), None, spikes
        ready = state.waiting == 0
        voltage = jnp.where(ready, voltage, state.voltage)
        spikes = jnp.where(ready, self._fire(voltage, threshold), 0)
        # A smoothed spike has no steps to count from; it counts from one half on.
        waiting = jnp.where(spikes >= 0.5, self.refractory, jnp.maximum(state.waiting - 1, 0))
        return self._fall(voltage, spikes), waiting, spikes

    def _fire(self, voltage: Voltage, threshold: Array) -> Spikes:
        return fire(self.spike, (voltage - threshold) / like(voltage, self.threshold))

    def _fall(self, voltage: Voltage, spikes: Spikes) -> Voltage:
        lost = like(voltage, self.threshold) if self.reset == "subtract" else voltage
        return voltage - jumps(self, spikes) * lost


def decayed(voltage: Voltage, tau: Parameter) -> Voltage:
    """What a leak of time constant tau leaves of a voltage after one step, e^(-1/τ) v."""
    tau = jnp.asarray(tau)
    # In float16 the τ² of the derivative overflows from 256 on.
    tau = tau.astype(wide(tau.dtype))
    if isinstance(tau, Tracer):  # else there is no derivative, which would be 0 · ∞ for the tiniest τ
        tau = jnp.maximum(tau, SHORTEST)
    return like(voltage, jnp.exp(-1 / tau)) * voltage


def fire(spike: Callable[[Membrane], Spikes], x: Membrane) -> Spikes:
    """Spikes in the dtype of x, also where a function of the user's own compares and answers with booleans."""
    return jnp.asarray(spike(x)).astype(x.dtype)


def jumps(cell: Any, spikes: Spikes) -> Spikes:
    """The spikes as the reset of a cell sees them: constants where it is detached."""
    return jax.lax.stop_gradient(spikes) if cell.reset_detached else spikes


def at_rest(cell: Pytree, shape: Shape, dtype: Any, value: Parameter = 0.0) -> Voltage:
    """A voltage of a shape, `(*batch, neurons)`, in the wide type for inputs of a type.

    Raises:
        ValueError: a parameter does not broadcast to the shape.
    """
    voltage = jnp.zeros(sizes(shape), wide(dtype))
    check_broadcast(cell, voltage.shape)
    return voltage + like(voltage, value)


def admitted(cell: Pytree, state: Any, kind: type, current: Any) -> Current:
    """The input of a step, in the type of the voltage, which rules.

    Raises:
        TypeError: the state is not what the cell's `init` makes, or the input is complex.
        ValueError: state, input and parameters differ in shape.
    """
    check_state(cell, state, kind)
    check_membranes(cell, state)
    current = entered(cell, jnp.asarray(state.voltage), current)
    check_broadcast(cell, current.shape)
    return current
