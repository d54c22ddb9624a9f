"""Delays: what comes in goes out some steps later."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._pytree import Pytree, static
from surgrad.nn.admission import floating, require_real_input, require_same, require_state, sizes

Buffer = Float[Array, "steps *batch neurons"]


class Delay(Pytree):
    """A cell that puts out its input of some steps before, y[t] = x[t - d], and zeros until there is one.

    Parameters:
        steps: whole steps d of delay, >= 0; one number, or one a neuron (the last axis).
    """

    steps: int | tuple[int, ...] = static()

    def __post_init__(self) -> None:
        given = np.asarray(self.steps, object)  # which takes ragged lists too, to be refused in words
        if given.ndim > 1 or not given.size or not all(map(_is_whole, given.flat)):
            raise ValueError(f"Delay: steps must be whole, >= 0, one number or one a neuron, got {self.steps!r}.")
        self.steps = tuple(map(int, given)) if given.ndim else int(given)

    @property
    def _longest(self) -> int:
        return max(self.steps) if isinstance(self.steps, tuple) else self.steps

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> Buffer:
        """Zeros: the inputs of the last steps, the oldest first.

        Raises:
            ValueError: there are more or fewer delays than neurons.
        """
        shape = sizes(shape)
        if isinstance(self.steps, tuple) and shape[-1:] != (len(self.steps),):
            raise ValueError(f"Delay: {len(self.steps)} delays do not fit the input of shape {shape}.")
        return jnp.zeros((self._longest, *shape), floating(dtype))

    def __call__(self, state: Buffer, x: Array) -> tuple[Buffer, Array]:
        """One step: the inputs of the last steps, and the delayed input.

        Raises:
            TypeError: the state is no array, or the input complex.
            ValueError: the input differs from the state in shape, or the state holds another number of steps.
        """
        state, outputs = self.over_time(state, jnp.asarray(x)[None])
        return state, outputs[0]

    def over_time(self, state: Buffer, inputs: Array) -> tuple[Buffer, Array]:
        """Many steps at once: the delayed inputs, `(time, *batch, neurons)`.

        Raises:
            TypeError, ValueError: as of one step.
        """
        require_state(self, state)
        if state.shape[:1] != (self._longest,):
            held = f"{self._longest} steps, (steps, *batch, neurons)"
            raise ValueError(f"Delay: the state must hold {held}, as init makes it, got shape {state.shape}.")
        inputs = jnp.asarray(inputs)
        require_real_input(self, inputs)
        require_same(self, state.shape[1:], inputs.shape[1:])
        known, time = jnp.concatenate([state, inputs.astype(state.dtype)]), len(inputs)
        if isinstance(self.steps, int):
            return known[time:], known[:time]
        when = np.arange(time)[:, None] + self._longest - np.array(self.steps)
        when = when.reshape(time, *(1,) * (known.ndim - 2), len(self.steps))
        return known[time:], jnp.take_along_axis(known, when, axis=0)


def _is_whole(number: Any) -> bool:
    return isinstance(number, (int, np.integer)) and not isinstance(number, bool) and int(number) >= 0
