"""Tasks by name."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from typing import Any

from surgrad.tasks.dataset import Split
from surgrad.tasks.digits import digits

_TASKS: dict[str, Callable[..., Split]] = {"digits": digits}


def names() -> tuple[str, ...]:
    """The names of all tasks."""
    return tuple(_TASKS)


def lookup(name: str) -> Callable[..., Split]:
    """The loader of a task.

    Raises:
        KeyError: there is none of that name; the message names the nearest.
    """
    if name not in _TASKS:
        near = difflib.get_close_matches(name, _TASKS, n=3, cutoff=0.4) or list(_TASKS)
        raise KeyError(f"no task {name!r}; the nearest: {', '.join(near)}.")
    return _TASKS[name]


def load(name: str, **options: Any) -> Split:
    """A task by name, with the options of its loader."""
    return lookup(name)(**options)
