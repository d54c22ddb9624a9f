"""The table of the laws of layers, and the comparison of trees of numbers."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._check.law import Table
from surgrad._types import PyTree

LAYER_LAWS = Table()
"""The laws of layers."""
law = LAYER_LAWS.law

_RELATIVE = {"float64": 1e-9, "float32": 2e-4, "bfloat16": 2e-2, "float16": 4e-3}
"""Relative tolerances: far above rounding that a loop over time amplifies, and far below the effect of a mistake."""


def difference(found: PyTree, wanted: PyTree, than: str) -> str | None:
    """A message with the first place at which two trees differ, and both numbers; None if they agree.

    Parameters:
        found: a tree of arrays; in one that is named `outputs`, the first axis is time.
        wanted: the expected tree.
        than: where the expected tree comes from, for the message.
    """
    if jax.tree.structure(found) != jax.tree.structure(wanted):
        return f"the structure is {jax.tree.structure(found)}, where {than} gives {jax.tree.structure(wanted)}"
    pairs = zip(jax.tree_util.tree_leaves_with_path(found), jax.tree.leaves(wanted), strict=True)
    for (path, leaf), other in pairs:
        here, there = np.asarray(leaf), np.asarray(other)
        name = jax.tree_util.keystr(path, simple=True, separator=".")
        if (here.shape, here.dtype) != (there.shape, there.dtype):
            return f"{name}: {kind(here)}, where {than} gives {kind(there)}"
        if (at := _first(_apart(here, there))) is not None:
            return f"{_place(name, at)}: {here[at]:.6g}, where {than} gives {there[at]:.6g}"
    return None


def _apart(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """A mask of the numbers that differ beyond rounding; NaN agrees with NaN, and an infinity with itself."""
    relative = _RELATIVE.get(str(wanted.dtype), 0.0)
    found, wanted = (a.astype(float) if a.dtype != complex else a for a in (found, wanted))
    largest = np.max(np.abs(wanted), initial=0, where=np.isfinite(wanted))
    with np.errstate(invalid="ignore"):
        near = np.abs(found - wanted) <= relative * (np.abs(wanted) + largest)
    return np.asarray(~((found == wanted) | (np.isnan(found) & np.isnan(wanted)) | near))


def _first(places: np.ndarray) -> tuple[int, ...] | None:
    index = np.argwhere(places)
    return tuple(map(int, index[0])) if len(index) else None


def _place(name: str, at: tuple[int, ...]) -> str:
    if name.split(".")[0] == "outputs":
        return f"{name} at step {at[0]}{', ' + str(list(at[1:])) if at[1:] else ''}"
    return f"{name} at {list(at)}" if at else name


def kind(array: Any) -> str:
    """The dtype and shape of an array: `float32[2,8]`."""
    return f"{jnp.result_type(array)}[{','.join(map(str, jnp.shape(array)))}]"


def kinds(tree: PyTree) -> dict[str, str]:
    """The dtypes and shapes of all arrays of a tree, by path."""
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    return {jax.tree_util.keystr(path, simple=True, separator=".") or "it": kind(leaf) for path, leaf in leaves}
