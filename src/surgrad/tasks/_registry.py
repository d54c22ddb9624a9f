"""Tasks by name. A module of this package that decorates its loader with `register` needs no other entry."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from surgrad._answers import nearest_names, neighbour_answer
from surgrad.tasks._dataset import Split

Loader = TypeVar("Loader", bound=Callable[..., Split])

_TASKS: dict[str, Callable[..., Split]] = {}


def register(loader: Loader) -> Loader:
    """Enter a task under the name of its loader, a function of options that returns a `Split`; usable as a decorator.

    Raises:
        ValueError: another task has that name.
    """
    known = _TASKS.get(loader.__name__)
    if known is not None and (known.__module__, known.__qualname__) != (loader.__module__, loader.__qualname__):
        raise ValueError(f"register: there is a task {loader.__name__!r} already, of {known.__module__}.")
    _TASKS[loader.__name__] = loader
    return loader


def import_all(package: str, path: Iterable[str]) -> None:
    """Import all modules of a package, so that their tasks are entered."""
    for module in pkgutil.iter_modules(path):
        importlib.import_module(f"{package}.{module.name}")


def names() -> tuple[str, ...]:
    """The names of all tasks of spike trains, in alphabetical order: those that studies and the command line take."""
    return tuple(sorted(_TASKS))


def lookup(name: str) -> Callable[..., Split]:
    """The loader of a task.

    Raises:
        KeyError: there is none of that name; the message gives the nearest.
    """
    if name not in _TASKS:
        if reader := neighbour_answer(name):
            raise KeyError(f"no task {name!r}; here it is {reader}.")
        near = nearest_names(name, _TASKS, cutoff=0.4) or names()
        raise KeyError(f"no task {name!r}; the nearest: {', '.join(near)}.")
    return _TASKS[name]


def load(name: str, **options: Any) -> Split:
    """The data of a task, by its name and the options of its loader.

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
