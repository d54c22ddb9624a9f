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

LIST = "surrogates separated by commas, each NAME or NAME:PARAMETER=VALUE,VALUE"
"""The form of a list of surrogates, for the help of options."""
_TASKS = ", ".join(tasks.names())
TASK = f"NAME or NAME:OPTION=VALUE,OPTION=VALUE; the names are {_TASKS}"
"""The form of a task, for the help of options."""


class Spec(NamedTuple):
    """A surrogate as it is written: a class, and the values of one of its hyperparameters.

    Without a parameter it stands for one surrogate with the default hyperparameters.
    """

    kind: type[Surrogate]
    parameter: str | None
    values: tuple[int | float, ...]

    @property
    def name(self) -> str:
        """The name in tables: the name of the function in the catalogue."""
        return snake_case(self.kind.__name__)

    def surrogates(self) -> list[Surrogate]:
        """One surrogate for each value.

        Raises:
            UsageError: there is no such parameter, or a value is out of its range.
        """
        kind: Any = self.kind
        if self.parameter is None:
            return [kind()]
        with reported(TypeError, ValueError):
            return [kind(**{self.parameter: value}) for value in self.values]


def parse(text: str) -> list[Spec]:
    """The surrogates of a list separated by commas; a number after a comma continues the values before it.

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
    """The one surrogate that a text stands for.

    Raises:
        UsageError: the text stands for several surrogates, or cannot be read.
    """
    found = [surrogate for spec in parse(text) for surrogate in spec.surrogates()]
    if len(found) != 1:
        raise UsageError(f"takes one surrogate, got {len(found)}: {text!r}; write NAME or NAME:PARAMETER=VALUE.")
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
    return Spec(kind, parameter.strip(), tuple(dict.fromkeys(number(v, parameter) for v in values.split(","))))


def number(text: str, what: str) -> int | float:
    """The number that a text stands for.

    Raises:
        UsageError: it is none.
    """
    value = _value(text)
    if isinstance(value, str):
        raise UsageError(f"{what} must be a number, got {text!r}.")
    return value


def _value(text: str) -> int | float | str:
    """The number that a text stands for, or the text itself if it is no number."""
    for convert in (int, float):
        try:
            return convert(text)
        except ValueError:
            pass
    return text


def task(text: str) -> tuple[str, tuple[tuple[str, int | float | str], ...]]:
    """The name of a task, and its options as pairs; a value that is no number stays text.

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
    """The scales of a list separated by commas, each once.

    Raises:
        UsageError: one is not a number, or outside 1e-6 to 1e6, beyond which float32 loses the slope.
    """
    values = [float(number(piece, "a scale")) for piece in text.split(",")]
    for value in values:
        if not 1e-6 <= value <= 1e6:
            raise UsageError(f"a scale must be 1e-06 to 1e+06, got {value:g}.")
    return tuple(dict.fromkeys(values))
