"""Tasks by name."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from typing import Any

from surgrad.tasks._cues import delayed_memory, temporal_xor
from surgrad.tasks._dataset import Split
from surgrad.tasks._digits import digits
from surgrad.tasks._manifolds import manifolds
from surgrad.tasks._mnist import fashion_mnist, mnist

_TASKS: dict[str, Callable[..., Split]] = {
    task.__name__: task for task in (digits, fashion_mnist, mnist, manifolds, delayed_memory, temporal_xor)
}


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
    """A task by name, with the options of its loader.

    Raises:
        KeyError: there is no task of that name.
        TypeError: the task has no such option, or needs one that is not given.
    """
    loader = lookup(name)
    parameters = inspect.signature(loader).parameters.values()
    for option in options:
        if option not in {p.name for p in parameters}:
            raise TypeError(f"{name} has no option {option!r}; it has {', '.join(p.name for p in parameters)}.")
    for needed in (p.name for p in parameters if p.default is p.empty and p.name not in options):
        raise TypeError(f"{name} needs the option {needed!r}.")
    return loader(**options)
