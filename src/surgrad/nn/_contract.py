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
  Of cells with a surrogate it depends on the forward mode: one that draws for all neurons at once does not keep it.
- `linear_response`: below `threshold`, `state.v` is linear in the inputs; `fluctuation_driven` uses that.
- `relays`: the outputs are the inputs, at the same or later time steps.
- `keeps_inputs`: the state is one array, the inputs of the last time steps, `(steps, *batch, features)`, oldest first.
- `feeds_back`: the outputs of `cell`, a field, are its inputs of the next time step.
- `over_time`: a method, `(state, inputs) -> (state, outputs)`, that gives what the steps give one by one.
- `in_order`: `parts` run one after the other, so that networks inside networks may be taken apart.

Promises of connections:

- `takes_time`: also takes `(time, *batch, features)`, and treats each time step alone.
- `linear_in_inputs`: outputs are linear in the inputs, but for a constant. Of inputs that are spikes the backward pass
  then stores booleans, and computes again what else it needs: nothing, if the layer is one product. It has no effects.

Promises of both:

- `whole_sequence`: is slow inside a loop on a CPU, and wants all time steps at once. It changes no result.
- `weighted`: the last axis of `weight` is that of the outputs, and `with_weight(weight)` returns a copy with another.

`surgrad.check(layer, inputs)` tests all of this on a layer; a class names what it does not keep in `waivers`.

Two methods say more of a layer, and count where its very class has them, as promises do. They change no result:
`observables(state, input, state after, output)` returns what `unroll(..., record=)` can record of a time step, by name
(connections get None for states); and `fan_out(shape)` the number of outputs that each input reaches, which
`synaptic_operations` counts, and knows of `weighted` connections without it. What drives the weights of a class with a
`fan_out` is its `inputs`, or the value of its `observables` that it names in `driven_by`.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Self, dataclass_transform

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from surgrad._dtypes import floats, promoted, wide
from surgrad._fields import check_assigned, check_fields, parameter
from surgrad._kinds import called, described
from surgrad._pytree import Pytree, static
from surgrad._surrogates.sigmoidal import Arctan
from surgrad._types import PyTree, Shape
from surgrad.nn._fused.choose import time_loop
from surgrad.nn._loops import Keep, steps, summed_wide
from surgrad.nn._residuals import Made, through


def spike_function() -> Any:
    """A declared field that holds a surrogate, or any function of x that spikes; `Arctan(2.0)` by default.

    That is the default of snnTorch and SpikingJelly too, there called ATan.
    """
    return dataclasses.field(default=Arctan(2.0), metadata={"callable": "a surrogate, or a function of x that spikes"})


def flag(*, default: bool | str, kw_only: bool = True, also: tuple[str, ...] = ()) -> Any:
    """A declared option that is True or False, or one of the words `also`, given by name."""
    return static(default=default, kw_only=kw_only, flag=True, also=also)


def cell_field() -> Any:
    """A declared field that holds a cell."""
    return dataclasses.field(metadata={"callable": "a cell, (state, input) -> (state, output)"})


def weight_array(axes: str = "...", *, optional: bool = False) -> Any:
    """A declared field that holds an array of real numbers, or None if it is optional.

    Parameters:
        axes: the pattern of its shape (`surgrad._shapes`). Axes of one name are equally long in all fields of a layer.
        optional: whether there may be none.
    """
    return dataclasses.field(metadata={"real": True, "optional": optional, "axes": axes})


@dataclass_transform(
    eq_default=False, field_specifiers=(static, parameter, spike_function, cell_field, weight_array, flag)
)
class Layer(Pytree):
    """Base of the layers of this library, and an optional one of users' own: declared fields are checked."""

    trainable: ClassVar[tuple[str, ...]] = ()
    """Fields that `partition` trains by default; of a connection without any, all."""
    waivers: ClassVar[dict[str, str]] = {}
    """Laws of `check` that the layer breaks on purpose, with the reason."""

    def __post_init__(self) -> None:
        check_fields(self)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.__dict__:  # while a layer is built, all of its fields are checked at the end
            check_assigned(self, name, value)
        super().__setattr__(name, value)

    @classmethod
    def of_fields(cls, **fields: Any) -> Self:
        """A layer with given values of its fields, in place of the constructor's arguments; weights become floats."""
        layer, declared = object.__new__(cls), cls.__dataclass_fields__
        for name, value in fields.items():
            setattr(layer, name, floats(value) if "real" in declared[name].metadata else value)
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
        check_alike(self, given, None)
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
            given = ", ".join([*map(described, arguments), *named])
            raise TypeError(
                f"{type(self).__name__}: a step takes a state and an input, and returns both, got ({given}). For one "
                f"time step x, (*batch, features), write state, output = cell(cell.init(x.shape), x); for a sequence "
                f"xs, (time, *batch, features), state, outputs = unroll(cell, xs)."
            )
        return call(self, *arguments, **named)

    return checked


@contextmanager
def read_over_time(where: str, inputs: Any) -> Iterator[None]:
    """Say in errors of inputs that do not fit how they were read, since another axis may stand for time."""
    try:
        yield
    except ValueError as error:
        shapes = [jnp.shape(leaf) for leaf in jax.tree.leaves(inputs)]
        read = ", ".join(f"{shape[0]} steps of shape {shape[1:]}" if shape else "one number" for shape in shapes)
        leads = f"({where} read the inputs as {read}: time leads, (time, *batch, neurons).)"
        raise ValueError(f"{error} {leads}") from error


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
        raise ValueError(f"{where}: {called(cell)} has no method init, so give a state: {where}(cell, state, inputs).")
    shape = np.shape(inputs) if hasattr(inputs, "dtype") else ()
    if not shape:
        demand = "the inputs must be one array, (time, *batch, features)"
        raise ValueError(f"{where}: without a state, {demand}, got {described(inputs)}.")
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
    return layer.over_time(state, inputs) if runs_over_time(layer) else loop(layer, state, inputs)


def in_network(layer: Any, state: PyTree, inputs: Any) -> tuple[PyTree, Any]:
    """Many time steps of a layer of a network, as `over_time`; between layers the outputs of cells are `Made`."""
    if isinstance(inputs, Made):
        if not is_cell(layer) and promises(layer, "linear_in_inputs"):
            return None, through(lambda xs: _mapped(layer, xs), inputs)
        inputs = inputs.outputs
    after, outputs = over_time(layer, state, inputs)
    spikes = is_cell(layer) and not denies(layer, "spiking")
    return after, Made(layer, state, inputs, outputs) if spikes else outputs


def loop(cell: Any, state: PyTree, inputs: Any, keep: Keep = "all") -> tuple[PyTree, Any]:
    """Many time steps of a cell, one by one; in one kernel where its class promises to be elementwise."""
    return (time_loop if promises(cell, "elementwise") else steps)(cell, state, inputs, keep)


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
    check_alike(layer, given, connections(layer))
    return layer if is_cell(layer) else given


def check_alike(layer: Any, given: PyTree, place: PyTree) -> None:
    """Refuse connections whose arrays have other shapes than those whose place they take, or any in place of None.

    Raises:
        ValueError: they have.
    """
    expected, found = ([jnp.shape(leaf) for leaf in jax.tree.leaves(tree)] for tree in (place, given))
    if expected != found:
        demand = "be None" if place is None else f"have the shapes {expected}"
        kind = type(layer).__name__
        raise ValueError(f"{kind}: connections must {demand}, as connections() gives them, got the shapes {found}.")
