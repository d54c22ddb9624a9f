"""Flattening of axes of space and channels."""

from __future__ import annotations

import math

import jax.numpy as jnp
from jaxtyping import Array, Shaped

from surgrad._pytree import static
from surgrad._types import Numbers
from surgrad.nn._contract import Connection


class Flatten(Connection):
    """A layer that merges the last axes into one: `(..., height, width, channels)` to `(..., features)`.

    Parameters:
        axes: number of axes, >= 1: 3 after `Conv2d` or its pools, 2 after `Conv1d`, 4 after `Conv3d`. The axes of the
            batch stay, so that their number does not matter.

    Channels vary fastest, and in PyTorch slowest: there the weights of a `Linear` after it have another order.
    """

    takes_time = True

    axes: int = static(default=3, whole=1)

    def __call__(self, x: Numbers) -> Shaped[Array, ...]:
        """The array with its last axes merged.

        Raises:
            ValueError: x has fewer axes.
        """
        if jnp.ndim(x) < self.axes:
            raise ValueError(f"Flatten: the input must have {self.axes} axes or more, got shape {jnp.shape(x)}.")
        x = jnp.asarray(x)
        return x.reshape(*x.shape[: -self.axes], math.prod(x.shape[-self.axes :]))
