"""Networks as tables, for `print`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp

from surgrad.nn._contract import connections, promises

WIDEST = 72
"""Characters of the column that says what a layer is."""

_LONG_NUMBER = re.compile(r"\d+\.\d{5,}")


def table(network: Any) -> str:
    """One line for each layer: its place, what it is, the shapes of its arrays, its number of weights and biases."""
    rows = [("layer", "", "arrays", "weights"), *_rows(network, "")]
    total = sum(_size(connections(part)) for part in network.parts)
    rows.append(("total", "", "", f"{total:,}"))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [f"{a:<{widths[0]}}  {b:<{widths[1]}}  {c:<{widths[2]}}  {d:>{widths[3]}}".rstrip() for a, b, c, d in rows]
    rule = "─" * max(map(len, lines))
    return "\n".join([f"{type(network).__name__}", lines[0], rule, *lines[1:-1], rule, lines[-1]])


def _rows(network: Any, place: str) -> Iterator[tuple[str, str, str, str]]:
    for index, part in enumerate(network.parts):
        at = f"{place}{index}"
        if promises(part, "in_order"):
            yield at, type(part).__name__, "", ""
            yield from _rows(part, f"{at}.")
        else:
            weights = _size(connections(part))
            yield at, _named(part), ", ".join(_arrays(part)), f"{weights:,}" if weights else "–"


def _named(part: Any) -> str:
    """What a layer is, without its arrays, which have a column of their own."""
    shown = _LONG_NUMBER.sub(lambda found: f"{float(found[0]):.4g}", repr(part))
    shown = shown if not _arrays(part) else type(part).__name__
    return shown if len(shown) <= WIDEST else f"{shown[: WIDEST - 1]}…"


def _arrays(part: Any) -> list[str]:
    leaves, _ = jax.tree_util.tree_flatten_with_path(part)
    named = [(jax.tree_util.keystr(path, simple=True, separator="."), leaf) for path, leaf in leaves]
    return [f"{name} {jnp.shape(leaf)}" for name, leaf in named if jnp.ndim(leaf)]


def _size(tree: Any) -> int:
    leaves = [leaf for leaf in jax.tree.leaves(tree) if jnp.issubdtype(jnp.result_type(leaf), jnp.floating)]
    return sum(jnp.size(leaf) for leaf in leaves)
