"""Objects that are not ours as parts of networks: functions, and cells that JAX does not see through."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from surgrad._fields import check_callable
from surgrad._pytree import static
from surgrad._types import PyTree, Shape
from surgrad.nn._contract import Cell, Connection, is_cell, over_time, promises
from surgrad.nn._dtypes import wide


class Lambda(Connection):
    """A function without parameters as a connection; it sees one time step, `(*batch, features)`.

    Parameters:
        function: of an array.
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
    """A cell of a class that is no pytree: JAX sees structure in it, and no numbers.

    Parameters:
        cell: has `init(shape, dtype)`, and returns `(state, output)`.
    """

    cell: Any = static()

    def init(self, shape: Shape, dtype: Any = None) -> PyTree:
        return self.cell.init(shape, wide(dtype))

    def __call__(self, state: PyTree, x: Any) -> tuple[PyTree, Any]:
        return self.cell(state, x)

    @property
    def spiking(self) -> bool:
        return promises(self.cell, "spiking")

    def over_time(self, state: PyTree, inputs: Any) -> tuple[PyTree, Any]:
        return over_time(self.cell, state, inputs)


def as_layer(what: str, part: Any) -> Any:
    """A part of a network as JAX takes it: pytrees as they are, anything else as structure.

    Raises:
        TypeError: it cannot be called, or is a class in place of an object of it.
    """
    check_callable(what, part, "a connection or a cell")
    if not jax.tree_util.all_leaves([part]):
        return part
    return ForeignCell(part) if is_cell(part) else Lambda(part)
