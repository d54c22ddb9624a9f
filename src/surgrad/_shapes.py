"""Checks of the shapes of arrays against patterns, whose text is what the messages say.

A pattern lists axes: `"..., height >= 3, width >= 3, 2 channels"`. An axis has any length, a least one (`height >= 3`)
or a fixed one (`2 channels`). Axes of one name are equally long, also in several arrays. `...`, or a name with a star
in front, `*batch`, stands for any number of axes.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

Dims = tuple[Any, ...]


class _Axis(NamedTuple):
    """One axis of a pattern."""

    name: str
    length: int | None
    least: int


class _Pattern(NamedTuple):
    """The axes of a pattern before those of which there may be any number, these, and the axes after them."""

    front: tuple[_Axis, ...]
    many: _Axis | None
    back: tuple[_Axis, ...]


@functools.lru_cache(maxsize=1024)
def _parsed(pattern: str) -> _Pattern:
    axes: list[_Axis] = []
    for axis in pattern.split(", "):
        length, name, least = re.fullmatch(r"(\d+(?= ))? ?(.*?)(?: >= (\d+))?", axis).groups()  # type: ignore[union-attr]
        axes.append(_Axis(name, None if length is None else int(length), int(least or 0)))
    place = next((i for i, axis in enumerate(axes) if axis.name.startswith((".", "*"))), None)
    if place is None:
        return _Pattern(tuple(axes), None, ())
    return _Pattern(tuple(axes[:place]), axes[place], tuple(axes[place + 1 :]))


def _fits(shape: Dims, pattern: str, lengths: dict[str, Any]) -> bool:
    """Whether a shape is one of a pattern; the lengths of its axes are entered by name."""
    front, many, back = _parsed(pattern)
    end = len(shape) - len(back)
    middle = shape[len(front) : end]
    if end < len(front) or (middle and many is None) or (many and many.least and any(n < many.least for n in middle)):
        return False
    for n, (name, length, least) in zip(shape[: len(front)] + shape[end:], front + back, strict=True):
        if (length is not None and n != length) or (least and n < least) or lengths.setdefault(name, n) != n:
            return False
    return True


def require_shapes(where: str, given: Mapping[str, tuple[Dims | None, str]], advice: str = "") -> None:
    """Check shapes against patterns; None, for an array that there is not, fits all.

        >>> require_shapes("Linear", {"weight": ((2, 3), "inputs, outputs"), "bias": ((2,), "outputs")})
        Traceback (most recent call last):
        ValueError: Linear: weight must be (inputs, outputs) and bias (outputs,), got shapes (2, 3) and (2,).

    Parameters:
        where: whose arrays they are.
        given: shapes and patterns by the names of the arrays.
        advice: what the message says at its end.

    Raises:
        ValueError: a shape does not fit.
    """
    lengths: dict[str, Any] = {}
    if all(shape is None or _fits(shape, pattern, lengths) for shape, pattern in given.values()):
        return
    texts = [f"({text}{'' if ', ' in text else ','})" for _, text in given.values()]
    first, *others = (f"{name} {text}" for name, text in zip(given, texts, strict=True))
    demand = " and ".join([first.replace(" (", " must be (", 1), *others])
    shapes = " and ".join(str(shape) for shape, _ in given.values())
    raise ValueError(f"{where}: {demand}, got shape{'s' * (len(given) > 1)} {shapes}{advice}.")


def broadcasts(shape: Dims, onto: Dims) -> bool:
    """Whether a shape broadcasts to another one."""
    fits = (n in (1, m) for n, m in zip(shape[::-1], onto[::-1], strict=False))
    return len(shape) <= len(onto) and all(fits)


def require_broadcast(where: str, name: str, shape: Dims, onto: Dims, what: str) -> None:
    """Check that a parameter, one value or one a neuron, broadcasts to an array.

    Raises:
        ValueError: it does not.
    """
    if not broadcasts(shape, onto):
        raise ValueError(
            f"{where}: {name} of shape {shape} does not broadcast to {what} of shape {onto}; give one value, or one a "
            f"neuron (the last axis)."
        )
