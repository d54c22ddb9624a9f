"""Checks of what kind of thing an argument is: one of some names, something to call, an object of a class."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np


def described(value: Any) -> str:
    """An array by its shape, a tuple by its length, anything else by its type."""
    if isinstance(value, (jax.Array, np.ndarray, np.generic)):
        return f"an array of shape {np.shape(value)}"
    return f"a tuple of {len(value)}" if type(value) is tuple else type(value).__name__


def require_kind(what: str, value: Any, kinds: type | tuple[type, ...], expected: str, advice: str = "") -> None:
    """Check that a value is an object of a class, or of one of several.

    Parameters:
        what: where the value stands, and what it is called there, `"LIF: the state"`.
        value: the value.
        kinds: the classes.
        expected: what the message calls an object of them, `"a LIFState"`.
        advice: what the message says after what was given.

    Raises:
        TypeError: it is something else.
    """
    if not isinstance(value, kinds):
        raise TypeError(f"{what} must be {expected}, got {described(value)}{advice}.")


def called(value: Any) -> str:
    """What messages call a value: the name of a function, or of the class of an object."""
    return getattr(value, "__name__", type(value).__name__)


def require_callable(what: str, value: Any, expected: str, takes: Sequence[str] = (), advice: str = "") -> None:
    """Check that a value is callable, and not a class.

    Parameters:
        what: where the value stands, and what it is called there.
        value: the value.
        expected: what the message says it must be.
        takes: the arguments that it must take by position, in words; anything will do if there are none.
        advice: what the message says at its end if it does not take them.

    Raises:
        TypeError: it is a class, or not callable, or takes other arguments.
    """
    if isinstance(value, type):
        raise TypeError(f"{what} is the class {value.__name__}; give an object, {value.__name__}(...).")
    if not callable(value):
        raise TypeError(f"{what} must be {expected}, got {value!r}.")
    if takes:
        _require_arguments(what, value, takes, advice)


def _require_arguments(what: str, function: Any, takes: Sequence[str], advice: str) -> None:
    try:
        signature = inspect.signature(function)
    except ValueError:  # some functions that are not written in Python have none
        return
    try:
        signature.bind(*takes)
    except TypeError as error:
        demand = f"must take {' and '.join(takes)}"
        raise TypeError(f"{what} {demand}, which {called(function)} does not ({error}){advice}.") from error


def require_choice(where: str, name: str, value: Any, choices: Sequence[Any], advice: str = "") -> None:
    """Check that a value is one of some choices; the message ends with the advice.

    Raises:
        ValueError: it is none of them.
    """
    if value not in choices:
        end = f"; {advice}." if advice else "."
        raise ValueError(f"{where}: {name} must be one of {', '.join(map(repr, choices))}, got {value!r}{end}")
