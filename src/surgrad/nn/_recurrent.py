"""Recurrent layers: the outputs of a time step are inputs of the next."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero
from jaxtyping import Array, Float, Shaped

from surgrad._dtypes import floating, promoted
from surgrad._keys import takes_key
from surgrad._kinds import require_callable
from surgrad._numbers import require_whole
from surgrad._shapes import require_shapes
from surgrad._types import Numbers, PyTree, Shape
from surgrad.nn._checks import check_same, check_state, real_array, sizes
from surgrad.nn._contract import Cell, cell_field, check_alike, flag, is_cell, promises, start, weight_array
from surgrad.nn._foreign import as_layer
from surgrad.nn._linear import Initializer, initial_weight, product
from surgrad.nn._loops import carried, steps
from surgrad.nn._observables import observed
from surgrad.nn._residuals import Made, restored, stored


class RecurrentState(NamedTuple):
    """The state of the cell, and its outputs at the previous time step."""

    cell: PyTree
    outputs: Float[Array, "*batch features"]


def require_cell_first(kind: str, cell: Any, features: Any) -> None:
    """Refuse a first argument that is no cell.

    Raises:
        TypeError: it is none, or the two are swapped.
    """
    if is_cell(features):
        raise TypeError(f"{kind}: the cell comes before the number of features: {kind}(cell, features, key=key).")
    require_callable(f"{kind}: cell, the first argument,", cell, "a cell")


def recurrent_cell(kind: str, cell: Any) -> Any:
    """The cell of a recurrent layer, as a layer.

    Raises:
        TypeError: it has no `init`.
    """
    cell = as_layer(f"{kind}: cell", cell)
    if not is_cell(cell):
        raise TypeError(f"{kind}: cell must have a method init(shape, dtype), as cells do, got {cell!r}.")
    return cell


def resting(layer: Any, shape: Shape, dtype: Any) -> tuple[PyTree, Any]:
    """The resting state of the cell of a recurrent layer, and the shape and type of its outputs.

    Raises:
        ValueError: the input has another number of features than the weights, or the outputs have another shape.
    """
    kind, shape = type(layer).__name__, sizes(shape)
    require_shapes(kind, {"the input": (shape, f"..., {layer.weight.shape[0]} features")})
    state = start(layer.cell, shape, dtype)
    x = jax.ShapeDtypeStruct(shape, promoted(floating(dtype), layer.weight))
    outputs = jax.eval_shape(lambda x: layer.cell(state, x)[1], x)
    if outputs.shape != shape:
        given = f"{shape} that it takes in, since they come back to it, got {outputs.shape}"
        raise ValueError(f"{kind}: the cell must put out outputs of the shape {given}.")
    return state, outputs


def observed_inside(
    cell: Any, fed_back: Array, before: PyTree, entering: Array, after: PyTree, output: Array
) -> dict[str, Any]:
    """What can be recorded of a recurrent layer: that of its cell, as `cell.v`, and `fed_back`, outputs before."""
    found = observed(cell, before, entering, after, output)
    return {"fed_back": fed_back} | {f"cell.{name}": value for name, value in found.items()}


@dataclasses.dataclass(eq=False, repr=False, init=False)
class Recurrent(Cell):
    """A cell with all-to-all recurrent weights: its input is x + s W, with its outputs s of the previous time step.

    Parameters:
        cell: the neurons, a cell whose outputs have the shape of its inputs.
        features: number of neurons, >= 1.
        key: random key of the initial weights.
        gain: standard deviation of the initial weights times √features, >= 0.
        weight_init: an initializer of `jax.nn.initializers`, in place of normal weights of that deviation.
        event_driven: whether products go through the non-zero outputs only: True, False or `"auto"`, see `Linear`.

    Attributes:
        cell: the neurons.
        weight: W, `(features, features)`; element (i, j) leads from neuron i to neuron j.

    Raises:
        TypeError: the cell is not a cell.
        ValueError: features is not an integer >= 1.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from surgrad import nn
        >>> layer = nn.Recurrent(nn.LIF(), 5, key=jax.random.key(0))
        >>> state, spikes = layer(layer.init((2, 5)), jnp.ones((2, 5)))
        >>> spikes.shape
        (2, 5)
    """

    trainable: ClassVar[tuple[str, ...]] = ("cell", "weight")
    feeds_back = weighted = True

    cell: Any = cell_field()
    weight: Shaped[Array | np.ndarray, "features features"] = weight_array("features, features")
    event_driven: bool | str = flag(default="auto", also=("auto",))

    @takes_key
    def __init__(
        self,
        cell: Any,
        features: int,
        *,
        key: Array,
        gain: float = 1.0,
        weight_init: Initializer | None = None,
        event_driven: bool | str = "auto",
    ) -> None:
        require_cell_first("Recurrent", cell, features)
        require_whole("Recurrent", features=features)
        self.cell, self.event_driven = cell, event_driven
        self.weight = initial_weight("Recurrent", key, (features, features), gain, weight_init)
        self.__post_init__()

    @classmethod
    def from_arrays(cls, cell: Any, weight: Numbers, *, event_driven: bool | str = "auto") -> Recurrent:
        """A layer with a given weight, `(features, features)`.

        Raises:
            TypeError: the cell is not a cell, or the weight not real.
            ValueError: the weight is not square.
        """
        return cls.of_fields(cell=cell, weight=weight, event_driven=event_driven)

    @property
    def spiking(self) -> bool:
        """Whether its neurons are."""
        return promises(self.cell, "spiking")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cell = recurrent_cell("Recurrent", self.cell)

    def init(self, shape: Shape, dtype: Any = None) -> RecurrentState:
        """The resting state of the cell, and no spikes.

        Raises:
            ValueError: the last axis of the shape is not as long as the weights are high, or the cell puts out another
                shape than it takes in.
        """
        state, outputs = resting(self, shape, dtype)
        return RecurrentState(state, jnp.zeros_like(outputs))

    def __call__(self, state: RecurrentState, current: Numbers) -> tuple[RecurrentState, Array]:
        """One step: the state, and the outputs of the cell.

        Raises:
            TypeError: the state is not what `init` makes.
            ValueError: the input does not fit the weights or the state; time leads in sequences, which `unroll` takes.
        """
        check_state(self, state, RecurrentState)
        shape, dtype = jnp.shape(state.outputs), jnp.result_type(state.outputs)
        current = real_array(self, current)
        check_same(self, shape, current.shape)
        cell, outputs = self.cell(state.cell, self._entering(state, current))
        return RecurrentState(cell, outputs.astype(dtype)), outputs

    def observables(self, before: RecurrentState, x: Numbers, after: RecurrentState, output: Array) -> dict[str, Any]:
        """What can be recorded of a time step: that of the cell, as `cell.v`, and `fed_back`, its previous outputs."""
        entering = self._entering(before, jnp.asarray(x))
        return observed_inside(self.cell, before.outputs, before.cell, entering, after.cell, output)

    def _entering(self, state: RecurrentState, current: Array) -> Array:
        """The input of the cell."""
        fed_back = product(state.outputs, self.weight, self.event_driven)
        meeting = promoted(current, fed_back)
        return current.astype(meeting) + fed_back.astype(meeting)

    def connections(self) -> Any:
        """The weight: what is trained if the cell stays as it is."""
        return self.weight

    def with_connections(self, given: Any) -> Recurrent:
        """A copy with another weight.

        Raises:
            ValueError: it has another shape.
        """
        check_alike(self, given, self.weight)
        return self.replace(weight=given)

    def with_weight(self, weight: Array) -> Recurrent:
        """A copy with another weight."""
        return self.replace(weight=weight)

    def over_time(self, state: RecurrentState, currents: Numbers) -> tuple[RecurrentState, Array]:
        """Many time steps; the gradient by the weight is one matrix product for all of them."""
        currents = jnp.asarray(currents)
        if not jnp.issubdtype(currents.dtype, jnp.inexact):  # the rule below differentiates by the currents
            currents = currents.astype(self.weight.dtype)
        # The rule below puts the outputs of the state before those of the steps: they must be of one type over a mesh.
        return fed_back_over_time(self, carried(self, state, currents), currents)

    def came_back(self, state: RecurrentState, outputs: Array, weight: Array) -> Array:
        """What comes back through a weight at all time steps, from a state and the outputs of these steps."""
        before = jnp.concatenate([state.outputs[None], outputs[:-1].astype(state.outputs.dtype)])
        return product(before, weight, self.event_driven)


@jax.custom_jvp
def fed_back_over_time(recurrent: Any, state: Any, currents: Array) -> tuple[Any, Array]:
    """Many time steps of a cell with fields `cell` and `weight`, and a method `came_back` as that of `Recurrent`."""
    return steps(recurrent, state, currents)


def _over_time_jvp(primals: Any, tangents: Any) -> Any:
    """The same derivative as that of the scan, with all steps' s dW in one product.

    In a scan, reverse mode would add up the gradient of W step by step. A tangent of W only changes the currents, by
    s dW with the spikes of the step before, so that it can be added to the tangent of the currents beforehand.
    """
    recurrent, state, currents = primals
    along_weight, cell, moved_state, moved_currents = tangents[0].weight, tangents[0].cell, *tangents[1:]
    leaves, structure = jax.tree.flatten((recurrent.cell, state, currents))
    directions = structure.flatten_up_to((cell, moved_state, moved_currents))
    # Those of the currents are the last, and always move here: by the tangent of W if by nothing else.
    moving = [i for i, d in enumerate(directions[:-1]) if not isinstance(d, SymbolicZero)] + [len(leaves) - 1]

    def run(values: list[Any]) -> Any:
        merged = dict(zip(moving, values, strict=True))
        cell, state, currents = structure.unflatten([merged.get(i, leaf) for i, leaf in enumerate(leaves)])
        return steps(recurrent.replace(cell=cell), state, currents)

    (last, outputs), linear = jax.linearize(run, [leaves[i] for i in moving])
    change = directions[-1]
    if not isinstance(along_weight, SymbolicZero):

        def came_back(state: Any, narrow: Array, outputs: Array, weight: Any) -> Array:
            return recurrent.came_back(state, restored(narrow, outputs), weight)

        # The backward pass shifts the outputs by a step again, which costs less than keeping another copy of them.
        narrow = stored(Made(recurrent, state, currents, outputs))
        came_back = jax.checkpoint(came_back, prevent_cse=False)
        by_weight = came_back(state, narrow, outputs, along_weight).astype(currents.dtype)
        change = by_weight if isinstance(change, SymbolicZero) else change + by_weight
    if isinstance(change, SymbolicZero):
        change = jnp.zeros_like(currents)
    return (last, outputs), linear([*(directions[i] for i in moving[:-1]), change])


fed_back_over_time.defjvp(_over_time_jvp, symbolic_zeros=True)
