"""Cells of other libraries as cells of this one, for `nn.Sequential` and `nn.unroll`.

>>> import jax.numpy as jnp
>>> from surgrad import nn
>>> from surgrad.adapters.cell import as_cell
>>> class Leak:  # a cell as other libraries have it: the state comes last, and is returned last
...     def rest(self, shape):
...         return jnp.zeros(shape)
...     def __call__(self, x, v):
...         return 0.5 * v + x, 0.5 * v + x
>>> cell = as_cell(Leak(), init=Leak.rest, step=lambda leak, v, x: leak(x, v)[::-1])
>>> nn.unroll(cell, jnp.ones((3, 1))).outputs.tolist()
[[1.0], [1.5], [1.75]]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax

from surgrad._answers import answers_keywords
from surgrad._kinds import require_callable
from surgrad._pytree import static
from surgrad._types import PyTree, Shape
from surgrad.nn._checks import sizes
from surgrad.nn._contract import Cell


class ModuleCell(Cell):
    """A cell that is a module of another library and two functions, as `as_cell` makes it.

    Parameters:
        begin: `(module, shape) -> state`.
        advance: `(module, state, input) -> (state, output)`.
        module: a tree with the numbers of the module, or None where it is no tree.
        rest: the module itself where it is no tree, which has no numbers for JAX then.
    """

    begin: Callable[..., Any] = static()
    advance: Callable[..., Any] = static()
    module: Any = None
    rest: Any = static(default=None)

    def _whole(self) -> Any:
        return self.module if self.rest is None else self.rest

    def init(self, shape: Shape, dtype: Any = None) -> PyTree:
        """The state before the first step, for inputs of a shape `(*batch, features)`; the module knows its type."""
        return self.begin(self._whole(), sizes(shape))

    def __call__(self, state: PyTree, x: Any) -> tuple[PyTree, Any]:
        """One time step: the state, and the output."""
        state, output = self.advance(self._whole(), state, x)
        return state, output


@answers_keywords
def as_cell(
    module: Any, *, init: Callable[..., Any], step: Callable[..., Any] = lambda module, state, x: module(state, x)
) -> ModuleCell:
    """A cell of another library as a cell of this one.

    Parameters:
        module: the cell. The numbers of trees of JAX, such as modules of Equinox and Flax NNX, are traced.
        init: `(module, shape) -> state` before the first step, for inputs of one time step of a shape
            `(*batch, features)`.
        step: `(module, state, input) -> (state, output)`; by default `module(state, input)`.

    Raises:
        TypeError: something cannot be called.
    """
    require_callable("as_cell: init", init, "a function of a module and a shape", ("a module", "a shape"))
    takes = ("a module", "a state", "an input")
    require_callable("as_cell: step", step, "a function of a module, a state and an input", takes)
    if jax.tree_util.all_leaves([module]):
        return ModuleCell(init, step, None, module)
    return ModuleCell(init, step, module)
