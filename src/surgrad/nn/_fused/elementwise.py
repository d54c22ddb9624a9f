"""Evaluation of a time step on a block of neurons, operation by operation, where no operation mixes neurons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from surgrad.nn._fused.tape import RESHAPES, Constant, Operation, Split

_NAMES = """
    abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e bitcast_convert_type cbrt
    ceil clamp clz convert_element_type copy copy_p cos cosh digamma div eq eq_to erf erf_inv erfc exp exp2
    expm1 floor ge gt igamma igammac integer_pow is_finite le le_to lgamma log log1p logistic lt lt_to max min
    mul ne neg nextafter not or polygamma population_count pow reduce_precision regularized_incomplete_beta rem
    round rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt square sub tan
    tanh xor
"""
ELEMENTWISE = frozenset(_NAMES.split())
"""Operations of JAX that act on each element alone, with operands of one shape."""

_MIXING = """
    argmax argmin conv_general_dilated cumlogsumexp cummax cummin cumprod cumsum dot_general dynamic_slice fft gather
    reduce_and reduce_max reduce_min reduce_or reduce_prod reduce_sum rev scatter slice sort transpose
"""
MIXING = frozenset(_MIXING.split())
"""Operations that mix neurons if they take an array of all neurons. (There are more; those are not called an error.)"""

UNCHANGED = frozenset(("pvary", "pcast", "stop_gradient", "optimization_barrier", *RESHAPES))
"""Operations that leave the elements as they are; those that change a shape from one number or to the same shape."""


class MixedNeuronsError(ValueError):
    """Error: a cell promises to be elementwise, and an operation of its step is not."""


def require_elementwise(where: str, split: Split, shape: tuple[int, ...]) -> None:
    """Refuse a time step one of whose operations is not elementwise on arrays of a shape.

    Raises:
        MixedNeuronsError: an operation mixes neurons; the message names it.
        NotImplementedError: it is not known whether an operation does.
    """
    types = split.tape.types
    for operation in split.operations:
        name, made = operation.primitive.name, [types[number].shape for number in operation.outputs]
        taken = [types[atom].shape for atom in operation.inputs if isinstance(atom, int)]
        if name in MIXING and shape in taken:
            raise MixedNeuronsError(
                f"{where} promises to be elementwise, but its step uses the operation {name} on an array of all "
                f"neurons, {shape}, which mixes them. Write the step with operations on single neurons, or delete the "
                f"promise."
            )
        if name not in ELEMENTWISE | UNCHANGED or not all(leads(found, shape) for found in made):
            found = ", ".join(map(str, made))
            raise NotImplementedError(f"the operation {name}, which makes {found}, is none of single neurons {shape}")


def leads(found: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a shape is that of the neurons, or a number for all, or under `vmap` one for each element of the map."""
    return len(found) <= len(shape) and all(a in (1, b) for a, b in zip(found, shape, strict=False))


def on_block(split: Split, derived: Sequence[Any], inputs: Sequence[Any]) -> list[Any]:
    """The outputs of a time step for a block of neurons; every value is an array of a block, or one number."""
    values = dict(zip(split.derived, derived, strict=True)) | dict(zip(split.inputs, inputs, strict=True))
    block = next(value.shape for value in inputs)

    def read(atom: Any) -> Any:
        value = np.asarray(atom.value).reshape(()) if isinstance(atom, Constant) else values[atom]
        return jnp.broadcast_to(jnp.asarray(value), block)

    for operation in split.operations:
        made = _apply(operation, [read(atom) for atom in operation.inputs])
        values |= dict(zip(operation.outputs, made, strict=True))
    return [read(atom) for atom in split.outputs]


def _apply(operation: Operation, operands: list[Any]) -> list[Any]:
    name = operation.primitive.name
    if name in UNCHANGED:
        return operands if operation.primitive.multiple_results else operands[:1]
    if (rule := REWRITTEN.get(name)) is not None:
        return [rule(*operands, **operation.params)]
    return [operation.primitive.bind(*operands, **operation.params)]


def _round(x: Any, *, rounding_method: Any) -> Any:
    """The nearest whole number, which compilers of kernels lack; ties go to the even one, or away from zero."""
    if int(rounding_method) == 0:
        return jnp.sign(x) * jnp.floor(jnp.abs(x) + 0.5)
    down = jnp.floor(x)
    odd = down - 2 * jnp.floor(down * 0.5)
    rest = x - down
    return down + jnp.where((rest > 0.5) | ((rest == 0.5) & (odd == 1)), 1, 0).astype(x.dtype)


def _reduce_precision(x: Any, *, exponent_bits: int, mantissa_bits: int) -> Any:
    """A number rounded to another format, by way of the type that has it."""
    for dtype in (x.dtype, jnp.dtype("bfloat16"), jnp.dtype("float16"), jnp.dtype("float32")):
        if (exponent_bits, mantissa_bits) == (jnp.finfo(dtype).nexp, jnp.finfo(dtype).nmant):
            return x.astype(dtype).astype(x.dtype)
    raise NotImplementedError(f"numbers of {exponent_bits} bits of exponent and {mantissa_bits} of mantissa")


REWRITTEN: dict[str, Callable[..., Any]] = {"round": _round, "reduce_precision": _reduce_precision}
"""Operations that a compiler of kernels lacks, in others that it has."""
