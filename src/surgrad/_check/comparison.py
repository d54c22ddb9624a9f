"""Comparison of numbers in the laws of surrogates, up to a few roundings of float32.

Many values are computed in float64, but a class may compute in float32 for all inputs.
"""

from __future__ import annotations

import numpy as np

ABSOLUTE, RELATIVE = 1e-6, 1e-5
"""Tolerances: about 8 roundings of float32 of the largest number that takes part, and 80 of each number."""


def nearest(broken: np.ndarray, x: np.ndarray) -> tuple[int, ...] | None:
    """Return the index of the broken point nearest to the threshold; None if there is none."""
    places = np.flatnonzero(broken)
    if not places.size:
        return None
    return tuple(map(int, np.unravel_index(places[np.argmin(np.abs(x.ravel()[places]))], x.shape)))


def worst(excess: np.ndarray | np.floating) -> tuple[int, ...] | None:
    """Return the index of the largest positive excess, ignoring NaN; None if there is none."""
    excess = np.asarray(np.nan_to_num(excess, nan=-1.0))
    index = tuple(map(int, np.unravel_index(np.argmax(excess), excess.shape)))
    return index if excess[index] > 0 else None


def excess(found: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return by how much numbers differ beyond rounding; NaN equals NaN, and an infinity itself."""
    with np.errstate(invalid="ignore"):
        difference = np.abs(found - wanted) - RELATIVE * np.abs(wanted) - ABSOLUTE * largest(wanted)
    same = (found == wanted) | (np.isnan(found) & np.isnan(wanted))
    return np.where(same, -1.0, np.where(np.isnan(difference), np.inf, difference))


def largest(values: np.ndarray) -> float:
    """Return the largest finite magnitude."""
    return float(np.max(np.abs(values), initial=0, where=np.isfinite(values)))
