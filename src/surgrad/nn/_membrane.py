"""Leak, spike, reset and refractory period: what the cells of the LIF family share."""

from __future__ import annotations

import dataclasses
import functools
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from surgrad._dtypes import like, wide
from surgrad._fields import check_field, is_real, parameter
from surgrad._pytree import Pytree, static
from surgrad._surrogate import Surrogate
from surgrad._types import Membrane, Numbers, Parameter, Shape, Spikes
from surgrad.forward._exact import mode_of
from surgrad.forward._mode import keeps
from surgrad.nn._checks import check_broadcast, check_membranes, check_state, entered, sizes
from surgrad.nn._contract import Cell, flag, spike_function

Voltage = Float[Array, "*shape"]
Current = Float[Array, "*shape"]
Refractory = Int[Array, "*shape"]

C = TypeVar("C")

SHORTEST = 1e-3
"""In time steps: a time constant so short that nothing is left after one step, e^(-1000), in float64 either."""


class ThresholdCell(Cell):
    """Base of the LIF family: threshold, reset and refractory period, as `LIF` documents them."""

    surrogate: Callable[[Membrane], Spikes] = spike_function()
    tau: Parameter = parameter(default=10.0, above=0, finite=False, unit="of dt")
    threshold: Parameter = parameter(default=1.0, above=0)
    reset: str = static(default="subtract", kw_only=True, choices=("subtract", "zero"))
    detach_reset: bool = flag(default=False)
    refractory: int = static(default=0, kw_only=True, whole=0)
    dt: float = static(default=1.0, kw_only=True, above=0)

    @property
    def beta(self) -> Array:
        """The decay of the membrane potential in a time step, e^(-dt/τ)."""
        return decay(self.tau, self.dt)

    def _ready(self, voltage: Voltage) -> Refractory | None:
        """No time steps of refractory period left; None where there is no refractory period."""
        return jnp.zeros(voltage.shape, jnp.int32) if self.refractory else None

    def _admitted(self, state: Any, kind: type, current: Any) -> Current:
        """The input of a step, as `admitted` gives it; the state must be of this cell's refractory period.

        Raises:
            TypeError, ValueError: state or input do not fit.
        """
        current = admitted(self, state, kind, current)
        if (state.refractory is None) == bool(self.refractory):
            name = type(self).__name__
            raise ValueError(f"{name}: the state was made for another refractory period; start from this cell's init.")
        return current

    def _integrate(self, state: Any, current: Current, threshold: Array) -> tuple[Voltage, Refractory | None, Spikes]:
        """The voltage after the reset, the steps left of the refractory period, and the spikes."""
        ready = self._may_spike(state)
        voltage = self._charged(state, current, ready)
        if ready is None:
            spikes = self._fire(voltage, threshold)
            return self._fall(voltage, spikes), None, spikes
        spikes = jnp.where(ready, self._fire(voltage, threshold), 0)
        left = jnp.where(spiked(self.surrogate, spikes), self.refractory, jnp.maximum(state.refractory - 1, 0))
        return self._fall(voltage, spikes), left, spikes

    def _may_spike(self, state: Any) -> Array | None:
        """Whether neurons are not in their refractory period; None if there is no such period."""
        return state.refractory == 0 if self.refractory else None

    def _charged(self, state: Any, current: Current, ready: Array | None) -> Voltage:
        """The voltage before the reset."""
        voltage = decayed(state.v, self.tau, self.dt) + current
        return voltage if ready is None else jnp.where(ready, voltage, state.v)

    def _membranes(self, before: Any, current: Numbers, after: Any) -> dict[str, Array]:
        """What all of the family can be recorded of, from the states and the current into the membrane."""
        current = jnp.asarray(current).astype(after.v.dtype)
        refractory = {"refractory": after.refractory} if self.refractory else {}
        return {"v": after.v, "v_before_reset": self._charged(before, current, self._may_spike(before)), **refractory}

    def _fire(self, voltage: Voltage, threshold: Array) -> Spikes:
        return fire(self.surrogate, (voltage - threshold) / like(voltage, self.threshold))

    def _fall(self, voltage: Voltage, spikes: Spikes) -> Voltage:
        if self.reset == "subtract":
            return voltage - jumps(self, spikes) * like(voltage, self.threshold)
        return voltage - jumps(self, events(self.surrogate, spikes)) * voltage


def decay(tau: Parameter, dt: Parameter) -> Array:
    """The factor e^(-dt/τ) of a leak in one time step."""
    tau = jnp.asarray(tau)
    # In float16 the τ² of the derivative overflows from 256 on.
    tau = tau.astype(wide(tau.dtype))
    steps = tau / jnp.asarray(dt).astype(tau.dtype)
    if isinstance(steps, Tracer):  # else there is no derivative, which would be 0 · ∞ for the smallest τ
        steps = jnp.maximum(steps, SHORTEST)
    return jnp.exp(-1 / steps)


def decayed(value: Voltage, tau: Parameter, dt: Parameter) -> Voltage:
    """What a leak leaves of a value after one time step, e^(-dt/τ) v."""
    return like(value, decay(tau, dt)) * value


def takes_beta(cls: type[C]) -> type[C]:
    """Let the constructor of a cell take `beta`, the decay of a time step, in place of `tau`."""
    init: Callable[..., None] = cls.__init__  # type: ignore[misc]
    before = [field.name for field in dataclasses.fields(cls)].index("tau")  # type: ignore[arg-type]

    @functools.wraps(init)
    def wrapped(self: Any, *given: Any, beta: Any = None, **named: Any) -> None:
        if before and given and is_real(given[0]):
            raise TypeError(_number_first(type(self).__name__, given[0]))
        if beta is not None:
            kind = type(self).__name__
            if len(given) > before or named.keys() & {"tau", "dt"}:
                raise TypeError(_one_of_two(kind))
            named["tau"] = tau_of(kind, beta)
        elif len(given) > before and isinstance(given[before], float) and given[before] < 1:
            _warn_of_a_decay(type(self).__name__, given[before])
        init(self, *given, **named)

    def in_attributes(self: Any, changes: dict[str, Any]) -> dict[str, Any]:
        if "beta" not in changes:
            return changes
        if changes.keys() & {"tau", "dt"}:
            raise TypeError(_one_of_two(type(self).__name__))
        steps = tau_of(type(self).__name__, changes["beta"])
        return {n: v for n, v in changes.items() if n != "beta"} | {"tau": steps * self.dt}

    wrapped.further_keywords = ("beta",)  # type: ignore[attr-defined]
    cls.__init__ = wrapped  # type: ignore[misc]
    cls._in_attributes = in_attributes  # type: ignore[attr-defined]
    return cls


def _number_first(owner: str, number: Any) -> str:
    """The message for a number in the place of the surrogate, where others have the decay or the time constant."""
    one = isinstance(number, (int, float))
    decay, tau = (f"beta={number}", f"tau={number}") if one else ("beta=...", "tau=...")
    meant = f"write {decay} for the decay" if not one or number < 1 else f"write {tau} for the time constant"
    return f"{owner}: the first argument is the surrogate, got {number!r}; {meant}."


def _one_of_two(owner: str) -> str:
    return f"{owner}: beta = e^(-dt/tau) is the decay of a step; give either beta, or tau and dt."


def _warn_of_a_decay(owner: str, tau: float) -> None:
    """Warn of a number that stands where the time constant does, and looks like a decay."""
    warnings.warn(
        f"{owner}: tau={tau} is less than a time step, which makes the decay {np.exp(-1 / tau):.2g}. If {tau} is the "
        f"decay, write beta={tau}; if it is the time constant, write tau={tau}.",
        stacklevel=3,
    )


def tau_of(owner: str, beta: Parameter) -> Parameter:
    """The time constant, in time steps, of a decay from above 0 to 1, τ = -1/ln β.

    Raises:
        ValueError: the decay is out of its range.
    """
    check_field(owner, "beta, the decay of a time step,", beta, {"above": 0, "at_most": 1})
    if not isinstance(beta, (int, float, np.ndarray, np.generic)):
        return 1 / jnp.abs(jnp.log(beta))
    with np.errstate(divide="ignore"):
        tau = 1 / np.abs(np.log(beta))
    return float(tau) if np.ndim(tau) == 0 else tau


def fire(spike: Callable[[Membrane], Spikes], x: Membrane) -> Spikes:
    """Spikes in the dtype of x, also where a function of the user's own compares and answers with booleans."""
    return jnp.asarray(spike(x)).astype(x.dtype)


def of_single_neurons(spike: Any) -> bool:
    """Whether a spike function promises that a neuron's spike depends on its own x alone.

    A function that is no surrogate is taken to: the contract of cells asks for it.
    """
    return not isinstance(spike, Surrogate) or (spike.elementwise and keeps(mode_of(spike), "elementwise"))


def events(spike: Any, spikes: Spikes) -> Spikes:
    """Whether there are spikes, 0 or 1, where the forward mode of a spike function counts them; else the spikes.

    The derivative by x of one event is that of one spike: n spikes are n times as many, and a spike of -1 counts -1.
    """
    if not isinstance(spike, Surrogate) or not keeps(mode_of(spike), "counts"):
        return spikes
    counted = jax.lax.stop_gradient(spikes)
    return spikes / jnp.where(counted == 0, 1, counted)


def spiked(spike: Any, spikes: Spikes) -> Array:
    """Whether there is a spike of either sign; of a number between 0 and 1, from one half on."""
    counted = isinstance(spike, Surrogate) and keeps(mode_of(spike), "counts")
    return (jnp.abs(spikes) if counted else spikes) >= 0.5


def jumps(cell: Any, spikes: Spikes) -> Spikes:
    """The spikes as the reset of a cell sees them: constants where it is detached."""
    return jax.lax.stop_gradient(spikes) if cell.detach_reset else spikes


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
    check_state(cell, state, kind, current)
    check_membranes(cell, state)
    current = entered(cell, jnp.asarray(state.v), current)
    check_broadcast(cell, current.shape)
    return current
