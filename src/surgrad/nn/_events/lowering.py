"""Lowering of a product: to the dense product or, on CPUs, to the faster of it and a native kernel."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.interpreters import mlir
from jaxtyping import Array, Float, Shaped

from surgrad.nn._events.native import target

Events = Shaped[Array, "..."]
Batch = Shaped[Array, "batch _ _"]

NATIVE = ("float32", "float64")
SPARSE = 0.2
"""The share of non-zeros up to which kernels are used. They take as much processor time as the dense product at a share
of a third, and as much wall time at about 0.16 if the dense product has two cores (proposals/event-driven.md)."""
SAMPLE = 64
"""Number of rows from which the share of non-zeros is estimated; the estimate only affects speed."""


def on_cpu(context: Any, left: Any, right: Any, *, kind: str, batched: bool) -> Any:
    """The rule of lowering for CPUs."""
    compute = native if may_call(context.module_context) else dense
    return mlir.lower_fun(compute, multiple_results=False)(context, left, right, kind=kind, batched=batched)


def may_call(program: Any) -> bool:
    """Whether a program may call kernels of this process.

    An exported program may be loaded by a process that does not have them. And XLA does not divide a call among the
    devices of a mesh, as it divides a dense product: all devices would compute all of it. Inside `shard_map` a
    program is that of one device.
    """
    devices = getattr(program.axis_context, "num_devices", 1)  # `shard_map` has another context, without the number
    return devices == 1 and not program.lowering_parameters.for_export


def dense(left: Events, right: Events, *, kind: str, batched: bool) -> Events:
    """The dense product of XLA."""
    i, j = contracted(kind, left.ndim, right.ndim, batched)
    batch = (0,) * batched
    return lax.dot_general(left, right, ((i, j), (batch, batch)))


def contracted(kind: str, left: int, right: int, batched: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes that a product sums over, of operands of some numbers of axes."""
    rows = tuple(range(batched, left - 1))
    return {"nn": ((left - 1,), (right - 2,)), "nt": ((left - 1,), (right - 1,)), "tn": (rows, rows)}[kind]


def native(left: Events, right: Events, *, kind: str, batched: bool) -> Events:
    """The event-driven product, or the dense one if too many entries are not zero."""
    plain = functools.partial(dense, kind=kind, batched=batched)
    if left.dtype.name not in NATIVE or 0 in left.shape + right.shape:
        return plain(left, right)
    name = target("tn" if kind == "tn" else "nn", left.dtype.name)
    if name is None:
        return plain(left, right)
    if kind == "tn":
        return _weights(name, plain, left, right)

    def events(left: Events, right: Events) -> Events:
        right = right if kind == "nn" else right.swapaxes(-1, -2)
        y = _called(name, "nn", _as_matrices(left, batched), right if batched else right[None])
        return y.reshape(*left.shape[:-1], right.shape[-1])

    return lax.cond(density(_as_matrices(left, batched)) <= SPARSE, events, plain, left, right)


def _weights(name: str, plain: Callable[[Events, Events], Events], left: Events, right: Events) -> Events:
    """leftᵀ · right by the non-zeros of the sparser operand, which must be the left one of the kernel."""
    batched = jax.eval_shape(plain, left, right).ndim == 3

    def through(left: Events, right: Events) -> Events:
        y = _called(name, "tn", _as_matrices(left, batched), _as_matrices(right, batched))
        return y if batched else y[0]

    shares = jnp.stack([density(_as_matrices(x, batched)) for x in (left, right)])
    branches = (through, lambda left, right: through(right, left).swapaxes(-1, -2), plain)
    # Of one axis, or XLA would give the result of all branches the layout that suits the second.
    branches = [lambda *operands, branch=branch: branch(*operands).reshape(-1) for branch in branches]
    taken = lax.switch(jnp.where(shares.min() <= SPARSE, shares.argmin(), 2), branches, left, right)
    return taken.reshape(jax.eval_shape(plain, left, right).shape)


def _as_matrices(x: Events, batched: bool) -> Batch:
    """The axes of rows merged into one, and an axis of the batch if there is none."""
    batch = x.shape[0] if batched else 1
    return x.reshape(batch, math.prod(x.shape[batched:-1]), x.shape[-1])


def _called(name: str, kind: str, left: Batch, right: Batch) -> Batch:
    # `eval_shape` also returns the axes of a mesh over which the result varies.
    out = jax.eval_shape(functools.partial(dense, kind=kind, batched=True), left, right)
    return jax.ffi.ffi_call(name, out)(left, right)


def density(events: Batch) -> Float[Array, ""]:
    """The share of non-zeros, estimated from evenly spaced rows."""
    stride = -(-events.shape[1] // SAMPLE)
    return jnp.mean(events[:, ::stride] != 0, dtype=jnp.float32)
