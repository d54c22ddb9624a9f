"""Laws, tables of laws, and the exception of a law that does not apply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar


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


def brief(error: Exception) -> str:
    """An exception in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
