"""Conversion of objects to JSON and back: the name of the class, and the arguments of its constructor."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jax.core import Tracer

from surgrad._answers import nearest_names, surrogate_answer
from surgrad._constructors import constructor_parameters, is_left_out
from surgrad._pytree import Pytree

_CLASS = "class"


def encode(tree: Pytree) -> dict[str, Any]:
    """Return an object as a dictionary that JSON can represent; options at their defaults are left out.

    Raises:
        TypeError: an argument of the constructor is not an attribute of its own name, or is something that JSON cannot
            represent, such as a function.
    """
    kind = type(tree)
    config: dict[str, Any] = {_CLASS: kind.__name__}
    for parameter in constructor_parameters(kind):
        if parameter.kind is parameter.VAR_KEYWORD or not hasattr(tree, parameter.name):
            raise TypeError(
                f"{kind.__name__}: its argument {parameter.name!r} is not kept, so it has no configuration."
            )
        value = getattr(tree, parameter.name)
        if not is_left_out(parameter, value):
            config[parameter.name] = _encoded(value, f"{kind.__name__}.{parameter.name}")
    return config


def decode(config: Mapping[str, Any], classes: Mapping[str, type]) -> Any:
    """Return the object that a configuration describes.

    Raises:
        KeyError: the configuration names no class, or one that is not in `classes`.
        TypeError: the class has no such parameter.
    """
    if not isinstance(config, Mapping):
        raise TypeError(f"a configuration is a dictionary, as to_config makes it, got {config!r}.")
    kind = _class(str(config.get(_CLASS)), classes)
    return kind(**{n: _decoded(v, classes) for n, v in config.items() if n != _CLASS})


def _class(name: str, classes: Mapping[str, type]) -> type:
    """Return the class of a name in `classes`."""
    if name in classes:
        return classes[name]
    known = sorted(classes)
    near = nearest_names(name, known, cutoff=0.4) or known
    answer = surrogate_answer(name) or f"the nearest: {', '.join(near)}"
    raise KeyError(f"the configuration's {_CLASS!r} is {name!r}, which is not known; {answer}.")


def _encoded(value: Any, where: str) -> Any:
    if isinstance(value, Pytree):
        return encode(value)
    if isinstance(value, (list, tuple)):
        return [_encoded(v, where) for v in value]
    if isinstance(value, jax.Array) and not isinstance(value, Tracer) and _is_typed_key(value):
        return {"key": np.asarray(jax.random.key_data(value)).tolist(), "impl": str(jax.random.key_impl(value))}
    if isinstance(value, (jax.Array, np.ndarray, np.generic)) and not isinstance(value, Tracer):
        return {"array": np.asarray(value, np.float64).tolist(), "dtype": str(value.dtype)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{where} is {value!r}, which a configuration cannot hold.")


def _is_typed_key(value: jax.Array) -> bool:
    return jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key)


def _decoded(value: Any, classes: Mapping[str, type]) -> Any:
    if isinstance(value, dict) and "impl" in value:
        return jax.random.wrap_key_data(jax.numpy.asarray(value["key"], "uint32"), impl=value["impl"])
    if isinstance(value, dict) and "array" in value:
        return jax.numpy.asarray(value["array"], value["dtype"])
    if isinstance(value, dict):
        return decode(value, classes)
    if isinstance(value, list):
        return tuple(_decoded(v, classes) for v in value)
    return value
