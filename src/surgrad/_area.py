"""The integral of a slope over all x, by adaptive Gauss-Legendre quadrature, with its derivative."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from surgrad._frameworks import unboxed
from surgrad._width import peak_place

_ENDS = np.geomspace(1e-12, 1e12, 24 * 16 + 1)
"""Distances from the peak between which the first intervals lie, sixteen in a decade."""
_GAUSS = np.polynomial.legendre.leggauss(10)
_LOBATTO_4 = np.array([[-1, -(0.2**0.5), 0.2**0.5, 1], [1 / 6, 5 / 6, 5 / 6, 1 / 6]])
_LOBATTO_5 = np.array([[-1, -((3 / 7) ** 0.5), 0, (3 / 7) ** 0.5, 1], [0.1, 49 / 90, 32 / 45, 49 / 90, 0.1]])
"""Nodes and weights on (-1, 1). The two rules with nodes at the ends notice a jump wherever it is."""
_NODES = np.concatenate([_GAUSS[0], _LOBATTO_4[0], _LOBATTO_5[0]])
_RULES = np.zeros((3, 19))
_RULES[0, :10], _RULES[1, 10:14], _RULES[2, 14:] = _GAUSS[1], _LOBATTO_4[1], _LOBATTO_5[1]
_ROUNDS, _WORST = 30, 8
"""How often the worst intervals are halved, and how many of them: 2⁻³⁰ of an interval around each of four jumps."""
_UNKNOWN = 1e-5
"""The estimated error, as a share of the whole, from which on the integral is NaN."""
_NARROW, _JUMP = 4e-6, 1e-3
"""An interval that narrow, relative to its distance, over which the slope changes by this share of its peak, jumps."""
_SLOW = 0.9
"""A tail whose decades fall by less than to this share has no finite integral, as far as this can tell."""

Numbers = Float[Array, "*shape"]
Each = Float[Array, "..."]
"""A number for each interval: `(count, *shape)`."""
Intervals = tuple[Each, Each]
"""Ends of intervals nearer to the peak and farther from it; negative below the peak."""


def integral(surrogate: Any, peaks: tuple[float, ...] | None) -> Numbers:
    """Return the integral of the slope over all x, in the shape of the hyperparameters.

    It is accurate to about 10⁻⁶ of itself: of smooth slopes, of those with kinks and a few jumps, and of tails that
    fall like a power of x, which are extrapolated. It is infinite if the tails do not fall fast enough, and NaN if it
    was not found. A bump narrower than a hundredth of its distance from the largest one may be missed.

    The derivative by hyperparameters is the integral of the slope's, and NaN where the slope jumps: the place of a jump
    has no derivative.
    """
    return _integral(unboxed(surrogate), peaks)


@functools.partial(jax.jit, static_argnums=1)
def _integral(surrogate: Any, peaks: tuple[float, ...] | None) -> Numbers:
    at = jax.lax.stop_gradient(peak_place(surrogate, peaks))
    return _over_all(surrogate, at)


@jax.custom_jvp
def _over_all(surrogate: Any, at: Numbers) -> Numbers:
    return _sum(surrogate, at, _intervals(surrogate, at))


@_over_all.defjvp
def _over_all_jvp(primals: Any, tangents: Any) -> tuple[Numbers, Numbers]:
    surrogate, at = primals
    intervals = _intervals(surrogate, at)
    total, moved = jax.jvp(lambda one: _sum(one, at, intervals), (surrogate,), tangents[:1])
    # The place of a jump may depend on any of them: linear in each tangent, so that reverse mode has it as well.
    each = [jnp.sum(tangent) for tangent in jax.tree.leaves(tangents[0]) if tangent.dtype != jax.dtypes.float0]
    return total, moved + jnp.where(_jumps(surrogate, at, intervals), jnp.nan, 0) * sum(each)


def _intervals(surrogate: Any, at: Numbers) -> Intervals:
    """Return the intervals: those of equal ratio on both sides, of which the worst have been halved again and again."""
    ends = np.concatenate([[0.0], _ENDS])
    near, far = np.concatenate([ends[:-1], -ends[:-1]]), np.concatenate([ends[1:], -ends[1:]])
    spare = np.zeros(_ROUNDS * _WORST)
    count = near.size
    shape = (count + spare.size,) + (1,) * at.ndim
    starts = [jnp.asarray(np.concatenate([one, spare]), at.dtype).reshape(shape) for one in (near, far)]
    near, far = (jnp.broadcast_to(one, (shape[0], *at.shape)) for one in starts)
    error = _each(surrogate, at, (near, far))[1]
    error = error.at[count:].set(-1)  # the spare ones are not halved

    def halved(i: Any, carry: Any) -> Any:
        near, far, error = carry
        worst = jnp.moveaxis(jax.lax.top_k(jnp.moveaxis(error, 0, -1), _WORST)[1], -1, 0)
        low, high = (jnp.take_along_axis(one, worst, 0) for one in (near, far))
        middle = low + (high - low) / 2
        free = count + i * _WORST
        put = functools.partial(jnp.put_along_axis, indices=worst, axis=0, inplace=False)
        near = jax.lax.dynamic_update_slice_in_dim(near, middle, free, 0)
        far = put(jax.lax.dynamic_update_slice_in_dim(far, high, free, 0), values=middle)
        error = put(error, values=_each(surrogate, at, (low, middle))[1])
        error = jax.lax.dynamic_update_slice_in_dim(error, _each(surrogate, at, (middle, high))[1], free, 0)
        return near, far, error

    near, far, _ = jax.lax.fori_loop(0, _ROUNDS, halved, (near, far, error))
    return jax.lax.stop_gradient((near, far))


def _slope(surrogate: Any, at: Numbers, distance: Each) -> Each:
    return jax.vmap(lambda d: surrogate.surrogate_grad(at + d))(distance)


def _each(surrogate: Any, at: Numbers, intervals: Intervals) -> tuple[Any, Any]:
    """Return the integral over each interval, and its estimated error."""
    near, far = intervals
    middle, half = (far + near) / 2, (far - near) / 2
    nodes, rules = jnp.asarray(_NODES, at.dtype), jnp.asarray(_RULES, at.dtype)
    values = jax.vmap(lambda node: jnp.abs(half) * _slope(surrogate, at, middle + node * half))(nodes)
    gauss, *others = jnp.tensordot(rules, values, 1)
    return gauss, jnp.maximum(*(jnp.abs(gauss - other) for other in others))


def _sum(surrogate: Any, at: Numbers, intervals: Intervals) -> Numbers:
    """Return the sum over all intervals, and over both tails beyond them."""
    each, error = _each(surrogate, at, intervals)
    total, size = each.sum(axis=0), jnp.abs(each).sum(axis=0)
    for side in (-1, 1):
        total = total + _tail(each, side * intervals[1], size)
    unknown = error.sum(axis=0) > _UNKNOWN * size
    return jnp.where(unknown & jnp.isfinite(total), jnp.nan, total)


def _tail(each: Each, far: Each, size: Numbers) -> Numbers:
    """Return the integral beyond the last decade on one side, whose decades are taken to be a geometric series."""
    edge = 1 + 1e-3
    last = jnp.where(far > 1e11 * edge, each, 0).sum(axis=0)
    former = jnp.where((far > 1e10 * edge) & (far <= 1e11 * edge), each, 0).sum(axis=0)
    there = jnp.abs(last) > 1e-9 * size
    ratio = jnp.where(there, last / jnp.where(former == 0, 1, former), 0)
    slow = ratio >= _SLOW
    return jnp.where(slow, jnp.inf * jnp.sign(last), last * ratio / jnp.where(slow, 1, 1 - ratio))


def _jumps(surrogate: Any, at: Numbers, intervals: Intervals) -> Bool[Array, "*shape"]:
    """Return whether the slope changes by much over an interval that is very narrow."""
    near, far = intervals
    narrow = (near != far) & (jnp.abs(far - near) < _NARROW * jnp.abs(far))
    change = jnp.abs(_slope(surrogate, at, far) - _slope(surrogate, at, near))
    return jnp.any(narrow & (change > _JUMP * jnp.abs(surrogate.surrogate_grad(at))), axis=0)
