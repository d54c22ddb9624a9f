"""The spike operator: the value of a forward mode, by default an exact step, and a slope in derivatives of all orders.

Its derivative rule is not recursive: the value in the rule is the plain one, never the operator itself. A second
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
from surgrad._rules import CustomJVP
from surgrad._shapes import broadcasts, require_broadcast
from surgrad._trees import named_leaves, with_leaves
from surgrad._types import Curve, Membrane, PyTree, Slope, Spikes
from surgrad.forward._exact import Hard, mode_of


@functools.partial(jax.jit, inline=True)
def spike(surrogate: PyTree, x: Any) -> Spikes:
    """Return the spikes of a surrogate. One compiled function for all: equal structure never compiles twice."""
    owner = type(surrogate).__name__
    x = membrane(x, owner)
    _require_fit(surrogate, x, owner)
    return _forward(surrogate, x, "value") if mode_of(surrogate).differentiable else _spike(surrogate, x)


@functools.partial(jax.jit, static_argnums=2, inline=True)
def _forward(surrogate: PyTree, x: Membrane, method: str) -> Curve | Slope | Spikes:
    """Return value, slope or curve of the forward mode; compiled, so that one trace gives its shape and its values."""
    return getattr(mode_of(surrogate), method)(x, surrogate)


def _require_fit(surrogate: PyTree, x: Membrane, owner: str) -> None:
    """Refuse a slope or a value that is broader than x, and name the hyperparameter that makes it so."""
    for method in ("value",) if mode_of(surrogate).differentiable else ("slope", "value"):
        try:
            # JAX runs rules with a mesh in force, if only an empty one, and looks traces up by what is in force.
            with broadcasting(), jax.sharding.use_abstract_mesh(jax.sharding.get_abstract_mesh()):
                shape = _forward.eval_shape(surrogate, x, method).shape
        except (TypeError, ValueError):
            _refuse_misfit(surrogate, x, owner)
            raise
        if not broadcasts(shape, x.shape):
            _refuse_misfit(surrogate, x, owner)
            raise ValueError(
                f"{owner}: the {method} has shape {shape} where x has shape {x.shape}; it must be elementwise."
            )


def _refuse_misfit(surrogate: PyTree, x: Membrane, owner: str) -> None:
    """Raise for the first hyperparameter that does not broadcast to x, if there is one."""
    for name, leaf in named_leaves(surrogate):
        require_broadcast(owner, name, jnp.shape(leaf), x.shape, "x")


def _constant(surrogate: PyTree, x: Membrane) -> Spikes:
    """Return the value of the forward mode without derivatives; batched where x or a hyperparameter is.

    Inside `jit` or a loop, JAX learns from the function alone, not from its rule, what `vmap` makes of the result. If
    the spike were the same for all hyperparameters, its tangent would get an unexpected batch axis, and sums over it
    would come out too large. The compiler removes a selection between equal values.
    """
    value = jnp.broadcast_to(_forward(surrogate, x, "value"), x.shape)
    if type(mode_of(surrogate)) is not Hard:  # whose value is a comparison, without derivatives
        value = jax.lax.stop_gradient(value)
    for leaf in jax.tree.leaves(surrogate):
        same = jnp.asarray(leaf == leaf)  # a number of Python's own where `jit` is disabled
        value = jax.lax.select(same.all() if same.ndim else same, value, value)
    return value


@CustomJVP
def _spike(surrogate: PyTree, x: Membrane) -> Spikes:
    return _constant(surrogate, x)


@_spike.defjvp
def _spike_jvp(primals: Any, tangents: Any) -> tuple[Spikes, Spikes]:
    surrogate, x = primals
    dsurrogate, dx = tangents
    terms = []
    with broadcasting():
        if not isinstance(dx, SymbolicZero):
            terms.append(_forward(surrogate, x, "slope") * dx)
        if surrogate.parameter_tangent != "none":
            terms += _parameter_tangent(surrogate, dsurrogate, x)
        spikes = _constant(surrogate, x)
        if surrogate.second_order == "surrogate":
            spikes = spikes + _curve_without_value(surrogate, x)
    return spikes, functools.reduce(operator.add, terms) if terms else jnp.zeros_like(x)


def _parameter_tangent(surrogate: PyTree, dsurrogate: PyTree, x: Membrane) -> list[Membrane]:
    """Return the tangent of slope or curve by the hyperparameters alone, as `parameter_tangent` says."""
    method = {"slope": "slope", "function": "curve"}[surrogate.parameter_tangent]
    leaves, structure = jax.tree.flatten(surrogate)
    moving = {i: t for i, t in enumerate(structure.flatten_up_to(dsurrogate)) if not isinstance(t, SymbolicZero)}
    if not moving:
        return []

    def along(values: list[Any]) -> Membrane:
        return _forward(with_leaves(surrogate, dict(zip(moving, values, strict=True))), x, method)

    primals = [leaves[i] for i in moving]
    tangent = jax.jvp(along, (primals,), (list(moving.values()),))[1]
    return [jnp.broadcast_to(tangent, x.shape)]


def _curve_without_value(surrogate: PyTree, x: Membrane) -> Membrane:
    """Return zero with the derivatives of the curve: by x, and by the hyperparameters as `parameter_tangent` says."""
    convention = surrogate.parameter_tangent
    held = surrogate if convention == "function" else jax.lax.stop_gradient(surrogate)
    curve = _forward(held, x, "curve")
    if convention == "slope":
        curve = curve + _forward(surrogate, jax.lax.stop_gradient(x), "slope")
    return jnp.where(jnp.isfinite(curve), curve - jax.lax.stop_gradient(curve), 0)
