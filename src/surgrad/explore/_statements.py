"""Statements of a JavaScript function, each of which computes one number."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


class Name(str):
    """The name of a JavaScript variable, in contrast to a number that is known."""

    __slots__ = ()


def literal(value: Any) -> str:
    """Return a name, or a number as JavaScript writes it; negative ones in brackets.

    >>> literal(-0.5), literal(3.0), literal(True), literal(float("inf"))
    ('(-0.5)', '3', 'true', 'Infinity')
    """
    if isinstance(value, Name):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    number = float(value)
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "(-Infinity)"
    text = repr(number).removesuffix(".0")
    return f"({text})" if text.startswith("-") else text


class Statements:
    """Statements in order; two that would compute the same are one."""

    def __init__(self) -> None:
        self._of: dict[str, Name] = {}
        self._operands: dict[Name, list[Name]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._of)

    def fresh(self) -> Name:
        """Return a name that is not taken: a, b, ..., z, a1, b1, ..."""
        number, letter = divmod(self._count, len(_LETTERS))
        self._count += 1
        return Name(f"{_LETTERS[letter]}{number or ''}")

    def add(self, write: Callable[..., str], operands: Sequence[Any]) -> Any:
        """Return the name of the value that `write` makes of operands, or the operand itself if it changes nothing."""
        text = write(*map(literal, operands))
        for operand in operands:
            if text == literal(operand):
                return operand
        if text not in self._of:
            name = self.fresh()
            self._of[text] = name
            self._operands[name] = [one for one in operands if isinstance(one, Name)]
        return self._of[text]

    def leading_to(self, results: Sequence[Any]) -> str:
        """Return the declaration of all variables that results need."""
        wanted = [one for one in results if isinstance(one, Name)]
        needed: set[Name] = set()
        while wanted:
            name = wanted.pop()
            if name not in needed:
                needed.add(name)
                wanted += self._operands.get(name, [])
        kept = [f"{name}={text}" for text, name in self._of.items() if name in needed]
        return f"const {','.join(kept)};" if kept else ""
