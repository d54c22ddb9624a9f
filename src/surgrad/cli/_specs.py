"""Surrogates and tasks as they are written on the command line.

A surrogate is `NAME` or `NAME:PARAMETER=VALUE,VALUE`, a task `NAME` or `NAME:OPTION=VALUE,OPTION=VALUE`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

from surgrad import tasks
from surgrad._catalogue import lookup, snake_case
from surgrad._surrogate import Surrogate
from surgrad.cli._usage import UsageError, reported

LIST = "NAME or NAME:PARAMETER=VALUE,VALUE, with commas"
TASK = f"NAME or NAME:OPTION=VALUE,...: {', '.join(tasks.names())}"
"""Both forms, for the help of options."""


class Spec(NamedTuple):
    """A surrogate class, and the values of one of its parameters; without a parameter, its defaults."""

    kind: type[Surrogate]
    parameter: str | None
    values: tuple[int | float, ...]

    @property
    def name(self) -> str:
        """The name in tables: that of the function."""
        return snake_case(self.kind.__name__)

    def surrogates(self) -> list[Surrogate]:
        """One surrogate a value.

        Raises:
            UsageError: there is no such parameter, or a value is out of its range.
        """
        kind: Any = self.kind
        if self.parameter is None:
            return [kind()]
        with reported(TypeError, ValueError):
            return [kind(**{self.parameter: value}) for value in self.values]


def parse(text: str) -> list[Spec]:
    """All surrogates of a list separated by commas; a number goes on the values before it.

    Raises:
        UsageError: a name, a number or the form is wrong.
    """
    specs: list[str] = []
    for piece in text.split(","):
        if specs and "=" in specs[-1] and not piece[:1].isalpha():
            specs[-1] += f",{piece}"
        else:
            specs.append(piece)
    return [_spec(spec.strip()) for spec in dict.fromkeys(specs)]


def one(text: str) -> Surrogate:
    """The surrogate of a list of one.

    Raises:
        UsageError: there is more than one, or the text is wrong.
    """
    found = [surrogate for spec in parse(text) for surrogate in spec.surrogates()]
    if len(found) != 1:
        raise UsageError(f"takes one surrogate, got {len(found)}: {text!r}.")
    return found[0]


def _spec(text: str) -> Spec:
    name, colon, assignment = text.partition(":")
    parameter, equals, values = assignment.partition("=")
    if not name or (colon and not (parameter and equals)):
        raise UsageError(f"cannot read {text!r} as a surrogate; write NAME or NAME:PARAMETER=VALUE,VALUE.")
    with reported(KeyError):
        kind = lookup(name)
    if not colon:
        return Spec(kind, None, ())
    if parameter.strip() in {field.name for field in dataclasses.fields(Surrogate)}:
        raise UsageError(f"{parameter.strip()!r} is an option, not a number; give a hyperparameter of {name}.")
    return Spec(kind, parameter.strip(), tuple(dict.fromkeys(_number(v, parameter) for v in values.split(","))))


def _number(text: str, what: str) -> int | float:
    value = _value(text)
    if isinstance(value, str):
        raise UsageError(f"{what} must be a number, got {text!r}.")
    return value


def _value(text: str) -> int | float | str:
    """The number that is written in a text, or the text."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            pass
    return text


def task(text: str) -> tuple[str, tuple[tuple[str, int | float | str], ...]]:
    """The name of a task and its options; a value that is no number is a text.

    Raises:
        UsageError: there is no such task, or the form is wrong.
    """
    name, colon, assignments = text.partition(":")
    with reported(KeyError):
        tasks.lookup(name)
    options = []
    for piece in assignments.split(",") if colon else ():
        option, equals, value = piece.partition("=")
        if not (option and equals):
            raise UsageError(f"cannot read {text!r} as a task; write NAME or NAME:OPTION=VALUE,OPTION=VALUE.")
        options.append((option.strip(), _value(value)))
    return name, tuple(options)


def scales(text: str) -> Sequence[float]:
    """Steepness factors of a list separated by commas, each once.

    Raises:
        UsageError: one is not a number, or outside what single precision can carry.
    """
    values = [float(_number(piece, "a scale")) for piece in text.split(",")]
    for value in values:
        if not 1e-6 <= value <= 1e6:
            raise UsageError(f"a scale must be 1e-06 to 1e+06, got {value:g}.")
    return tuple(dict.fromkeys(values))
