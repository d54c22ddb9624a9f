"""Evaluation of curves and slopes: which x they take, in which dtype they compute, and what they return."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._frameworks import unboxed
from surgrad._types import Membrane, PyTree


def broadcasting() -> AbstractContextManager[None]:
    """A context in which ranks are promoted, so that a hyperparameter with one value per neuron meets x of any rank."""
    return jax.numpy_rank_promotion("allow")


def membrane(x: Any, owner: str) -> Membrane:
    """Return the input of a surrogate as a floating array.

    Integers and booleans are promoted as `jnp.sin` does, a dimensionless quantity is unwrapped.

    Raises:
        TypeError: x is a list, complex, or a quantity with a unit.
    """
    if hasattr(x, "mantissa") and hasattr(x, "unit"):
        x = _without_unit(x, owner)
    if not isinstance(x, (jax.Array, np.ndarray, np.generic, float, int, complex)):
        raise TypeError(
            f"{owner}: x must be a number or an array, got {type(x).__name__}; convert it with jnp.asarray first."
        )
    x = jnp.asarray(x)
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        raise TypeError(f"{owner}: x must be real, got {x.dtype}; pass its real part or its magnitude.")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(jax.eval_shape(jnp.sin, x).dtype)
    return x


def _without_unit(x: Any, owner: str) -> Any:
    if not x.unit.is_unitless:
        raise TypeError(
            f"{owner}: x must be dimensionless, got the unit {x.unit}; divide by a scale first: "
            f"(voltage - threshold) / scale."
        )
    return x.to_decimal()


def elementwise(method: Callable[..., Any]) -> Callable[..., Any]:
    """Return the curve or slope `method` as one that takes any real x, in an array or not.

    It computes in float32 at least, without boxes of other frameworks, and returns the dtype of x.
    """

    @functools.wraps(method)
    def wrapped(self: Any, x: Any, *args: Any, **kwargs: Any) -> jax.Array:
        x = membrane(x, type(self).__name__)
        with broadcasting():
            y = jnp.asarray(method(*_in_one_type(unboxed(self), x), *args, **kwargs))
        return y if y.dtype == x.dtype else y.astype(x.dtype)

    return wrapped


def _in_one_type(surrogate: PyTree, x: jax.Array) -> tuple[PyTree, jax.Array]:
    """Cast floating hyperparameters and x to their widest dtype, float32 at least; formulas promote nothing."""
    leaves, structure = jax.tree.flatten(surrogate)
    # Python's numbers, and traces of them, fit every dtype.
    typed = [i for i, leaf in enumerate(leaves) if hasattr(leaf, "dtype") and not getattr(leaf, "weak_type", False)]
    types = {i: jnp.result_type(leaves[i]) for i in typed if jnp.issubdtype(leaves[i].dtype, jnp.floating)}
    widest = max(x.dtype, jnp.dtype("float32"), *types.values(), key=lambda dtype: jnp.finfo(dtype).nmant)
    narrow = [i for i, dtype in types.items() if dtype != widest]
    for i in narrow:
        leaves[i] = jnp.asarray(leaves[i]).astype(widest)
    if narrow:
        surrogate = structure.unflatten(leaves)
    return surrogate, x if x.dtype == widest else x.astype(widest)
