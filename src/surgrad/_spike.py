"""The spike operator: an exact step forwards, the slope of a surrogate backwards, right to all orders.

The rule below is not recursive: the value inside it is the plain comparison, never the operator again. A second
derivative therefore keeps the spikes constant and differentiates the slopes, which is what finite differences of the
gradient show, inside and outside `lax.scan`.
"""

from __future__ import annotations

import functools
import operator
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from surgrad._trees import named_leaves, with_leaves
from surgrad._types import Membrane, PyTree, Spikes


def broadcasting() -> AbstractContextManager[None]:
    """Where hyperparameters meet x: one a neuron stands for the last axis of x, which no user has to spell out."""
    return jax.numpy_rank_promotion("allow")


def membrane(x: Any, owner: str) -> Membrane:
    """The input of a surrogate as a floating array.

    Integers and booleans are promoted as `jnp.sin` does, a dimensionless quantity is unwrapped.

    Raises:
        TypeError: x is a list, complex, or a quantity with a unit.
    """
    if hasattr(x, "mantissa") and hasattr(x, "unit"):
        x = _without_unit(x, owner)
    if not isinstance(x, (jax.Array, np.ndarray, np.generic, float, int, complex)):
        raise TypeError(
            f"{owner}: x must be a number or an array, got {type(x).__name__}; convert it with jnp.asarray first."
        )
    x = jnp.asarray(x)
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        raise TypeError(f"{owner}: x must be real, got {x.dtype}; pass its real part or its magnitude.")
    if not jnp.issubdtype(x.dtype, jnp.floating):
        x = x.astype(jax.eval_shape(jnp.sin, x).dtype)
    return x


def _without_unit(x: Any, owner: str) -> Any:
    if not x.unit.is_unitless:
        raise TypeError(
            f"{owner}: x must be dimensionless, got the unit {x.unit}; divide by a scale first: "
            f"(voltage - threshold) / scale."
        )
    return x.to_decimal()


@functools.partial(jax.jit, inline=True)
def spike(surrogate: PyTree, x: Any) -> Spikes:
    """Spikes of a surrogate. One compiled function for all: equal structure never compiles twice."""
    owner = type(surrogate).__name__
    x = membrane(x, owner)
    _check_shapes(surrogate, x, owner)
    return surrogate.surrogate_fun(x) if surrogate.smoothed else _spike(surrogate, x)


def _check_shapes(surrogate: PyTree, x: Membrane, owner: str) -> None:
    """Refuse a slope that is broader than x, and name the parameter that makes it so."""
    try:
        shape = jax.eval_shape(surrogate.surrogate_fun if surrogate.smoothed else surrogate.surrogate_grad, x).shape
    except (TypeError, ValueError):
        _refuse_misfit(surrogate, x, owner)
        raise
    if not _broadcasts(shape, x.shape):
        _refuse_misfit(surrogate, x, owner)
        raise ValueError(f"{owner}: the slope has shape {shape} where x has shape {x.shape}; it must be elementwise.")


def _refuse_misfit(surrogate: PyTree, x: Membrane, owner: str) -> None:
    """Raise for the first parameter that does not broadcast to x, if there is one."""
    for name, leaf in named_leaves(surrogate):
        if not _broadcasts(jnp.shape(leaf), x.shape):
            raise ValueError(
                f"{owner}: {name} of shape {jnp.shape(leaf)} does not broadcast to x of shape {x.shape}; "
                f"give one value, or one a neuron (the last axis of x)."
            )


def _broadcasts(shape: tuple[Any, ...], onto: tuple[Any, ...]) -> bool:
    try:
        return bool(jnp.broadcast_shapes(shape, onto) == onto)
    except ValueError:
        return False


def _step(surrogate: PyTree, x: Membrane) -> Spikes:
    """1 where x >= 0, else 0 (also where x is NaN), in the dtype of x; batched wherever x or a hyperparameter is.

    Inside `jit` or a loop, JAX learns from the function alone, not from its rule, what `vmap` makes of the result. If
    the spike were the same for all hyperparameters, its tangent would get a batch axis that nobody expects, and sums
    over it would come out too large. The compiler drops the comparisons of the leaves: `or True` decides them.
    """
    fires = x >= 0
    for leaf in jax.tree.leaves(surrogate):
        fires &= jnp.all(leaf == leaf) | True
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
            terms.append(surrogate.surrogate_grad(x) * dx)
        if surrogate.parameter_tangent != "none":
            terms += _parameter_tangent(surrogate, dsurrogate, x)
        spikes = _step(surrogate, x)
        if surrogate.second_order == "surrogate":
            spikes = spikes + _curve_without_value(surrogate, x)
    return spikes, functools.reduce(operator.add, terms) if terms else jnp.zeros_like(x)


_spike.defjvp(_spike_jvp, symbolic_zeros=True)


def _parameter_tangent(surrogate: PyTree, dsurrogate: PyTree, x: Membrane) -> list[Membrane]:
    """The tangent of slope or curve by the parameters alone, at x, as the surrogate's convention says."""
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
    """Zero, whose derivatives are the curve's: by x, and by the parameters as the convention says."""
    convention = surrogate.parameter_tangent
    held = surrogate if convention == "function" else jax.lax.stop_gradient(surrogate)
    curve = held.surrogate_fun(x)
    if convention == "slope":
        curve = curve + surrogate.surrogate_grad(jax.lax.stop_gradient(x))
    return jnp.where(jnp.isfinite(curve), curve - jax.lax.stop_gradient(curve), 0)
