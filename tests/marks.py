"""Parameters of tests, some of which make slow tests."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest


def parameters(values: Iterable[Any], slow: Iterable[str] = (), name: Callable[[Any], str] = str) -> list[Any]:
    """Parameters under their names; those named in `slow` take seconds, and others come close to what they test.

    Raises:
        ValueError: a name in `slow` is that of no parameter.
    """
    named, slow = [(name(value), value) for value in values], set(slow)
    if unknown := slow - {known for known, _ in named}:
        raise ValueError(f"no parameters are called {sorted(unknown)}; there are {[known for known, _ in named]}")
    return [pytest.param(v, id=n, marks=[pytest.mark.slow] * (n in slow)) for n, v in named]
