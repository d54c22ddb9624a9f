"""Cells: one step of a population of neurons, `(state, input) -> (state, output)`, as `lax.scan` wants it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._pytree import Pytree, static
from surgrad._types import Membrane, Parameter, Spikes

Voltage = Float[Array, "*shape"]
Current = Float[Array, "*shape"]

RESETS = ("subtract", "zero")


class LI(Pytree):
    """Leaky integrators, v ← e^(-1/τ) v + I; the output is the voltage.

    Parameters:
        tau: time constant, in steps, > 0, infinite without leak; one value, or one a neuron (the last axis).
    """

    tau: Parameter = 10.0

    def __post_init__(self) -> None:
        _require_positive(self, "tau")

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> Voltage:
        """The resting state: zero voltage of a shape, `(*batch, neurons)`."""
        return jnp.zeros(shape, dtype)

    def __call__(self, voltage: Voltage, current: Current) -> tuple[Voltage, Voltage]:
        """One step: the new voltage, twice.

        Raises:
            ValueError: voltage, current and parameters differ in shape.
        """
        _require_fit(self, voltage, current)
        voltage = _decay(self.tau) * voltage + current
        return voltage, voltage


class LIF(Pytree):
    """Leaky integrate-and-fire neurons, v ← e^(-1/τ) v + I, that spike where v >= θ and are reset after that.

    The surrogate gets x = (v - θ)/θ, which has no dimension. The state is the voltage after the reset.

    Parameters:
        spike: the surrogate, or any function of x that spikes.
        tau: time constant, in steps, > 0, infinite without leak; one value, or one a neuron (the last axis).
        threshold: voltage θ of a spike, > 0; one value, or one a neuron.
        reset: `"subtract"` takes the threshold off, v ← v - θ; `"zero"` starts again from rest, v ← 0.
        reset_detached: whether the reset is a constant for the derivative.
    """

    spike: Callable[[Membrane], Spikes]
    tau: Parameter = 10.0
    threshold: Parameter = 1.0
    reset: str = static(default="subtract", kw_only=True)
    reset_detached: bool = static(default=False, kw_only=True)

    def __post_init__(self) -> None:
        _require_positive(self, "tau")
        _require_positive(self, "threshold")
        if self.reset not in RESETS:
            raise ValueError(f"LIF: reset must be one of {', '.join(map(repr, RESETS))}, got {self.reset!r}.")

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> Voltage:
        """The resting state: zero voltage of a shape, `(*batch, neurons)`."""
        return jnp.zeros(shape, dtype)

    def __call__(self, voltage: Voltage, current: Current) -> tuple[Voltage, Spikes]:
        """One step: the voltage after the reset, and the spikes.

        Raises:
            ValueError: voltage, current and parameters differ in shape.
        """
        _require_fit(self, voltage, current)
        voltage = _decay(self.tau) * voltage + current
        spikes = self.spike((voltage - self.threshold) / self.threshold)
        fired = jax.lax.stop_gradient(spikes) if self.reset_detached else spikes
        lost = self.threshold if self.reset == "subtract" else voltage
        return voltage - fired * lost, spikes


def _decay(tau: Parameter) -> Parameter:
    return jnp.exp(-1 / tau)


def _require_positive(cell: Pytree, name: str) -> None:
    """Refuse Python and NumPy numbers that are not positive; a device is not read."""
    value = getattr(cell, name)
    if isinstance(value, (float, np.ndarray, np.generic)) and not np.all(np.asarray(value) > 0):
        raise ValueError(f"{type(cell).__name__}: {name} must be > 0, got {value}.")


def _require_fit(cell: Any, voltage: Voltage, current: Current) -> None:
    kind, shape = type(cell).__name__, jnp.shape(voltage)
    if jnp.shape(current) != shape:
        raise ValueError(
            f"{kind}: the input of a step has shape {jnp.shape(current)} and the state {shape}; they must be equal, "
            f"start from cell.init({jnp.shape(current)})."
        )
    for name in ("tau", "threshold"):
        given = jnp.shape(getattr(cell, name, 0.0))
        if len(given) > len(shape) or any(n not in (1, m) for n, m in zip(given[::-1], shape[::-1], strict=False)):
            raise ValueError(
                f"{kind}: {name} of shape {given} does not broadcast to the state of shape {shape}; "
                f"give one value, or one a neuron (the last axis)."
            )
