"""What a product is compiled to: the dense product, or, on CPUs, the cheaper of it and the native kernels."""

from __future__ import annotations

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Shaped

from surgrad.nn._events.native import target

Batch = Shaped[Array, "batch _ _"]

CONTRACTED = {"nn": (2, 1), "nt": (2, 2), "tn": (1, 1)}
NATIVE = ("float32", "float64")
SPARSE = 0.2
"""Up to this share of non-zeros the kernels are taken. They cost as much as the dense product at a third in processor
time, and at about 0.16 in wall time where it has two cores to itself (proposals/event-driven.md)."""
SAMPLE = 64
"""Rows by which the share of non-zeros is judged. It decides on speed alone, so an estimate will do."""


def dense(left: Batch, right: Batch, *, kind: str) -> Batch:
    """The product as XLA does it."""
    i, j = CONTRACTED[kind]
    return lax.dot_general(left, right, (((i,), (j,)), ((0,), (0,))))


def native(left: Batch, right: Batch, *, kind: str) -> Batch:
    """The product through the non-zeros, unless there are too many of them."""
    if left.dtype.name not in NATIVE or 0 in left.shape + right.shape:
        return dense(left, right, kind=kind)
    name = target("tn" if kind == "tn" else "nn", left.dtype.name)
    if name is None:
        return dense(left, right, kind=kind)
    if kind == "tn":
        return _weights(name, left, right)
    if kind == "nt":
        # Outside the branches, so that a loop over time can keep the transposed weights.
        right = right.swapaxes(1, 2)
    return lax.cond(density(left) <= SPARSE, _call(name, "nn"), functools.partial(dense, kind="nn"), left, right)


def _weights(name: str, left: Batch, right: Batch) -> Batch:
    """leftᵀ · right through the non-zeros of either, the sparser one; the kernel reads them from its left operand."""
    kernel = _call(name, "tn")
    branches = (
        kernel,
        lambda left, right: kernel(right, left).swapaxes(1, 2),
        functools.partial(dense, kind="tn"),
    )
    shares = jnp.stack([density(left), density(right)])
    return lax.switch(jnp.where(shares.min() <= SPARSE, shares.argmin(), 2), branches, left, right)


def density(events: Batch) -> Float[Array, ""]:
    """The share of non-zeros, estimated from rows that lie evenly over all."""
    stride = -(-events.shape[1] // SAMPLE)
    return jnp.mean(events[:, ::stride] != 0, dtype=jnp.float32)


def _call(name: str, kind: str) -> Callable[[Batch, Batch], Batch]:
    def call(left: Batch, right: Batch) -> Batch:
        # The shape, and over which axes of a mesh it varies.
        out = jax.eval_shape(functools.partial(dense, kind=kind), left, right)
        return jax.ffi.ffi_call(name, out)(left, right)

    return call
