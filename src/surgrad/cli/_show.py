"""Draw surrogates: one, several, or the effect of a parameter; without names, the gallery of all."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from surgrad.cli import _specs as specs
from surgrad.cli._usage import reported, require, writing

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def arguments(parser: argparse.ArgumentParser) -> None:
    """What to draw, and where to."""
    text = f"{specs.LIST} (default: all, as a gallery)%(default).0s"  # argparse would print the default as "[]"
    parser.add_argument("surrogates", type=specs.parse, metavar="LIST", nargs="?", default=[], help=text)
    parser.add_argument("--out", default="results/surrogates.png", metavar="FILE", help="PNG, PDF or SVG")


def run(options: argparse.Namespace) -> int:
    """Write the picture."""
    require("matplotlib")
    figure = _figure(options.surrogates)
    path = Path(options.out)
    with writing(path), reported(ValueError):  # the latter from an ending that is no format
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=160)
    print(f"written to {path}", file=sys.stderr)
    return 0


def _figure(wanted: list[specs.Spec]) -> Figure:
    from surgrad import plot

    if not wanted:
        return plot.gallery()
    surrogates = [surrogate for spec in wanted for surrogate in spec.surrogates()]
    if len(surrogates) == 1:
        return plot.surrogate(surrogates[0])
    if len(wanted) == 1 and wanted[0].parameter is not None:
        return plot.sweep(surrogates[0], wanted[0].parameter, wanted[0].values)
    return plot.compare(surrogates)
