"""The arguments of functions that run a cell over time: their order, and whether they fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._kinds import described, require_callable
from surgrad._types import PyTree
from surgrad.nn._contract import Connection, at_rest, is_cell, promises, read_over_time

UNSET: Any = object()


def arranged(
    where: str, cell: Any, arguments: tuple[Any, ...], state: Any, inputs: Any, together: bool = True
) -> tuple[Any, Any, Any]:
    """State, inputs and length of time, of arguments by position or by name; a state that is left out is that at rest.

    Whether the cell takes them is tried for samples that are together, and not where each has a state of its own.

    Raises:
        TypeError: there are too many arguments or too few, one twice, or in another order; or the cell is none.
        ValueError: there is no state, and the cell has no `init`; or the inputs do not fit.
    """
    named = {name: value for name, value in (("state", state), ("inputs", inputs)) if value is not UNSET}
    names = [name for name in ("state", "inputs") if name not in named][-len(arguments) or 2 :]
    given = dict(zip(names, arguments, strict=False)) | named
    if len(arguments) > len(names) or "inputs" not in given or isinstance(cell, (jax.Array, np.ndarray)):
        raise _misplaced(where, cell, *arguments, **named)
    takes = ("a state", "the input of a step")
    if isinstance(cell, Connection) and not is_cell(cell):
        raise TypeError(_without_state(where, cell))
    advice = "; a layer without a state is called itself, or is a part of a Sequential"
    require_callable(f"{where}: the cell", cell, "a function, (state, input) -> (state, output)", takes, advice)
    inputs = given["inputs"]
    state = given["state"] if "state" in given else at_rest(where, cell, inputs)
    try:
        return state, inputs, _length(where, cell, state, inputs, together)
    except (TypeError, ValueError) as error:
        if _fits(cell, inputs, state):
            raise _misplaced(where, cell, state, inputs, swapped="; state and inputs are swapped") from error
        raise


def _without_state(where: str, connection: Connection) -> str:
    call = "layer(xs)" if promises(connection, "takes_time") else "jax.vmap(layer)(xs)"
    return (
        f"{where}: {type(connection).__name__} is a connection, which has no state: call it on all time steps, {call}, "
        f"or put it into a Sequential, {where}(Sequential(layer, cell), xs)."
    )


def _misplaced(where: str, *given: Any, swapped: str = "", **named: Any) -> TypeError:
    """The error for arguments in another order, for too many and for too few."""
    shown = ", ".join([*map(described, given), *(f"{name}={described(value)}" for name, value in named.items())])
    return TypeError(
        f"{where}: the arguments are {where}(cell, inputs) or {where}(cell, state, inputs), in this order, got "
        f"({shown}){swapped}."
    )


def _length(where: str, cell: Callable[..., Any], state: PyTree, inputs: PyTree, together: bool) -> Any:
    """The length of time of inputs that fit a cell, by a step on shapes alone.

    Raises:
        TypeError, ValueError: they do not fit.
    """
    leaves = jax.tree.leaves(inputs)
    lengths = {jnp.shape(leaf)[:1] for leaf in leaves}
    if len(lengths) != 1 or () in lengths:
        shapes = ", ".join(str(jnp.shape(leaf)) for leaf in leaves) or "nothing"
        raise ValueError(f"{where}: inputs must share a leading axis of time, got {shapes}.")
    if not together:
        return lengths.pop()[0]
    step = jax.tree.map(lambda x: jax.ShapeDtypeStruct(jnp.shape(x)[1:], jnp.result_type(x)), inputs)
    with read_over_time(where, inputs):
        made = jax.eval_shape(cell, state, step)
    if not isinstance(made, (tuple, list)) or len(made) != 2:
        raise TypeError(f"{where}: the cell must give back a pair, (state, output), got {described(made)}.")
    return lengths.pop()[0]


def _fits(cell: Callable[..., Any], state: PyTree, inputs: PyTree) -> bool:
    """Whether a cell takes a state and inputs over time, by their shapes."""
    try:
        after, _ = jax.eval_shape(lambda state, xs: cell(state, jax.tree.map(lambda x: x[0], xs)), state, inputs)
    except Exception:  # any error of a cell's own
        return False
    return jax.tree.map(jnp.shape, after) == jax.tree.map(jnp.shape, state)
