"""Draw surrogates to a file.

One surrogate is drawn with its curve, slope and spikes; several are compared. NAME:PARAMETER=VALUE,VALUE shows the
effect of a hyperparameter. Without names, the picture is a gallery of all surrogates.
"""

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
    """Add the arguments of the command."""
    text = f"{specs.LIST}; without it, all surrogates are drawn"
    parser.add_argument("surrogates", type=specs.parse, metavar="LIST", nargs="?", default=[], help=text)
    parser.add_argument(
        "--out",
        default="results/surrogates.png",
        metavar="FILE",
        help="the picture; its ending sets the format: .png, .pdf or .svg",
    )


def run(options: argparse.Namespace) -> int:
    """Draw the surrogates, and write the picture."""
    require("matplotlib")
    figure = _figure(options.surrogates)
    path = Path(options.out)
    with writing(path), reported(ValueError):  # a ValueError comes from an ending that is no format
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
