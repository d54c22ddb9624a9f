"""Answers to keywords that a function had before methods became objects, or that users may expect."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


def answers(**advice: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that answers keywords which a function does not have, with what to write in their place.

    Parameters:
        advice: the end of the message, by keyword: `mode="write method=meta.Forward()"`.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
            for name in filter(advice.__contains__, kwargs):
                raise TypeError(f"{function.__name__} has no keyword {name!r}; {advice[name]}.")
            return function(*args, **kwargs)

        return wrapped

    return decorate
