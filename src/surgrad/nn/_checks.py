"""Checks of states, inputs and weights, by types and shapes alone, while objects are built and programs are traced."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._pytree import Pytree
from surgrad._types import Shape
from surgrad.nn._contract import described
from surgrad.nn._dtypes import floating


def sizes(shape: Shape) -> tuple[Any, ...]:
    """A shape as a tuple: one number is the length of one axis, as in `jnp.zeros`.

    Raises:
        TypeError: it is an array in place of the shape of one.
    """
    if isinstance(shape, (jax.Array, np.ndarray)):
        raise TypeError(f"init: give the shape of one time step, x.shape[1:], got {described(shape)}.")
    return (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)


def entered(cell: Pytree, held: Float[Array, "*shape"], x: Any) -> Float[Array, "*shape"]:
    """The input of a step, in the type of what the state holds.

    Raises:
        TypeError: the input is complex.
        ValueError: the input and the state differ in shape.
    """
    x = real_array(cell, x)
    check_same(cell, held.shape, x.shape)
    return x.astype(held.dtype)


def returned(output: Float[Array, "*shape"], x: Any) -> Float[Array, "*shape"]:
    """The output of a step in the floating type of its input: spikes stay as narrow as what they were made of."""
    return output.astype(floating(jnp.result_type(x)))


def real_array(owner: Pytree, x: Any) -> Array:
    """An input as an array.

    Raises:
        TypeError: it is complex.
    """
    require_whole_tree(owner)
    x = jnp.asarray(x)
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        kind = type(owner).__name__
        raise TypeError(f"{kind}: the input must be real, got {x.dtype}; give its real part or its magnitude.")
    return x


def require_whole_tree(layer: Pytree) -> None:
    """Refuse one of the two trees of `partition` in place of a layer.

    Raises:
        TypeError: a number of the layer, which must not be None, is None.
    """
    for field in dataclasses.fields(layer):  # type: ignore[arg-type]
        needed = ("above" in field.metadata or "real" in field.metadata) and not field.metadata.get("optional")
        if needed and getattr(layer, field.name) is None:
            raise TypeError(
                f"{type(layer).__name__}: {field.name} is None, as in the trees of partition; merge them first with "
                f"combine(trained, rest)."
            )


def check_state(cell: Pytree, state: Any, kind: type = jax.Array) -> None:
    """Refuse a state of another type than `init` makes: a named tuple, or an array.

    Raises:
        TypeError: it is of another type.
    """
    if isinstance(state, (kind, np.ndarray) if kind is jax.Array else kind):
        return
    expected = "an array" if kind is jax.Array else f"a {kind.__name__}"
    raise TypeError(f"{type(cell).__name__}: the state must be {expected}, as init makes it, got {described(state)}.")


def check_membranes(cell: Pytree, state: Any) -> None:
    """Refuse a state whose parts are not floating, differ in shape, or stem from another refractory period.

    Raises:
        TypeError: the voltage is not floating.
        ValueError: the parts do not fit each other, or the cell.
    """
    name, shape, dtype = type(cell).__name__, jnp.shape(state.v), jnp.result_type(state.v)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"{name}: the voltage must be floating, got {dtype}; start from init(shape, dtype).")
    for part, value in zip(state._fields, state, strict=True):
        if value is not None and jnp.shape(value) != shape:
            raise ValueError(f"{name}: the voltage has shape {shape} and the {part} {jnp.shape(value)}; use init.")


def check_same(cell: Pytree, state: tuple[Any, ...], given: tuple[Any, ...]) -> None:
    """Refuse the input of a step that has another shape than the state.

    Raises:
        ValueError: it has.
    """
    if given == state:
        return
    error = ValueError(
        f"{type(cell).__name__}: the input of a step has shape {given} and the state {state}; they must be equal, "
        f"start from init({given})."
    )
    if len(given) == len(state) + 1:
        error.add_note("A call takes one time step; a whole sequence, time-major, goes to unroll.")
    raise error


def check_broadcast(cell: Pytree, shape: tuple[Any, ...]) -> None:
    """Refuse a state that a parameter does not broadcast to.

    Raises:
        ValueError: one does not.
    """
    for field in dataclasses.fields(cell):  # type: ignore[arg-type]
        given = jnp.shape(getattr(cell, field.name)) if "above" in field.metadata else ()
        if len(given) > len(shape) or any(n not in (1, m) for n, m in zip(given[::-1], shape[::-1], strict=False)):
            raise ValueError(
                f"{type(cell).__name__}: {field.name} of shape {given} does not broadcast to the state of shape "
                f"{shape}; give one value, or one a neuron (the last axis)."
            )


def check_above(cell: Pytree, high: str, low: str) -> None:
    """Refuse Python and NumPy numbers of which one is not above another.

    Raises:
        ValueError: it is not.
    """
    above, below = getattr(cell, high), getattr(cell, low)
    known = (float, np.ndarray, np.generic)
    if isinstance(above, known) and isinstance(below, known) and not np.all(np.asarray(above) > np.asarray(below)):
        raise ValueError(f"{type(cell).__name__}: {high} must be above {low}, {below}, got {above}.")
