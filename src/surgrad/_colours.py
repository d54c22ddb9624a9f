"""The colour and the line style of a class of surrogates, the same in every picture."""

from __future__ import annotations

import zlib
from typing import Any

from surgrad._surrogate import Surrogate, catalogue

# Paul Tol's muted scheme, olive and sand darkened: nine colours that stay apart for the colour-blind and on white.
PALETTE = ("#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#44AA99", "#7F7F1A", "#AA4499", "#C8AE4A")
DASHES: tuple[Any, ...] = ("solid", (0, (4, 1.2)), (0, (1, 1)), (0, (4, 1.2, 1, 1.2)), (0, (8, 2)))


def colour_of(surrogate: Surrogate | type[Surrogate]) -> str:
    """The colour of a class of surrogates, the same everywhere; its place in the catalogue decides."""
    return PALETTE[_rank(surrogate) % len(PALETTE)]


def dashes_of(surrogate: Surrogate | type[Surrogate]) -> Any:
    """The line style of a class of surrogates, which tells classes of one colour apart."""
    return DASHES[_rank(surrogate) // len(PALETTE) % len(DASHES)]


def _rank(surrogate: Surrogate | type[Surrogate]) -> int:
    kind = surrogate if isinstance(surrogate, type) else type(surrogate)
    # Ranks of users' classes lie behind the library's; their names alone decide, so that none moves another's colour.
    known = [k for k in catalogue().values() if k.__module__.startswith("surgrad.")]
    return known.index(kind) if kind in known else len(known) + zlib.crc32(kind.__name__.encode()) % len(PALETTE)
