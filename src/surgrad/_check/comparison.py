"""How the laws of surrogates compare numbers: to a few units of rounding, and where they differ most.

The rounding is that of float32, the precision of most networks, though many values are computed in float64: a class
may compute in float32 for all inputs.
"""

from __future__ import annotations

import numpy as np

ABSOLUTE, RELATIVE = 1e-6, 1e-5
"""About 8 and 80 units of rounding in float32: of the largest number that takes part, and of each number."""


def nearest(broken: np.ndarray, x: np.ndarray) -> tuple[int, ...] | None:
    """The index of the broken point that is nearest to the threshold."""
    places = np.flatnonzero(broken)
    if not places.size:
        return None
    return tuple(map(int, np.unravel_index(places[np.argmin(np.abs(x.ravel()[places]))], x.shape)))


def worst(excess: np.ndarray | np.floating) -> tuple[int, ...] | None:
    """The index of the largest positive excess; NaN is none."""
    excess = np.asarray(np.nan_to_num(excess, nan=-1.0))
    index = tuple(map(int, np.unravel_index(np.argmax(excess), excess.shape)))
    return index if excess[index] > 0 else None


def excess(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """By how much numbers differ beyond rounding; NaN agrees with NaN, and an infinity with itself."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(found - wanted) - RELATIVE * np.abs(wanted) - ABSOLUTE * largest(wanted)
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    return np.where(same, -1.0, np.where(np.isnan(difference), np.inf, difference))


def largest(values: np.ndarray) -> float:
    """The largest finite magnitude."""
    return float(np.max(np.abs(values), initial=0, where=np.isfinite(values)))
