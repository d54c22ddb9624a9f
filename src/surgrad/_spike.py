"""The spike operator: an exact step in the forward pass, the slope of a surrogate in derivatives of all orders.

Its derivative rule is not recursive: the value in the rule is the plain comparison, never the operator itself. A second
derivative therefore keeps the spikes constant and differentiates the slopes, in agreement with finite differences of
the gradient, inside and outside `lax.scan`.
"""

from __future__ import annotations

import functools
import operator
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_derivatives import SymbolicZero

from surgrad._elementwise import broadcasting, membrane
from surgrad._shapes import broadcasts, require_broadcast
from surgrad._trees import named_leaves, with_leaves
from surgrad._types import Curve, Membrane, PyTree, Slope, Spikes


@functools.partial(jax.jit, inline=True)
def spike(surrogate: PyTree, x: Any) -> Spikes:
    """Return the spikes of a surrogate. One compiled function for all: equal structure never compiles twice."""
    owner = type(surrogate).__name__
    x = membrane(x, owner)
    _require_fit(surrogate, x, owner)
    return surrogate.surrogate_fun(x) if surrogate.smoothed else _spike(surrogate, x)


@functools.partial(jax.jit, static_argnums=2, inline=True)
def _value(surrogate: PyTree, x: Membrane, method: str) -> Curve | Slope:
    """Return the curve or the slope. A compiled function, so that one trace gives both its shape and its values."""
    return getattr(surrogate, method)(x)


def _require_fit(surrogate: PyTree, x: Membrane, owner: str) -> None:
    """Refuse a slope that is broader than x, and name the hyperparameter that makes it so."""
    method = "surrogate_fun" if surrogate.smoothed else "surrogate_grad"
    try:
        # JAX runs rules with a mesh in force, an empty one if there is none, and looks traces up by what is in force.
        with broadcasting(), jax.sharding.use_abstract_mesh(jax.sharding.get_abstract_mesh()):
            shape = _value.eval_shape(surrogate, x, method).shape
    except (TypeError, ValueError):
        _refuse_misfit(surrogate, x, owner)
        raise
    if not broadcasts(shape, x.shape):
        _refuse_misfit(surrogate, x, owner)
        raise ValueError(f"{owner}: the slope has shape {shape} where x has shape {x.shape}; it must be elementwise.")


def _refuse_misfit(surrogate: PyTree, x: Membrane, owner: str) -> None:
    """Raise for the first hyperparameter that does not broadcast to x, if there is one."""
    for name, leaf in named_leaves(surrogate):
        require_broadcast(owner, name, jnp.shape(leaf), x.shape, "x")


def _step(surrogate: PyTree, x: Membrane) -> Spikes:
    """Return 1 where x >= 0, else 0 (also where x is NaN), in the dtype of x; batched where x or a hyperparameter is.

    Inside `jit` or a loop, JAX learns from the function alone, not from its rule, what `vmap` makes of the result. If
    the spike were the same for all hyperparameters, its tangent would get an unexpected batch axis, and sums over it
    would come out too large. The compiler removes a selection between equal values.
    """
    fires = x >= 0
    for leaf in jax.tree.leaves(surrogate):
        same = leaf == leaf
        fires = jax.lax.select(same.all() if same.ndim else same, fires, fires)
    return fires.astype(x.dtype)


@jax.custom_jvp
def _spike(surrogate: PyTree, x: Membrane) -> Spikes:
    return _step(surrogate, x)


def _spike_jvp(primals: Any, tangents: Any) -> tuple[Spikes, Spikes]:
    surrogate, x = primals
    dsurrogate, dx = tangents
    terms = []
    with broadcasting():
        if not isinstance(dx, SymbolicZero):
            terms.append(_value(surrogate, x, "surrogate_grad") * dx)
        if surrogate.parameter_tangent != "none":
            terms += _parameter_tangent(surrogate, dsurrogate, x)
        spikes = _step(surrogate, x)
        if surrogate.second_order == "surrogate":
            spikes = spikes + _curve_without_value(surrogate, x)
    return spikes, functools.reduce(operator.add, terms) if terms else jnp.zeros_like(x)


_spike.defjvp(_spike_jvp, symbolic_zeros=True)


def _parameter_tangent(surrogate: PyTree, dsurrogate: PyTree, x: Membrane) -> list[Membrane]:
    """Return the tangent of slope or curve by the hyperparameters alone, as `parameter_tangent` says."""
    method = {"slope": "surrogate_grad", "function": "surrogate_fun"}[surrogate.parameter_tangent]
    leaves, structure = jax.tree.flatten(surrogate)
    moving = {i: t for i, t in enumerate(structure.flatten_up_to(dsurrogate)) if not isinstance(t, SymbolicZero)}
    if not moving:
        return []

    def along(values: list[Any]) -> Membrane:
        return getattr(with_leaves(surrogate, dict(zip(moving, values, strict=True))), method)(x)

    primals = [leaves[i] for i in moving]
    tangent = jax.jvp(along, (primals,), (list(moving.values()),))[1]
    return [jnp.broadcast_to(tangent, x.shape)]


def _curve_without_value(surrogate: PyTree, x: Membrane) -> Membrane:
    """Return zero with the derivatives of the curve: by x, and by the hyperparameters as `parameter_tangent` says."""
    convention = surrogate.parameter_tangent
    held = surrogate if convention == "function" else jax.lax.stop_gradient(surrogate)
    curve = held.surrogate_fun(x)
    if convention == "slope":
        curve = curve + surrogate.surrogate_grad(jax.lax.stop_gradient(x))
    return jnp.where(jnp.isfinite(curve), curve - jax.lax.stop_gradient(curve), 0)
