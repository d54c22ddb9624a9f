"""Checks of states, inputs and weights, by types and shapes alone, while objects are built and programs are traced."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._dtypes import floating
from surgrad._fields import unset
from surgrad._keys import is_key
from surgrad._kinds import described, require_kind
from surgrad._pytree import Pytree
from surgrad._shapes import require_broadcast
from surgrad._types import Shape


def sizes(shape: Shape) -> tuple[Any, ...]:
    """A shape as a tuple: one number is the length of one axis, as in `jnp.zeros`.

    Raises:
        TypeError: it is an array in place of the shape of one, or a key.
    """
    if is_key(shape):
        raise TypeError(
            "init: it takes no key, since states at rest are not random; write init(x.shape) for one step x."
        )
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
    """The input of a layer as an array.

    Raises:
        TypeError: it is complex, or the layer is one of the two trees of `partition`.
    """
    kind, x = type(owner).__name__, jnp.asarray(x)
    if (name := unset(owner)) is not None:
        advice = "merge them first with combine(trained, rest)"
        raise TypeError(f"{kind}: {name} is None, as in the trees of partition; {advice}.")
    if jnp.issubdtype(x.dtype, jnp.complexfloating):
        raise TypeError(f"{kind}: the input must be real, got {x.dtype}; give its real part or its magnitude.")
    return x


def check_state(cell: Pytree, state: Any, kind: type = jax.Array, current: Any = None) -> None:
    """Refuse a state of another type than `init` makes: a named tuple, or an array.

    The input of the step, `current`, is for the message: it is the state where the two are swapped.

    Raises:
        TypeError: it is of another type.
    """
    kinds, expected = ((kind, np.ndarray), "an array") if kind is jax.Array else (kind, f"a {kind.__name__}")
    advice = "; state and input are swapped" if kind is not jax.Array and isinstance(current, kind) else ""
    require_kind(f"{type(cell).__name__}: the state", state, kinds, f"{expected}, as init makes it", advice)


def check_membranes(cell: Pytree, state: Any) -> None:
    """Refuse a state whose voltage is not floating, or whose parts differ in shape.

    Raises:
        TypeError: the voltage is not floating.
        ValueError: the parts do not fit each other.
    """
    name, dtype = type(cell).__name__, jnp.result_type(state.v)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"{name}: the voltage must be floating, got {dtype}; start from init(shape, dtype).")
    for part, value in zip(state._fields, state, strict=True):
        if value is not None and jnp.shape(value) != jnp.shape(state.v):
            shapes = f"shape {jnp.shape(state.v)} and the {part} {jnp.shape(value)}"
            raise ValueError(f"{name}: the voltage has {shapes}; start from init.")


def check_same(cell: Pytree, state: tuple[Any, ...], given: tuple[Any, ...]) -> None:
    """Refuse the input of a step that has another shape than the state.

    Raises:
        ValueError: it has.
    """
    if given != state:
        shapes, advice = f"shape {given} and the state {state}", f"they must be equal, start from init({given})"
        error = ValueError(f"{type(cell).__name__}: the input of a step has {shapes}; {advice}.")
        if len(given) == len(state) + 1:
            error.add_note("A call takes one time step; a whole sequence, time-major, goes to unroll.")
        raise error


def check_broadcast(cell: Pytree, shape: tuple[Any, ...]) -> None:
    """Refuse a state that a parameter does not broadcast to.

    Raises:
        ValueError: one does not.
    """
    for field in dataclasses.fields(cell):  # type: ignore[arg-type]
        value = getattr(cell, field.name)
        given = jnp.shape(value) if "above" in field.metadata and value is not None else ()
        require_broadcast(type(cell).__name__, field.name, given, shape, "the state")
