"""Networks: connections and cells, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from surgrad._pytree import Pytree, static
from surgrad._types import PyTree
from surgrad.nn.unroll import steps


class Function(Pytree):
    """A function without parameters as a connection; it acts on arrays whose leading axes may be time and batch."""

    function: Callable[[Array], Array] = static()

    def __call__(self, x: Array) -> Array:
        """The function of x."""
        return self.function(x)


class Sequential(Pytree):
    """Connections and cells, one after the other; itself a cell, whose state is a tuple of the states of its parts.

    A part with a method `init` is a cell, `(state, input) -> (state, output)`; any other part is a connection, a function
    of arrays, `(..., inputs) -> (..., outputs)`, whose leading axes may be batch, or time and batch. `unroll` evaluates
    a network in chunks of time, layer by layer: a connection acts on all steps of a chunk at once.

    Parameters:
        parts: connections and cells; networks may be nested. Functions are taken as connections.
    """

    parts: tuple[Any, ...]

    def __init__(self, *parts: Any):
        for index, part in enumerate(parts):
            if not callable(part):
                raise TypeError(f"Sequential: part {index} must be a connection or a cell, got {part!r}.")
        self.parts = tuple(part if isinstance(part, Pytree) or is_cell(part) else Function(part) for part in parts)

    def init(self, shape: tuple[int, ...], dtype: Any = None) -> tuple[PyTree, ...]:
        """The resting states of all parts, None for connections, from the shape of a step's input, `(*batch, inputs)`.

        Raises:
            ValueError: a part does not fit the shape that the parts before it make; the message names it.
        """
        states, now = [], jax.ShapeDtypeStruct(tuple(shape), jnp.zeros((), dtype).dtype)
        for index, part in enumerate(self.parts):
            with _named(index):
                state = part.init(now.shape, dtype) if is_cell(part) else None
                now = jax.eval_shape(lambda x, part=part, state=state: _step(part, state, x)[1], now)
            states.append(state)
        return tuple(states)

    def __call__(self, state: tuple[PyTree, ...], x: Array) -> tuple[tuple[PyTree, ...], Array]:
        """One step of all parts: their states, and the output of the last.

        Raises:
            ValueError: a part does not fit its input; the message names it.
        """
        states, outputs = self._through(_step, state, x)
        return states, outputs[-1] if outputs else x

    def over_time(self, state: tuple[PyTree, ...], inputs: Array) -> tuple[tuple[PyTree, ...], Array]:
        """Many steps, layer by layer; time leads."""
        states, outputs = self._through(_over_time, state, inputs)
        return states, outputs[-1] if outputs else inputs

    def outputs(self, inputs: Array, state: tuple[PyTree, ...] | None = None) -> tuple[Array, ...]:
        """What every part puts out over time, `(time, *batch, ...)` each, layer by layer; from rest unless told."""
        if state is None:
            state = self.init(jnp.shape(inputs)[1:], jnp.result_type(float, inputs))
        return self._through(_over_time, state, inputs)[1]

    def connections(self) -> tuple[Any, ...]:
        """The parts without a state, and None where a cell stands: what is learned where cells stay as they are."""
        return tuple(None if is_cell(part) else part for part in self.parts)

    def with_connections(self, connections: tuple[Any, ...]) -> Sequential:
        """The same cells with other connections, given as `connections` gives them.

        Raises:
            ValueError: there are more or fewer than parts.
        """
        pairs = zip(self.parts, connections, strict=True)
        return Sequential(*(part if other is None else other for part, other in pairs))

    def _through(
        self, evaluate: Callable[..., Any], state: tuple[PyTree, ...], x: Array
    ) -> tuple[Any, tuple[Array, ...]]:
        if not isinstance(state, tuple) or len(state) != len(self.parts):
            raise ValueError(f"Sequential: {len(self.parts)} parts need as many states; start from init(shape).")
        states, outputs = [], []
        for index, (part, old) in enumerate(zip(self.parts, state, strict=True)):
            with _named(index):
                new, x = evaluate(part, old, x)
            states.append(new)
            outputs.append(x)
        return tuple(states), tuple(outputs)


def is_cell(part: Any) -> bool:
    """Whether a part of a network has a state."""
    return hasattr(part, "init")


def _step(part: Any, state: PyTree, x: Array) -> tuple[PyTree, Array]:
    return part(state, x) if is_cell(part) else (None, part(x))


def _over_time(part: Any, state: PyTree, inputs: Array) -> tuple[PyTree, Array]:
    if not is_cell(part):
        return None, part(inputs)
    return part.over_time(state, inputs) if hasattr(part, "over_time") else steps(part, state, inputs)


@contextmanager
def _named(index: int) -> Iterator[None]:
    """Say which part it was that did not fit."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"part {index} of Sequential, {error}") from error
