"""Colours and line styles of surrogates; those of a class are the same in every picture."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import Any

from surgrad._catalogue import built_in, kind_name, snake_case
from surgrad._surrogate import Surrogate

PALETTE = ("#332288", "#CC6677", "#117733", "#88CCEE", "#882255", "#44AA99", "#7F7F1A", "#AA4499", "#C8AE4A")
"""Nine colours that stay apart for the colour-blind and on white: Paul Tol's muted scheme, olive and sand darkened."""
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
    # Those that derive from another come last, so that none of them moves the colour of a family. The others come in
    # the order of their definition: those of one file, which are shown together most, have colours of their own.
    ours = [k.__name__ for k in sorted(kinds, key=lambda k: any(base in kinds for base in k.__mro__[1:]))]
    name = kind if isinstance(kind, str) else kind_name(kind)
    places = {name: place for place, known in enumerate(ours) for name in (known, snake_case(known))}
    # Users' classes come after the library's. Only their names count, so that none changes the colour of another.
    own = len(ours) + zlib.crc32(name.rpartition(".")[2].encode()) % len(PALETTE)
    return places.get(name, own)


def on_dark(colour: str) -> str:
    """Return a colour in the same hue, mixed with white until it stands out from a dark background.

    Its relative luminance is 0.24 at least, a contrast of 5 to 1 with #12161c.
    """
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    white = next(share for share in (i / 50 for i in range(51)) if _luminance(channels, share) >= 0.24)
    return "#" + "".join(f"{round(255 * (c + (1 - c) * white)):02x}" for c in channels)


def _luminance(channels: Iterable[float], white: float) -> float:
    """Return the relative luminance, as WCAG defines it, of a colour that is mixed with a share of white."""
    mixed = [c + (1 - c) * white for c in channels]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in mixed)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
