"""The convolution, event-driven or dense, a primitive of JAX that is bilinear and closed under differentiation.

Images are `(images, height, width, channels)`, kernels `(inputs, rows, columns, outputs)`; `corner` is (top, left), and
`shape` that of the last two axes of space of the result. There are two kinds; the derivatives of each are of these:

    spread      y[n, h + i - top, w + j - left, o] = Σ x[n, h, w, c] k[c, i, j, o]
    correlate   k[c, i, j, o] = Σ x[n, h, w, c] y[n, h + i - top, w + j - left, o]

JAX derives convolutions with permuted axes, which XLA for CPUs only brings into the order of its fast routines outside
loops: inside, a derivative takes ten times as long. Those of this primitive have that order from the start.
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
SPARSE = {"spread": 0.45, "correlate": 0.15}
"""The share of inputs that are not zero up to which kernels pay. `proposals/event-driven.md` has what was measured."""
FEW, SOME = 8, 32
"""Numbers of channels below which kernels are as fast as XLA also with dense inputs, and up to which they are if there
are more outputs than inputs, where XLA also multiplies the zeros around the inputs."""


def convolution_pays(x: Any, weight: Any, asked: bool | str) -> bool:
    """Whether events are asked for, or pay: in float32, if the convolution is large enough and Numba is there."""
    if asked != "auto":
        return bool(asked)
    if x.dtype != jnp.float32 or weight.dtype != jnp.float32:
        return False
    return x.size * weight.size >= LARGE * x.shape[-1] and available()


def cross_correlation(x: Images, weight: Array, padding: tuple[Pair, Pair], *, events: bool) -> Images:
    """The cross-correlation of images and a weight `(rows, columns, inputs, outputs)`, without strides.

    Parameters:
        x: `(images, height, width, inputs)`.
        weight: `(rows, columns, inputs, outputs)`, of the type of x.
        padding: zeros before and after each axis of space.
        events: whether its time grows with the number of inputs that are not zero. Derivatives of all orders and all
            transformations agree with those of the dense one, to rounding.

    Raises:
        ImportError: events are asked for, and Numba is not installed.
    """
    if events:
        require()
    x, weight = varying_alike(x, weight)
    rows, columns = weight.shape[:2]
    kernel = jnp.flip(weight, (0, 1)).transpose(2, 0, 1, 3)
    (above, below), (left, right) = padding
    shape = x.shape[1] + above + below - rows + 1, x.shape[2] + left + right - columns + 1
    corner = rows - 1 - above, columns - 1 - left
    return _convolution.bind(x, kernel, kind="spread", corner=corner, shape=shape, events=events)


def _result(left: Any, right: Any, kind: str, shape: Pair) -> tuple[int, ...]:
    return (left.shape[0] if kind == "spread" else left.shape[3], *shape, right.shape[3])


def _abstract(left: Any, right: Any, *, kind: str, corner: Pair, shape: Pair, events: bool) -> ShapedArray:
    del corner, events
    return left.update(shape=_result(left, right, kind, shape), weak_type=False)


def dense(left: Array, right: Array, *, kind: str, corner: Pair, shape: Pair, events: bool = False) -> Array:
    """The convolution of XLA, and its derivatives as JAX makes them."""
    del events
    if kind == "correlate":
        _, high, wide, _ = right.shape
        spread = functools.partial(dense, left, kind="spread", corner=corner, shape=(high, wide))
        kernel = jax.ShapeDtypeStruct(_result(left, right, kind, shape), left.dtype)
        return jax.linear_transpose(spread, kernel)(right)[0]
    _, rows, columns, _ = right.shape
    weight = jnp.flip(right.transpose(1, 2, 0, 3), (0, 1))
    return _padded(left, weight, (rows - 1 - corner[0], columns - 1 - corner[1]), shape)


def in_order(left: Array, right: Array, *, kind: str, corner: Pair, shape: Pair, events: bool = False) -> Array:
    """The convolution of XLA, with axes in the order of its fast routines for CPUs."""
    if kind == "spread":
        return dense(left, right, kind=kind, corner=corner, shape=shape, events=events)
    before = shape[0] - 1 - corner[0], shape[1] - 1 - corner[1]
    # Channels of images become images, and images become channels.
    kernel = _padded(left.transpose(3, 1, 2, 0), right.transpose(1, 2, 0, 3), before, shape)
    return jnp.flip(kernel, (1, 2))


def _padded(images: Array, weight: Array, before: Pair, shape: Pair) -> Array:
    """The cross-correlation of images, with some zeros before each axis of space and so many behind that it fits."""
    sizes = zip(shape, images.shape[1:], before, weight.shape, strict=False)
    padding = [(low, y - x - low + k - 1) for y, x, low, k in sizes]
    return lax.conv_general_dilated(images, weight, (1, 1), padding, dimension_numbers=("NHWC", "HWIO", "NHWC"))


def _turned(kernel: Array) -> Array:
    """The kernel that leads from outputs to inputs."""
    return jnp.flip(kernel, (1, 2)).transpose(3, 1, 2, 0)


def _by_left(cotangent: Any, left: Any, right: Any, *, corner: Pair, **options: Any) -> Array:
    """What the transposed convolution makes of values where outputs are."""
    values, kernel = (cotangent, right) if options["kind"] == "spread" else (right, cotangent)
    _, rows, columns, _ = kernel.shape
    options |= {"kind": "spread", "corner": (rows - 1 - corner[0], columns - 1 - corner[1])}
    return _convolution.bind(values, _turned(kernel), **options | {"shape": left.aval.shape[1:3]})


def _by_right(cotangent: Any, left: Any, right: Any, **options: Any) -> Array:
    kind = "correlate" if options["kind"] == "spread" else "spread"
    return _convolution.bind(left, cotangent, **options | {"kind": kind, "shape": right.aval.shape[1:3]})


def _batch(operands: tuple[Any, Any], axes: tuple[Any, Any], **options: Any) -> tuple[Array, int]:
    """The rule of `vmap`: one mapped operand is more images, channels or features; two are one convolution each."""
    if None not in axes:
        left, right = (jnp.moveaxis(x, axis, 0) for x, axis in zip(operands, axes, strict=True))
        # XLA for CPUs has no fast routine for groups of channels inside loops, which `dense` would become.
        y = lax.platform_dependent(
            left,
            right,
            cpu=lambda left, right: lax.map(lambda pair: _convolution.bind(*pair, **options), (left, right)),
            default=jax.vmap(functools.partial(dense, **options)),
        )
        return y, 0
    mapped = axes.index(None) ^ 1
    given, onto = list(operands), 3 if mapped or options["kind"] == "correlate" else 0
    size = given[mapped].shape[axes[mapped]]
    moved = jnp.moveaxis(given[mapped], axes[mapped], onto)
    given[mapped] = moved.reshape(*moved.shape[:onto], size * moved.shape[onto + 1], *moved.shape[onto + 2 :])
    y = _convolution.bind(*given, **options)
    onto = 3 if mapped else 0
    return y.reshape(*y.shape[:onto], size, y.shape[onto] // max(size, 1), *y.shape[onto + 1 :]), onto


def native(left: Array, right: Array, **options: Any) -> Array:
    """The event-driven convolution, or the dense one where that is faster."""
    plain = functools.partial(in_order, **options)
    spread = options["kind"] == "spread"
    short = spread and right.shape[2] * right.shape[3] < PIECE
    empty = 0 in left.shape + right.shape + options["shape"]
    if not options["events"] or left.dtype != jnp.float32 or empty or short:
        return plain(left, right)
    name = target(options["kind"], "float32")
    if name is None:
        return plain(left, right)
    out = jax.eval_shape(plain, left, right)

    def events(left: Array, right: Array) -> Array:
        return jax.ffi.ffi_call(name, out)(left, right, jnp.array(options["corner"], jnp.int32))

    _, height, width, channels = left.shape
    grows = options["shape"][0] > height or options["shape"][1] > width
    if channels < FEW or (spread and grows and channels <= SOME):
        return events(left, right)
    # Of one axis, so that the layout that suits a branch does not become that of both.
    branches = [lambda *operands, f=f: f(*operands).reshape(-1) for f in (events, plain)]
    sparse = density(left.reshape(1, -1, width * channels)) <= SPARSE[options["kind"]]
    return lax.cond(sparse, *branches, left, right).reshape(out.shape)


def _on_cpu(context: Any, left: Any, right: Any, **options: Any) -> Any:
    compute: Callable[..., Any] = native if may_call(context.module_context) else in_order
    return mlir.lower_fun(compute, multiple_results=False)(context, left, right, **options)


def _compute(left: Any, right: Any, **options: Any) -> Array:
    """The convolution outside `jit`; the dense one if `jit` is disabled, since nothing is lowered then."""
    plain = jax.config.jax_disable_jit  # type: ignore[attr-defined]
    return dense(left, right, **options) if plain else _compiled(left, right, **options)


_convolution = Primitive("convolution")
_compiled = jax.jit(_convolution.bind, static_argnames=("kind", "corner", "shape", "events"))
_convolution.def_abstract_eval(_abstract)
_convolution.def_impl(_compute)
ad.defbilinear(_convolution, _by_left, _by_right)
batching.primitive_batchers[_convolution] = _batch
mlir.register_lowering(_convolution, mlir.lower_fun(dense, multiple_results=False))
mlir.register_lowering(_convolution, _on_cpu, platform="cpu")
