"""The colour and the line style of a class of surrogates, the same in every picture."""

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
    """The colour of a class of surrogates, the same everywhere; its place in the catalogue decides."""
    return PALETTE[_rank(kind) % len(PALETTE)]


def dashes_of(kind: Kind) -> Any:
    """The line style of a class of surrogates, which tells classes of one colour apart."""
    return DASHES[_rank(kind) // len(PALETTE) % len(DASHES)]


def styles(kinds: Iterable[Kind]) -> list[tuple[str, Any]]:
    """Colours and line styles of what one picture shows: one colour a class, and the first line style that is free."""
    found: list[tuple[str, Any]] = []
    for kind in kinds:
        own = [(colour_of(kind), dashes) for dashes in (dashes_of(kind), *DASHES)]
        found.append(next((style for style in own if style not in found), own[0]))
    return found


def _rank(kind: Kind) -> int:
    name, ours = kind if isinstance(kind, str) else kind_name(kind), [k.__name__ for k in built_in()]
    places = {name: place for place, known in enumerate(ours) for name in (known, snake_case(known))}
    # Ranks of users' classes lie behind the library's; their names alone decide, so that none moves another's colour.
    own = len(ours) + zlib.crc32(name.rpartition(".")[2].encode()) % len(PALETTE)
    return places.get(name, own)
