"""Checks of numbers that are given as arguments, with messages that say what was given and what was expected.

Numbers of Python and NumPy are checked. Arrays of JAX pass, except in `require_entries`: reading one waits for a
device, and a traced one has no value yet.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from jax.core import Tracer


def require_whole(where: str, least: int = 1, most: float = math.inf, **given: Any) -> None:
    """Check that numbers are integers in a range.

    Raises:
        ValueError: one is not an integer, or out of range, or traced.
    """
    for name, value in given.items():
        demand = f">= {least}" if math.isinf(most) else f"from {least} to {most}"
        if isinstance(value, Tracer):
            raise ValueError(
                f"{where}: {name} must be an integer {demand} that is known while the program is traced, got {value}; "
                f"give a Python integer from outside jit, grad or vmap."
            )
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not whole or not least <= value <= most:
            shape = getattr(value, "shape", ())
            got = f"an array of shape {shape}" if shape else repr(value)
            raise ValueError(f"{where}: {name} must be an integer {demand}, got {got}.")


def whole_each(where: str, name: str, given: Any, least: int, each: str, count: int | None = None) -> tuple[int, ...]:
    """Integers from `least` on for each of several things: those of a sequence, or one for all.

    Parameters:
        where, name: whose argument it is, and what it is called.
        given: an integer, or a sequence of integers.
        least: the least of them that is allowed.
        each: what they are for, `"2 axes of space"`.
        count: how many there must be, if that is known.

    Raises:
        ValueError: one is not an integer in that range, or there are more or fewer, or none.
    """
    several = isinstance(given, (tuple, list)) or (isinstance(given, np.ndarray) and given.ndim == 1)
    numbers: tuple[Any, ...] = tuple(given) if several else (given,) * (count or 1)
    if not numbers or (count is not None and len(numbers) != count):
        raise ValueError(f"{where}: {name} must be an integer, or one for each of {each}, got {given!r}.")
    for number in numbers:
        require_whole(where, least, **{name: number})
    return tuple(map(int, numbers))


def require_multiples(where: str, name: str, divisor: int, **given: int) -> None:
    """Check that an integer divides others.

    Raises:
        ValueError: it does not.
    """
    if any(number % divisor for number in given.values()):
        numbers = ", ".join(map(str, given.values()))
        raise ValueError(f"{where}: {name} must divide {' and '.join(given)}, got {divisor}, {numbers}.")


def require_entries(where: str, name: str, numbers: Any, most: float, demand: str, least: float = 0) -> None:
    """Check that the entries of an array are `least` to `most`; an empty array and a traced one have none to check.

    This reads arrays of JAX, for which it waits.

    Raises:
        ValueError: one is not, or is NaN.
    """
    if isinstance(numbers, Tracer) or not np.size(numbers):
        return
    found = np.asarray(numbers)
    if not (found.min() >= least and found.max() <= most):  # NaN is in no range
        raise ValueError(f"{where}: {name} must be {demand}, got {found.min()} to {found.max()}.")


def require_share(where: str, **given: Any) -> None:
    """Check that shares or probabilities are numbers from 0 to 1.

    Raises:
        ValueError: one is out of range.
        TypeError: one is not a number.
    """
    for name, value in given.items():
        require_real(where, name, value, at_least=0, at_most=1)


def require_real(
    where: str,
    name: str,
    value: Any,
    *,
    above: float | None = None,
    at_least: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    finite: bool = True,
) -> None:
    """Check a real number, or every entry of a NumPy array, against one or two bounds. NaN is always out of range.

    Raises:
        ValueError: it is out of range, or infinite where it must be `finite`.
        TypeError: it is not a number.
    """
    if isinstance(value, bool) or not (isinstance(value, (int, float)) or hasattr(value, "dtype")):
        raise TypeError(f"{where}: {name} must be a number, got {value!r}.")
    if not isinstance(value, (int, float, np.ndarray, np.generic)):
        return
    limited = math.isfinite(value) if isinstance(value, (int, float)) else bool(np.all(np.isfinite(value)))
    number: Any = value
    tests = [
        True if above is None else number > above,
        True if at_least is None else number >= at_least,
        True if below is None else number < below,
        True if at_most is None else number <= at_most,
        limited or not finite,
        value == value,
    ]
    if not all(test if isinstance(test, bool) else np.all(test) for test in tests):
        unbounded = finite and not limited and below is None and at_most is None
        demand = " and ".join([*_named(above, at_least, below, at_most), *["finite"] * unbounded])
        raise ValueError(f"{where}: {name} must be {demand}, got {value}.")


def _named(above: float | None, at_least: float | None, below: float | None, at_most: float | None) -> list[str]:
    """Return the bounds of a range in words; infinite ones are left out."""
    if at_least is not None and at_most is not None:
        return [f"{at_least:g} to {at_most:g}"]
    if at_least is not None and below is not None:
        return [f"{at_least:g} to below {below:g}"]
    if above is not None and below is not None:
        return [f"above {above:g} and below {below:g}"]
    signs = (">", above), (">=", at_least), ("<", below), ("<=", at_most)
    return [f"{sign} {end:g}" for sign, end in signs if end is not None and math.isfinite(end)]
