"""Readouts: cells that sum up what came in so far, so that the last output stands for the whole sequence.

With `unroll(..., keep="last")` no output is stacked over time.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._pytree import Pytree

Moment = Float[Array, "*batch neurons"]


class Running(NamedTuple):
    """A value, and the number of steps that it was made of."""

    value: Moment
    steps: Float[Array, ""]


class Rate(Pytree):
    """The mean of the inputs so far: spikes in, spikes per step out."""

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> Running:
        """No steps."""
        return Running(jnp.zeros(shape, dtype), jnp.zeros((), dtype))

    def __call__(self, state: Running, x: Moment) -> tuple[Running, Moment]:
        """One step: sum and number of steps, and the mean."""
        _require_same(self, state.value, x)
        total, steps = state.value + x, state.steps + 1
        return Running(total, steps), total / steps

    def over_time(self, state: Running, inputs: Float[Array, "time *batch neurons"]) -> tuple[Running, Array]:
        """Many steps at once."""
        _require_same(self, state.value, inputs[0] if len(inputs) else state.value)
        totals = state.value + jnp.cumsum(inputs, axis=0)
        steps = state.steps + jnp.arange(1, len(inputs) + 1, dtype=state.steps.dtype)
        last = Running(state.value + inputs.sum(axis=0), state.steps + len(inputs))
        return last, totals / steps.reshape(-1, *(1,) * (inputs.ndim - 1))


class Peak(Pytree):
    """The largest input so far: the peak of a membrane voltage. Its gradient goes to the step of the peak."""

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> Moment:
        """Minus infinity."""
        return jnp.full(shape, -jnp.inf, dtype)

    def __call__(self, state: Moment, x: Moment) -> tuple[Moment, Moment]:
        """One step: the peak, twice."""
        _require_same(self, state, x)
        # A comparison, as the maximum would share the gradient among equal values; NaN stays NaN.
        peak = jnp.where(state >= x, state, x)
        return peak, peak


class Last(Pytree):
    """The latest input: the voltage at the end."""

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> None:
        """Nothing."""

    def __call__(self, state: None, x: Moment) -> tuple[None, Moment]:
        """One step: the input."""
        return None, x

    def over_time(self, state: None, inputs: Array) -> tuple[None, Array]:
        """Many steps: the inputs."""
        return None, inputs


class FirstSpike(Pytree):
    """The step of the first spike, from 0, of each neuron; the number of steps so far where there was none.

    It is the number of steps before the first spike: Σ Π (1 - s) over the steps, which is also what its derivative is
    that of. A spike moves it only while there was none before.
    """

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> tuple[Moment, Moment]:
        """No steps, and no spikes."""
        return jnp.zeros(shape, dtype), jnp.ones(shape, dtype)

    def __call__(self, state: tuple[Moment, Moment], spikes: Moment) -> tuple[tuple[Moment, Moment], Moment]:
        """One step: the steps waited, and whether a neuron still waits; the steps waited."""
        _require_same(self, state[0], spikes)
        waited, waits = state
        waits = waits * (1 - spikes)
        waited = waited + waits
        return (waited, waits), waited


def _require_same(readout: Pytree, state: Moment, x: Any) -> None:
    if jnp.shape(x) != jnp.shape(state):
        raise ValueError(
            f"{type(readout).__name__}: the input of a step has shape {jnp.shape(x)} and the state "
            f"{jnp.shape(state)}; they must be equal."
        )
