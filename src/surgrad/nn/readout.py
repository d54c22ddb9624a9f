"""Readouts: cells that sum up what came in so far, so that the last output stands for the whole sequence.

With `unroll(..., keep="last")` no output is stacked over time. Sums and counts are kept in float32 at least, since
bfloat16 cannot count beyond 256.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from surgrad._pytree import Pytree
from surgrad.nn.admission import floating, require_real_input, require_same, require_state

Moment = Float[Array, "*batch neurons"]


class Running(NamedTuple):
    """The sum of the inputs, and the number of steps."""

    total: Moment
    steps: Int[Array, ""]


class Rate(Pytree):
    """The mean of the inputs so far: spikes in, spikes per step out."""

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> Running:
        """No steps."""
        return Running(jnp.zeros(shape, _wide(dtype)), jnp.zeros((), int))

    def __call__(self, state: Running, x: Moment) -> tuple[Running, Moment]:
        """One step: sum and number of steps, and the mean.

        Raises:
            TypeError: the state is not what `init` makes, or the input is complex.
            ValueError: the input differs from the state in shape.
        """
        require_state(self, state, Running)
        total, steps = state.total + _admitted(self, state.total, x), state.steps + 1
        return Running(total, steps), total / steps.astype(total.dtype)


class Peak(Pytree):
    """The largest input so far: the peak of a membrane voltage. Its derivative is that of the earliest peak alone."""

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> Moment:
        """Minus infinity."""
        return jnp.full(shape, -jnp.inf, floating(dtype))

    def __call__(self, state: Moment, x: Moment) -> tuple[Moment, Moment]:
        """One step: the peak, twice. NaN stays.

        Raises:
            TypeError: the state is not what `init` makes, or the input is complex.
            ValueError: the input differs from the state in shape.
        """
        require_state(self, state)
        x = _admitted(self, state, x)
        # A comparison, as the maximum would share the derivative among equal values.
        peak = jnp.where((state >= x) | jnp.isnan(state), state, x)
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


class Wait(NamedTuple):
    """The steps before the first spike, and one for every neuron that still waits for it, zero for the others."""

    steps: Moment
    waits: Moment


class FirstSpike(Pytree):
    """The step of the first spike, from 0, of each neuron; the number of steps so far where there was none.

    It is the number of steps before the first spike, Σ_t Π_{u <= t} (1 - s[u]), whose derivative it has: a spike moves
    it only where there was none before.
    """

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> Wait:
        """No steps, and no spikes."""
        return Wait(jnp.zeros(shape, _wide(dtype)), jnp.ones(shape, _wide(dtype)))

    def __call__(self, state: Wait, spikes: Moment) -> tuple[Wait, Moment]:
        """One step: the steps waited and who still waits, and the steps waited.

        Raises:
            TypeError, ValueError: as `Rate`.
        """
        require_state(self, state, Wait)
        waits = state.waits * (1 - _admitted(self, state.waits, spikes))
        steps = state.steps + waits
        return Wait(steps, waits), steps


def _admitted(readout: Pytree, held: Moment, x: Moment) -> Moment:
    """The input of a step, in the dtype of what the state holds."""
    x = jnp.asarray(x)
    require_real_input(readout, x)
    require_same(readout, held.shape, x.shape)
    return x.astype(held.dtype)


def _wide(dtype: Any) -> Any:
    return jnp.promote_types(floating(dtype), jnp.float32)
