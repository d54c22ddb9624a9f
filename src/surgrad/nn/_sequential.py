"""Networks: connections and cells, one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from surgrad._dtypes import floating
from surgrad._kinds import described
from surgrad._shapes import require_shapes
from surgrad._types import Numbers, PyTree, Shape
from surgrad.nn._checks import sizes
from surgrad.nn._contract import (
    Cell,
    at_rest,
    connections,
    in_network,
    over_time,
    promises,
    read_over_time,
    start,
    step,
    with_connections,
)
from surgrad.nn._foreign import as_layer
from surgrad.nn._partition import warn_of_ties
from surgrad.nn._residuals import Made
from surgrad.nn._table import table


class Sequential(Cell):
    """Connections and cells, one after the other; itself a cell, whose state is a tuple of the states of its parts.

    A part with a method `init(shape, dtype)` is a cell, `(state, input) -> (state, output)`; any other part is a
    connection, `(*batch, inputs) -> (*batch, outputs)`, that sees one time step. `unroll` evaluates a network in chunks
    of time, layer by layer; connections that promise so (`takes_time` of `Layer`) act on all steps of a chunk at once.
    `network[i]` is a part, `network[i:j]` a network of some.

    Parameters:
        parts: connections and cells, among them networks. Functions, and objects that are no pytrees, have no
            parameters.

    Raises:
        TypeError: a part is neither, or a class in place of an object of it, or a tree of more than numbers.
    """

    trainable: ClassVar[tuple[str, ...]] = ("parts",)
    in_order = True

    parts: tuple[Any, ...]

    def __init__(self, *parts: Any):
        if len(parts) == 1 and isinstance(parts[0], (list, tuple)):
            (parts,) = parts
        self.parts = tuple(as_layer(f"Sequential: part {index}", part) for index, part in enumerate(parts))
        if (leaves := jax.tree.leaves(self.parts)) and not jax.tree.leaves(self):
            kinds = ", ".join(sorted({type(leaf).__name__ for leaf in leaves}))
            raise TypeError(f"Sequential: the leaves of its parts must be numbers, so that JAX sees them, got {kinds}.")

    @property
    def spiking(self) -> bool:
        """Whether its last part is."""
        return bool(self.parts) and promises(self.parts[-1], "spiking")

    @property
    def whole_sequence(self) -> bool:
        """Whether one of its parts wants the whole sequence."""
        return any(promises(part, "whole_sequence") for part in self.parts)

    def __str__(self) -> str:
        return table(self)

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.parts)

    def __getitem__(self, index: int | slice) -> Any:
        return Sequential(*self.parts[index]) if isinstance(index, slice) else self.parts[index]

    def __setitem__(self, index: Any, part: Any) -> None:
        after = index + 1 if isinstance(index, int) else "..."
        instead = f"Sequential(*net[:{index}], part, *net[{after}:])"
        raise TypeError(f"Sequential: parts are not assigned; a network with another one is {instead}.")

    def init(self, shape: Shape, dtype: Any = None) -> tuple[PyTree, ...]:
        """The resting states of all parts, None for connections, from the shape of a step's input, `(*batch, inputs)`.

        Parameters:
            shape: of the input; a number is the length of its only axis.
            dtype: of the states; JAX's floating default for None, and for the types of events, bool and whole numbers.

        Raises:
            TypeError: the type is complex.
            ValueError: a part does not fit the shape that the parts before it make; the message names it.
        """
        states, now = [], jax.ShapeDtypeStruct(sizes(shape), floating(dtype))
        for index, part in enumerate(self.parts):
            with _named(index, part):
                state = start(part, now.shape, now.dtype)
                now = jax.eval_shape(lambda x, part=part, state=state: step(part, state, x)[1], now)
            states.append(state)
        return tuple(states)

    def __call__(self, state: tuple[PyTree, ...], x: Numbers) -> tuple[tuple[PyTree, ...], Any]:
        """One step of all parts: their states, and the output of the last.

        Raises:
            ValueError: a part does not fit its input; the message names it.
        """
        states, outputs = self.through(step, state, x)
        return states, outputs[-1] if outputs else x

    def over_time(self, state: tuple[PyTree, ...], inputs: Numbers) -> tuple[tuple[PyTree, ...], Any]:
        """Many steps, layer by layer; time leads."""
        states, outputs = self.through(in_network, state, inputs)
        last = outputs[-1] if outputs else inputs
        return states, last.outputs if isinstance(last, Made) else last

    def outputs(self, inputs: Numbers, state: tuple[PyTree, ...] | None = None) -> tuple[Any, ...]:
        """What every part puts out over time, `(time, *batch, ...)` each, layer by layer.

        A subclass that does not say `in_order = True` may do something else than its parts one after the other: of
        that only the outputs of the whole are told.

        Parameters:
            inputs: `(time, *batch, inputs)`.
            state: the state before the first step; None is rest, in the type of products of inputs and weights.

        Raises:
            ValueError: a part does not fit its input; the message names it. The inputs have no axis of time.
        """
        with read_over_time("outputs", inputs):
            require_shapes("Sequential", {"the inputs": (jnp.shape(inputs), "time, ...")})
            begin: Any = at_rest("outputs", self, jnp.asarray(inputs)) if state is None else state
            if not promises(self, "in_order"):  # a subclass that may do more than its parts
                return (over_time(self, begin, inputs)[1],)
            return self.through(over_time, begin, inputs)[1]

    def connections(self) -> tuple[Any, ...]:
        """The parts without a state, and None where a cell stands: what is learned where cells stay as they are.

        Where a part has `connections` itself, those stand in its place: of a network, and the weights of a `Recurrent`.
        """
        warn_of_ties(self)
        return tuple(connections(part) for part in self.parts)

    def with_connections(self, given: Any) -> Sequential:
        """The same cells with other connections, given as `connections` gives them.

        Raises:
            ValueError: there are more or fewer than parts, or one differs in shape; the message names the part.
        """
        self._require_each("the connections", given, "connections()")
        parts = []
        for index, (part, other) in enumerate(zip(self.parts, given, strict=True)):
            with _named(index, part):
                parts.append(with_connections(part, other))
        return self.replace(parts=tuple(parts))

    def _require_each(self, what: str, given: Any, maker: str) -> None:
        if not isinstance(given, (tuple, list)) or len(given) != len(self.parts):
            demand = f"a tuple of {len(self.parts)}, one a part, as {maker} makes it"
            raise ValueError(f"Sequential: {what} must be {demand}, got {described(given)}.")

    def through(
        self, evaluate: Callable[..., Any], state: tuple[PyTree, ...], x: Numbers
    ) -> tuple[Any, tuple[Any, ...]]:
        """The states and the outputs of all parts, each evaluated by `evaluate(part, state, x)`."""
        if isinstance(x, tuple) and not isinstance(state, (tuple, list)):
            given = f"({described(state)}, {described(x)})"
            raise TypeError(f"Sequential: a step takes (state, input), got {given}; state and input are swapped.")
        self._require_each("the state", state, "init(shape)")
        states, outputs = [], []
        for index, (part, old) in enumerate(zip(self.parts, state, strict=True)):
            with _named(index, part):
                new, x = evaluate(part, old, x)
            states.append(new)
            outputs.append(x)
        return tuple(states), tuple(outputs)


def flat(network: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The layers of a network, in order, also of networks inside, with their places: `"2"`, or `"2.0"` inside 2.

    A network whose class does not promise `in_order` is one layer.
    """
    if not promises(network, "in_order"):
        yield path, network
        return
    for index, part in enumerate(network.parts):
        yield from flat(part, f"{path}.{index}" if path else str(index))


@contextmanager
def _named(index: int, part: Any) -> Iterator[None]:
    """Say which part it was that did not fit."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"part {index} of Sequential, {error}") from error
    except TypeError as error:
        error.add_note(f"It was part {index} of Sequential, {part!r}.")
        raise
