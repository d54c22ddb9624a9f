"""What cells and connections admit, and words for what they do not.

All of it is decided by types and shapes, while objects are built and programs traced; a device is never read.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._pytree import Pytree
from surgrad._types import PyTree


def floating(dtype: Any) -> Any:
    """The type of a state: a floating type as it is, JAX's default for None, booleans and whole numbers.

    Raises:
        TypeError: the type is complex.
    """
    found = jnp.result_type(float, *(() if dtype is None else (dtype,)))
    if not jnp.issubdtype(found, jnp.floating):
        raise TypeError(f"init: the type of a state must be floating, got {found}.")
    return found


def sizes(shape: int | tuple[int, ...]) -> tuple[int, ...]:
    """A shape as a tuple: one number is the length of one axis, as in `jnp.zeros`."""
    return (shape,) if isinstance(shape, (int, np.integer)) else tuple(shape)


def require_callable(what: str, value: Any, expected: str) -> None:
    """Refuse a class in place of an object of it, and what cannot be called.

    Raises:
        TypeError: it is one of them.
    """
    if isinstance(value, type):
        raise TypeError(f"{what} is the class {value.__name__}; give an object, {value.__name__}(...).")
    if not callable(value):
        raise TypeError(f"{what} must be {expected}, got {value!r}.")


def require_real(tree: Pytree, *names: str) -> None:
    """Refuse attributes that are no real number and no array of those.

    Raises:
        TypeError: one is not.
    """
    for name in names:
        value = getattr(tree, name)
        dtype = getattr(value, "dtype", jnp.float32 if isinstance(value, float) else bool)
        if not (jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)):
            given = f"an array of {dtype}" if hasattr(value, "dtype") else repr(value)
            advice = "; convert it with jnp.asarray" if isinstance(value, (list, tuple)) else ""
            raise TypeError(f"{type(tree).__name__}: {name} must be a real number or array, got {given}{advice}.")


def require_flag(tree: Pytree, name: str) -> None:
    """Refuse an option that is neither True nor False.

    Raises:
        TypeError: it is neither.
    """
    value = getattr(tree, name)
    if not isinstance(value, bool):
        raise TypeError(f"{type(tree).__name__}: {name} must be True or False, got {value!r}.")


def require_whole(kind: str, name: str, *numbers: Any) -> None:
    """Refuse lengths and counts that are not whole numbers from 1 on.

    Raises:
        ValueError: one is not.
    """
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, np.integer)) or number < 1:
            raise ValueError(f"{kind}: {name} must be a whole number, >= 1, got {number!r}.")


def require_parameters(cell: Pytree) -> None:
    """Refuse a spike that is no function, parameters that are not real or NaN, and a `reset_detached` that is no flag.

    Raises:
        TypeError: one of them has another type.
        ValueError: a parameter that is given as a Python or NumPy number is NaN.
    """
    kind, names = type(cell).__name__, _parameters(type(cell))
    if "spike" in vars(cell):
        require_callable(f"{kind}: spike", vars(cell)["spike"], "a surrogate, or a function of x that spikes")
        require_flag(cell, "reset_detached")
    require_real(cell, *names)
    for name in names:
        value = getattr(cell, name)
        if _on_host(value) and np.any(np.isnan(np.asarray(value, float))):
            raise ValueError(f"{kind}: {name} must not be NaN, got {value}.")


def require_positive(cell: Pytree, *names: str) -> None:
    """Refuse Python and NumPy numbers that are not positive.

    Raises:
        ValueError: one is not.
    """
    for name in names:
        value = getattr(cell, name)
        if _on_host(value) and not np.all(np.asarray(value) > 0):
            raise ValueError(f"{type(cell).__name__}: {name} must be > 0, got {value}.")


def require_above(cell: Pytree, high: str, low: str) -> None:
    """Refuse Python and NumPy numbers of which one is not above another.

    Raises:
        ValueError: it is not.
    """
    above, below = getattr(cell, high), getattr(cell, low)
    if _on_host(above) and _on_host(below) and not np.all(np.asarray(above) > np.asarray(below)):
        raise ValueError(f"{type(cell).__name__}: {high} must be above {low}, {below}, got {above}.")


def require_state(cell: Pytree, state: Any, kind: type | None = None) -> None:
    """Refuse a state of another type than `init` makes: a named tuple, or an array where no kind is given.

    Raises:
        TypeError: it is of another type.
    """
    if isinstance(state, kind or (jax.Array, np.ndarray)):
        return
    expected = f"a {kind.__name__}" if kind else "an array"
    raise TypeError(f"{type(cell).__name__}: the state must be {expected}, as init makes it, got {described(state)}.")


def described(value: Any) -> str:
    """An array by its shape, a tuple by its length, anything else by its type."""
    if isinstance(value, (jax.Array, np.ndarray)):
        return f"an array of shape {value.shape}"
    return f"a tuple of {len(value)}" if type(value) is tuple else type(value).__name__


def require_same(cell: Pytree, state: tuple[int, ...], given: tuple[int, ...]) -> None:
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
        error.add_note("A step takes one moment; a whole sequence, whose time leads, goes to unroll.")
    raise error


def require_real_input(owner: Pytree, x: jax.Array | np.ndarray) -> None:
    """Refuse complex inputs.

    Raises:
        TypeError: x is complex.
    """
    if x.dtype.kind == "c":
        kind = type(owner).__name__
        raise TypeError(f"{kind}: the input must be real, got {x.dtype}; give its real part or its magnitude.")


def require_broadcast(cell: Pytree, shape: tuple[int, ...]) -> None:
    """Refuse a state that a parameter does not broadcast to.

    Raises:
        ValueError: one does not.
    """
    for name in _parameters(type(cell)):
        given = jnp.shape(getattr(cell, name))
        if len(given) > len(shape) or any(n not in (1, m) for n, m in zip(given[::-1], shape[::-1], strict=False)):
            raise ValueError(
                f"{type(cell).__name__}: {name} of shape {given} does not broadcast to the state of shape {shape}; "
                f"give one value, or one a neuron (the last axis)."
            )


def require_alike(part: Any, given: PyTree, place: PyTree) -> None:
    """Refuse connections whose arrays have other shapes than those whose place they take.

    Raises:
        ValueError: they have.
    """
    expected, found = ([jnp.shape(leaf) for leaf in jax.tree.leaves(tree)] for tree in (place, given))
    if expected != found:
        raise ValueError(
            f"{type(part).__name__}: connections must have the shapes {expected}, as connections() gives them, "
            f"got {found}."
        )


def _parameters(cls: type) -> list[str]:
    return [f.name for f in dataclasses.fields(cls) if f.name != "spike" and not f.metadata.get("static")]


def _on_host(value: Any) -> bool:
    return isinstance(value, (float, np.ndarray, np.generic))
