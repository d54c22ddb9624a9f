"""Leaves of pytrees: their names in messages, and trees in which some of them are replaced."""

from __future__ import annotations

from collections.abc import Mapping
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
