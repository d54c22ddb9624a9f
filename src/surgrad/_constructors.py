"""Constructors of classes: their parameters, and how an object is made from values by name."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Iterable
from typing import Any

from surgrad._answers import unexpected_keyword


@functools.cache
def constructor_parameters(cls: type) -> tuple[inspect.Parameter, ...]:
    """Return the parameters of a class's constructor, in order."""
    return tuple(inspect.signature(cls).parameters.values())


def made_of_fields(cls: type) -> bool:
    """Return whether the constructor of a dataclass takes its fields, which it does not with `init=False`."""
    return cls.__dataclass_params__.init  # type: ignore[attr-defined]


def construct(tree: Any, values: dict[str, Any]) -> None:
    """Run the constructor of an object with values by name, including those of `*arguments`."""
    many = [p.name for p in constructor_parameters(type(tree)) if p.kind is inspect.Parameter.VAR_POSITIONAL]
    tree.__init__(*(v for n in many for v in values[n]), **{n: v for n, v in values.items() if n not in many})


def unknown_parameter(cls: type, name: str, known: Iterable[str]) -> TypeError:
    """Return the error for an unknown parameter of a class; it lists the parameters, then the options."""
    known = list(known)
    options = {f.name for f in dataclasses.fields(cls) if f.metadata.get("choices") or f.metadata.get("option")}
    parameters = ", ".join(repr(n) for n in known if n not in options) or "none"
    listed = f" (options: {', '.join(sorted(options))})" if options else ""
    return unexpected_keyword(cls, name, known, f"it has {parameters}{listed}")


def is_left_out(parameter: inspect.Parameter, value: Any) -> bool:
    """Whether a value is that of an option, a keyword of structure, at its default."""
    option = parameter.kind is inspect.Parameter.KEYWORD_ONLY and isinstance(value, (bool, int, float, str, type(None)))
    return option and type(value) is type(parameter.default) and value == parameter.default
