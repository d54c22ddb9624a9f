"""The `repr` of objects: the call that makes them."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from surgrad._constructors import constructor_parameters, is_left_out, made_of_fields
from surgrad._keys import is_key


def shown(tree: Any, attributes: dict[str, Any]) -> str:
    """Return an object as a call of its constructor, without options at their defaults.

    If an argument of the constructor is not an attribute of the same name, all attributes are listed instead.
    """
    parts: list[str] = []
    if not made_of_fields(type(tree)):
        kept = [
            (field.name, getattr(tree, field.name))
            for field in dataclasses.fields(tree)
            if not _is_default(tree, field)
        ]
        return f"{type(tree).__name__}({', '.join(f'{name}={_brief(value)}' for name, value in kept)})"
    parameters = constructor_parameters(type(tree))
    if not all(hasattr(tree, parameter.name) for parameter in parameters):
        options = {f.name for f in dataclasses.fields(tree)}
        parts = [f"{name}={_brief(value)}" for name, value in attributes.items() if name not in options]
        return f"{type(tree).__name__}({', '.join(parts)})"
    for parameter in parameters:
        value = getattr(tree, parameter.name)
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            parts += map(_brief, value)
        elif not is_left_out(parameter, value):
            parts.append(f"{parameter.name}={_brief(value)}")
    return f"{type(tree).__name__}({', '.join(parts)})"


def _is_default(tree: Any, field: dataclasses.Field[Any]) -> bool:
    value = getattr(tree, field.name)
    return isinstance(value, (bool, str, type(None))) and value == field.default


def _brief(value: Any) -> str:
    """Return a number as it is, an array or a key as dtype and shape, a function as its name."""
    if isinstance(value, (jax.Array, np.ndarray)) and (np.ndim(value) or isinstance(value, Tracer) or is_key(value)):
        return f"{value.dtype}[{','.join(map(str, value.shape))}]"
    if isinstance(value, (jax.Array, np.ndarray, np.floating)):
        return str(value)
    return getattr(value, "__name__", repr(value)) if callable(value) else repr(value)
