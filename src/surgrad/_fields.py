"""Declared fields of objects: hyperparameters with their ranges, options with their choices, and the checks of both.

Each rule is written once, in the declaration: `parameter(10.0, above=0)`, `static(default="mean", choices=(...))`.
Values are checked when an object is built from numbers of Python or NumPy. Traced values and arrays of JAX are not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from surgrad._answers import choice_answer
from surgrad._frameworks import is_box
from surgrad._kinds import require_callable, require_choice
from surgrad._numbers import require_real, require_whole
from surgrad._pytree import Pytree
from surgrad._shapes import require_shapes


def parameter(
    default: Any = dataclasses.MISSING,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
    exceeds: str | None = None,
    finite: bool = True,
    unit: str = "",
    kw_only: bool = False,
) -> Any:
    """Declare a hyperparameter: a leaf that is checked against its range if it is a number of Python or NumPy.

        >>> class Laplace(surgrad.Surrogate):
        ...     scale: float = surgrad.parameter(1.0, above=0)
        ...     def surrogate_grad(self, x):
        ...         return jnp.exp(-jnp.abs(x) / self.scale)
        >>> Laplace(scale=-1.0)
        Traceback (most recent call last):
        ValueError: Laplace: scale must be > 0, got -1.0.

    Parameters:
        default: default value; without it the argument is required. With None as default, None is allowed.
        above: lower bound, exclusive.
        at_least: lower bound, inclusive.
        at_most: upper bound, inclusive.
        exceeds: the name of another field, which this one must be above.
        finite: whether infinities are refused.
        unit: unit of the value, as documentation.
        kw_only: whether the constructor takes it by keyword only.
    """
    limits = {"above": above, "at_least": at_least, "at_most": at_most, "finite": finite, "unit": unit}
    others = {"exceeds": exceeds, "optional": default is None}
    return dataclasses.field(default=default, kw_only=kw_only, metadata=limits | others)


def check_fields(tree: Pytree) -> None:
    """Check all declared fields of an object: each by `check_field`, then their shapes, and which exceeds which.

    Raises:
        TypeError, ValueError: as `check_field`.
        ValueError: the arrays do not fit each other, or a number is not above another one.
    """
    kind, shapes = type(tree).__name__, {}
    for field in dataclasses.fields(tree):  # type: ignore[arg-type]
        value, rules = getattr(tree, field.name), field.metadata
        check_field(kind, field.name, value, rules)
        if rules.get("axes"):
            shapes[field.name] = (None if value is None else jnp.shape(value), rules["axes"])
        if rules.get("exceeds"):
            _require_order(kind, field.name, value, rules["exceeds"], getattr(tree, rules["exceeds"]))
    require_shapes(kind, shapes)


def check_assigned(tree: Pytree, name: str, value: Any) -> None:
    """Check a value that is assigned to a declared field: by the rules of that field, and the order of two.

    Raises:
        TypeError, ValueError: as `check_field`; a number is not above another one that it must exceed.
    """
    kind, fields = type(tree).__name__, type(tree).__dataclass_fields__  # type: ignore[attr-defined]
    if name not in fields:
        return
    check_field(kind, name, value, fields[name].metadata)
    held = tree.__dict__ | {name: value}
    for upper, field in fields.items():
        lower = field.metadata.get("exceeds")
        if lower and name in (upper, lower) and upper in held and lower in held:
            _require_order(kind, upper, held[upper], lower, held[lower])


def unset(tree: Pytree) -> str | None:
    """The name of a declared number that is None and must not be; None if there is none such."""
    for field in dataclasses.fields(tree):  # type: ignore[arg-type]
        needed = ("above" in field.metadata or "real" in field.metadata) and not field.metadata.get("optional")
        if needed and getattr(tree, field.name) is None:
            return field.name
    return None


def check_field(owner: str, name: str, value: Any, rules: Mapping[str, Any]) -> None:
    """Check one value against the rules of its field.

    Raises:
        TypeError: it is not of the declared kind: a real number or array, a flag, or a callable.
        ValueError: it is out of range, or not one of the choices.
    """
    if value is None and rules.get("optional"):
        return
    if "above" in rules or "real" in rules:
        _check_real(owner, name, value)
    if "above" in rules:
        _check_range(owner, name, value, rules)
    if rules.get("static") and isinstance(value, Tracer):
        raise TypeError(
            f"{owner}: {name} is part of the program, so it must be known while that is traced, got {value}."
        )
    if rules.get("choices") is not None:
        require_choice(owner, name, value, rules["choices"], choice_answer(name, value))
    if rules.get("flag") and not isinstance(value, bool):
        _check_word(owner, name, value, rules.get("also", ()))
    if "whole" in rules:
        require_whole(owner, rules["whole"], **dict[str, Any]({name: value}))
    if "callable" in rules:
        require_callable(f"{owner}: {name}", value, rules["callable"])


def _check_word(owner: str, name: str, value: Any, words: tuple[str, ...]) -> None:
    if not isinstance(value, str) or value not in words:
        *first, last = ("True", "False", *map(repr, words))
        raise TypeError(f"{owner}: {name} must be {', '.join(first)} or {last}, got {value!r}.")


def _check_real(owner: str, name: str, value: Any) -> None:
    if not is_real(value):
        given = f"an array of {value.dtype}" if isinstance(value, (np.ndarray, jax.Array)) else repr(value)
        advice = "; convert it with jnp.asarray" if isinstance(value, (list, tuple)) else ""
        raise TypeError(f"{owner}: {name} must be a real number or array, got {given}{advice}.")


def _check_range(owner: str, name: str, value: Any, rules: Mapping[str, Any]) -> None:
    if isinstance(value, (float, int, np.ndarray, np.generic)):
        ends = {end: rules.get(end) for end in ("above", "at_least", "at_most")}
        require_real(owner, name, value, finite=rules.get("finite", True), **ends)


def _require_order(owner: str, name: str, value: Any, other: str, below: Any) -> None:
    numbers = (float, int, np.ndarray, np.generic)
    if isinstance(value, numbers) and isinstance(below, numbers) and not np.all(np.asarray(value) > below):
        raise ValueError(f"{owner}: {name} must be above {other}, {below}, got {value}.")


def is_real(value: Any) -> bool:
    """Return whether a value can be a hyperparameter: a real number, an array of those, or a box of a framework."""
    if isinstance(value, (float, int)):
        return not isinstance(value, bool)
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return is_box(value)
    return jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)
