"""The loop of a cell as a function of flat lists, and as a kernel."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from surgrad._types import PyTree
from surgrad.nn._fused.differentiable import run
from surgrad.nn._fused.kernels import Kernels, parted
from surgrad.nn._fused.program import Program
from surgrad.nn._fused.targets import Mosaic, Target, Triton
from surgrad.nn._loops import Keep, blocks, name_of, varies, varying_alike

STEPS_KEPT = 8
"""States that a kernel holds in registers while it computes a segment again, of all the arrays of a state together."""
TARGETS = {"gpu": Triton(), "tpu": Mosaic()}
"""By backend, how its kernels reach the arrays."""
LARGEST = 2**31
"""Elements that a kernel can count."""


def fused(
    cell: Any,
    state: PyTree,
    inputs: PyTree,
    keep: Keep = "all",
    *,
    target: Target | None = None,
    interpret: bool = False,
    try_out: bool = False,
) -> tuple[PyTree, PyTree]:
    """The loop as a kernel, or as several one after the other where a kernel cannot take all time steps at once.

    Raises:
        MixedNeuronsError: the step is not elementwise.
        NotImplementedError: a kernel cannot compute it.
    """
    if interpret and any(varies(leaf) for leaf in jax.tree.leaves(inputs)):
        raise NotImplementedError("Pallas interprets nothing inside shard_map with check_vma=True")
    sizes = [size for leaf in jax.tree.leaves(inputs) for size in jnp.shape(leaf)]
    if not all(isinstance(size, int) for size in sizes):
        raise NotImplementedError("sizes are symbolic")
    target = target or TARGETS.get(jax.default_backend(), Triton())
    longest = target.longest or max(1, jnp.shape(jax.tree.leaves(inputs)[0])[0])
    block = functools.partial(_fused, cell, keep, functools.partial(_kernels, target, interpret, try_out))
    return blocks(block, keep, longest, state, inputs)


def _kernels(target: Target, interpret: bool, try_out: bool, program: Program) -> Kernels:
    segment = max(1, STEPS_KEPT // max(1, len(program.states)))
    return Kernels(program, segment, target, interpret=interpret, try_out=try_out)


def _fused(cell: Any, keep: Keep, kernels: Callable[[Program], Kernels], state: PyTree, inputs: PyTree) -> Any:
    leaves, structure = jax.tree.flatten(cell)
    states, of_state = jax.tree.flatten(state)
    xs, of_input = jax.tree.flatten(inputs)
    leaves, states, xs = ([jnp.asarray(value) for value in values] for values in (leaves, states, xs))
    time, first = len(xs[0]), [jax.ShapeDtypeStruct(x.shape[1:], x.dtype) for x in xs]
    if not time or not xs[0].size or xs[0].size >= LARGEST:
        raise NotImplementedError(f"inputs of the shape {xs[0].shape}")
    _, output = jax.eval_shape(cell, state, of_input.unflatten(first))
    last, of_output = jax.tree.flatten(output)
    count = len(states)

    def step(leaves: list[Any], states: list[Any], now: list[Any]) -> tuple[list[Any], list[Any]]:
        after, output = structure.unflatten(leaves)(of_state.unflatten(states[:count]), of_input.unflatten(now))
        after, output = jax.tree.leaves(after), jax.tree.leaves(output)
        return (after, output) if keep == "all" else ([*after, *output], [])

    if keep == "last":
        states = [*states, *(jnp.zeros(leaf.shape, leaf.dtype) for leaf in last)]

    together = varying_alike(*leaves, *states, *xs)
    leaves, states, xs = parted(together, len(leaves), len(states))
    program = Program(name_of(cell), step, first[0].shape, leaves, states, first)
    after, outputs = run(program, kernels, (leaves, states, xs), time)
    return of_state.unflatten(after[:count]), of_output.unflatten(outputs if keep == "all" else after[count:])
