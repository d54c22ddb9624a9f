"""Lowering of a product: to the dense product or, on CPUs, to the faster of it and a native kernel."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.interpreters import mlir
from jaxtyping import Array, Float, Shaped

from surgrad.nn._events.native import target

Batch = Shaped[Array, "batch _ _"]

CONTRACTED = {"nn": (2, 1), "nt": (2, 2), "tn": (1, 1)}
NATIVE = ("float32", "float64")
SPARSE = 0.2
"""The share of non-zeros up to which kernels are used. They take as much processor time as the dense product at a share
of a third, and as much wall time at about 0.16 if the dense product has two cores (proposals/event-driven.md)."""
SAMPLE = 64
"""Number of rows from which the share of non-zeros is estimated; the estimate only affects speed."""


def on_cpu(context: Any, left: Any, right: Any, *, kind: str) -> Any:
    """The rule of lowering for CPUs."""
    compute = native if _may_call(context.module_context) else dense
    return mlir.lower_fun(compute, multiple_results=False)(context, left, right, kind=kind)


def _may_call(program: Any) -> bool:
    """Whether a program may call kernels of this process.

    An exported program may be loaded by a process that does not have them. And XLA does not divide a call among the
    devices of a mesh, as it divides a dense product: all devices would compute all of it. Inside of `shard_map` a
    program is that of one device.
    """
    devices = getattr(program.axis_context, "num_devices", 1)  # `shard_map` has another context, without the number
    return devices == 1 and not program.lowering_parameters.for_export


def dense(left: Batch, right: Batch, *, kind: str) -> Batch:
    """The dense product of XLA."""
    i, j = CONTRACTED[kind]
    return lax.dot_general(left, right, (((i,), (j,)), ((0,), (0,))))


def native(left: Batch, right: Batch, *, kind: str) -> Batch:
    """The event-driven product, or the dense one if too many entries are not zero."""
    if left.dtype.name not in NATIVE or 0 in left.shape + right.shape:
        return dense(left, right, kind=kind)
    name = target("tn" if kind == "tn" else "nn", left.dtype.name)
    if name is None:
        return dense(left, right, kind=kind)
    if kind == "tn":
        return _weights(name, left, right)
    if kind == "nt":
        # Transposed outside the branches, so that a loop over time transposes the weights once.
        right = right.swapaxes(1, 2)
    return lax.cond(density(left) <= SPARSE, _call(name, "nn"), functools.partial(dense, kind="nn"), left, right)


def _weights(name: str, left: Batch, right: Batch) -> Batch:
    """leftᵀ · right by the non-zeros of the sparser operand, which must be the left one of the kernel."""
    kernel = _call(name, "tn")
    branches = (
        kernel,
        lambda left, right: kernel(right, left).swapaxes(1, 2),
        functools.partial(dense, kind="tn"),
    )
    shares = jnp.stack([density(left), density(right)])
    return lax.switch(jnp.where(shares.min() <= SPARSE, shares.argmin(), 2), branches, left, right)


def density(events: Batch) -> Float[Array, ""]:
    """The share of non-zeros, estimated from evenly spaced rows."""
    stride = -(-events.shape[1] // SAMPLE)
    return jnp.mean(events[:, ::stride] != 0, dtype=jnp.float32)


def _call(name: str, kind: str) -> Callable[[Batch, Batch], Batch]:
    def call(left: Batch, right: Batch) -> Batch:
        # `eval_shape` also returns the axes of a mesh over which the result varies.
        out = jax.eval_shape(functools.partial(dense, kind=kind), left, right)
        return jax.ffi.ffi_call(name, out)(left, right)

    return call
