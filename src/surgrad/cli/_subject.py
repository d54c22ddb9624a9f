"""The subject of a command: a task with a network of this library, or the result of a function of the user."""

from __future__ import annotations

import argparse
import inspect
from collections.abc import Callable
from typing import Any

from surgrad import tasks
from surgrad._numbers import require_real
from surgrad._resolved import resolved
from surgrad.cli import _specs as specs
from surgrad.cli._usage import UsageError, at_least, reported

NETWORK = "hidden", "depth", "recurrent", "tau", "gain"
"""The options of the command line that `train.classifier` takes."""


def arguments(parser: argparse.ArgumentParser, returns: str) -> None:
    """Add the subject, and the options of the network that a task is given."""
    add, names = parser.add_argument, ", ".join(tasks.names())
    text = (
        f"a task, NAME or NAME:OPTION=VALUE,OPTION=VALUE ({names}); or a function of yours, MODULE:FUNCTION, that "
        f"takes no arguments and returns {returns}"
    )
    add("subject", metavar="SUBJECT", nargs="?", default="digits", help=text)
    add("--hidden", default=128, type=at_least(1), metavar="N", help="number of neurons of a hidden layer")
    add("--depth", default=1, type=at_least(1), metavar="L", help="number of hidden layers")
    add("--recurrent", default=0.0, type=float, metavar="G", help="gain of the recurrent weights; 0 means none")
    add("--tau", default=20.0, type=float, metavar="TAU", help="time constant of all neurons, in time steps")
    add("--gain", default=3.0, type=float, metavar="G", help="gain of the hidden weights")
    add(
        "--seed",
        default=0,
        type=at_least(0),
        metavar="K",
        help="seed of the weights, the split of the data and the batches",
    )


def is_function(text: str) -> bool:
    """Whether a subject is `MODULE:FUNCTION`, and not a task."""
    name, colon, rest = text.partition(":")
    return bool(colon) and "=" not in rest and name not in tasks.names()


def function_of(text: str) -> Callable[..., Any]:
    """A function of the user, `MODULE:FUNCTION` or `MODULE:OBJECT.METHOD`, whose module may be in the current folder.

    Raises:
        UsageError: there is no such module or function.
    """
    with reported(ValueError):
        found = resolved(text)
    if not callable(found):
        raise UsageError(f"{text} is no function, but {type(found).__name__}.")
    return found


def call(text: str) -> Any:
    """The result of a function of the user.

    Raises:
        UsageError: there is no such module or function, or the function needs arguments.
    """
    function = function_of(text)
    try:
        inspect.signature(function).bind()
    except TypeError as error:
        raise UsageError(f"{text} must be called without arguments: {error}.") from error
    return function()


def returned(text: str, returns: str, *kinds: Callable[[Any], bool], more: int = 0) -> tuple[Any, ...]:
    """The tuple that a function of the user returns, checked.

    Parameters:
        text: `MODULE:FUNCTION`.
        returns: what the function must return, for the message.
        kinds: a test for each item of the tuple.
        more: how many items may be missing at the end.

    Raises:
        UsageError: the function returns something else.
    """
    found = call(text)
    enough = isinstance(found, tuple) and len(kinds) - more <= len(found) <= len(kinds)
    if not enough or not all(kind(one) for kind, one in zip(kinds, found, strict=False)):
        names = ", ".join(type(one).__name__ for one in (found if isinstance(found, tuple) else (found,)))
        got = f"({names})" if isinstance(found, tuple) else names
        raise UsageError(f"{text} must return {returns}, got {got}.")
    return found


def load(text: str, seed: int) -> tasks.Split:
    """The data of a task, split into training and test samples."""
    name, options = specs.task(text)
    with reported(ImportError, FileNotFoundError, TypeError, ValueError):
        return tasks.load(name, **{"seed": seed, **dict(options)})


def network_options(options: argparse.Namespace) -> dict[str, Any]:
    """The keywords of `train.classifier` from the options of the command line.

    Raises:
        UsageError: an option is out of range.
    """
    found = {name: getattr(options, name) for name in NETWORK}
    with reported(ValueError):
        for name in ("tau", "gain"):
            require_real("the network", f"--{name}", found[name], above=0)
        require_real("the network", "--recurrent", found["recurrent"], at_least=0)
    return found
