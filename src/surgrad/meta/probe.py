"""The surrogates inside a model, and the membranes that they see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._surrogate import Surrogate
from surgrad._types import PyTree

Membranes = Float[Array, "time *units"]


class Recording(NamedTuple):
    """What a model does with a batch.

    Parameters:
        membranes: x of every surrogate, in the order of `surrogates`, `(time, *batch, neurons)` each.
        outputs: those of the model, `(time, *batch, ...)`.
    """

    membranes: tuple[Membranes, ...]
    outputs: Any


def surrogates(model: PyTree) -> dict[str, Surrogate]:
    """The surrogates of a model by their path, `"parts[1].surrogate"`, in the order of its leaves."""
    found = jax.tree_util.tree_leaves_with_path(model, is_leaf=_is_surrogate)
    return {_path(keys): leaf for keys, leaf in found if _is_surrogate(leaf)}


def with_surrogates(model: PyTree, new: Callable[[int, Any], Any]) -> Any:
    """The model with other surrogates: each in place of what stands there, from its number and itself."""
    leaves, structure = jax.tree.flatten(model, is_leaf=_is_surrogate)
    count = iter(range(len(leaves)))
    return structure.unflatten([new(next(count), leaf) if _is_surrogate(leaf) else leaf for leaf in leaves])


def arrays(model: PyTree) -> dict[str, Array]:
    """The floating arrays of a model that are no surrogate's, by their path: weights, and parameters a neuron."""
    found = jax.tree_util.tree_leaves_with_path(model, is_leaf=_is_surrogate)
    return {_path(keys): leaf for keys, leaf in found if _is_array(leaf)}


def with_arrays(model: PyTree, values: Iterable[Array]) -> Any:
    """The model with other arrays, in the order of `arrays`."""
    leaves, structure = jax.tree.flatten(model, is_leaf=_is_surrogate)
    new = iter(values)
    return structure.unflatten([next(new) if _is_array(leaf) else leaf for leaf in leaves])


def record(model: Any, inputs: Array, offsets: tuple[Array, ...] | None = None) -> Recording:
    """The membranes of all surrogates of a model over time, from rest.

    Parameters:
        model: a cell, a `Sequential` most often; every surrogate in it is called once a step.
        inputs: `(time, *batch, ...)`.
        offsets: added to the membranes, one array of their shape a surrogate: the derivative by them is the error that
            arrives at each neuron and step.

    Raises:
        ValueError: the model has no surrogate, or one that a step does not call exactly once.
    """
    number = len(surrogates(model))
    if not number:
        raise ValueError(f"{type(model).__name__}: there is no surrogate in it; give a model whose cells have one.")
    state = model.init(jnp.shape(inputs)[1:], jnp.result_type(float, inputs))

    def step(state: PyTree, now: tuple[Array, tuple[Array, ...] | None]) -> tuple[PyTree, tuple[Any, Any]]:
        x, moved = now
        seen: list[list[Array]] = [[] for _ in range(number)]
        state, output = with_surrogates(model, lambda i, s: _Listener(s, seen[i], moved[i] if moved else None))(
            state, x
        )
        _require_one_each(model, seen)
        return state, (tuple(each[0] for each in seen), output)

    _, (membranes, outputs) = jax.lax.scan(step, state, (inputs, offsets))
    return Recording(membranes, outputs)


class _Listener:
    """A surrogate that notes what it is called with."""

    def __init__(self, surrogate: Surrogate, seen: list[Array], moved: Array | None):
        self.surrogate, self.seen, self.moved = surrogate, seen, moved

    def __call__(self, x: Array) -> Array:
        x = x if self.moved is None else x + self.moved
        self.seen.append(x)
        return self.surrogate(x)


def _require_one_each(model: PyTree, seen: list[list[Array]]) -> None:
    for (path, surrogate), calls in zip(surrogates(model).items(), seen, strict=True):
        if len(calls) != 1:
            raise ValueError(
                f"{type(model).__name__}: the surrogate {surrogate!r} at {path} is called {len(calls)} times in a "
                f"step; calibration and diagnosis need one membrane a surrogate and step."
            )


def _is_array(leaf: Any) -> bool:
    return not _is_surrogate(leaf) and bool(jnp.ndim(leaf)) and jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


def _is_surrogate(leaf: Any) -> bool:
    return isinstance(leaf, Surrogate)


def _path(keys: Any) -> str:
    return jax.tree_util.keystr(keys).lstrip(".")
