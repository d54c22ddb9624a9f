"""Tables of laws, and how numbers are compared in those of surrogates.

Values are compared to a few units of rounding in float32, the precision of most networks, though many are computed
in float64: a class may compute in float32 for all inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

ABSOLUTE, RELATIVE = 1e-6, 1e-5
"""About 8 and 80 units of rounding in float32: of the largest number that takes part, and of each number."""


class NotApplicableError(Exception):
    """A law has nothing to say of an object; the message says why, and `because` names laws whose failures are why."""

    def __init__(self, message: str, because: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.because = because


class Law(NamedTuple):
    """A property of surrogates, or of layers: its name, what it says in one line, and how it is tested.

    `broken` takes a probe, which holds the object, and returns how the law is broken, with the numbers and the place,
    or None where it holds. It raises `NotApplicableError` where the law has nothing to say; any other exception is a
    failure. A law that is `advice` says what helps readers, or speed; what breaks it is as right as before, and does
    not fail.
    """

    name: str
    says: str
    broken: Callable[[Any], str | None]
    advice: bool = False


Broken = TypeVar("Broken", bound=Callable[[Any], str | None])


class Table(dict[str, Law]):
    """Laws by name, in the order of reports."""

    def law(self, says: str, *, advice: bool = False) -> Callable[[Broken], Broken]:
        """Enter a function in the table under its own name."""

        def enter(broken: Broken) -> Broken:
            self[broken.__name__] = Law(broken.__name__, says, broken, advice)
            return broken

        return enter


LAWS = Table()
"""The laws of surrogates."""
law = LAWS.law


def brief(error: Exception) -> str:
    """An exception in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


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
