"""Check surrogates against the laws of surrogate gradients.

The exit code is 1 if a surrogate breaks a law.
"""

from __future__ import annotations

import argparse

from surgrad._check.runner import check
from surgrad.cli import _specs as specs


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("surrogates", type=specs.parse, metavar="LIST", help=specs.LIST)


def run(options: argparse.Namespace) -> int:
    """Print a report for each surrogate."""
    surrogates = [surrogate for spec in options.surrogates for surrogate in spec.surrogates()]
    reports = [check(surrogate) for surrogate in surrogates]
    print("\n\n".join(map(str, reports)))
    return 0 if all(report.ok for report in reports) else 1
