"""Functions and objects of users' own classes as layers of networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from surgrad._dtypes import wide
from surgrad._kinds import require_callable
from surgrad._pytree import static
from surgrad._types import PyTree, Shape
from surgrad.nn._contract import Cell, Connection, is_cell, over_time, promises
from surgrad.nn._observables import observed


class Lambda(Connection):
    """A function without parameters as a layer. It gets one time step at a time, `(*batch, features)`.

    `Sequential` makes a `Lambda` of each function that it is given.

    Parameters:
        function: a function of one array.
    """

    function: Callable[..., Any] = static()

    def __call__(self, x: Any) -> Any:
        """The function of x.

        Raises:
            ValueError: the function refuses x.
        """
        try:
            return self.function(x)
        except (TypeError, ValueError) as error:  # JAX has either for shapes that do not fit
            name = getattr(self.function, "__name__", repr(self.function))
            raise ValueError(f"Lambda {name}: it failed on an input of shape {jnp.shape(x)}: {error}") from error


class ForeignCell(Cell):
    """A cell whose class is not a pytree. To JAX it is structure, without numbers.

    Parameters:
        cell: an object with `init(shape, dtype)` that is called as `(state, input) -> (state, output)`.
    """

    cell: Any = static()

    def init(self, shape: Shape, dtype: Any = None) -> PyTree:
        return self.cell.init(shape, wide(dtype))

    def __call__(self, state: PyTree, x: Any) -> tuple[PyTree, Any]:
        return self.cell(state, x)

    @property
    def spiking(self) -> bool:
        return promises(self.cell, "spiking")

    def observables(self, before: PyTree, x: Any, after: PyTree, output: Any) -> dict[str, Any]:
        return observed(self.cell, before, x, after, output)

    def over_time(self, state: PyTree, inputs: Any) -> tuple[PyTree, Any]:
        return over_time(self.cell, state, inputs)


def as_layer(what: str, part: Any) -> Any:
    """A layer that JAX accepts as a part of a network: pytrees as they are, all other objects as structure.

    Raises:
        TypeError: the part cannot be called, or is a class and not an object of it.
    """
    require_callable(what, part, "a connection or a cell")
    if not jax.tree_util.all_leaves([part]):
        return part
    return ForeignCell(part) if is_cell(part) else Lambda(part)
