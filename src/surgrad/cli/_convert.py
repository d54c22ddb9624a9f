"""Say what a surrogate of another library is here.

`surgrad convert snntorch.fast_sigmoid slope=25` prints it with its width, height and area, and what else differs in
that library. A library's name lists its surrogates, and nothing lists all.
"""

from __future__ import annotations

import argparse

from surgrad._convert import convert, find, rows_of_library
from surgrad._peers import Library, Row, rows
from surgrad.cli import _specs as specs
from surgrad.cli._usage import UsageError, reported


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("name", metavar="NAME", nargs="?", help="LIBRARY.SURROGATE, such as snntorch.atan, or LIBRARY")
    parser.add_argument("parameters", metavar="PARAMETER=VALUE", nargs="*", help="hyperparameters, by its names")


def run(options: argparse.Namespace) -> int:
    """Print one surrogate, or a list."""
    if options.name is None or (rows_of_library(options.name) and not options.parameters):
        _print_list(rows_of_library(options.name) if options.name else list(rows()))
        return 0
    with reported(KeyError):
        row = find(options.name)
    given = dict(map(_parameter, options.parameters))
    with reported(TypeError, ValueError):
        one = convert(row.full_name, **given)
    print(f"{one!r}  # width {float(one.fwhm()):.4g}, height {float(one.peak()):.4g}, area {float(one.area()):.4g}")
    if row.note:
        print(f"{row.name} {row.note}")
    _print_library(row.library)
    return 0


def _parameter(text: str) -> tuple[str, int | float]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UsageError(f"cannot read {text!r} as a hyperparameter; write PARAMETER=VALUE.")
    return name.strip(), specs.number(value, name.strip())


def _print_list(found: list[Row]) -> None:
    widest = max(len(f"{row.library.key}.{row.call}") for row in found)
    for row in found:
        print(f"{row.library.key}.{row.call}".ljust(widest), row.here)
    if len({row.library for row in found}) == 1:
        _print_library(found[0].library)


def _print_library(library: Library) -> None:
    print(f"{library.name} {library.read}: H(0) = {library.at_threshold:g}, and 1 here")
    print(f"its reset: {library.reset}\nits decay: {library.decay}\nhere: {library.here}")
