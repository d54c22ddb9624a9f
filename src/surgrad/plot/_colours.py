"""Colours and line styles of surrogates; those of a class are the same in every picture."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from surgrad._catalogue import built_in, kind_name, snake_case
from surgrad._surrogate import Surrogate

# Paul Tol's muted scheme, olive and sand darkened: nine colours that stay apart for the colour-blind and on white.
PALETTE = ("#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#44AA99", "#7F7F1A", "#AA4499", "#C8AE4A")
DASHES: tuple[Any, ...] = ("solid", (0, (4, 1.2)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)), (0, (8, 2)))


Kind = Surrogate | type[Surrogate] | str
"""An object, its class, or the name that `kind_name` gives it."""


def colour_of(kind: Kind) -> str:
    """Return the colour of a class of surrogates in all pictures, from its place in the catalogue.

    Parameters:
        kind: a surrogate, its class, or the name of its class.
    """
    return PALETTE[_rank(kind) % len(PALETTE)]


def dashes_of(kind: Kind) -> Any:
    """Return the line style of a class of surrogates, by which classes of one colour differ."""
    return DASHES[_rank(kind) // len(PALETTE) % len(DASHES)]


def styles(kinds: Iterable[Kind]) -> list[tuple[str, Any]]:
    """Return colours and line styles for one picture: the colour of each class, and its first free line style."""
    found: list[tuple[str, Any]] = []
    for kind in kinds:
        own = [(colour_of(kind), dashes) for dashes in (dashes_of(kind), *DASHES)]
        found.append(next((style for style in own if style not in found), own[0]))
    return found


def _rank(kind: Kind) -> int:
    kinds = built_in()
    # Surrogates that derive from another come last, so that none of them moves the colour of a family.
    ours = [k.__name__ for k in sorted(kinds, key=lambda k: any(base in kinds for base in k.__mro__[1:]))]
    name = kind if isinstance(kind, str) else kind_name(kind)
    places = {name: place for place, known in enumerate(ours) for name in (known, snake_case(known))}
    # Users' classes come after the library's. Only their names count, so that none changes the colour of another.
    own = len(ours) + zlib.crc32(name.rpartition(".")[2].encode()) % len(PALETTE)
    return places.get(name, own)
