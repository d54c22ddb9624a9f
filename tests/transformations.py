"""The transformations of JAX that a spike may stand in, and the four ways to differentiate twice.

A transformation takes an elementwise function `f(surrogate, x)` and computes the same function inside a loop, a branch,
a batch or a shard. Hyperparameters have one value a point, so that the derivatives of a sum are those of its points.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

Function = Callable[[Any, jax.Array], jax.Array]
SHARES = (0.25, 0.625, 0.125)
"""What each pass of a loop, or row of a batch, adds to the result: 1 in all, exactly."""


def _scan(f: Function, wrap: Callable[..., Any] = lambda body: body) -> Function:
    """The input is carried, so that its tangent goes through the loop; the surrogate is closed over."""

    def scanned(surrogate: Any, x: jax.Array) -> jax.Array:
        def body(carry: Any, share: jax.Array) -> tuple[Any, None]:
            x, total = carry
            return (x, total + share * f(surrogate, x)), None

        return jax.lax.scan(wrap(body), (x, jnp.zeros_like(x)), jnp.array(SHARES))[0][1]

    return scanned


def _fori_loop(f: Function) -> Function:
    """The bounds are Python integers: JAX then runs the loop as a scan, which reverse mode can undo."""

    def looped(surrogate: Any, x: jax.Array) -> jax.Array:
        shares = jnp.array(SHARES)
        return jax.lax.fori_loop(0, len(SHARES), lambda i, sum: sum + shares[i] * f(surrogate, x), jnp.zeros_like(x))

    return looped


def _cond(f: Function) -> Function:
    return lambda surrogate, x: jax.lax.cond(x[0] < x[-1], f, lambda surrogate, x: -x, surrogate, x)


def _shared(rows: jax.Array) -> jax.Array:
    return jnp.tensordot(jnp.array(SHARES), rows, 1)


def _stacked(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: jnp.stack([leaf] * len(SHARES)), tree)


def _vmap_over_x(f: Function) -> Function:
    return lambda surrogate, x: _shared(jax.vmap(f, (None, 0))(surrogate, _stacked(x)))


def _vmap_over_the_parameter(f: Function) -> Function:
    return lambda surrogate, x: _shared(jax.vmap(f, (0, None))(_stacked(surrogate), x))


def _shard_map(f: Function) -> Function:
    mesh = Mesh(np.array(jax.devices()[:1]), ("points",))
    return jax.shard_map(f, mesh=mesh, in_specs=PartitionSpec("points"), out_specs=PartitionSpec("points"))


TRANSFORMATIONS: dict[str, Callable[[Function], Function]] = {
    "plain": lambda f: f,
    "jit": jax.jit,
    "scan": _scan,
    "scan_checkpoint": lambda f: _scan(f, jax.checkpoint),
    "fori_loop": _fori_loop,
    "cond": _cond,
    "vmap_over_x": _vmap_over_x,
    "vmap_over_the_parameter": _vmap_over_the_parameter,
    "shard_map": _shard_map,
    "scan_of_jit_of_vmap": lambda f: _scan(jax.jit(_vmap_over_x(f))),
}
UNJITTED = ("plain",)
"""Transformations that are differentiated as they are; the others inside one more `jit`, which saves compilations."""


def _reverse(f: Function) -> Function:
    return jax.grad(lambda surrogate, x: f(surrogate, x).sum(), (0, 1))


def _forward(f: Function) -> Callable[..., jax.Array]:
    return lambda primals, tangents: jax.jvp(f, primals, tangents)[1]


def _reverse_reverse(f: Function, at: Any, first: Any, second: Any) -> tuple[Any, Any]:
    gradient, pull = jax.vjp(_reverse(f), *at)
    return _along(gradient, first), _along(pull(first), second)


def _forward_reverse(f: Function, at: Any, first: Any, second: Any) -> tuple[Any, Any]:
    gradient, tangent = jax.jvp(_reverse(f), at, second)
    return _along(gradient, first), _along(tangent, first)


def _reverse_forward(f: Function, at: Any, first: Any, second: Any) -> tuple[Any, Any]:
    slope, pull = jax.vjp(lambda *at: _forward(f)(at, first), *at)
    return slope, _along(pull(jnp.ones_like(slope)), second)


def _forward_forward(f: Function, at: Any, first: Any, second: Any) -> tuple[Any, Any]:
    return jax.jvp(lambda *at: _forward(f)(at, first), at, second)


def _along(gradient: Any, direction: Any) -> jax.Array:
    """A gradient times a direction, point by point."""
    return sum(g * d for g, d in zip(jax.tree.leaves(gradient), jax.tree.leaves(direction), strict=True))


MODES = {
    "reverse-reverse": _reverse_reverse,
    "forward-reverse": _forward_reverse,
    "reverse-forward": _reverse_forward,
    "forward-forward": _forward_forward,
}
"""Outer and inner mode: `(f, (surrogate, x), first, second)` -> ∂f along `first`, and the ∂ of that along `second`."""
