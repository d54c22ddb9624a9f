"""Write a page in which surrogates are explored in the browser.

The page is one file, which needs neither a server nor the network: curves, slopes and second derivatives with a slider
for each hyperparameter, and the gradient of a neuron through time. NAME:PARAMETER=VALUE,VALUE begins with other values.
"""

from __future__ import annotations

import argparse
import sys
import webbrowser
from pathlib import Path

from surgrad.cli import _specs as specs
from surgrad.cli._usage import reported, writing


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    text = f"{specs.LIST}; without it, the page has all surrogates"
    parser.add_argument("--surrogates", type=specs.parse, metavar="LIST", default=[], help=text)
    text = "a folder that `surgrad compare` wrote, or its results.json; its accuracies are drawn beside the curves"
    parser.add_argument("--study", metavar="FOLDER", help=text)
    parser.add_argument("-o", "--output", default="explorer.html", metavar="FILE", help="the page")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")


def run(options: argparse.Namespace) -> int:
    """Write the page, and open it if that is wanted."""
    from surgrad import explore

    surrogates = [surrogate for spec in options.surrogates for surrogate in spec.surrogates()]
    with reported(FileNotFoundError, ValueError):
        text = explore.page(surrogates or None, study=options.study)
    path = Path(options.output)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    print(f"written to {path}", file=sys.stderr)
    if options.open:
        webbrowser.open(path.resolve().as_uri())
    return 0
