"""The latency code (time to first spike)."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, UInt

from surgrad._answers import answers_keywords
from surgrad._types import Numbers
from surgrad.encode._intensity import checked, single


@answers_keywords
def latency(intensity: Numbers, num_steps: int) -> Float[Array, "time ..."]:
    """Spike trains of the latency code: one spike, earlier for higher intensities, at round((1 - p)(num_steps - 1)).

    Where p = 0 there is no spike. May be jitted with `num_steps` static. The derivative by the intensity is zero.

    Parameters:
        intensity: p, from 0 (no spike) to 1 (a spike at time step 0), `(*batch, features)`. Images of bytes must be
            divided by 255.
        num_steps: number of time steps, >= 1.

    Returns:
        0 or 1 in the dtype of the intensities, `(time, *batch, features)`.

    Raises:
        TypeError: the intensities are integers.
        ValueError: an intensity with a known value is outside 0 to 1, or `num_steps` is no integer >= 1.

    >>> latency(jnp.array([0.0, 0.5, 1.0]), 3)
    Array([[0., 0., 1.],
           [0., 1., 0.],
           [0., 0., 0.]], dtype=float32)
    """
    p = checked("latency", intensity, num_steps)
    return jax.nn.one_hot(_steps(p, num_steps), num_steps, axis=0, dtype=p.dtype)


@answers_keywords
def latency_steps(intensity: Numbers, num_steps: int) -> UInt[Array, ...]:
    """The time steps of the spikes of `latency`, without an axis of time: compact, as a data set keeps them.

    Parameters:
        intensity: p, from 0 to 1, `(*batch, features)`.
        num_steps: number of time steps, >= 1; also stands for "never", where p = 0.

    Returns:
        integers from 0 to `num_steps` in the smallest unsigned dtype that holds them, `(*batch, features)`.

    Raises:
        TypeError: the intensities are integers.
        ValueError: an intensity with a known value is outside 0 to 1, or `num_steps` is no integer >= 1.

    >>> latency_steps(jnp.array([0.0, 0.5, 1.0]), 3)
    Array([3, 1, 0], dtype=uint8)
    """
    return _steps(checked("latency_steps", intensity, num_steps), num_steps)


@answers_keywords
def latency_decode(spikes: Numbers) -> Float[Array, ...]:
    """The intensities of spikes of `latency`: 1 - t/(num_steps - 1) of the first spike at t, and 0 where there is none.

    It is exact up to half a time step, an intensity of 1/(2 (num_steps - 1)). A spike in the last time step stands for
    intensities from above 0, and becomes 0.

    Parameters:
        spikes: 0 or 1, `(time, *batch, features)`, time steps >= 1.

    Returns:
        intensities from 0 to 1, `(*batch, features)`.

    Raises:
        ValueError: there is no time step.

    >>> latency_decode(latency(jnp.array([0.0, 0.5, 1.0]), 3))
    Array([0. , 0.5, 1. ], dtype=float32)
    """
    spikes = jnp.asarray(spikes)
    if not spikes.ndim or not spikes.shape[0]:
        raise ValueError(f"latency_decode: time leads, (time, *batch, features), got the shape {spikes.shape}.")
    first = jnp.argmax(spikes > 0, axis=0).astype(float)
    intensity = 1 - first / max(1, spikes.shape[0] - 1)
    return jnp.where((spikes > 0).any(axis=0), intensity, 0)


def _steps(p: Float[Array, ...], num_steps: int) -> UInt[Array, ...]:
    dtype = np.min_scalar_type(num_steps)
    first = jnp.round((1 - single(p)) * (num_steps - 1)).astype(dtype)
    return jnp.where(p > 0, first, jnp.asarray(num_steps, dtype))
