"""Options of layers that slide a window along axes of space: one number for all axes, or one for each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from surgrad._numbers import whole_each

PerAxis = int | Sequence[int]
Padding = int | str | Sequence[int] | Sequence[tuple[int, int]]


def per_axis(kind: str, name: str, given: Any, axes: int, least: int = 1) -> tuple[int, ...]:
    """A number for each axis of space.

    Raises:
        ValueError: it is neither an integer >= `least` nor one for each axis.
    """
    return whole_each(kind, name, given, least, f"{axes} axes of space", axes)


def space_axes(axes: int, least: Sequence[int] = ()) -> list[str]:
    """The axes of space by name, with their least lengths, if there are any, as `surgrad._shapes` writes them."""
    names = ("depth", "height", "width")[-axes:]
    return [f"{name} >= {low}" for name, low in zip(names, least, strict=True)] if least else list(names)


def paddings(kind: str, given: Any, axes: int) -> str | tuple[tuple[int, int], ...]:
    """Zeros before and after each axis of space, or `"SAME"`.

    Raises:
        ValueError: it is none of what `Conv` lists.
    """
    if isinstance(given, str):
        if given.upper() not in ("SAME", "VALID"):
            raise ValueError(f"{kind}: padding must be integers, 'SAME' or 'VALID', got {given!r}.")
        return "SAME" if given.upper() == "SAME" else ((0, 0),) * axes
    if isinstance(given, (tuple, list)) and any(isinstance(one, (tuple, list)) for one in given):
        if len(given) != axes or not all(isinstance(one, (tuple, list)) and len(one) == 2 for one in given):
            raise ValueError(f"{kind}: padding must have a pair for each of {axes} axes of space, got {given!r}.")
        low, high = (per_axis(kind, "padding", side, axes, 0) for side in zip(*given, strict=True))
        return tuple(zip(low, high, strict=True))
    return tuple((one, one) for one in per_axis(kind, "padding", given, axes, 0))


def channels_first_hint(given: tuple[Any, ...], channels: int, axes: int) -> str:
    """What to do about an input that seems to have its channels before the axes of space; empty for others."""
    if len(given) > axes and given[-axes - 1] == channels != given[-1]:
        return f"; channels come last here: jnp.moveaxis(x, {-axes - 1}, -1)"
    if channels == 1 and len(given) >= axes and given[-1] != 1:
        return "; for images without an axis of channels: x[..., None]"
    return ""
