"""Comparison of two trees, for messages: the first difference in their structure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ARRAYS = ("array", "numpy", "scalar", "key")


def difference(file: Any, here: Any, where: str = "", static: bool = False) -> str:
    """Return the first difference of two descriptions: `parts[0].weight: shape (4, 3) in the file, (4, 5) here`.

    The values of leaves may differ, those of `static` attributes may not. The text is empty if nothing differs.
    """
    kind = _kind(file)
    if kind != _kind(here):
        return _said(where, _shown(file), _shown(here))
    if kind in _ARRAYS:
        return _of_arrays(file, here, where)
    if kind == "class":
        return _of_objects(file, here, where, static)
    if kind in ("list", "tuple", "dict", "namedtuple"):
        return _of_containers(file, here, where, static, kind)
    leaf = kind in ("int", "float", "complex") and not static
    return "" if leaf or file == here else _said(where, _shown(file), _shown(here))


def _kind(node: Any) -> str:
    """Return the kind of a description; that of a number is the name of its type."""
    if isinstance(node, Mapping):
        return next(iter(node))
    return type(node).__name__


def _of_arrays(file: Any, here: Any, where: str) -> str:
    for key in ("shape", "dtype", "impl"):
        if file.get(key) != here.get(key):
            values = (tuple(node[key]) if key == "shape" else node[key] for node in (file, here))
            return _said(where, *(f"{key} {value}" for value in values))
    return ""


def _of_objects(file: Any, here: Any, where: str, static: bool) -> str:
    if file["class"] != here["class"]:
        return _said(where, _shown(file), _shown(here))
    leaves = here["leaves"]
    for name in dict.fromkeys([*file["attributes"], *here["attributes"]]):
        there, now = (node["attributes"].get(name, _MISSING) for node in (file, here))
        if found := difference(there, now, f"{where}.{name}", static or name not in leaves):
            return found
    return "" if sorted(file["leaves"]) == sorted(leaves) else _said(where, f"leaves {file['leaves']}", f"{leaves}")


def _of_containers(file: Any, here: Any, where: str, static: bool, kind: str) -> str:
    if file.get("namedtuple") != here.get("namedtuple"):
        return _said(where, _shown(file), _shown(here))
    parts = [_parts(node, kind) for node in (file, here)]
    for name in dict.fromkeys([*parts[0], *parts[1]]):
        there, now = (part.get(name, _MISSING) for part in parts)
        if found := difference(there, now, f"{where}{name}", static):
            return found
    return ""


_MISSING = {"missing": None}


def _parts(node: Any, kind: str) -> dict[str, Any]:
    if kind == "namedtuple":
        return {f".{name}": part for name, part in node["fields"].items()}
    if kind == "dict":
        return {f"[{key!r}]": part for key, part in node["dict"]}
    return {f"[{i}]": part for i, part in enumerate(node[kind])}


def _shown(node: Any) -> str:
    kind = _kind(node)
    if kind in ("class", "namedtuple", "named"):
        return str(node[kind]).partition(":")[2]
    if kind == "missing":
        return "nothing"
    if kind in _ARRAYS:
        return f"an array of shape {tuple(node['shape'])}"
    if kind in ("list", "tuple", "dict"):
        return f"a {kind}"
    return repr(node[kind] if isinstance(node, Mapping) else node)


def _said(where: str, file: str, here: str) -> str:
    if file.partition(" ")[0] == here.partition(" ")[0] in ("shape", "dtype"):
        here = here.partition(" ")[2]
    return f"{where.lstrip('.') or 'the tree'}: {file} in the file, {here} here"
