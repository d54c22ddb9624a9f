"""The laws of layers, one family in each file; reports list them in the order of the imports."""

from typing import Any

from surgrad.nn._contract import is_cell, promises
from surgrad.nn._laws.probe import LayerProbe
from surgrad.nn._laws.table import LAYER_LAWS

# isort: off
from surgrad.nn._laws import states, runs, derivatives, transforms, half, promised
# isort: on

__all__ = ["LAYER_LAWS", "LayerProbe", "concerning", "derivatives", "half", "promised", "runs", "states", "transforms"]


def concerning(layer: Any) -> list[str]:
    """The names of the laws that apply to a layer; connections have no state, and promises must have been made."""
    others = {"no_time"} if is_cell(layer) else {"keeps_state", "causal"}
    others |= {name for name in promised.PROMISES if not promises(layer, name)}
    return [name for name in LAYER_LAWS if name not in others]
