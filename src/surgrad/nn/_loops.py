"""Loops over time: `lax.scan` with sums in float32, on meshes too."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax.sharding import PartitionSpec
from jaxtyping import Array

from surgrad._dtypes import HALF
from surgrad._types import PyTree

Keep = Literal["all", "last"]
Step = Callable[[PyTree, PyTree], tuple[PyTree, PyTree]]
"""One time step, or several at once: `(state, input) -> (state, output)`."""


STEPS_AN_ITERATION = {"cpu": 1}
"""Time steps of an iteration of a loop on a backend; more cost compile time, and on CPUs time too."""

ON_ACCELERATORS = 8
"""The same for other backends, where an iteration costs the start of its kernels: on a T4, 27 ms for one step an
iteration and 12 ms for eight were published (SNN benchmark of jaxpike). Not measured here."""


def steps(cell: Callable[..., Any], state: PyTree, inputs: PyTree, keep: Keep = "all") -> tuple[PyTree, PyTree]:
    """Run a cell step by step in one scan: the last state, and all outputs or the last."""
    return scan(summed_wide(lambda cell, state, now: cell(state, now), cell), state, inputs, keep, an_iteration())


def an_iteration() -> int:
    """Time steps of an iteration of a loop on the backend in use."""
    return STEPS_AN_ITERATION.get(jax.default_backend(), ON_ACCELERATORS)


def blocks(block: Step, keep: Keep, size: Any, state: PyTree, inputs: PyTree) -> tuple[PyTree, PyTree]:
    """Run blocks of `size` time steps in sequence, the last one shorter if need be."""
    time = jax.tree.leaves(inputs)[0].shape[0]
    if time <= size:
        return block(state, inputs)
    count, rest = divmod(time, size)
    whole = jax.tree.map(lambda x: x[: count * size].reshape(count, size, *x.shape[1:]), inputs)
    left = jax.tree.map(lambda x: x[count * size :], inputs)
    state, outputs = scan(block, state, whole, keep, axes_of_time=2)
    if keep == "last":
        return block(state, left) if rest else (state, outputs)
    # A block may put out fewer than one for each of its steps, where some are recorded.
    outputs = jax.tree.map(lambda y: y.reshape(count * y.shape[1], *y.shape[2:]), outputs)
    if rest:
        state, tail = block(state, left)
        outputs = jax.tree.map(lambda *both: jnp.concatenate(both), outputs, tail)
    return state, outputs


def scan(
    step: Step, state: PyTree, inputs: PyTree, keep: Keep = "all", together: int = 1, axes_of_time: int = 1
) -> tuple[PyTree, PyTree]:
    """`lax.scan` whose first carry need not vary over a mesh; with `keep="last"` no outputs are stacked.

    An iteration of the loop does some steps together. Inputs have two axes of time where a step takes a block of steps.
    """
    state = carried(step, state, inputs, axes_of_time)
    step = _closing_wide(step, state, inputs)
    if keep == "all":
        return jax.lax.scan(step, state, inputs, unroll=together)
    _, output = jax.eval_shape(lambda state, xs: step(state, _first(xs)), state, inputs)
    nothing = jax.tree.map(jnp.zeros_like, output)
    return jax.lax.scan(lambda carry, now: (step(carry[0], now), None), (state, nothing), inputs, unroll=together)[0]


def carried(step: Step, state: PyTree, inputs: PyTree, axes_of_time: int = 1) -> PyTree:
    """The state with the type that it has after a step: over a mesh, varying and sharded as inputs and weights are.

    A new state is made of zeros, which are the same on all devices; after a step it varies, and `lax.scan` refuses
    that. Without a mesh the state is returned as it is.
    """
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty or not jax.tree.leaves(state) or not all(map(len, jax.tree.leaves(inputs))):
        return state
    if on_explicit_mesh():
        state = jax.tree.map(functools.partial(_sharded_as, jax.tree.leaves(inputs)[0], axes_of_time), state)
    for _ in mesh.axis_names:  # within a step, varying axes may spread from layer to layer
        made, _ = jax.eval_shape(lambda state, xs: step(state, _first(xs)), state, inputs)
        state = jax.tree.map(_typed_as, state, made)
    return state


def on_explicit_mesh() -> bool:
    """Whether the mesh has explicit sharding, as that of `jax.make_mesh`."""
    return jax.sharding.AxisType.Explicit in jax.sharding.get_abstract_mesh().axis_types


def automatically_sharded(function: Callable[..., Array], x: Array, *others: Array, features: int = 1) -> Any:
    """Call a function with automatic sharding inside, also on a mesh with explicit sharding.

    With explicit sharding JAX refuses the gradient of convolutions, and reshapes that merge a sharded axis. The leading
    axes of the result are sharded as those of x; the last `features` axes are not sharded.
    """
    if not on_explicit_mesh():
        return function(x, *others)
    leading = jax.typeof(x).sharding.spec[: x.ndim - features]
    return jax.sharding.auto_axes(function, out_sharding=PartitionSpec(*leading, *[None] * features))(x, *others)


def _sharded_as(inputs: Any, axes_of_time: int, value: Any) -> Any:
    """A value with its batch axes, which come after those of time, sharded as those of the inputs; only its place."""
    spec, value = jax.typeof(inputs).sharding.spec[axes_of_time:], jnp.asarray(value)
    pairs = zip(value.shape, inputs.shape[axes_of_time:-1], strict=False)
    batch = list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs))
    if not any(spec[: len(batch)]) or any(jax.typeof(value).sharding.spec):
        return value
    return jax.sharding.reshard(value, PartitionSpec(*spec[: len(batch)], *[None] * (value.ndim - len(batch))))


def varying_alike(*values: Array) -> tuple[Array, ...]:
    """Arrays, each varying over all mesh axes that one of them varies over."""
    if jax.sharding.get_abstract_mesh().empty:
        return values
    zero = jax.eval_shape(lambda *values: sum(value.sum().astype("float32") for value in values), *values)
    return tuple(_with_zero(value, jnp.zeros_like(zero).astype(value.dtype)) for value in values)


def varies(value: Array) -> bool:
    """Whether an array varies over a mesh, inside `shard_map` with `check_vma=True`."""
    if jax.sharding.get_abstract_mesh().empty:
        return False
    return jax.typeof(value) != jax.typeof(jnp.zeros(value.shape, value.dtype))


def _with_zero(value: Array, zero: Array) -> Array:
    return value | zero if value.dtype == bool else value + zero


def _typed_as(value: Any, made: jax.ShapeDtypeStruct) -> Any:
    """A value with the sharding, and varying over the mesh axes, of another value of its shape."""
    value = jnp.asarray(value)
    if value.dtype != made.dtype or not (jnp.issubdtype(value.dtype, jnp.number) or value.dtype == bool):
        return value
    zero = jnp.zeros_like(made)
    if jax.typeof(zero) == jax.typeof(value):
        return value
    return _with_zero(value, zero)


def _first(inputs: PyTree) -> PyTree:
    return jax.tree.map(lambda x: x[0], inputs)


def _closing_wide(step: Step, state: PyTree, inputs: PyTree) -> Step:
    """A step that closes over half-precision arrays in float32, so that their gradients are summed in float32.

    The step is returned as it is if neither state nor inputs have half precision.
    """
    leaves = jax.tree.leaves((state, inputs))
    if not any(jnp.result_type(leaf) in HALF for leaf in leaves) or not all(map(len, jax.tree.leaves(inputs))):
        return step
    converted, values = jax.closure_convert(step, state, jax.eval_shape(_first, inputs))
    if not any(value.dtype in HALF for value in values):
        return step
    return summed_wide(lambda values, state, now: converted(state, now, *values), values)


def opened(function: Callable[..., Any], state: PyTree, inputs: PyTree) -> Callable[..., Any]:
    """A function as a pytree whose leaves are the half-precision arrays that it closes over, if there are any."""
    if not jax.tree_util.all_leaves([function]):
        return function
    x = jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x)[1:], jnp.result_type(x)), inputs)
    converted, values = jax.closure_convert(function, state, x)
    if not any(value.dtype in HALF for value in values):
        return function
    return jax.tree_util.Partial(lambda values, state, now: converted(state, now, *values), values)


def summed_wide(function: Callable[..., Any], tree: PyTree) -> Callable[..., Any]:
    """The function with the tree as its first argument, for loops that sum gradients by the tree.

    A loop sums the gradient by an array in the dtype of the array, and in bfloat16 the sum of 2,000 ones is 256. So the
    loop closes over half-precision arrays in float32, and each step casts them back.
    """
    leaves, structure = jax.tree.flatten(tree)
    narrow = {i: leaf.dtype for i, leaf in enumerate(leaves) if isinstance(leaf, jax.Array) and leaf.dtype in HALF}
    wide = [leaf.astype(jnp.float32) if i in narrow else leaf for i, leaf in enumerate(leaves)]

    def call(*arguments: Any) -> Any:
        rounded = [leaf.astype(narrow[i]) if i in narrow else leaf for i, leaf in enumerate(wide)]
        return function(structure.unflatten(rounded), *arguments)

    return call if narrow else lambda *arguments: function(tree, *arguments)


def name_of(cell: Any) -> str:
    """The class that errors name: that of a cell, or of the layer in its field `stands_for`, if its class has one."""
    field = vars(type(cell)).get("stands_for")
    return type(cell).__name__ if field is None else name_of(getattr(cell, field))
