"""Which axes of a state are those of the samples."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array

from surgrad._types import PyTree
from surgrad.nn._contract import start
from surgrad.nn._loops import on_explicit_mesh


def one_each(cell: Any, state: PyTree, inputs: Any, batch: int) -> tuple[PyTree, tuple[int, ...]]:
    """A state in which every sample has its own numbers, and the axes of the samples in its leaves.

    A number that all samples share, such as that of the time steps so far, becomes one for each.
    """
    axes = axes_of_samples(cell, state, inputs, batch)
    leaves = [
        jnp.asarray(leaf) if axis is not None else jnp.broadcast_to(leaf, (batch, *jnp.shape(leaf)))
        for leaf, axis in zip(jax.tree.leaves(state), axes, strict=True)
    ]
    which = tuple(0 if axis is None else axis for axis in axes)
    leaves = [_placed(leaf, axis, inputs) for leaf, axis in zip(leaves, which, strict=True)]
    return jax.tree.unflatten(jax.tree.structure(state), leaves), which


def _placed(leaf: Array, axis: int, inputs: Any) -> Array:
    """A leaf of a state whose samples are sharded as those of the inputs, on a mesh with explicit sharding."""
    if not on_explicit_mesh():
        return leaf
    spec = jax.typeof(jax.tree.leaves(inputs)[0]).sharding.spec
    return jax.sharding.reshard(leaf, PartitionSpec(*[None] * axis, spec[1], *[None] * (leaf.ndim - axis - 1)))


def axes_of_samples(cell: Any, state: PyTree, inputs: Any, batch: int) -> list[int | None]:
    """The axis of the samples in each leaf of a state: that which is longer if there is one sample more."""
    leaf = jax.tree.leaves(inputs)[0]
    sizes = [
        [
            jnp.shape(value)
            for value in jax.tree.leaves(jax.eval_shape(lambda n=n: start(cell, (n, *leaf.shape[2:]), leaf.dtype)))
        ]
        for n in (batch, batch + 1)
    ]
    axes: list[int | None] = []
    for given, few, more in zip(map(jnp.shape, jax.tree.leaves(state)), *sizes, strict=True):
        axis = next((i for i, (a, b) in enumerate(zip(few, more, strict=True)) if a != b), None)
        axes.append(0 if axis is None and given == (batch, *few) else axis)
    return axes
