"""Dtypes and ranks of states and parameters: what is summed over time is float32 at least.

Inputs, weights and spikes may be bfloat16 or float16. Membrane potentials, currents, adaptation and decays may not: a
bfloat16 sum of ones stops at 256, and the bfloat16 decay of a time constant of 400 time steps is that of 255. So states
have `wide` dtypes, for inputs of any dtype.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._types import Parameter

HALF = (jnp.dtype("float16"), jnp.dtype("bfloat16"))


def floating(dtype: Any) -> Any:
    """The floating dtype for numbers of a dtype: itself, or JAX's default for None, booleans and integers.

    Raises:
        TypeError: the dtype is complex.
    """
    dtype = None if dtype is None else jnp.result_type(dtype)  # which knows whether 64 bits are on
    if dtype is None or not jnp.issubdtype(dtype, jnp.inexact):
        return jnp.result_type(float)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"init: the type of a state must be floating, got {dtype}.")
    return dtype


def wide(dtype: Any) -> Any:
    """The dtype of sums over time for inputs of a dtype: float32 for half precision, else `floating`."""
    dtype = floating(dtype)
    return jnp.dtype("float32") if dtype in HALF else dtype


def promoted(*values: Any) -> Any:
    """The floating dtype that several values are promoted to, also under strict dtype promotion."""
    with jax.numpy_dtype_promotion("standard"):
        return floating(jnp.result_type(*values))


def floats(values: Any) -> Any:
    """Values as they are; an array of integers or booleans, which nothing could train, becomes one of floats."""
    dtype = getattr(values, "dtype", None)
    whole = dtype is not None and any(jnp.issubdtype(dtype, kind) for kind in (jnp.integer, jnp.bool_))
    return values.astype(jnp.result_type(float)) if whole else values


def like(value: Float[Array, "*shape"], parameter: Parameter) -> Float[Array, ...]:
    """A parameter, one number or one for each neuron, in the dtype and with the rank of a value."""
    parameter = jnp.asarray(parameter).astype(value.dtype)
    missing = value.ndim - parameter.ndim
    return parameter.reshape((1,) * missing + parameter.shape) if parameter.ndim and missing > 0 else parameter
