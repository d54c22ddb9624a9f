"""Partition of the numbers of a network into those that an optimiser trains and all others."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from surgrad._answers import meant_by, parameter_answer
from surgrad._bijectors import Bijector, for_limits, free, inside
from surgrad._pytree import Pytree
from surgrad.nn._contract import Connection, Layer, is_cell


class Start(Pytree):
    """Where a number with a range started, in the rest; what is trained has its change."""

    value: Any


class _Leaf(NamedTuple):
    """A number of a network: its name, whether it is trained by default, and its map to unconstrained space."""

    name: str
    value: Any
    weight: bool
    bijector: Bijector


def partition(layer: Any, *, also: Iterable[str] = ()) -> tuple[Any, Any]:
    """Split a layer or a network into what is trained and the rest; `combine` merges the two again.

    By default the weights and biases of all connections are trained, also the weight of `Recurrent` layers. Time
    constants, thresholds and hyperparameters of surrogates are constants, unless `also` names them. Of those with a
    range the change is trained, which starts at 0 and acts in unconstrained space, on the logarithm of a positive
    number: no update takes them out of their range, and weight decay pulls them to where they started.

        >>> import jax, surgrad
        >>> from surgrad import nn
        >>> key = jax.random.key(0)
        >>> network = nn.Sequential(nn.Linear(3, 4, key=key), nn.LIF(surgrad.Arctan()))
        >>> weights, rest = nn.partition(network)
        >>> [leaf.shape for leaf in jax.tree.leaves(weights)]
        [(3, 4), (4,)]
        >>> trained, rest = nn.partition(network, also=["tau"])
        >>> float(trained[1].tau), rest[1].tau  # the change of log(tau), and tau at the start
        (0.0, Start(value=10.0))
        >>> round(float(nn.combine(trained, rest)[1].tau), 4)
        10.0

    Parameters:
        layer: a connection, a cell or a network, or any pytree of those.
        also: names of further fields to learn, in all layers: `"tau"`, `"threshold"`, `"alpha"`. `"beta"` means
            `"tau"` if no layer has a field of that name, since the cells here store the time constant. Synonyms of
            keywords, such as `"v_th"`, are accepted. For those of one layer, partition that layer by itself.

    Returns:
        `(trained, rest)`, two trees with the structure of the layer; each has None where the other has a number, but
        for numbers with a range that are trained: the rest has their start, and the first tree the change.

    Raises:
        ValueError: no field has one of the names, or a number to be trained is at the end of its range, such as an
            infinite time constant.

    Warns:
        TiedWeightsWarning: the same array is at two places.
    """
    warn_of_ties(layer)
    leaves, structure = _leaves(layer)
    stored = {leaf.name for leaf in leaves}
    also = tuple(_meant(name, stored) for name in ([also] if isinstance(also, str) else also))
    _check_names(layer, leaves, also)
    chosen = [_is_trained(leaf, also) for leaf in leaves]
    trained = [_start(layer, leaf) if yes else None for leaf, yes in zip(leaves, chosen, strict=True)]
    rest = [_kept(leaf) if yes else leaf.value for leaf, yes in zip(leaves, chosen, strict=True)]
    return structure.unflatten(trained), structure.unflatten(rest)


def _meant(name: str, stored: set[str]) -> str:
    """The name of the field that a name in `also` stands for."""
    return "tau" if name == "beta" and name not in stored else meant_by(name, stored)


class TiedWeightsWarning(UserWarning):
    """The same array of weights is at two places of a network, and an optimiser would train each on its own."""


def warn_of_ties(layer: Any) -> None:
    """Warn if an array of weights stands at two places of a layer, as it does if one layer is two parts of a network.

    Leaves of a pytree are separate numbers: each place gets its own gradient, and after one update they differ.
    """
    arrays = [leaf for leaf in jax.tree.leaves(layer) if isinstance(leaf, (jax.Array, np.ndarray)) and leaf.ndim > 1]
    if any(isinstance(array, Tracer) for array in arrays) or len({id(array) for array in arrays}) == len(arrays):
        return
    warnings.warn(
        f"{type(layer).__name__}: the same array of weights stands at two places, which training moves apart. To share "
        f"weights, train one layer and build the network inside the loss: Sequential(shared, cell, shared).",
        TiedWeightsWarning,
        stacklevel=3,
    )


def combine(trained: Any, rest: Any) -> Any:
    """The layer of what is trained and the rest, as `partition` made them.

    Raises:
        ValueError: they do not stem from one partition.
    """
    ours, structure = _leaves(trained)
    others, other_structure = _leaves(rest)
    if structure != other_structure:
        raise ValueError("combine: the two trees must stem from one partition of a layer; their structures differ.")
    pairs = list(zip(ours, others, strict=True))
    swapped = any(o.weight and _is_floating(o.value) for o in others) and not any(
        t.weight and t.value is not None for t in ours
    )
    if swapped or any(not _belong(t.value, o.value) for t, o in pairs):
        raise ValueError(
            "combine: the first tree must be what is trained and the second the rest, both of one partition(layer), so "
            "that each number is in one of them."
        )
    return structure.unflatten([o.value if t.value is None else _moved(t, o.value) for t, o in pairs])


def _belong(trained: Any, rest: Any) -> bool:
    """Whether a number is in one of the trees, or its change in the first and its start in the second."""
    return trained is not None and not _is_start(trained) if _is_start(rest) else trained is None or rest is None


def _leaves(layer: Any) -> tuple[list[_Leaf], Any]:
    structure = jax.tree.structure(layer, is_leaf=_is_number)
    return list(_walk(layer, "", weight=not is_cell(layer), limits={})), structure


def _walk(node: Any, name: str, *, weight: bool, limits: Any) -> Iterable[_Leaf]:
    """The numbers of a tree, in the order of its leaves."""
    if _is_number(node) or jax.tree_util.all_leaves([node]):
        yield _Leaf(name, node, weight, for_limits(limits))
        return
    fields = {f.name: f.metadata for f in dataclasses.fields(node)} if isinstance(node, Pytree) else {}
    children, _ = jax.tree_util.tree_flatten_with_path(node, is_leaf=lambda part: part is not node or _is_number(part))
    for (key, *_), child in children:
        own = str(getattr(key, "name", getattr(key, "key", getattr(key, "idx", ""))))
        inside = _holds_weights(node, own, weight)
        named = isinstance(key, (jax.tree_util.GetAttrKey, jax.tree_util.DictKey))
        yield from _walk(
            child, own if named else name, weight=inside, limits=fields.get(own, limits if not fields else {})
        )


def _holds_weights(node: Any, field: str, weight: bool) -> bool:
    """Whether the numbers in a field are trained by default."""
    if isinstance(node, Connection):
        return not type(node).trainable or field in type(node).trainable
    if is_cell(node):
        return field in getattr(type(node), "trainable", ())
    return weight and (not isinstance(node, Pytree) or isinstance(node, Layer))


def _is_trained(leaf: _Leaf, also: tuple[str, ...]) -> bool:
    return _is_floating(leaf.value) and (leaf.weight or leaf.name in also)


def _is_floating(value: Any) -> bool:
    return not _is_number(value) and jnp.issubdtype(jnp.result_type(value), jnp.floating)


def _start(layer: Any, leaf: _Leaf) -> Any:
    """What is trained of a number at the start: itself, or no change if it has a range."""
    value = jnp.asarray(leaf.value, jnp.result_type(leaf.value))
    if leaf.bijector is free:
        return value
    inside("partition", f"{leaf.name} of {type(layer).__name__}, to be trained,", leaf.bijector, value)
    return jnp.zeros_like(value)


def _kept(leaf: _Leaf) -> Start | None:
    """What the rest has of a number that is trained."""
    return None if leaf.bijector is free else Start(leaf.value)


def _moved(leaf: _Leaf, rest: Any) -> Any:
    """A number from what is trained of it, and from its start if it has a range."""
    if not _is_start(rest):
        return leaf.value
    start = jnp.asarray(rest.value, jnp.result_type(leaf.value))
    return leaf.bijector.forward(leaf.bijector.inverse(start) + leaf.value)


def _check_names(layer: Any, leaves: list[_Leaf], also: tuple[str, ...]) -> None:
    known = sorted({leaf.name for leaf in leaves if _is_floating(leaf.value)})
    for name in also:
        if name not in known:
            answer = parameter_answer(name, known)
            raise ValueError(
                f"partition: no field of {type(layer).__name__} is called {name!r}; there are {known}"
                f"{answer and f'; {answer}'}."
            )


def _is_start(node: Any) -> bool:
    return isinstance(node, Start)


def _is_number(node: Any) -> bool:
    """Whether a node is no tree to walk into: None, or where a number started."""
    return node is None or _is_start(node)
