"""Input validation for intensities and signals."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from surgrad._numbers import require_entries, require_whole
from surgrad._types import Numbers

FULL = {jnp.uint8.dtype: 255, jnp.uint16.dtype: 65535}
"""What stands for the brightest in images of integers."""


def checked(code: str, intensity: Numbers, num_steps: int) -> Float[Array, ...]:
    """Intensities as an array of floating numbers; booleans become 0 and 1.

    Parameters:
        code: the name of the function, for the message.
        intensity: numbers from 0 to 1. While they are traced, their values are unknown and not checked.
        num_steps: number of time steps, >= 1.

    Raises:
        TypeError: the intensities are integers or complex numbers.
        ValueError: one is outside 0 to 1, `num_steps` is no integer >= 1, or the two are swapped.
    """
    intensity = intensity if isinstance(intensity, jax.Array) else np.asarray(intensity)
    if jnp.ndim(intensity) == 0 and jnp.ndim(num_steps):
        raise ValueError(
            f"{code}: the arguments are {code}(intensity, num_steps), in this order; got a number as intensity and an "
            f"array of shape {jnp.shape(num_steps)} as num_steps."
        )
    require_whole(code, num_steps=num_steps)
    dtype = jax.dtypes.canonicalize_dtype(jnp.result_type(intensity))
    if jnp.issubdtype(dtype, bool):
        return jnp.asarray(intensity, float)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"{code}: intensities must be floating numbers from 0 to 1, got {dtype}{_advice(dtype)}.")
    require_entries(code, "intensities", intensity, 1, "0 to 1")
    return jnp.asarray(intensity, dtype)


def require_finite(code: str, what: str, numbers: Any) -> None:
    """Check that no number is NaN or infinite; those that are traced have no value yet to be checked.

    Parameters:
        code: the name of the function, for the message.
        what: what the numbers are.
        numbers: an array of JAX or NumPy.

    Raises:
        ValueError: one is.
    """
    if isinstance(numbers, Tracer):
        return
    found = np.asarray(numbers)
    wrong = np.argwhere(~np.isfinite(found))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise ValueError(f"{code}: {what} must be finite, got {found[place]} at the index {place}.")


def single(p: Float[Array, ...]) -> Float[Array, ...]:
    """Intensities in single precision at least: half precision rounds time steps and small probabilities."""
    return p if p.dtype.itemsize >= 4 else p.astype(jnp.float32)


def _advice(dtype: Any) -> str:
    return f"; divide by {FULL[dtype]}.0" if dtype in FULL else ""
