"""What a command works on: a task with a network of ours, or what a function of the user returns."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

from surgrad import tasks
from surgrad.cli import specs
from surgrad.cli.usage import UsageError, at_least, reported

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
    return function()


def pair(text: str, returns: str) -> tuple[Any, Any]:
    """The two things that a function of the user returns.

    Raises:
        UsageError: it returns something else.
    """
    found = call(text)
    if not isinstance(found, tuple) or len(found) != 2:
        raise UsageError(f"{text} must return {returns}, got {type(found).__name__}.")
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
    for name in ("tau", "gain"):
        if not found[name] > 0:
            raise UsageError(f"--{name} must be > 0, got {found[name]:g}.")
    if not found["recurrent"] >= 0:
        raise UsageError(f"--recurrent must be >= 0, got {found['recurrent']:g}.")
    return found
