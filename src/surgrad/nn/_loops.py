"""Loops over time: `lax.scan` with sums in float32, and with carries that vary over a mesh as the inputs do."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array

from surgrad._types import PyTree
from surgrad.nn._dtypes import HALF

Keep = Literal["all", "last"]
Step = Callable[[PyTree, PyTree], tuple[PyTree, PyTree]]
"""One step or some steps at once: `(state, input) -> (state, output)`."""


def steps(cell: Callable[..., Any], state: PyTree, inputs: PyTree, keep: Keep = "all") -> tuple[PyTree, PyTree]:
    """All steps of a cell, one by one, in one scan: the last state, and all outputs or the last."""
    return scan(summed_wide(lambda cell, state, now: cell(state, now), cell), state, inputs, keep)


def blocks(block: Step, keep: Keep, size: Any, state: PyTree, inputs: PyTree) -> tuple[PyTree, PyTree]:
    """Blocks of a number of steps, one after the other, and what is left over at the end as a shorter one."""
    time = jax.tree.leaves(inputs)[0].shape[0]
    if time <= size:
        return block(state, inputs)
    count, rest = divmod(time, size)
    whole = jax.tree.map(lambda x: x[: count * size].reshape(count, size, *x.shape[1:]), inputs)
    left = jax.tree.map(lambda x: x[count * size :], inputs)
    state, outputs = scan(block, state, whole, keep)
    if keep == "last":
        return block(state, left) if rest else (state, outputs)
    outputs = jax.tree.map(lambda y: y.reshape(count * size, *y.shape[2:]), outputs)
    if rest:
        state, tail = block(state, left)
        outputs = jax.tree.map(lambda *both: jnp.concatenate(both), outputs, tail)
    return state, outputs


def scan(step: Step, state: PyTree, inputs: PyTree, keep: Keep = "all") -> tuple[PyTree, PyTree]:
    """`lax.scan` whose carry may be made of zeros anywhere; with `keep="last"` no output is stacked."""
    state = carried(step, state, inputs)
    step = _closing_wide(step, state, inputs)
    if keep == "all":
        return jax.lax.scan(step, state, inputs)
    _, output = jax.eval_shape(lambda state, xs: step(state, _first(xs)), state, inputs)
    nothing = jax.tree.map(jnp.zeros_like, output)
    return jax.lax.scan(lambda carry, now: (step(carry[0], now), None), (state, nothing), inputs)[0]


def carried(step: Step, state: PyTree, inputs: PyTree) -> PyTree:
    """A state in the type of what a step makes of it: over a mesh, varying and sharded as the inputs and weights are.

    Zeros that were made from a shape are the same on all devices, and the state after a step is not; `lax.scan`
    refuses that. Outside a mesh nothing is done.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or not jax.tree.leaves(state) or not all(map(len, jax.tree.leaves(inputs))):
        return state
    if on_explicit_mesh():
        state = jax.tree.map(functools.partial(_sharded_as, jax.tree.leaves(inputs)[0]), state)
    for _ in mesh.axis_names:  # a step may pass on from part to part, axis by axis, what varies
        made, _ = jax.eval_shape(lambda state, xs: step(state, _first(xs)), state, inputs)
        state = jax.tree.map(_typed_as, state, made)
    return state


def on_explicit_mesh() -> bool:
    """Whether arrays carry their sharding over a mesh in their types, as with `jax.make_mesh`."""
    return jax.sharding.AxisType.Explicit in jax.sharding.get_abstract_mesh().axis_types


def automatically_sharded(function: Callable[..., Array], x: Array, *others: Array, features: int = 1) -> Any:
    """A function of x and others whose sharding inside the compiler chooses, also on a mesh of explicit sharding.

    There, JAX refuses the gradient of convolutions, and reshapes that merge an axis that is sharded. The leading axes
    of the result are sharded as those of x, the last ones, `features` of them, are not.
    """
    if not on_explicit_mesh():
        return function(x, *others)
    leading = jax.typeof(x).sharding.spec[: x.ndim - features]
    return jax.sharding.auto_axes(function, out_sharding=PartitionSpec(*leading, *[None] * features))(x, *others)


def _sharded_as(inputs: Any, value: Any) -> Any:
    """A value whose leading axes are as long as those of the batch, sharded as they are. This moves it, no more."""
    spec, value = jax.typeof(inputs).sharding.spec[1:], jnp.asarray(value)
    pairs = zip(value.shape, inputs.shape[1:-1], strict=False)
    batch = list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    if not any(spec[: len(batch)]):
        return value
    return jax.sharding.reshard(value, PartitionSpec(*spec[: len(batch)], *[None] * (value.ndim - len(batch))))


def varying_alike(*values: Array) -> tuple[Array, ...]:
    """Arrays of one floating type, each varying over the axes of a mesh over which one of them does."""
    if jax.sharding.get_abstract_mesh().empty:
        return values
    zero = jnp.zeros_like(jax.eval_shape(lambda *values: sum(value.sum() for value in values), *values))
    return tuple(value + zero for value in values)


def _typed_as(value: Any, made: jax.ShapeDtypeStruct) -> Any:
    """A value that varies over a mesh and is sharded as another of its shape."""
    value = jnp.asarray(value)
    if value.dtype != made.dtype or not (jnp.issubdtype(value.dtype, jnp.number) or value.dtype == bool):
        return value
    zero = jnp.zeros_like(made)
    if jax.typeof(zero) == jax.typeof(value):
        return value
    return value | zero if value.dtype == bool else value + zero


def _first(inputs: PyTree) -> PyTree:
    return jax.tree.map(lambda x: x[0], inputs)


def _closing_wide(step: Step, state: PyTree, inputs: PyTree) -> Step:
    """A step that closes over half-precision numbers in float32, wherever it has them from: functions, plain objects.

    Where neither state nor inputs are half, nothing is looked for.
    """
    leaves = jax.tree.leaves((state, inputs))
    if not any(jnp.result_type(leaf) in HALF for leaf in leaves) or not all(map(len, jax.tree.leaves(inputs))):
        return step
    converted, values = jax.closure_convert(step, state, jax.eval_shape(_first, inputs))
    if not any(value.dtype in HALF for value in values):
        return step
    return summed_wide(lambda values, state, now: converted(state, now, *values), values)


def opened(function: Callable[..., Any], state: PyTree, inputs: PyTree) -> Callable[..., Any]:
    """A cell that is a function as a tree, whose leaves are the half-precision numbers that it closes over, if any."""
    if not jax.tree_util.all_leaves([function]):
        return function
    x = jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x)[1:], jnp.result_type(x)), inputs)
    converted, values = jax.closure_convert(function, state, x)
    if not any(value.dtype in HALF for value in values):
        return function
    return jax.tree_util.Partial(lambda values, state, now: converted(state, now, *values), values)


def summed_wide(function: Callable[..., Any], tree: PyTree) -> Callable[..., Any]:
    """The function with the tree as its first argument, for use inside a loop that sums derivatives by the tree.

    A loop sums the gradient of what it closes over in the type of that: in bfloat16 the sum of 2,000 ones is 256. So
    it closes over half-precision numbers in float32, and each step rounds them back.
    """
    leaves, structure = jax.tree.flatten(tree)
    narrow = {i: leaf.dtype for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array) and leaf.dtype in HALF}
    wide = [leaf.astype(jnp.float32) if i in narrow else leaf for i, leaf in enumerate(leaves)]

    def call(*arguments: Any) -> Any:
        rounded = [leaf.astype(narrow[i]) if i in narrow else leaf for i, leaf in enumerate(wide)]
        return function(structure.unflatten(rounded), *arguments)

    return call if narrow else lambda *arguments: function(tree, *arguments)
