"""Laws, tables of laws, and the exception of a law that does not apply."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar


class NotApplicableError(Exception):
    """A law does not apply to an object. The message says why; `because` names the laws whose failure is the reason."""

    def __init__(self, message: str, because: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.because = because


class Law(NamedTuple):
    """A property of surrogates or of layers: its name, a description in one line, and its test.

    `broken` takes a probe, which holds the object, and returns how the law is broken, with numbers and place, or None
    if it holds. It raises `NotApplicableError` if the law does not apply; any other exception is a failure. A law that
    is `advice` concerns readers or speed and not results, so that breaking it is no failure.
    """

    name: str
    says: str
    broken: Callable[[Any], str | None]
    advice: bool = False


Broken = TypeVar("Broken", bound=Callable[[Any], str | None])


class Table(dict[str, Law]):
    """A table of laws by name, in the order of reports."""

    def law(self, says: str, *, advice: bool = False) -> Callable[[Broken], Broken]:
        """Return a decorator that adds a function to the table under its own name."""

        def enter(broken: Broken) -> Broken:
            self[broken.__name__] = Law(broken.__name__, says, broken, advice)
            return broken

        return enter


def brief(error: Exception) -> str:
    """Return an exception in one line."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
