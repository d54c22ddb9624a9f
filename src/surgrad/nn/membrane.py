"""What cells share: leak, spike, reset and refractory period."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from surgrad._pytree import Pytree, static
from surgrad._types import Membrane, Parameter, Spikes
from surgrad.nn.admission import (
    floating,
    require_broadcast,
    require_parameters,
    require_positive,
    require_real_input,
    require_same,
    require_state,
)

Voltage = Float[Array, "*shape"]
Current = Float[Array, "*shape"]
Waiting = Int[Array, "*shape"]

RESETS = ("subtract", "zero")

SHORTEST = 1e-3
"""Steps: a time constant so short that nothing is left after one, e^(-1000), in float64 either."""


class ThresholdCell(Pytree):
    """Threshold, reset and refractory period of the LIF family, as `LIF` documents them."""

    spike: Callable[[Membrane], Spikes]
    tau: Parameter = 10.0
    threshold: Parameter = 1.0
    reset: str = static(default="subtract", kw_only=True)
    reset_detached: bool = static(default=False, kw_only=True)
    refractory: int = static(default=0, kw_only=True)

    def __post_init__(self) -> None:
        require_positive(self, "tau", "threshold")
        require_parameters(self)
        kind, steps = type(self).__name__, self.refractory
        if self.reset not in RESETS:
            raise ValueError(f"{kind}: reset must be one of {', '.join(map(repr, RESETS))}, got {self.reset!r}.")
        if isinstance(steps, bool) or not isinstance(steps, (int, np.integer)) or steps < 0:
            raise ValueError(f"{kind}: refractory must be a whole number of steps, >= 0, got {steps!r}.")

    def _ready(self, voltage: Voltage) -> Waiting | None:
        """No steps of waiting; nothing at all where there is no refractory period."""
        return jnp.zeros(voltage.shape, jnp.int32) if self.refractory else None

    def _integrate(self, state: Any, current: Current, threshold: Voltage) -> tuple[Voltage, Waiting | None, Spikes]:
        """The voltage after the reset, the steps left of the refractory period, and the spikes."""
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

    def _fire(self, voltage: Voltage, threshold: Voltage) -> Spikes:
        return fire(self.spike, (voltage - threshold) / like(voltage, self.threshold))

    def _fall(self, voltage: Voltage, spikes: Spikes) -> Voltage:
        lost = like(voltage, self.threshold) if self.reset == "subtract" else voltage
        return voltage - jumps(self, spikes) * lost


def like(voltage: Voltage, parameter: Parameter) -> Voltage:
    """A parameter in the dtype of the voltage, which rules: a scan cannot change it."""
    return jnp.asarray(parameter).astype(voltage.dtype)


def decayed(voltage: Voltage, tau: Parameter) -> Voltage:
    """What a leak of time constant tau leaves of a voltage after one step, e^(-1/τ) v."""
    tau = jnp.asarray(tau)
    # In float16 the τ² of the derivative overflows from 256 on.
    tau = tau.astype(jnp.promote_types(tau.dtype, jnp.float32))
    if isinstance(tau, Tracer):  # else there is no derivative, which would be 0 · ∞ for the tiniest τ
        tau = jnp.maximum(tau, SHORTEST)
    return like(voltage, jnp.exp(-1 / tau)) * voltage


def fire(spike: Callable[[Membrane], Spikes], x: Membrane) -> Spikes:
    """Spikes in the dtype of x, also where a function of the user's own compares and answers with booleans."""
    return jnp.asarray(spike(x)).astype(x.dtype)


def jumps(cell: Any, spikes: Spikes) -> Spikes:
    """The spikes as the reset of a cell sees them: constants where it is detached."""
    return jax.lax.stop_gradient(spikes) if cell.reset_detached else spikes


def at_rest(cell: Pytree, shape: tuple[int, ...], dtype: Any, value: Parameter = 0.0) -> Voltage:
    """A voltage of a shape, `(*batch, neurons)`, in a floating type, see `floating`.

    Raises:
        ValueError: a parameter does not broadcast to the shape.
    """
    voltage = jnp.zeros(shape, floating(dtype))
    require_broadcast(cell, voltage.shape)
    return voltage + like(voltage, value)


def admitted(cell: Pytree, state: Any, kind: type, current: Any) -> Current:
    """The input of a step, in the dtype of the state.

    Raises:
        TypeError: the state is not what the cell's `init` makes, or the input is complex.
        ValueError: state, input and parameters differ in shape.
    """
    require_state(cell, state, kind)
    name, current = type(cell).__name__, jnp.asarray(current)
    dtype, shape = jnp.result_type(state.voltage), jnp.shape(state.voltage)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"{name}: the voltage must be floating, got {dtype}; start from init(shape, dtype).")
    for part, value in zip(state._fields, state, strict=True):
        if value is not None and jnp.shape(value) != shape:
            raise ValueError(f"{name}: the voltage has shape {shape} and the {part} {jnp.shape(value)}; use init.")
    if (getattr(state, "waiting", None) is not None) != bool(getattr(cell, "refractory", 0)):
        raise ValueError(f"{name}: the state was made for another refractory period; start from this cell's init.")
    require_real_input(cell, current)
    require_same(cell, shape, current.shape)
    require_broadcast(cell, shape)
    return current.astype(dtype)
