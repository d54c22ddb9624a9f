"""Delays by whole time steps."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._dtypes import floating
from surgrad._numbers import whole_each
from surgrad._pytree import static
from surgrad._shapes import require_shapes
from surgrad._types import Numbers, Shape
from surgrad.nn._checks import sizes
from surgrad.nn._lags import Remembering, joined

Buffer = Float[Array | np.ndarray, "steps *batch neurons"]


class Delay(Remembering):
    """A delay line, y[t] = x[t - d], which starts with zeros.

    Parameters:
        steps: delay d in time steps, an integer >= 0, or a sequence with one for each feature (the last axis).
    """

    relays = keeps_inputs = True

    steps: Any = static()

    def __post_init__(self) -> None:
        steps = whole_each("Delay", "steps (one number, or one a neuron)", self.steps, 0, "the neurons")
        self.steps = steps if np.ndim(self.steps) else steps[0]

    @property
    def _longest(self) -> int:
        return max(self.steps) if isinstance(self.steps, tuple) else self.steps

    def init(self, shape: Shape, dtype: Any = None) -> Buffer:
        """The state before the first step: the inputs of the last d time steps, zeros; the oldest first.

        Raises:
            ValueError: there is not one delay for each feature.
        """
        shape = sizes(shape)
        if isinstance(self.steps, tuple):
            pattern = f"*batch, {len(self.steps)} neurons"
            require_shapes("Delay", {"the input": (shape, pattern)}, "; each neuron has a delay of its own")
        return jnp.zeros((self._longest, *shape), floating(dtype))

    def over_time(self, state: Buffer, inputs: Numbers) -> tuple[Buffer, Array]:
        """Many time steps at once: the new state, and the delayed inputs, `(time, *batch, features)`.

        Raises:
            TypeError: the state is not an array, or the inputs are complex.
            ValueError: the inputs differ from the state in shape, or the state holds another number of steps.
        """
        known, inputs = joined(self, state, inputs, self._longest)
        time, narrow = inputs.shape[0], floating(inputs.dtype)
        if isinstance(self.steps, int):
            return known[time:], known[:time].astype(narrow)
        when = jnp.arange(time)[:, None] + (self._longest - np.array(self.steps))[None]
        when = when.reshape(time, *(1,) * (known.ndim - 2), len(self.steps))
        return known[time:], jnp.take_along_axis(known, when, axis=0).astype(narrow)
