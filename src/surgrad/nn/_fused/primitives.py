"""The primitives of a fused loop, with their rules: kernels, derivatives by the scan, and `vmap` by a mapped step."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from surgrad._dtypes import wide
from surgrad.nn._fused.loop import Loop


def _typed(operands: Sequence[Any], leaves: Sequence[Any], leading: tuple[int, ...] = ()) -> list[ShapedArray]:
    """Types of results: shapes of leaves with more leading axes, varying over a mesh as the operands do."""
    kind = operands[0]
    return [kind.update(shape=(*leading, *leaf.shape), dtype=leaf.dtype, weak_type=False) for leaf in leaves]


# Forward.


def _forward_types(*operands: Any, loop: Loop, keep: bool) -> list[ShapedArray]:
    program, like = loop.program, operands[-1:]
    full = [jax.ShapeDtypeStruct(program.shape, state.dtype) for state in program.states]
    kept = _typed(like, full, (loop.segments,)) if keep else []
    return [*_typed(like, program.states), *_typed(like, program.outputs, (loop.time,)), *kept]


def _forward_kernel(*operands: Any, loop: Loop, keep: bool) -> list[Any]:
    return [*chain(*loop.compiled.forward(*loop.parted(operands), keep=keep))]


def _forward_jvp(operands: Any, tangents: Any, *, loop: Loop, keep: bool) -> Any:
    made = forward.bind(*operands, loop=loop, keep=keep)

    def plain(*operands: Any) -> list[Any]:
        return [*chain(*loop.program.loop(*loop.parted(operands)))]

    _, found = _along(plain, operands, tangents)
    # What lies between two segments is computed again from the operands, so nothing depends on what was kept.
    rest = [ad.Zero(jax.typeof(value).to_tangent_aval()) for value in made[len(found) :]]
    return made, [*found, *rest]


def _forward_batch(operands: Any, axes: Any, *, loop: Loop, keep: bool) -> Any:
    _, along, lists = _batched(loop, operands, axes)
    made = forward.bind(*lists, loop=along, keep=keep)
    states = len(loop.program.states)
    return made, [0] * states + [1] * (len(made) - states)


# Tangent.


def _tangent_lengths(loop: Loop) -> tuple[int, ...]:
    return len(loop.program.states), *map(len, loop.program.moving)


def _tangent_types(*operands: Any, loop: Loop) -> list[ShapedArray]:
    program, like = loop.program, [operands[sum(loop.lengths) - 1]]
    states = [program.states[i] for i in program.real_states]
    return [
        *_typed(like, states),
        *_typed(like, [program.outputs[i] for i in program.real_outputs], (loop.time,)),
    ]


def _tangent_plain(*operands: Any, loop: Loop) -> list[Any]:
    parameters, states, inputs, _, *tangents = loop.parted(operands, *_tangent_lengths(loop))
    return loop.program.loop_tangent(parameters, states, inputs, tuple(tangents))


def _tangent_jvp(operands: Any, tangents: Any, *, loop: Loop) -> Any:
    return _along(functools.partial(_tangent_plain, loop=loop), operands, tangents)


def _tangent_transpose(cotangents: Any, *operands: Any, loop: Loop) -> list[Any]:
    parameters, states, inputs, kept, *moved = loop.parted(operands, *_tangent_lengths(loop))
    cotangents = [ad.instantiate_zeros(cotangent) for cotangent in cotangents]
    found = backward.bind(*parameters, *states, *inputs, *kept, *cotangents, loop=loop)
    by_parameters = [
        _summed(value, loop.program.parameters[i].shape, operand.aval.dtype)
        for value, i, operand in zip(found, loop.program.moving[0], moved[0], strict=False)
    ]
    none = [None] * (len(operands) - sum(map(len, moved)))
    return [*none, *by_parameters, *found[len(by_parameters) :]]


def _summed(value: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """A gradient, one a neuron, as that of a parameter of a shape."""
    lead = value.ndim - len(shape)
    axes = [i for i in range(value.ndim) if i < lead or shape[i - lead] < value.shape[i]]
    return value.sum(axes, keepdims=False).reshape(shape).astype(dtype)


def _tangent_batch(operands: Any, axes: Any, *, loop: Loop) -> Any:
    count = sum(loop.lengths) + len(loop.program.states)
    size, along, lists = _batched(loop, operands, axes, moved=axes[count:])
    by_parameters, by_states, by_inputs = _split_moved(loop, operands[count:], axes[count:])
    moved = [
        *(_lead(value, axis, 0, size) for value, axis in by_parameters),
        *(_lead(value, axis, 0, size) for value, axis in by_states),
        *(_lead(value, axis, 1, size) for value, axis in by_inputs),
    ]
    made = tangent.bind(*lists, *moved, loop=along)
    return made, [0] * len(loop.program.real_states) + [1] * len(loop.program.real_outputs)


def _split_moved(loop: Loop, operands: Any, axes: Any) -> Any:
    pairs, parts = list(zip(operands, axes, strict=True)), []
    for places in loop.program.moving:
        parts.append(pairs[: len(places)])
        pairs = pairs[len(places) :]
    return parts


# Backward.


def _backward_lengths(loop: Loop) -> tuple[int, ...]:
    return len(loop.program.states), len(loop.program.real_states), len(loop.program.real_outputs)


def _backward_types(*operands: Any, loop: Loop) -> list[ShapedArray]:
    program, like = loop.program, [operands[sum(loop.lengths) - 1]]
    by_parameters, by_states, by_inputs = program.moving
    sums = [jax.ShapeDtypeStruct(program.shape, wide(program.parameters[i].dtype)) for i in by_parameters]
    return [
        *_typed(like, sums),
        *_typed(like, [program.states[i] for i in by_states]),
        *_typed(like, [program.inputs[i] for i in by_inputs], (loop.time,)),
    ]


def _backward_kernel(*operands: Any, loop: Loop) -> list[Any]:
    parameters, _, inputs, kept, *cotangents = loop.parted(operands, *_backward_lengths(loop))
    return [*chain(*loop.compiled.backward(parameters, inputs, kept, tuple(cotangents)))]


def _backward_plain(*operands: Any, loop: Loop) -> list[Any]:
    parameters, states, inputs, _, *cotangents = loop.parted(operands, *_backward_lengths(loop))
    return [*chain(*loop.program.loop_cotangent(parameters, states, inputs, tuple(cotangents)))]


def _backward_jvp(operands: Any, tangents: Any, *, loop: Loop) -> Any:
    return _along(functools.partial(_backward_plain, loop=loop), operands, tangents)


def _backward_batch(operands: Any, axes: Any, *, loop: Loop) -> Any:
    count = sum(loop.lengths) + len(loop.program.states)
    size, along, lists = _batched(loop, operands, axes)
    real = len(loop.program.real_states)
    pairs = list(zip(operands[count:], axes[count:], strict=True))
    cotangents = [_lead(value, axis, int(i >= real), size) for i, (value, axis) in enumerate(pairs)]
    made = backward.bind(*lists, *cotangents, loop=along)
    others = len(loop.program.moving[0]) + len(loop.program.moving[1])
    return made, [0] * others + [1] * (len(made) - others)


# What the rules share.


def _along(function: Callable[..., list[Any]], operands: Any, tangents: Any) -> Any:
    """Values and tangents of a plain function, by the operands that have tangents."""
    moving = [i for i, tangent in enumerate(tangents) if not isinstance(tangent, ad.Zero)]

    def along(*moved: Any) -> list[Any]:
        merged = dict(zip(moving, moved, strict=True))
        return function(*(merged.get(i, value) for i, value in enumerate(operands)))

    return jax.jvp(along, [operands[i] for i in moving], [tangents[i] for i in moving])


def _batched(loop: Loop, operands: Any, axes: Any, moved: Any = ()) -> tuple[int, Loop, list[Any]]:
    """Size, loop and operands of a map: parameters, states, inputs, and what was kept if that is among the operands."""
    size = next(value.shape[axis] for value, axis in zip(operands, axes, strict=True) if axis is not None)
    pairs = list(zip(operands, axes, strict=True))
    count = loop.lengths[0]
    mapped_tangents = dict(zip(loop.program.moving[0], moved, strict=False))
    lead = [
        0 if axis is not None or mapped_tangents.get(i) is not None else None for i, axis in enumerate(axes[:count])
    ]
    parameters = [
        value if place is None else _lead(value, axis, 0, size)
        for place, (value, axis) in zip(lead, pairs[:count], strict=True)
    ]
    states = sum(loop.lengths[:2])
    first = [_lead(value, axis, 0, size) for value, axis in pairs[count:states]]
    kept = states + sum(loop.lengths[1:])
    over_time = [_lead(value, axis, 1, size) for value, axis in pairs[states:kept]]
    return size, loop.mapped(size, lead), [*parameters, *first, *over_time]


def _lead(value: Any, axis: int | None, to: int, size: int) -> Any:
    """The value with its mapped axis at a place; repeated if it has none."""
    if axis is not None:
        return jnp.moveaxis(value, axis, to)
    value = jnp.expand_dims(value, to)
    return jnp.broadcast_to(value, (*value.shape[:to], size, *value.shape[to + 1 :]))


def _quiet(lowering: Callable[..., Any]) -> Callable[..., Any]:
    """A lowering without the warning that JAX from 0.11 on gives each user of the Triton backend."""

    @functools.wraps(lowering)
    def quiet(*arguments: Any, **params: Any) -> Any:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "The Pallas Triton backend is deprecated", DeprecationWarning)
            return lowering(*arguments, **params)

    return quiet


def _primitive(name: str, types: Any, compute: Any, jvp: Any, batch: Any) -> Primitive:
    made = Primitive(f"time_loop_{name}")
    made.multiple_results = True
    made.def_abstract_eval(types)
    made.def_impl(lambda *operands, **params: jax.jit(functools.partial(compute, **params))(*operands))
    ad.primitive_jvps[made] = jvp
    batching.primitive_batchers[made] = batch
    mlir.register_lowering(made, _quiet(mlir.lower_fun(compute, multiple_results=True)))
    return made


forward = _primitive("forward", _forward_types, _forward_kernel, _forward_jvp, _forward_batch)
tangent = _primitive("tangent", _tangent_types, _tangent_plain, _tangent_jvp, _tangent_batch)
backward = _primitive("backward", _backward_types, _backward_kernel, _backward_jvp, _backward_batch)
ad.primitive_transposes[tangent] = _tangent_transpose
