"""The event-driven product, a primitive of JAX that is bilinear and closed under differentiation.

Events are `(batch, rows, features)` and mostly zero: spikes, or gradients through a surrogate with finite support.
Weights are `(batch, inputs, outputs)` and dense. There are three products; the derivatives of each are the other two:

    nn   events · weights     rows of outputs, events again
    nt   events · weightsᵀ    rows of inputs, events again
    tn   eventsᵀ · events     weights
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

FREE = {"nn": (1, 2), "nt": (1, 1), "tn": (2, 2)}
"""By kind, the axis of the left operand that is axis 1 of the result, and that of the right operand that is axis 2."""


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
    *rows, inputs = events.shape
    # Not -1, because the number of rows of an empty array is ambiguous.
    flat = _product.bind(events.reshape(1, math.prod(rows), inputs), weights[None], kind="nn")
    return flat.reshape(*rows, weights.shape[1])


def _abstract(left: Any, right: Any, *, kind: str) -> ShapedArray:
    i, j = FREE[kind]
    return left.update(shape=(left.shape[0], left.shape[i], right.shape[j]), weak_type=False)


def _by_left(cotangent: Any, left: Any, right: Any, *, kind: str) -> Array:
    del left
    operands, of = {
        "nn": ((cotangent, right), "nt"),
        "nt": ((cotangent, right), "nn"),
        "tn": ((right, cotangent), "nt"),
    }[kind]
    return _product.bind(*operands, kind=of)


def _by_right(cotangent: Any, left: Any, right: Any, *, kind: str) -> Array:
    del right
    operands, of = {
        "nn": ((left, cotangent), "tn"),
        "nt": ((cotangent, left), "tn"),
        "tn": ((left, cotangent), "nn"),
    }[kind]
    return _product.bind(*operands, kind=of)


def _batch(operands: tuple[Any, Any], axes: tuple[Any, Any], *, kind: str) -> tuple[Array, int]:
    """The rule of `vmap`: operands that are both mapped give more batches, one mapped operand more rows or columns."""
    if None not in axes:
        left, right = (_fold(x, axis, 0) for x, axis in zip(operands, axes, strict=True))
        side, size = 0, operands[0].shape[axes[0]]
    else:
        mapped = axes.index(None) ^ 1
        size = operands[mapped].shape[axes[mapped]]
        folded = list(operands)
        folded[mapped] = _fold(operands[mapped], axes[mapped], FREE[kind][mapped])
        (left, right), side = folded, mapped + 1
    out = _product.bind(left, right, kind=kind)
    shape = out.shape
    return out.reshape(*shape[:side], size, shape[side] // max(size, 1), *shape[side + 1 :]), side


def _fold(x: Any, axis: Any, onto: int) -> Any:
    """The array with its mapped axis merged into another axis, in front of it."""
    x = jnp.moveaxis(x, axis, onto)
    return x.reshape(*x.shape[:onto], x.shape[onto] * x.shape[onto + 1], *x.shape[onto + 2 :])


def _compute(left: Any, right: Any, *, kind: str) -> Array:
    """The product outside `jit`; the dense one if `jit` is disabled, since nothing is lowered then."""
    plain = jax.config.jax_disable_jit  # type: ignore[attr-defined]
    return dense(left, right, kind=kind) if plain else _compiled(left, right, kind=kind)


_product = Primitive("event_product")
_compiled = jax.jit(_product.bind, static_argnames="kind")
_product.def_abstract_eval(_abstract)
_product.def_impl(_compute)
ad.defbilinear(_product, _by_left, _by_right)
batching.primitive_batchers[_product] = _batch
mlir.register_lowering(_product, mlir.lower_fun(dense, multiple_results=False))
mlir.register_lowering(_product, on_cpu, platform="cpu")
