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

from surgrad._frameworks import is_box
from surgrad._numbers import require_real, require_whole
from surgrad._pytree import Pytree


def parameter(
    default: Any = dataclasses.MISSING,
    *,
    above: float | None = None,
    at_least: float | None = None,
    at_most: float | None = None,
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
        finite: whether infinities are refused.
        unit: unit of the value, as documentation.
        kw_only: whether the constructor takes it by keyword only.
    """
    limits = {"above": above, "at_least": at_least, "at_most": at_most, "finite": finite, "unit": unit}
    return dataclasses.field(default=default, kw_only=kw_only, metadata=limits | {"optional": default is None})


def check_fields(tree: Pytree) -> None:
    """Check all declared fields of an object, see `check_field`."""
    for field in dataclasses.fields(tree):  # type: ignore[arg-type]
        check_field(type(tree).__name__, field.name, getattr(tree, field.name), field.metadata)


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
    if rules.get("choices") is not None and value not in rules["choices"]:
        raise ValueError(f"{owner}: {name} must be one of {', '.join(map(repr, rules['choices']))}, got {value!r}.")
    if rules.get("flag") and not isinstance(value, bool):
        raise TypeError(f"{owner}: {name} must be True or False, got {value!r}.")
    if "whole" in rules:
        check_whole(owner, name, value, rules["whole"])
    if "callable" in rules:
        check_callable(f"{owner}: {name}", value, rules["callable"])


def check_whole(owner: str, name: str, value: Any, least: int) -> None:
    """Check that a value is an integer >= `least`.

    Raises:
        ValueError: it is not, or it is traced.
    """
    if isinstance(value, Tracer):
        raise ValueError(
            f"{owner}: {name} must be an integer >= {least} that is known while the program is traced, got {value}; "
            f"give a Python integer from outside jit, grad or vmap."
        )
    require_whole(owner, least, **{name: value})


def check_callable(what: str, value: Any, expected: str) -> None:
    """Check that a value is callable, and not a class.

    Raises:
        TypeError: it is a class, or not callable.
    """
    if isinstance(value, type):
        raise TypeError(f"{what} is the class {value.__name__}; give an object, {value.__name__}(...).")
    if not callable(value):
        raise TypeError(f"{what} must be {expected}, got {value!r}.")


def _check_real(owner: str, name: str, value: Any) -> None:
    if not is_real(value):
        given = f"an array of {value.dtype}" if isinstance(value, (np.ndarray, jax.Array)) else repr(value)
        advice = "; convert it with jnp.asarray" if isinstance(value, (list, tuple)) else ""
        raise TypeError(f"{owner}: {name} must be a real number or array, got {given}{advice}.")


def _check_range(owner: str, name: str, value: Any, rules: Mapping[str, Any]) -> None:
    if isinstance(value, (float, int, np.ndarray, np.generic)):
        ends = {end: rules.get(end) for end in ("above", "at_least", "at_most")}
        require_real(owner, name, value, finite=rules.get("finite", True), **ends)


def is_real(value: Any) -> bool:
    """Return whether a value can be a hyperparameter: a real number, an array of those, or a box of a framework."""
    if isinstance(value, (float, int)):
        return not isinstance(value, bool)
    dtype = getattr(value, "dtype", None)
    if dtype is None:
        return is_box(value)
    return jnp.issubdtype(dtype, jnp.floating) or jnp.issubdtype(dtype, jnp.integer)
