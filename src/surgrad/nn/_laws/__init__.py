"""The laws of layers, a family a file; the order of the imports is that of reports."""

from typing import Any

from surgrad.nn._contract import is_cell, promises
from surgrad.nn._laws.probe import LayerProbe
from surgrad.nn._laws.table import LAYER_LAWS

# isort: off
from surgrad.nn._laws import states, runs, derivatives, transforms, half, promised
# isort: on

__all__ = ["LAYER_LAWS", "LayerProbe", "concerning", "derivatives", "half", "promised", "runs", "states", "transforms"]


def concerning(layer: Any) -> list[str]:
    """The laws that have something to say of a layer: none of states for a connection, none of what is not promised."""
    others = {"no_time"} if is_cell(layer) else {"keeps_state", "causal"}
    others |= {name for name in promised.PROMISES if not promises(layer, name)}
    return [name for name in LAYER_LAWS if name not in others]
