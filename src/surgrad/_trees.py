"""Leaves of pytrees: their names in messages, and trees in which some of them are replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax


def path_name(path: Any) -> str:
    """Return the name of a leaf from its path, as in code: `parts[0].weight`."""
    return jax.tree_util.keystr(path).lstrip(".")


def named_leaves(tree: Any) -> list[tuple[str, Any]]:
    """Return the leaves of a tree with their names."""
    return [(path_name(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]


def with_leaves(tree: Any, values: Mapping[int, Any]) -> Any:
    """Return the tree with some leaves replaced, `{index of the leaf: value}`."""
    leaves, structure = jax.tree.flatten(tree)
    return structure.unflatten([values.get(i, leaf) for i, leaf in enumerate(leaves)])


def by_path(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> dict[str, Any]:
    """Return all leaves of a tree by name, in the order of the tree."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_leaf)}


def selected(tree: Any, which: Callable[[Any], bool]) -> list[Any]:
    """Return the leaves of a tree for which `which` is true."""
    return [leaf for leaf in jax.tree.leaves(tree, is_leaf=which) if which(leaf)]


def with_selected(tree: Any, which: Callable[[Any], bool], new: Iterable[Any]) -> Any:
    """Return the tree with the leaves of `selected(tree, which)` replaced by `new`, in the same order."""
    leaves, structure = jax.tree.flatten(tree, is_leaf=which)
    replacements = iter(new)
    return structure.unflatten([next(replacements) if which(leaf) else leaf for leaf in leaves])
