"""Support for the boxes of other frameworks, none of which is imported.

A box is an object that holds a trainable number: `ParamState` and `nn.Param` of brainstate, the variables of flax.nnx.
It is recognised by its methods to read and to set its value.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

_KNOWN_TO_NNX: set[type] = set()


@functools.cache
def _reader(kind: type) -> Callable[[Any], Any] | None:
    """Return the function that reads boxes of a class; None if its objects are no boxes."""
    value = getattr(kind, "value", None)
    if not isinstance(value, property):  # brainstate.nn.Param has a method
        return value if callable(value) and hasattr(kind, "set_value") else None
    if hasattr(kind, "get_value"):  # nnx.Variable, whose property warns that it is deprecated
        return kind.get_value
    return value.fget if value.fset else None  # brainstate.State; what cannot be set is no box


def is_box(value: Any) -> bool:
    """Return whether a value is a box: its number can be read and set."""
    return _reader(type(value)) is not None


def unboxed(tree: Any) -> Any:
    """Return a tree with each box replaced by its number; the tree itself if it has no boxes."""
    leaves, structure = jax.tree.flatten(tree, is_leaf=is_box)
    readers = [_reader(type(leaf)) for leaf in leaves]
    if not any(readers):
        return tree
    return structure.unflatten([read(leaf) if read else leaf for read, leaf in zip(readers, leaves, strict=True)])


def boxed(tree: Any, box: Callable[[jax.Array], Any]) -> Any:
    """Return a tree whose numbers are in boxes, made by `box` from floating arrays; existing boxes are kept.

    The arrays have definite dtypes. With Python's numbers, whose dtypes are weak, the first update of an optimiser
    would change the dtype, and compile again.
    """

    def put(leaf: Any) -> Any:
        return leaf if is_box(leaf) else box(jnp.asarray(leaf, jnp.result_type(leaf, float)))

    return jax.tree.map(put, tree, is_leaf=is_box)


def register(cls: type) -> None:
    """Tell flax.nnx, if the program has imported it, that objects of a class may hold arrays.

    nnx asks for each class by itself, and refuses an attribute of any other class as soon as an array is in it.
    """
    if cls in _KNOWN_TO_NNX:
        return
    tell = getattr(sys.modules.get("flax.nnx"), "register_data_type", None)
    if tell is not None:
        tell(cls)
        _KNOWN_TO_NNX.add(cls)
