"""Map constrained hyperparameters to unconstrained space, and back."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from surgrad._pytree import Pytree
from surgrad._trees import by_path
from surgrad._types import PyTree

Numbers = Float[Array, "*shape"]


class Bijector(NamedTuple):
    """A map from all real numbers onto the allowed ones, and its inverse.

    Parameters:
        forward: map of an unconstrained number to an allowed one.
        inverse: the inverse of `forward`.
        name: description of the allowed numbers, for error messages.
    """

    forward: Callable[[Numbers], Numbers]
    inverse: Callable[[Numbers], Numbers]
    name: str


def _same(x: Numbers) -> Numbers:
    return x


free: Bijector = Bijector(_same, _same, "finite")
"""The identity, for unconstrained numbers."""

positive: Bijector = Bijector(jnp.exp, jnp.log, "> 0 and finite")
"""Positive numbers, e^u: a step of u is a relative change."""


def interval(low: float, high: float) -> Bijector:
    """Return the bijector onto an open interval, low + (high - low) / (1 + e^(-u)).

    Raises:
        ValueError: the ends are not finite, or not ascending.
    """
    if not (np.isfinite(low) and np.isfinite(high) and low < high):
        raise ValueError(f"interval: low and high must be finite, and low < high, got {low} and {high}.")

    def forward(u: Numbers) -> Numbers:
        return low + (high - low) * jax.nn.sigmoid(u)

    def inverse(x: Numbers) -> Numbers:
        return jnp.log((x - low) / (high - x))

    return Bijector(forward, inverse, f"above {low:g} and below {high:g}")


def unconstrained(tree: PyTree, bijectors: PyTree = None) -> tuple[dict[str, Array], Callable[[dict[str, Array]], Any]]:
    """Return the unconstrained numbers of a tree by path, and the function that builds the tree from them.

    What a class declares with `parameter(above=0)` or `parameter(at_least=0)` is `positive`, with two bounds an
    `interval`, all else `free`. Zero has no unconstrained value as a positive number, and is refused.

        >>> import surgrad
        >>> numbers, build = unconstrained((surgrad.Sigmoid(4.0), surgrad.S2NN()))
        >>> {path: round(float(number), 2) for path, number in numbers.items()}
        {'[0].alpha': 1.39, '[1].alpha': 1.39, '[1].beta': 0.0, '[1].epsilon': -18.42}
        >>> build(numbers)[0]
        Sigmoid(alpha=4.0)

    Parameters:
        tree: a tree of numbers and arrays.
        bijectors: one `Bijector` for all leaves, or a tree of them that is a prefix of `tree`; None chooses as above.

    Raises:
        ValueError: a number is not within its limits.
    """
    chosen = _declared(tree) if bijectors is None else _spread(bijectors, tree)
    bijector = dict(zip(by_path(tree), chosen, strict=True))
    structure = jax.tree.structure(tree)
    numbers = {path: _inverse(bijector[path], path, leaf) for path, leaf in by_path(tree).items()}

    def build(numbers: dict[str, Array]) -> Any:
        return structure.unflatten([b.forward(numbers[path]) for path, b in bijector.items()])

    return numbers, build


def _inverse(bijector: Bijector, path: str, leaf: Any) -> Array:
    number = jnp.asarray(leaf, jnp.result_type(float, leaf))
    return inside("unconstrained", path or "the number", bijector, number)


def inside(where: str, name: str, bijector: Bijector, number: Array) -> Array:
    """The unconstrained value of a number.

    Raises:
        ValueError: the number is at the end of its range, or outside.
    """
    inverse = bijector.inverse(number)
    if not isinstance(inverse, Tracer) and not np.all(np.isfinite(inverse)):
        raise ValueError(f"{where}: {name} must be {bijector.name}, got {number}; give a number inside.")
    return inverse


def _is_bijector(node: Any) -> bool:
    return isinstance(node, Bijector)


def _spread(bijectors: PyTree, tree: PyTree) -> list[Bijector]:
    """Return one bijector per leaf of a tree, from a prefix of the tree."""
    spread = jax.tree.map(lambda b, part: [b] * len(jax.tree.leaves(part)), bijectors, tree, is_leaf=_is_bijector)
    return jax.tree.leaves(spread, is_leaf=_is_bijector)


def _declared(tree: PyTree) -> list[Bijector]:
    """Return one bijector per leaf, from the declared ranges of hyperparameters; objects may contain others."""
    found: list[Bijector] = []
    for node in jax.tree.leaves(tree, is_leaf=lambda node: isinstance(node, Pytree)):
        if not isinstance(node, Pytree):
            found.append(free)
            continue
        limits = {f.name: f.metadata for f in dataclasses.fields(node)}  # type: ignore[arg-type]
        for (key, *inner), child in _children(node):
            declared = for_limits(limits.get(key, {}))
            found += _declared(child) if declared is free else [declared] * inner[0]
    return found


def for_limits(limits: Mapping[str, Any]) -> Bijector:
    """Return the bijector of a declared hyperparameter from its range, as `parameter` records it."""
    lows = [limits[key] for key in ("above", "at_least") if limits.get(key) is not None]
    low, high = lows[0] if lows else -np.inf, limits.get("at_most")
    if high is not None and np.isfinite(low):
        return interval(low, high)
    return positive if low == 0 else free


def _children(node: Pytree) -> list[Any]:
    """Return the attributes of an object that have leaves, in order: `((name, number of leaves), value)`."""
    parts, _ = jax.tree_util.tree_flatten_with_path(node, is_leaf=lambda part: part is not node)
    return [((path[0].name, len(jax.tree.leaves(child))), child) for path, child in parts]
