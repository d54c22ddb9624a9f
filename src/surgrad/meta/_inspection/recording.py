"""The surrogates inside a model, and the membrane potentials that they see."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._surrogate import Surrogate
from surgrad._trees import by_path, selected, with_selected
from surgrad._types import PyTree

Membranes = Float[Array, "time ..."]
"""What a surrogate is called with, x = (membrane potential - threshold) / scale, at all time steps."""


class Recording(NamedTuple):
    """What a model does with a batch.

    Parameters:
        membranes: x of every surrogate, in the order of `surrogates`, `(time, *batch, neurons)` each.
        outputs: of the model, `(time, *batch, ...)`.
    """

    membranes: tuple[Membranes, ...]
    outputs: Any


def surrogates(model: PyTree) -> dict[str, Surrogate]:
    """The surrogates of a model by the name of their path, `"parts[1].surrogate"`, in the order of its leaves."""
    return {path: leaf for path, leaf in by_path(model, _is_surrogate).items() if _is_surrogate(leaf)}


def with_surrogates(model: PyTree, new: Callable[[int, Any], Any]) -> Any:
    """Replace surrogate `i` of a model by `new(i, surrogate)`, and return the model."""
    old = selected(model, _is_surrogate)
    return with_selected(model, _is_surrogate, [new(i, surrogate) for i, surrogate in enumerate(old)])


def arrays(model: PyTree) -> dict[str, Array]:
    """The floating arrays of a model that are no surrogate's, by path: weights, and parameters of single neurons."""
    return {path: leaf for path, leaf in by_path(model, _is_surrogate).items() if _is_array(leaf)}


def with_arrays(model: PyTree, values: Iterable[Array]) -> Any:
    """The model with other arrays, in the order of `arrays`."""
    leaves, structure = jax.tree.flatten(model, is_leaf=_is_surrogate)
    new = iter(values)
    return structure.unflatten([next(new) if _is_array(leaf) else leaf for leaf in leaves])


def record(model: Any, inputs: Array, offsets: tuple[Array, ...] | None = None) -> Recording:
    """The membrane potentials of a model over time, as its surrogates see them, and its outputs.

        >>> import jax.numpy as jnp, surgrad
        >>> seen = record(surgrad.nn.LIF(surgrad.Sigmoid(), threshold=1.0), jnp.full((3, 1), 0.25))
        >>> [f"{x:.2f}" for x in seen.membranes[0][:, 0]]
        ['-0.75', '-0.52', '-0.32']

    Parameters:
        model: a cell, usually a `Sequential`, that calls every surrogate in it once each step; it starts from its
            initial state.
        inputs: `(time, *batch, ...)`.
        offsets: added to x, one array of its shape for each surrogate. The gradient of a loss by the offsets is the
            error that arrives at each neuron and time step.

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
        listening = with_surrogates(model, lambda i, s: _Listener(s, seen[i], moved[i] if moved else None))
        state, output = listening(state, x)
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
                f"step; calibration and diagnosis need exactly one call for each surrogate and step."
            )


def _is_array(leaf: Any) -> bool:
    return not _is_surrogate(leaf) and bool(jnp.ndim(leaf)) and jnp.issubdtype(jnp.result_type(leaf), jnp.floating)


def _is_surrogate(leaf: Any) -> bool:
    return isinstance(leaf, Surrogate)
