"""What two runs must have in common for one to go on from the checkpoint of the other, as plain JSON."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._differences import difference
from surgrad._structure import Described
from surgrad._trees import path_name
from surgrad._types import PyTree


class _Outline(Described):
    """A description to compare with: what a file cannot hold is described by name, and trees of others by part."""

    def _node(self, value: Any, where: str) -> Any:
        try:
            return super()._node(value, where)
        except TypeError:
            one_level = jax.tree_util.default_registry.flatten_one_level(value)
        name = value if callable(value) and hasattr(value, "__qualname__") else type(value)
        named = f"{name.__module__}.{name.__qualname__}"
        if one_level is None:
            return named
        parts = {f"{index}": part for index, part in enumerate(one_level[0])}
        return {
            "dict": [["class", named], *[[key, self._node(part, f"{where}[{key}]")] for key, part in parts.items()]]
        }


def outline(tree: PyTree) -> Any:
    """The structure of a tree, with the shapes and types of its numbers, as JSON; see `surgrad._differences`."""
    return _Outline(tree).structure


def fingerprints(tree: PyTree) -> dict[str, list[float]]:
    """Two sums for each leaf, by path: they tell other numbers from the same ones, also where those were rounded."""
    found = {}
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        is_key = jnp.issubdtype(jnp.result_type(leaf), jax.dtypes.prng_key)
        values = np.asarray(jax.random.key_data(leaf) if is_key else leaf).astype(np.float64).ravel()
        found[path_name(path)] = [float(np.abs(values).sum()), float(values @ np.cos(np.arange(values.size)))]
    return found


def other_numbers(there: dict[str, list[float]], here: dict[str, list[float]]) -> str:
    """The first leaf whose numbers differ, by its path; empty if none does."""
    for path, (size, along) in here.items():
        before = there.get(path, [np.inf, np.inf])
        if not np.allclose(before, (size, along), rtol=1e-6, atol=1e-6 * abs(size), equal_nan=True):
            return path
    return ""


def other_run(there: dict[str, Any], here: dict[str, Any]) -> str:
    """What differs between the run that wrote a checkpoint and this one; empty if nothing does.

    Parameters:
        there: the report of the checkpoint.
        here: of this run: `settings` by what messages call them, `begin`, the fingerprints of the first numbers, and
            the outlines of trees by name, of which the first one has these numbers.
    """
    for name, now in here["settings"].items():
        if (before := there["settings"].get(name)) != now:
            return f"{name} was {before}, and is {now} here"
    trees = [name for name in here if name not in ("settings", "begin")]
    for name in trees:
        if found := difference(there[name], here[name]):
            return f"the {name.replace('_', ' ')} differs, {found.replace('in the file', 'in the checkpoint')}"
    if path := other_numbers(there["begin"], here["begin"]):
        return f"the {trees[0]} started from other numbers in {path}"
    return ""
