"""The event-driven product, a primitive of JAX that is bilinear and closed under differentiation.

Events are `(*rows, features)` and mostly zero: spikes, or gradients through a surrogate with finite support. Weights
are `(inputs, outputs)` and dense. There are three products; the derivatives of each are the other two:

    nn   events · weights     rows of outputs, events again
    nt   events · weightsᵀ    rows of inputs, events again
    tn   eventsᵀ · events     weights

A product that is `batched` has one more axis in front, of both operands. The axes of rows stay as they are: an array
that was reshaped is another one to a loop over time, which would keep both for its backward pass.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Shaped

from surgrad._shapes import require_shapes
from surgrad._types import Numbers
from surgrad.nn._events.lowering import NATIVE, dense, on_cpu
from surgrad.nn._events.native import available, require
from surgrad.nn._loops import varying_alike

FREE = {"nn": (None, -1), "nt": (None, -2), "tn": (-1, -1)}
"""By kind and operand, the axis that is one of the last two of the result; None if those are its rows, which lead."""

LARGE = 2**20
"""Number of terms of the dense product from which it pays to look whether events are sparse."""


def pays(rows: tuple[Any, ...], weights: Any) -> bool:
    """Whether a product of rows of a shape and weights is large enough for `event_product`, and Numba is there."""
    sizes = (*rows, *jnp.shape(weights))
    known = all(isinstance(size, int) for size in sizes)  # others are symbolic, in a program to be exported
    large = known and math.prod(sizes) >= LARGE
    return large and jnp.result_type(weights).name in NATIVE and available()


def event_product(events: Numbers, weights: Numbers) -> Shaped[Array, ...]:
    """The matrix product `events @ weights`, `(..., outputs)`, in a time proportional to the number of events.

    Derivatives are as fast: that by the events visits the non-zeros of the cotangent, that by the weights those of the
    events or of the cotangent, of which it takes the sparser one. Derivatives of all orders and all transformations
    agree with those of the dense product, to rounding. The dense product is used where more than a fifth of the events
    is not zero, on devices other than CPUs, for dtypes other than float32 and float64, in exported programs, and where
    XLA divides a program among devices.

    An event of zero times an infinite or NaN weight is 0 in the event-driven product and NaN in the dense one. NaN and
    infinite events always count.

    Parameters:
        events: spikes, or other numbers that are mostly zero, `(..., inputs)`.
        weights: `(inputs, outputs)`.

    Raises:
        ValueError: the shapes do not match.
        ImportError: Numba is not installed.
    """
    require()
    shapes = {"events": (jnp.shape(events), "..., inputs"), "weights": (jnp.shape(weights), "inputs, outputs")}
    require_shapes("event_product", shapes)
    with jax.numpy_dtype_promotion("standard"):
        dtype = jnp.result_type(events, weights)
    events, weights = varying_alike(jnp.asarray(events, dtype), jnp.asarray(weights, dtype))
    return _product.bind(events, weights, kind="nn", batched=False)


def _abstract(left: Any, right: Any, *, kind: str, batched: bool) -> ShapedArray:
    j = right.shape[FREE[kind][1]]
    shape = (*left.shape[:batched], left.shape[-1], j) if kind == "tn" else (*left.shape[:-1], j)
    return left.update(shape=shape, weak_type=False)


def _by_left(cotangent: Any, left: Any, right: Any, *, kind: str, batched: bool) -> Array:
    del left
    operands, of = {
        "nn": ((cotangent, right), "nt"),
        "nt": ((cotangent, right), "nn"),
        "tn": ((right, cotangent), "nt"),
    }[kind]
    return _product.bind(*operands, kind=of, batched=batched)


def _by_right(cotangent: Any, left: Any, right: Any, *, kind: str, batched: bool) -> Array:
    del right
    operands, of = {
        "nn": ((left, cotangent), "tn"),
        "nt": ((cotangent, left), "tn"),
        "tn": ((left, cotangent), "nn"),
    }[kind]
    return _product.bind(*operands, kind=of, batched=batched)


def _batch(operands: tuple[Any, Any], axes: tuple[Any, Any], *, kind: str, batched: bool) -> tuple[Array, int]:
    """The rule of `vmap`: operands that are both mapped give more batches, one mapped operand more rows or columns."""
    if None not in axes:
        left, right = (jnp.moveaxis(x, axis, 0) for x, axis in zip(operands, axes, strict=True))
        if not batched:
            return _product.bind(left, right, kind=kind, batched=True), 0
        left, right = (_merged(x, 0) for x in (left, right))
        return _split(_product.bind(left, right, kind=kind, batched=True), 0, operands[0].shape[axes[0]]), 0
    mapped = axes.index(None) ^ 1
    size, free, given = operands[mapped].shape[axes[mapped]], FREE[kind][mapped], list(operands)
    if free is None:  # one more axis of rows
        given[mapped] = jnp.moveaxis(operands[mapped], axes[mapped], int(batched))
        return _product.bind(*given, kind=kind, batched=batched), int(batched)
    onto = operands[mapped].ndim - 1 + free
    given[mapped] = _merged(jnp.moveaxis(operands[mapped], axes[mapped], onto), onto)
    out = _product.bind(*given, kind=kind, batched=batched)
    side = out.ndim - 1 if mapped else out.ndim - 2
    return _split(out, side, size), side


def _merged(x: Any, axis: int) -> Any:
    """The array with an axis and the next one merged."""
    return x.reshape(*x.shape[:axis], x.shape[axis] * x.shape[axis + 1], *x.shape[axis + 2 :])


def _split(x: Any, axis: int, size: int) -> Any:
    """The array with an axis split into one of a size and another."""
    return x.reshape(*x.shape[:axis], size, x.shape[axis] // max(size, 1), *x.shape[axis + 1 :])


def _compute(left: Any, right: Any, **kinds: Any) -> Array:
    """The product outside `jit`; the dense one if `jit` is disabled, since nothing is lowered then."""
    plain = jax.config.jax_disable_jit  # type: ignore[attr-defined]
    return dense(left, right, **kinds) if plain else _compiled(left, right, **kinds)


_product = Primitive("event_product")
_compiled = jax.jit(_product.bind, static_argnames=("kind", "batched"))
_product.def_abstract_eval(_abstract)
_product.def_impl(_compute)
ad.defbilinear(_product, _by_left, _by_right)
batching.primitive_batchers[_product] = _batch
mlir.register_lowering(_product, mlir.lower_fun(dense, multiple_results=False))
mlir.register_lowering(_product, on_cpu, platform="cpu")
