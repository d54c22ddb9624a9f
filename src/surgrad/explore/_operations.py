"""How each primitive of JAX is written in JavaScript. Functions that JavaScript lacks are in `js/functions.js`."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax.numpy as jnp
import numpy as np

from surgrad import _rules as rules

Write = Callable[..., str]
"""The text of an expression from the texts of its operands, which are names or numbers."""


class TranslationError(ValueError):
    """A program that cannot be written in JavaScript; the message says why."""


CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "checkpoint": "jaxpr",
    "remat2": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    rules.NAME: "jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vjp_call_jaxpr": "fun_jaxpr",
}
"""Primitives that evaluate a program, and the parameter in which it is; they are written as its equations."""


def _fixed(text: str) -> Callable[..., Write]:
    return lambda parameters, dtypes: text.format


def _same(parameters: Any, dtypes: Any) -> Write:
    return lambda value: value


def _product(parameters: Any, dtypes: Any) -> Write:
    if dtypes[0] == jnp.uint32:
        return "(Math.imul({},{})>>>0)".format
    return lambda a, b: b if a == "1" else a if b == "1" else f"{a}*{b}"


def _division(parameters: Any, dtypes: Any) -> Write:
    if jnp.issubdtype(dtypes[0], jnp.integer):
        return "Math.trunc({}/{})".format
    return lambda a, b: a if b == "1" else f"{a}/{b}"


def _logical(for_booleans: str, for_bits: str) -> Callable[..., Write]:
    def write(parameters: Any, dtypes: Any) -> Write:
        _require_bits(dtypes[0])
        return (for_booleans if dtypes[0] == jnp.bool_ else for_bits).format

    return write


def _require_bits(dtype: Any) -> None:
    if dtype not in (jnp.bool_, jnp.uint32):
        raise TranslationError(f"operations of JAX on the bits of {dtype} have no translation")


def _shifted(parameters: Any, dtypes: Any) -> Write:
    _require_bits(dtypes[0])
    return "({}>>>{})".format


def _bits(parameters: Any, dtypes: Any) -> Write:
    if (dtypes[0], parameters["new_dtype"]) != (jnp.float32, jnp.uint32):
        raise TranslationError(f"the bits of {dtypes[0]} as {parameters['new_dtype']} have no translation")
    return "bits({})".format


def _integer_power(parameters: Any, dtypes: Any) -> Write:
    exponent = parameters["y"]
    if exponent in (2, 3):
        return lambda a: "*".join([a] * exponent)
    return lambda a: f"1/{a}" if exponent == -1 else f"power({a},{exponent})"


def _converted(parameters: Any, dtypes: Any) -> Write:
    before, after = dtypes[0], parameters["new_dtype"]
    if after == jnp.bool_:
        return _same(parameters, dtypes) if before == jnp.bool_ else "{}!==0".format
    if before == jnp.bool_:
        return "({}?1:0)".format
    if jnp.issubdtype(after, jnp.integer) and jnp.issubdtype(before, jnp.floating):
        return "Math.trunc({})".format
    if after in (jnp.float32, jnp.float16, jnp.bfloat16):
        return "Math.fround({})".format if after == jnp.float32 else f"rounded({{}},{jnp.finfo(after).nmant})".format
    return _same(parameters, dtypes)


def _selected(parameters: Any, dtypes: Any) -> Write:
    if dtypes[0] == jnp.bool_:
        return lambda which, no, yes: no if no == yes else f"{which}?{yes}:{no}"
    return lambda which, *cases: f"[{','.join(cases)}][{which}]"


def _rounded(parameters: Any, dtypes: Any) -> Write:
    away_from_zero = "Math.sign({0})*Math.round(Math.abs({0}))"
    return ("even({})" if int(parameters["rounding_method"]) == 1 else away_from_zero).format


def _shortened(parameters: Any, dtypes: Any) -> Write:
    bits = parameters["mantissa_bits"]
    return _same(parameters, dtypes) if bits >= 52 else f"rounded({{}},{bits})".format


_TEXTS = {
    "add": "{}+{}",
    "add_any": "{}+{}",
    "sub": "{}-{}",
    "neg": "-{}",
    "rem": "{}%{}",
    "max": "Math.max({},{})",
    "min": "Math.min({},{})",
    "clamp": "Math.min(Math.max({1},{0}),{2})",
    "eq": "{}==={}",
    "ne": "{}!=={}",
    "lt": "{}<{}",
    "le": "{}<={}",
    "gt": "{}>{}",
    "ge": "{}>={}",
    "is_finite": "Number.isFinite({})",
    "pow": "power({},{})",
    "square": "{0}*{0}",
    "rsqrt": "1/Math.sqrt({})",
    "logistic": "1/(1+Math.exp(-{}))",
    "erf": "erf({})",
    "erfc": "erfc({})",
    "erf_inv": "erfInverse({})",
    "atan2": "Math.atan2({},{})",
} | {
    name: f"Math.{name}({{}})"
    for name in (
        "abs", "acos", "acosh", "asin", "asinh", "atan", "atanh", "cbrt", "ceil", "cos", "cosh", "exp", "expm1",
        "floor", "log", "log1p", "sign", "sin", "sinh", "sqrt", "tan", "tanh",
    )
}  # fmt: skip

ELEMENTWISE: dict[str, Callable[[Any, list[Any]], Write]] = {name: _fixed(text) for name, text in _TEXTS.items()} | {
    "mul": _product,
    "div": _division,
    "and": _logical("{}&&{}", "(({}&{})>>>0)"),
    "or": _logical("{}||{}", "(({}|{})>>>0)"),
    "not": _logical("!{}", "(~{}>>>0)"),
    "xor": _logical("{}!=={}", "(({}^{})>>>0)"),
    "shift_right_logical": _shifted,
    "bitcast_convert_type": _bits,
    "integer_pow": _integer_power,
    "convert_element_type": _converted,
    "select_n": _selected,
    "round": _rounded,
    "reduce_precision": _shortened,
    "exp2": _fixed("power(2,{})"),
    "copy": _same,
    "copy_p": _same,
    "stop_gradient": _same,
    "optimization_barrier": _same,
}
"""Primitives that compute each element by itself: `(parameters, dtypes of the operands) -> how it is written`."""


def _broadcast(statements: Any, parameters: Any, value: np.ndarray) -> np.ndarray:
    shape, places = parameters["shape"], parameters["broadcast_dimensions"]
    kept = [value.shape[places.index(axis)] if axis in places else 1 for axis in range(len(shape))]
    return np.broadcast_to(value.reshape(kept), shape)


def _sliced(statements: Any, parameters: Any, value: np.ndarray) -> np.ndarray:
    starts, ends = parameters["start_indices"], parameters["limit_indices"]
    strides = parameters["strides"] or (1,) * value.ndim
    return value[tuple(map(slice, starts, ends, strides))]


def _reduction(text: str) -> Callable[..., np.ndarray]:
    def write(statements: Any, parameters: Any, value: np.ndarray) -> np.ndarray:
        axes = parameters["axes"]
        rest = [axis for axis in range(value.ndim) if axis not in axes]
        moved = np.transpose(value, (*rest, *axes)).reshape(*(value.shape[axis] for axis in rest), -1)
        result = np.empty(moved.shape[:-1], object)
        for place in np.ndindex(result.shape):
            result[place] = reduce(lambda a, b: statements.add(text.format, (a, b)), moved[place])
        return result

    return write


def _place_of_best(sign: str) -> Callable[..., np.ndarray]:
    """The first place of the largest or smallest element along an axis; NaN counts as the best, as in JAX."""

    def better(one: str, best: str) -> str:
        return f"{one}{sign}{best}||({one}!=={one}&&{best}==={best})"

    def write(statements: Any, parameters: Any, value: np.ndarray) -> np.ndarray:
        moved = np.moveaxis(value, parameters["axes"][0], 0)
        result = np.empty(moved.shape[1:], object)
        for place in np.ndindex(result.shape):
            best, at = moved[(0, *place)], 0
            for i in range(1, len(moved)):
                one = moved[(i, *place)]
                wins = statements.add(better, (one, best))
                at = statements.add("{}?{}:{}".format, (wins, i, at))
                best = statements.add("{}?{}:{}".format, (wins, one, best))
            result[place] = at
        return result

    return write


STRUCTURAL: dict[str, Callable[..., np.ndarray]] = {
    "broadcast_in_dim": _broadcast,
    "reshape": lambda statements, parameters, value: value.reshape(parameters["new_sizes"]),
    "squeeze": lambda statements, parameters, value: value.squeeze(tuple(parameters["dimensions"])),
    "expand_dims": lambda statements, parameters, value: np.expand_dims(value, tuple(parameters["dimensions"])),
    "transpose": lambda statements, parameters, value: value.transpose(parameters["permutation"]),
    "rev": lambda statements, parameters, value: np.flip(value, parameters["dimensions"]),
    "concatenate": lambda statements, parameters, *values: np.concatenate(values, parameters["dimension"]),
    "stack": lambda statements, parameters, *values: np.stack(values, parameters["axis"]),
    "slice": _sliced,
    "reduce_sum": _reduction("{}+{}"),
    "reduce_prod": _reduction("{}*{}"),
    "reduce_max": _reduction("Math.max({},{})"),
    "reduce_min": _reduction("Math.min({},{})"),
    "argmax": _place_of_best(">"),
    "argmin": _place_of_best("<"),
    "reduce_and": _reduction("{}&&{}"),
    "reduce_or": _reduction("{}||{}"),
}
"""Primitives that move or combine elements of small arrays: `(statements, parameters, *arrays) -> array`."""
