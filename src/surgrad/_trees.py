"""Leaves of pytrees: their names in messages, and trees in which some of them are replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax


def path_name(path: Any) -> str:
    """The name of a leaf from its path, as one would write it: `parts[0].weight`."""
    return jax.tree_util.keystr(path).lstrip(".")


def named_leaves(tree: Any) -> list[tuple[str, Any]]:
    """The leaves of a tree with their names."""
    return [(path_name(path), leaf) for path, leaf in jax.tree_util.tree_leaves_with_path(tree)]


def with_leaves(tree: Any, values: Mapping[int, Any]) -> Any:
    """The tree with other leaves, `{index of the leaf: value}`."""
    leaves, structure = jax.tree.flatten(tree)
    return structure.unflatten([values.get(i, leaf) for i, leaf in enumerate(leaves)])


def by_path(tree: Any, is_leaf: Callable[[Any], bool] | None = None) -> dict[str, Any]:
    """All leaves of a tree by the name of their path, in the order of the tree."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_leaf)}


def selected(tree: Any, which: Callable[[Any], bool]) -> list[Any]:
    """The leaves of a tree for which `which` is true."""
    return [leaf for leaf in jax.tree.leaves(tree, is_leaf=which) if which(leaf)]


def with_selected(tree: Any, which: Callable[[Any], bool], new: Iterable[Any]) -> Any:
    """The tree with `new` in place of the leaves for which `which` is true, in the order of `selected`."""
    leaves, structure = jax.tree.flatten(tree, is_leaf=which)
    replacements = iter(new)
    return structure.unflatten([next(replacements) if which(leaf) else leaf for leaf in leaves])
