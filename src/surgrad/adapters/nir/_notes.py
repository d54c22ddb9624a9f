"""What NIR has no place for, as metadata of nodes: options of layers, spike functions, and kinds of numbers.

A note is JSON under the key "surgrad". A number or array of the layer that is written into every neuron of a node is
noted as it was, or with its shape; where the node was changed since, the node rules.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from surgrad._kinds import called
from surgrad._named import named
from surgrad._structure import Described, restored

KEY = "surgrad"
_CLOSE = 1e-6


def noted(**note: Any) -> dict[str, str]:
    """The metadata of a node with a note; None, and what is empty, is left out."""
    kept = {name: value for name, value in note.items() if value not in (None, {}, [])}
    return {KEY: json.dumps(kept)} if kept else {}


def note(node: Any) -> Mapping[str, Any]:
    """The note of a node, empty if it has none.

    Raises:
        ValueError: it is no JSON object.
    """
    text = (node.metadata or {}).get(KEY, "{}")
    try:
        found = json.loads(text)
    except (TypeError, ValueError) as error:
        raise ValueError(f"its metadata {KEY!r} is not JSON ({error}); remove it") from error
    if not isinstance(found, dict):
        raise ValueError(f"its metadata {KEY!r} must be a JSON object, got {text!r}; remove it")
    return found


def number_noted(value: Any) -> Any:
    """A note of a parameter: a Python number itself, of an array its shape and type."""
    if isinstance(value, (int, float)):
        return value if np.isfinite(value) else str(value)
    return {"shape": list(np.shape(value)), "dtype": str(jnp.result_type(value))}


def number_read(values: np.ndarray, noted: Any) -> Any:
    """A parameter of its values in each neuron: as it was noted, else one number where all are equal.

    Parameters:
        values: of the shape of the features.
        noted: what `number_noted` made, or None.
    """
    uniform = values.size > 0 and bool(np.all(values == values.flat[0]))
    if isinstance(noted, Mapping):
        return _of_shape(values, tuple(noted["shape"]), noted["dtype"])
    if noted is not None and np.allclose(values, float(noted), rtol=_CLOSE, atol=0):
        return float(noted) if isinstance(noted, str) else noted
    return float(values.flat[0]) if uniform else jnp.asarray(values, jnp.result_type(float))


def _of_shape(values: np.ndarray, shape: tuple[int, ...], dtype: str) -> Any:
    """The array of a shape that broadcasts to the values; the values themselves where none does."""
    aligned = (1,) * (values.ndim - len(shape)) + shape
    values = values.astype(jnp.dtype(dtype))  # which rounds what only differs by the units of NIR
    if len(aligned) == values.ndim and all(n in (1, m) for n, m in zip(aligned, values.shape, strict=True)):
        first = values[tuple(slice(n) for n in aligned)]
        if np.array_equal(np.broadcast_to(first, values.shape), values):
            return jnp.asarray(first.reshape(shape))
    return jnp.asarray(values)


def surrogate_noted(spike: Any) -> dict[str, Any]:
    """A spike function: its class and numbers, of a function its name."""
    try:
        described = Described(spike)
    except TypeError:
        return {"structure": {"named": f"{getattr(spike, '__module__', '?')}:{called(spike)}"}, "arrays": []}
    arrays = [{"dtype": a.dtype.name, "shape": list(a.shape), "data": a.ravel().tolist()} for a in described.arrays]
    return {"structure": described.structure, "arrays": arrays}


def surrogate_read(noted: Mapping[str, Any]) -> Any:
    """The spike function of a note.

    Raises:
        ValueError: it is of a class or a function that is not known here.
    """
    arrays = [np.array(a["data"], a["dtype"]).reshape(a["shape"]) for a in noted["arrays"]]
    try:
        return restored(noted["structure"], lambda place: arrays[place], named(()))
    except KeyError as error:
        missing = str(error.args[0]).removeprefix("load: ")
        raise ValueError(f"its spike function is not known ({missing}) Give surrogate=, one for all neurons") from error
