"""The contract of layers: what a cell and a connection are, what their classes promise, and how they run over time.

A **cell** has a state: `init(shape, dtype)` makes it, and `cell(state, input)` returns `(state, output)`, for one time
step, as `lax.scan` wants it. Every object whose class has a method `init` is a cell, ours or not. A **connection** has
none: `connection(input)` returns the output. It is any other object that can be called. Both see one time step,
`(*batch, features)`, and never the axis of time.

**Promises** are attributes that a class sets itself. A promise that is inherited does not count, since a subclass may
do something else: a subclass that keeps a promise repeats it. What promises nothing works, step by step.

Promises of cells:

- `spiking`: outputs are spike trains, 0 or 1 if the spike function puts out 0 or 1. They count for firing rates.
- `elementwise`: a neuron's step depends on its own state and input alone, so that cells may be fused into one kernel.
- `linear_response`: below `threshold`, `state.v` is linear in the inputs; `fluctuation_driven` uses that.
- `relays`: the outputs are the inputs, at the same or later time steps.
- `feeds_back`: the outputs of `cell`, a field, are its inputs of the next time step.
- `over_time`: a method, `(state, inputs) -> (state, outputs)`, that gives what the steps give one by one.
- `in_order`: `parts` run one after the other, so that networks inside networks may be taken apart.

Promises of connections:

- `takes_time`: also takes `(time, *batch, features)`, and treats each time step alone.

Promises of both:

- `whole_sequence`: is slow inside a loop on a CPU, and wants all time steps at once. It changes no result.
- `weighted`: the last axis of `weight` is that of the outputs, and `with_weight(weight)` returns a copy with another.

`surgrad.check(layer, inputs)` tests all of this on a layer; a class names what it does not keep in `waivers`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar, Self, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from surgrad._fields import check_fields, parameter
from surgrad._pytree import Pytree, static
from surgrad._surrogates.sigmoidal import Arctan
from surgrad._types import PyTree, Shape
from surgrad.nn._dtypes import promoted, wide
from surgrad.nn._loops import steps, summed_wide


def spike_function() -> Any:
    """A declared field that holds a surrogate, or any function of x that spikes; `Arctan(2.0)` by default.

    That is the default of snnTorch and SpikingJelly too, there called ATan.
    """
    return dataclasses.field(default=Arctan(2.0), metadata={"callable": "a surrogate, or a function of x that spikes"})


def flag(*, default: bool, kw_only: bool = True) -> Any:
    """A declared option that is True or False, given by name."""
    return static(default=default, kw_only=kw_only, flag=True)


def cell_field() -> Any:
    """A declared field that holds a cell."""
    return dataclasses.field(metadata={"callable": "a cell, (state, input) -> (state, output)"})


def weight_array(*, optional: bool = False) -> Any:
    """A declared field that holds an array of real numbers, or None if it is optional."""
    return dataclasses.field(metadata={"real": True, "optional": optional})


@dataclass_transform(
    eq_default=False, field_specifiers=(static, parameter, spike_function, cell_field, weight_array, flag)
)
class Layer(Pytree):
    """Base of the layers of this library, and an optional one of users' own: declared fields are checked."""

    trainable: ClassVar[tuple[str, ...]] = ()
    """Fields that `partition` trains by default."""
    waivers: ClassVar[dict[str, str]] = {}
    """Laws of `check` that the layer breaks on purpose, with the reason."""

    def __post_init__(self) -> None:
        check_fields(self)

    @classmethod
    def of_fields(cls, **fields: Any) -> Self:
        """A layer with given values of its fields, in place of the constructor's arguments."""
        layer = object.__new__(cls)
        for name, value in fields.items():
            setattr(layer, name, value)
        layer.__post_init__()
        return layer


class Connection(Layer):
    """A layer without a state, `input -> output`. Its floating-point numbers are trained by default."""

    def connections(self) -> Any:
        """What is trained: the layer itself."""
        return self

    def with_connections(self, given: Any) -> Any:
        """Another layer in its place, with arrays of the same shapes.

        Raises:
            ValueError: a shape differs.
        """
        check_alike(self, given, self)
        return given

    def __call__(self, x: Array) -> Array:
        """The output of one time step, `(*batch, outputs)`."""
        raise NotImplementedError(f"{type(self).__name__} defines no __call__.")


class Cell(Layer):
    """A layer with a state, `(state, input) -> (state, output)`. Its numbers are constants unless asked for."""

    def connections(self) -> Any:
        """What is trained by default: nothing."""
        return None

    def with_connections(self, given: Any) -> Any:
        """The cell itself, for None.

        Raises:
            ValueError: something is given.
        """
        _check_none(self, given)
        return self

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__call__" in vars(cls):
            cls.__call__ = _with_two_arguments(vars(cls)["__call__"])  # type: ignore[method-assign]

    def init(self, shape: Shape, dtype: Any = None) -> PyTree:
        """The state before the first step, for inputs of a shape, `(*batch, features)`, and a type.

        What is summed over time is float32 at least, for inputs of any type.
        """
        raise NotImplementedError(f"{type(self).__name__} defines no init.")

    def __call__(self, state: PyTree, x: Array) -> tuple[PyTree, Array]:
        """The state after one time step, and its output, `(*batch, outputs)`."""
        raise NotImplementedError(f"{type(self).__name__} defines no __call__.")


def _with_two_arguments(call: Callable[..., Any]) -> Callable[..., Any]:
    """A cell's step that says what to write when it is called as `cell(x)`, as layers of other libraries are."""

    @functools.wraps(call)
    def checked(self: Any, *arguments: Any, **named: Any) -> Any:
        if len(arguments) + len(named) != 2:
            kind, x = type(self).__name__, ", ".join([*map(described, arguments), *named])
            raise TypeError(
                f"{kind}: a step takes a state and an input, and returns both, got ({x}). Write state = "
                f"cell.init(x.shape) and state, output = cell(state, x) for one time step x, (*batch, features), or "
                f"state, outputs = unroll(cell, xs) for a sequence xs, (time, *batch, features)."
            )
        return call(self, *arguments, **named)

    return checked


def is_cell(layer: Any) -> bool:
    """Whether a layer is a cell: whether its class has a method `init`."""
    return callable(getattr(type(layer), "init", None))


def promises(layer: Any, promise: str) -> bool:
    """Whether the very class of a layer makes a promise; it may depend on the object, as a property."""
    if promise not in vars(type(layer)):
        return False
    return bool(getattr(layer, promise))


def denies(layer: Any, promise: str) -> bool:
    """Whether the very class of a layer says itself that it does not make a promise."""
    return promise in vars(type(layer)) and not getattr(layer, promise)


def runs_over_time(layer: Any) -> bool:
    """Whether a layer can do many steps at once: connections can, and cells whose class has an `over_time`."""
    return not is_cell(layer) or "over_time" in vars(type(layer))


def start(layer: Any, shape: Shape, dtype: Any) -> PyTree:
    """The state of a layer before the first step, None for connections.

    A cell that is not ours may take the type as that of its state, so it gets a wide one.
    """
    if not is_cell(layer):
        return None
    return layer.init(shape, dtype if isinstance(layer, Cell) else wide(dtype))


def at_rest(where: str, cell: Any, inputs: Any) -> PyTree:
    """The state of a cell before inputs over time, in the type of products of inputs and weights.

    Raises:
        ValueError: the cell has no `init`, or the inputs are not one array with an axis of time.
    """
    if not is_cell(cell):
        name = getattr(cell, "__name__", type(cell).__name__)
        raise ValueError(f"{where}: {name} has no method init, so give a state: {where}(cell, state, inputs).")
    shape = np.shape(inputs) if hasattr(inputs, "dtype") else ()
    if not shape:
        raise ValueError(
            f"{where}: without a state, the inputs must be one array, (time, *batch, features), got "
            f"{described(inputs)}."
        )
    return start(cell, shape[1:], promoted(inputs, *_floating_leaves(connections(cell))))


def _floating_leaves(tree: PyTree) -> list[Any]:
    return [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]


def step(layer: Any, state: PyTree, x: Any) -> tuple[PyTree, Any]:
    """One time step of a layer."""
    return layer(state, x) if is_cell(layer) else (None, layer(x))


def over_time(layer: Any, state: PyTree, inputs: Any) -> tuple[PyTree, Any]:
    """Many time steps of a layer, at once if its class promises that it can."""
    if not is_cell(layer):
        return None, _mapped(layer, inputs)
    return layer.over_time(state, inputs) if runs_over_time(layer) else steps(layer, state, inputs)


def _mapped(connection: Any, inputs: Any) -> Any:
    """A connection at all time steps; one that does not promise to take time sees them one by one."""
    if promises(connection, "takes_time"):
        return connection(inputs)
    return jax.vmap(summed_wide(lambda connection, x: connection(x), connection))(inputs)


def connections(layer: Any) -> Any:
    """What is trained of a layer by default: a connection as it is, None of a cell, or what the layer says itself."""
    if isinstance(layer, (Cell, Connection)):
        return layer.connections()
    return None if is_cell(layer) else layer


def with_connections(layer: Any, given: Any) -> Any:
    """A layer with other connections, given as `connections` gives them.

    Raises:
        ValueError: they do not fit.
    """
    if isinstance(layer, (Cell, Connection)):
        return layer.with_connections(given)
    if is_cell(layer):
        _check_none(layer, given)
        return layer
    check_alike(layer, given, layer)
    return given


def check_alike(layer: Any, given: PyTree, place: PyTree) -> None:
    """Refuse connections whose arrays have other shapes than those whose place they take.

    Raises:
        ValueError: they have.
    """
    expected, found = ([jnp.shape(leaf) for leaf in jax.tree.leaves(tree)] for tree in (place, given))
    if expected != found:
        raise ValueError(
            f"{type(layer).__name__}: connections must have the shapes {expected}, as connections() gives them, "
            f"got {found}."
        )


def _check_none(cell: Any, given: Any) -> None:
    if given is not None:
        raise ValueError(f"{type(cell).__name__}: a cell has no connections, None, got {described(given)}.")


def described(value: Any) -> str:
    """An array by its shape, a tuple by its length, anything else by its type."""
    if isinstance(value, (jax.Array, np.ndarray, np.generic)):
        return f"an array of shape {jnp.shape(value)}"
    return f"a tuple of {len(value)}" if type(value) is tuple else type(value).__name__
