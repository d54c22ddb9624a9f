"""Conversion of trees to JSON and a list of arrays, and back, without pickle: what `save` writes.

An object is described by its class, its attributes, and the names of those that are leaves. Its constructor does not
run again, since constructors draw random weights, or do not store their arguments. A node of the description is a plain
JSON value, or an object whose first key tells its kind.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from surgrad._frameworks import is_box
from surgrad._named import Classes, found, name_of
from surgrad._pytree import Pytree, leaf_attributes, rebuilt


class Described:
    """A tree as `structure`, which JSON can represent, and `arrays`, each stored once."""

    def __init__(self, tree: Any) -> None:
        self.arrays: list[np.ndarray] = []
        self._places: dict[int, int] = {}
        self._kept: list[Any] = []  # keeps arrays alive, so that no two share an `id`
        self.structure = self._node(tree, "")

    def _node(self, value: Any, where: str) -> Any:
        if value is None or isinstance(value, (bool, str)) or type(value) is int:
            return value
        for kinds, describe in self._kinds().items():
            if isinstance(value, kinds):
                return describe(value, where)
        if callable(value) or isinstance(value, type):
            return {"named": name_of(value, _place(where))}
        raise _refusal(value, where, "which a file cannot hold")

    def _kinds(self) -> dict[Any, Callable[[Any, str], Any]]:
        return {
            (jax.Array, np.ndarray, np.generic): self._array,  # before floats, as np.float64 is one of Python's too
            float: lambda v, _: v if math.isfinite(v) else {"float": str(v)},
            complex: lambda v, _: {"complex": [str(v.real), str(v.imag)]},
            np.dtype: lambda v, _: {"dtype": v.name},
            Pytree: self._object,
            tuple: self._tuple,
            list: lambda v, where: {"list": [self._node(one, f"{where}[{i}]") for i, one in enumerate(v)]},
            dict: self._dict,
        }

    def _array(self, value: Any, where: str) -> dict[str, Any]:
        if isinstance(value, Tracer):
            raise _refusal(value, where, "which is traced; save outside jit, grad and vmap")
        if isinstance(value, jax.Array) and jnp.issubdtype(value.dtype, jax.dtypes.prng_key):
            data = self._stored(value, lambda key: np.asarray(jax.random.key_data(key)))
            return {"key": data, "impl": str(jax.random.key_impl(value)), "shape": list(value.shape)}
        if value.dtype.kind not in "biufcV" or value.dtype.fields or value.dtype.name.startswith("void"):
            raise _refusal(value, where, f"an array of {value.dtype}, which a file cannot hold")
        kind = "array" if isinstance(value, jax.Array) else "numpy" if isinstance(value, np.ndarray) else "scalar"
        node = {kind: self._stored(value, _in_native_bits), "dtype": value.dtype.name, "shape": list(value.shape)}
        return node | ({"weak": True} if getattr(value, "weak_type", False) and not value.shape else {})

    def _stored(self, value: Any, read: Callable[[Any], np.ndarray]) -> int:
        """Return the index of an array in `arrays`; an array that occurs in a tree twice is stored once."""
        if id(value) not in self._places:
            self._places[id(value)] = len(self.arrays)
            self._kept.append(value)
            self.arrays.append(read(value))
        return self._places[id(value)]

    def _object(self, value: Pytree, where: str) -> dict[str, Any]:
        leaves = leaf_attributes(value)
        attributes = {name: self._node(one, f"{where}.{name}") for name, one in value._attributes().items()}
        return {"class": name_of(type(value), _place(where)), "leaves": list(leaves), "attributes": attributes}

    def _tuple(self, value: tuple[Any, ...], where: str) -> dict[str, Any]:
        fields = getattr(type(value), "_fields", None)
        if fields is None and type(value) is not tuple:
            raise _refusal(value, where, "a kind of tuple that a file cannot hold")
        if fields is None:
            return {"tuple": [self._node(one, f"{where}[{i}]") for i, one in enumerate(value)]}
        nodes = {name: self._node(one, f"{where}.{name}") for name, one in zip(fields, value, strict=True)}
        return {"namedtuple": name_of(type(value), _place(where)), "fields": nodes}

    def _dict(self, value: dict[Any, Any], where: str) -> dict[str, Any]:
        for key in value:
            if not isinstance(key, (str, int, float, bool, type(None))):
                raise _refusal(value, where, f"with the key {key!r}, which a file cannot hold")
        return {"dict": [[key, self._node(one, f"{where}[{key!r}]")] for key, one in value.items()]}


def _place(where: str) -> str:
    return where.lstrip(".") or "the tree"


def _refusal(value: Any, where: str, why: str) -> TypeError:
    advice = "; take the number out of its box first" if is_box(value) else ""
    return TypeError(f"save: {_place(where)} is {value!r}, {why}{advice}.")


def _in_native_bits(value: Any) -> np.ndarray:
    """Return the array, or its bits as integers if NumPy's files do not support its dtype (bfloat16)."""
    array = np.asarray(value)
    return array if array.dtype.isbuiltin == 1 else array.view(f"u{array.dtype.itemsize}")


def restored(node: Any, read: Callable[[int], np.ndarray], classes: Classes) -> Any:
    """Return the tree of a description.

    Raises:
        KeyError: a class or a function is not known.
        ValueError: the description is invalid, or has an array of 64 bits while JAX is set to 32.
    """
    cache: dict[int, Any] = {}

    def each(nodes: Any) -> list[Any]:
        return [of(one) for one in nodes]

    def of(node: Any) -> Any:
        if isinstance(node, (bool, int, float, str, type(None))):
            return node
        kind = next(iter(node)) if isinstance(node, Mapping) and node else ""
        if kind not in makers:
            raise ValueError(f"load: the file has {node!r} in its structure, which this version cannot read.")
        return makers[kind](node)

    def array(node: Any) -> Any:
        place = next(iter(node.values()))
        if place not in cache:
            cache[place] = _array(node, read(place))
        return cache[place]

    makers: dict[str, Callable[[Any], Any]] = {
        "float": lambda n: float(n["float"]),
        "complex": lambda n: complex(*map(float, n["complex"])),
        "array": array,
        "numpy": array,
        "scalar": array,
        "key": array,
        "dtype": lambda n: jnp.dtype(n["dtype"]),
        "named": lambda n: found(n["named"], classes),
        "list": lambda n: each(n["list"]),
        "tuple": lambda n: tuple(each(n["tuple"])),
        "dict": lambda n: {key: of(one) for key, one in n["dict"]},
        "namedtuple": lambda n: found(n["namedtuple"], classes, tuple)(*each(n["fields"].values())),
        "class": lambda n: rebuilt(
            found(n["class"], classes, Pytree, given=True),
            dict(zip(n["attributes"], each(n["attributes"].values()), strict=True)),
            tuple(n["leaves"]),
        ),
    }
    return of(node)


def _array(node: Mapping[str, Any], stored: np.ndarray) -> Any:
    if "key" in node:
        return jax.random.wrap_key_data(jnp.asarray(stored), impl=node["impl"])
    dtype = jnp.dtype(node["dtype"])
    value = stored if stored.dtype == dtype else stored.view(dtype)
    if "array" not in node:
        return value if "numpy" in node else value[()]
    array = jnp.asarray(value.item() if node.get("weak") else value)
    if array.dtype != dtype:
        raise ValueError(
            f"load: the file has an array of {dtype}; set jax.config.update('jax_enable_x64', True) first."
        )
    return array
