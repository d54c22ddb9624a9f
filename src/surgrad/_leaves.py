"""Leaves of pytrees: the names of their paths, and some of them replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import jax

from surgrad._types import PyTree


def path_name(path: Any) -> str:
    """The name of a leaf from its path: `"parts[1].spike.alpha"`, `"['rate']"`."""
    return jax.tree_util.keystr(path).lstrip(".")


def by_path(tree: PyTree, is_leaf: Callable[[Any], bool] | None = None) -> dict[str, Any]:
    """All leaves of a tree by the name of their path, in the order of the tree."""
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree, is_leaf=is_leaf)}


def selected(tree: PyTree, which: Callable[[Any], bool]) -> list[Any]:
    """The leaves of a tree for which `which` is true."""
    return [leaf for leaf in jax.tree.leaves(tree, is_leaf=which) if which(leaf)]


def with_selected(tree: PyTree, which: Callable[[Any], bool], new: Iterable[Any]) -> Any:
    """The tree with `new` in place of the leaves for which `which` is true, in the order of `selected`."""
    leaves, structure = jax.tree.flatten(tree, is_leaf=which)
    replacements = iter(new)
    return structure.unflatten([next(replacements) if which(leaf) else leaf for leaf in leaves])
