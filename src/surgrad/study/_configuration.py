"""Configurations: settings and surrogates as plain JSON, and the checksums by which runs are found again."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any

import jax
import numpy as np

from surgrad._answers import place_of
from surgrad._config import encode
from surgrad._named import name_of
from surgrad._surrogate import Surrogate
from surgrad.study._settings import Settings, Variant


def settings_as_json(settings: Settings) -> dict[str, Any]:
    """Settings as plain JSON; the function that builds the network by its name."""
    found = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)}
    found["options"] = dict(sorted(settings.options))
    found["build"] = _named("Settings.build", settings.build)
    return plain_json(found)


def _named(where: str, function: Any) -> str:
    try:
        module, _, name = name_of(function, where).partition(":")
    except TypeError as error:
        raise TypeError(f"Study: {str(error).partition(': ')[2]}") from error
    # The public name of what is ours stays when a private module moves.
    return place_of(name) if module.partition(".")[0] == __name__.partition(".")[0] else f"{module}:{name}"


def variant_as_json(variant: Variant) -> dict[str, Any]:
    """A variant as plain JSON."""
    labels = {"name": variant.name, "parameter": variant.parameter, "value": float(variant.value)}
    return labels | {"surrogate": _surrogate_as_json(variant.surrogate)}


def _surrogate_as_json(surrogate: Surrogate) -> Any:
    """The configuration of a surrogate; its text and its numbers where it has none, since it is made of a function."""
    try:
        return encode(surrogate)
    except TypeError as error:
        text = repr(surrogate)
        if "<lambda>" in text or " at 0x" in text:  # another function would look the same, or the same one different
            raise TypeError(f"Study: {text} has no name of its own; make it of a function that has one.") from error
    return {"text": text, "numbers": [np.asarray(leaf).tolist() for leaf in jax.tree.leaves(surrogate)]}


def plain_json(value: Any) -> Any:
    """The value as JSON reads it back: lists in place of tuples, and numbers of Python."""
    return json.loads(json.dumps(value, default=lambda number: number.item()))


def checksum(configuration: Any) -> str:
    """The SHA-256 checksum of plain JSON; the order of keys does not matter."""
    text = json.dumps(configuration, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
