"""Peak and full width at half maximum of a slope, with their derivatives by the hyperparameters."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._frameworks import unboxed

Numbers = Float[Array, "*shape"]

_SIDE = np.logspace(-6, 6, 1201)
SOMEWHERE = (0.0, *(x for pair in zip(_SIDE, -_SIDE, strict=True) for x in pair))
"""Where the peak of an unknown slope is searched, nearest to the threshold first."""

_DISTANCES = np.geomspace(1e-12, 1e12, 2401)
_HALVINGS, _THIRDS = 50, 80
_JUMP = 1e-3
"""Where a slope crosses half of its peak but is off it by more than this share of the peak, it jumps."""


class HalfMaximum(NamedTuple):
    """The peak of a slope, and the distances from it, on both sides, at which the slope has first fallen to half.

    Parameters:
        at: position of the peak; of several equal peaks, the one nearest to the threshold.
        height: the slope there.
        left: distance below the peak; infinite if the slope never falls to half.
        right: distance above the peak.
    """

    at: Numbers
    height: Numbers
    left: Numbers
    right: Numbers


def half_maximum(surrogate: Any, peaks: tuple[float, ...] | None) -> HalfMaximum:
    """Return peak and half maxima of a slope; `peaks` are the possible positions of the peak, None if unknown."""
    return _half_maximum(unboxed(surrogate), peaks)


@functools.partial(jax.jit, static_argnums=1)
def _half_maximum(surrogate: Any, peaks: tuple[float, ...] | None) -> HalfMaximum:
    at = jax.lax.stop_gradient(peak_place(surrogate, peaks))
    left, right = (_distance(surrogate, at, side) for side in (-1.0, 1.0))
    return HalfMaximum(at, surrogate.surrogate_grad(at), left, right)


def peak_place(surrogate: Any, peaks: tuple[float, ...] | None) -> Numbers:
    """Return where the slope is largest: one of `peaks`, else the best of a grid, refined by ternary search."""
    shape = jax.eval_shape(surrogate.surrogate_grad, jnp.zeros(())).shape
    places = jnp.asarray(SOMEWHERE if peaks is None else sorted(peaks, key=abs), jnp.result_type(float))
    best = places[jnp.argmax(jax.vmap(surrogate.surrogate_grad)(places), axis=0)]
    if peaks is not None:
        return jnp.broadcast_to(best, shape)
    step = float(_SIDE[1] / _SIDE[0])
    low, high = (jnp.where(best == 0, end, best * factor) for end, factor in ((-1e-6, 1 / step), (1e-6, step)))

    def narrower(_: Any, ends: tuple[Numbers, Numbers]) -> tuple[Numbers, Numbers]:
        low, high = ends
        inner, outer = low + (high - low) / 3, high - (high - low) / 3
        rises = surrogate.surrogate_grad(inner) < surrogate.surrogate_grad(outer)
        return jnp.where(rises, inner, low), jnp.where(rises, high, outer)

    low, high = jax.lax.fori_loop(0, _THIRDS, narrower, (low, high))
    found = (low + high) / 2
    return jnp.where(surrogate.surrogate_grad(found) > surrogate.surrogate_grad(best), found, best)


def _excess(surrogate: Any, at: Numbers, x: Numbers) -> Numbers:
    """Return the slope minus half of its peak."""
    return surrogate.surrogate_grad(x) - surrogate.surrogate_grad(at) / 2


@functools.partial(jax.custom_jvp, nondiff_argnums=(2,))
def _distance(surrogate: Any, at: Numbers, side: float) -> Numbers:
    """Return the distance from the peak, below (-1) or above (1) it, at which the slope has first fallen to half."""
    distances = jnp.asarray(_DISTANCES, at.dtype)
    fallen = jax.vmap(lambda d: _excess(surrogate, at, at + side * d) <= 0)(distances)
    first = jnp.argmax(fallen, axis=0)
    ends = jnp.where(first > 0, distances[first - 1], 0), distances[first]

    def halved(_: Any, ends: tuple[Numbers, Numbers]) -> tuple[Numbers, Numbers]:
        near, far = ends
        middle = near + (far - near) / 2
        beyond = _excess(surrogate, at, at + side * middle) <= 0
        return jnp.where(beyond, near, middle), jnp.where(beyond, middle, far)

    far = jax.lax.fori_loop(0, _HALVINGS, halved, ends)[1]
    return jnp.where(fallen.any(axis=0), far, jnp.inf)


@_distance.defjvp
def _distance_jvp(side: float, primals: Any, tangents: Any) -> tuple[Numbers, Numbers]:
    """Implicit function theorem; NaN where the slope jumps over half of its peak, so that there is no derivative."""
    surrogate, at = primals
    distance = _distance(surrogate, at, side)
    never = jnp.isinf(distance)
    x = at + side * jnp.where(never, 1, distance)
    excess, moved = jax.jvp(lambda one: _excess(one, at, x), (surrogate,), tangents[:1])
    _, falls = jax.jvp(surrogate.surrogate_grad, (x,), (jnp.ones_like(x),))
    smooth = jnp.abs(excess) < _JUMP * jnp.abs(surrogate.surrogate_grad(at))
    rate = jnp.where(never, 0, -1 / jnp.where(smooth & (falls != 0), side * falls, jnp.nan))
    return distance, moved * rate
