"""Readouts: cells that sum up what came in so far, so that the last output stands for the whole sequence.

With `unroll(..., keep="last")` no output is stacked over time. States and outputs are float32 at least.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from surgrad._types import Numbers, Shape
from surgrad.nn.checks import check_state, entered
from surgrad.nn.contract import Cell
from surgrad.nn.dtypes import wide

Moment = Float[Array, "*shape"]


class Running(NamedTuple):
    """The sum of the inputs, and the number of steps."""

    total: Moment
    steps: Int[Array, ""]


class Rate(Cell):
    """The mean of the inputs so far: spikes in, spikes per step out."""

    spiking = False
    elementwise = True

    def init(self, shape: Shape, dtype: Any = None) -> Running:
        """No steps."""
        return Running(jnp.zeros(shape, wide(dtype)), jnp.zeros((), int))

    def __call__(self, state: Running, x: Numbers) -> tuple[Running, Moment]:
        """One step: sum and number of steps, and the mean.

        Raises:
            TypeError: the state is not what `init` makes, or the input is complex.
            ValueError: the input differs from the state in shape.
        """
        check_state(self, state, Running)
        total, steps = state.total + entered(self, state.total, x), state.steps + 1
        return Running(total, steps), total / steps.astype(total.dtype)


class Highest(NamedTuple):
    """The largest input so far, and whether there was any."""

    value: Moment
    begun: Bool[Array, ""]


class Peak(Cell):
    """The largest input so far: the peak of a membrane potential. Its derivative is that of the earliest peak alone."""

    spiking = False
    elementwise = True

    def init(self, shape: Shape, dtype: Any = None) -> Highest:
        """No input yet. Zeros stand for it, as minus infinity would look like an error to `jax.debug_infs`."""
        return Highest(jnp.zeros(shape, wide(dtype)), jnp.zeros((), bool))

    def __call__(self, state: Highest, x: Numbers) -> tuple[Highest, Moment]:
        """One step: the state, and the largest input so far. NaN stays.

        Raises:
            TypeError: the state is not what `init` makes, or the input is complex.
            ValueError: the input differs from the state in shape.
        """
        check_state(self, state, Highest)
        x = entered(self, state.value, x)
        # A comparison, as the maximum would share the derivative among equal values.
        stays = state.begun & ((state.value >= x) | jnp.isnan(state.value))
        peak = jnp.where(stays, state.value, x)
        return Highest(peak, state.begun | True), peak


class Last(Cell):
    """The latest input: the voltage at the end."""

    spiking = False
    elementwise = relays = True

    def init(self, shape: Shape, dtype: Any = None) -> None:
        """Nothing."""

    def __call__(self, state: None, x: Numbers) -> tuple[None, Any]:
        """One step: the input."""
        return None, x

    def over_time(self, state: None, inputs: Numbers) -> tuple[None, Any]:
        """Many steps: the inputs."""
        return None, inputs


class Wait(NamedTuple):
    """The steps before the first spike, and one for every neuron that still waits for it, zero for the others."""

    steps: Moment
    waits: Moment


class FirstSpike(Cell):
    """The step of the first spike, from 0, of each neuron; the number of steps so far where there was none.

    It is the number of steps before the first spike, Σ_t Π_{u <= t} (1 - s[u]), whose derivative it has: a spike moves
    it only where there was none before.
    """

    spiking = False
    elementwise = True

    def init(self, shape: Shape, dtype: Any = None) -> Wait:
        """No steps, and no spikes."""
        return Wait(jnp.zeros(shape, wide(dtype)), jnp.ones(shape, wide(dtype)))

    def __call__(self, state: Wait, spikes: Numbers) -> tuple[Wait, Moment]:
        """One step: the steps waited and who still waits, and the steps waited.

        Raises:
            TypeError, ValueError: as `Rate`.
        """
        check_state(self, state, Wait)
        waits = state.waits * (1 - entered(self, state.waits, spikes))
        steps = state.steps + waits
        return Wait(steps, waits), steps
