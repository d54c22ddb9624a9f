"""The event-driven convolution, a primitive of JAX that is bilinear and closed under differentiation.

Images are `(images, height, width, channels)`, kernels `(inputs, rows, columns, outputs)`; `corner` is (top, left), and
`shape` that of the last two axes of space of the result. There are two kinds; the derivatives of each are of these:

    spread      y[n, h + i - top, w + j - left, o] = Σ x[n, h, w, c] k[c, i, j, o]
    correlate   k[c, i, j, o] = Σ x[n, h, w, c] y[n, h + i - top, w + j - left, o]
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir
from jaxtyping import Array, Shaped

from surgrad.nn._events.lowering import density, may_call
from surgrad.nn._events.native import available, require, target
from surgrad.nn._loops import varying_alike

Pair = tuple[int, int]
Images = Shaped[Array, "images _ _ _"]

LARGE = 2**20
"""Number of terms of the dense convolution from which kernels pay."""
PIECE = 24
"""The least number of neighbouring outputs that an input adds to for which kernels pay."""
SPARSE = 0.5
"""The share of inputs that are not zero up to which kernels pay forwards, with numbers of channels other than those of
`DENSE`. Gradients by the weight always go through kernels. `proposals/event-driven.md` has what was measured."""
DENSE = range(8, 33)
"""Numbers of channels for which kernels are faster than XLA, also with dense inputs."""


def convolution_pays(x: Any, weight: Any, asked: bool | str) -> bool:
    """Whether `event_convolution` is asked for, or pays: in float32, if it is large enough and Numba is there."""
    if asked != "auto":
        return bool(asked)
    known = all(isinstance(size, int) for size in (*x.shape, *weight.shape))  # others are symbolic, for an export
    if not known or x.dtype != jnp.float32 or weight.dtype != jnp.float32:
        return False
    return x.size * weight.size >= LARGE * x.shape[-1] and available()


def event_convolution(x: Images, weight: Array, padding: tuple[Pair, Pair]) -> Images:
    """The cross-correlation of images and a weight `(rows, columns, inputs, outputs)`, without strides.

    Its time grows with the number of inputs that are not zero. Derivatives of all orders and all transformations agree
    with those of the dense one, to rounding.

    Raises:
        ImportError: Numba is not installed.
    """
    require()
    x, weight = varying_alike(x, weight)
    rows, columns = weight.shape[:2]
    kernel = jnp.flip(weight, (0, 1)).transpose(2, 0, 1, 3)
    (above, below), (left, right) = padding
    shape = x.shape[1] + above + below - rows + 1, x.shape[2] + left + right - columns + 1
    corner = rows - 1 - above, columns - 1 - left
    return _convolution.bind(x, kernel, kind="spread", corner=corner, shape=shape)


def _result(left: Any, right: Any, kind: str, shape: Pair) -> tuple[int, ...]:
    return (left.shape[0] if kind == "spread" else left.shape[3], *shape, right.shape[3])


def _abstract(left: Any, right: Any, *, kind: str, corner: Pair, shape: Pair) -> ShapedArray:
    del corner
    return left.update(shape=_result(left, right, kind, shape), weak_type=False)


def dense(left: Array, right: Array, *, kind: str, corner: Pair, shape: Pair) -> Array:
    """The convolution of XLA."""
    if kind == "correlate":
        _, high, wide, _ = right.shape
        spread = functools.partial(dense, left, kind="spread", corner=corner, shape=(high, wide))
        kernel = jax.ShapeDtypeStruct(_result(left, right, kind, shape), left.dtype)
        return jax.linear_transpose(spread, kernel)(right)[0]
    weight = jnp.flip(right.transpose(1, 2, 0, 3), (0, 1))
    before = [k - 1 - first for k, first in zip(weight.shape, corner, strict=False)]
    after = [y - x - low + k - 1 for y, x, low, k in zip(shape, left.shape[1:], before, weight.shape, strict=False)]
    padding = list(zip(before, after, strict=True))
    return lax.conv_general_dilated(left, weight, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _turned(kernel: Array) -> Array:
    """The kernel that leads from outputs to inputs."""
    return jnp.flip(kernel, (1, 2)).transpose(3, 1, 2, 0)


def _to_left(values: Array, kernel: Array, left: Any, corner: Pair) -> Array:
    """What the transposed convolution makes of values where outputs are."""
    corner = kernel.shape[1] - 1 - corner[0], kernel.shape[2] - 1 - corner[1]
    return _convolution.bind(values, _turned(kernel), kind="spread", corner=corner, shape=left.aval.shape[1:3])


def _by_left(cotangent: Any, left: Any, right: Any, *, kind: str, corner: Pair, shape: Pair) -> Array:
    del shape
    values, kernel = (cotangent, right) if kind == "spread" else (right, cotangent)
    return _to_left(values, kernel, left, corner)


def _by_right(cotangent: Any, left: Any, right: Any, *, kind: str, corner: Pair, shape: Pair) -> Array:
    del shape
    of = "correlate" if kind == "spread" else "spread"
    return _convolution.bind(left, cotangent, kind=of, corner=corner, shape=right.aval.shape[1:3])


def _batch(operands: tuple[Any, Any], axes: tuple[Any, Any], **options: Any) -> tuple[Array, int]:
    """The rule of `vmap`: mapped images are more images; where kernels are mapped too, the dense convolution is."""
    left, right = operands
    if options["kind"] == "spread" and axes[1] is None:
        left = jnp.moveaxis(left, axes[0], 0)
        y = _convolution.bind(left.reshape(-1, *left.shape[2:]), right, **options)
        return y.reshape(*left.shape[:2], *y.shape[1:]), 0
    return jax.vmap(functools.partial(dense, **options), axes)(left, right), 0


def native(left: Array, right: Array, **options: Any) -> Array:
    """The event-driven convolution, or the dense one where that is faster."""
    plain = functools.partial(dense, **options)
    spread = options["kind"] == "spread"
    short = spread and right.shape[2] * right.shape[3] < PIECE
    if left.dtype != jnp.float32 or 0 in left.shape + right.shape + options["shape"] or short:
        return plain(left, right)
    name = target(options["kind"], "float32")
    if name is None:
        return plain(left, right)
    out = jax.eval_shape(plain, left, right)

    def events(left: Array, right: Array) -> Array:
        return jax.ffi.ffi_call(name, out)(left, right, jnp.array(options["corner"], jnp.int32))

    if not spread or left.shape[3] in DENSE:
        return events(left, right)
    # Of one axis, so that the layout that suits a branch does not become that of both.
    branches = [lambda *operands, f=f: f(*operands).reshape(-1) for f in (events, plain)]
    sparse = density(left.reshape(1, -1, left.shape[-2] * left.shape[-1])) <= SPARSE
    return lax.cond(sparse, *branches, left, right).reshape(out.shape)


def _on_cpu(context: Any, left: Any, right: Any, **options: Any) -> Any:
    compute: Callable[..., Any] = native if may_call(context.module_context) else dense
    return mlir.lower_fun(compute, multiple_results=False)(context, left, right, **options)


def _compute(left: Any, right: Any, **options: Any) -> Array:
    """The convolution outside `jit`; the dense one if `jit` is disabled, since nothing is lowered then."""
    plain = jax.config.jax_disable_jit  # type: ignore[attr-defined]
    return dense(left, right, **options) if plain else _compiled(left, right, **options)


_convolution = Primitive("event_convolution")
_compiled = jax.jit(_convolution.bind, static_argnames=("kind", "corner", "shape"))
_convolution.def_abstract_eval(_abstract)
_convolution.def_impl(_compute)
ad.defbilinear(_convolution, _by_left, _by_right)
batching.primitive_batchers[_convolution] = _batch
mlir.register_lowering(_convolution, mlir.lower_fun(dense, multiple_results=False))
mlir.register_lowering(_convolution, _on_cpu, platform="cpu")
