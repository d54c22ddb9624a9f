"""What a command works on: a task with a network of ours, or what a function of the user returns."""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
import sys
from collections.abc import Callable
from typing import Any

from surgrad import tasks
from surgrad._numbers import require_real
from surgrad.cli import _specs as specs
from surgrad.cli._usage import UsageError, at_least, reported

NETWORK = "hidden", "depth", "recurrent", "tau", "gain"
"""Options of `train.classifier`."""


def arguments(parser: argparse.ArgumentParser, returns: str) -> None:
    """The subject and, where it is a task, its network."""
    add, names = parser.add_argument, ", ".join(tasks.names())
    text = f"TASK or TASK:OPTION=VALUE,... ({names}), or MODULE:FUNCTION without arguments that returns {returns}"
    add("subject", metavar="SUBJECT", nargs="?", default="digits", help=text)
    add("--hidden", default=128, type=at_least(1), metavar="N", help="neurons of a hidden layer")
    add("--depth", default=1, type=at_least(1), metavar="L", help="hidden layers")
    add("--recurrent", default=0.0, type=float, metavar="G", help="gain of weights within a layer; 0: none")
    add("--tau", default=20.0, type=float, metavar="STEPS", help="time constant of all neurons")
    add("--gain", default=3.0, type=float, metavar="G", help="gain of the hidden weights")
    add("--seed", default=0, type=at_least(0), metavar="K", help="of the weights, the split and the batches")


def is_function(text: str) -> bool:
    """Whether a subject is `MODULE:FUNCTION`, not a task."""
    name, colon, rest = text.partition(":")
    return bool(colon) and "=" not in rest and name not in tasks.names()


def call(text: str) -> Any:
    """What a function of the user returns; modules of the current folder are found.

    Raises:
        UsageError: there is no such module or function, or it raises an error.
    """
    module, _, name = text.partition(":")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    with reported(ImportError):
        found = importlib.import_module(module)
    function: Callable[[], Any] | None = getattr(found, name, None)
    if not callable(function):
        raise UsageError(f"module {module!r} has no function {name!r}.")
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise UsageError(f"{text} must be called without arguments: {error}.") from error
    return function()


def returned(text: str, returns: str, *kinds: Callable[[Any], bool], more: int = 0) -> tuple[Any, ...]:
    """The things that a function of the user returns.

    Parameters:
        text: `MODULE:FUNCTION`.
        returns: what they should be, in words.
        kinds: whether each is what it should be.
        more: how many may be missing at the end.

    Raises:
        UsageError: it returns something else.
    """
    found = call(text)
    enough = isinstance(found, tuple) and len(kinds) - more <= len(found) <= len(kinds)
    if not enough or not all(kind(one) for kind, one in zip(kinds, found, strict=False)):
        names = ", ".join(type(one).__name__ for one in (found if isinstance(found, tuple) else (found,)))
        got = f"({names})" if isinstance(found, tuple) else names
        raise UsageError(f"{text} must return {returns}, got {got}.")
    return found


def load(text: str, seed: int) -> tasks.Split:
    """The data of a task."""
    name, options = specs.task(text)
    with reported(ImportError, FileNotFoundError, TypeError, ValueError):
        return tasks.load(name, **{"seed": seed, **dict(options)})


def network_options(options: argparse.Namespace) -> dict[str, Any]:
    """The options of the network of a task.

    Raises:
        UsageError: one is out of range.
    """
    found = {name: getattr(options, name) for name in NETWORK}
    with reported(ValueError):
        for name in ("tau", "gain"):
            require_real("the network", f"--{name}", found[name], above=0)
        require_real("the network", "--recurrent", found["recurrent"], at_least=0)
    return found
