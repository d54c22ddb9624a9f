"""The entry of the command line: its parser, and mistakes as one line and exit code 2."""

from __future__ import annotations

import argparse
import inspect
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from surgrad.cli import _calibrate, _check, _compare, _show, _tune
from surgrad.cli._usage import UsageError

COMMANDS = (_compare, _calibrate, _tune, _check, _show)
"""Modules with a docstring, `arguments(parser)`, and `run(options)`, which returns the exit code."""


class _Parser(argparse.ArgumentParser):
    """A parser whose mistakes take one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(prog="surgrad", description="Surrogate gradients: compare, calibrate, tune, check and show them.")
    parser.add_argument("--version", action="version", version=f"surgrad {import_module('surgrad').__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for module in COMMANDS:
        name, text = module.__name__.rpartition("._")[2], inspect.getdoc(module) or ""
        command = commands.add_parser(
            name,
            help=text.splitlines()[0],
            description=text,
            formatter_class=argparse.ArgumentDefaultsHelpFormatter,
        )
        module.arguments(command)
        command.set_defaults(run=module.run, prog=command.prog)
    return parser


def _with_negative_values(arguments: Sequence[str]) -> list[str]:
    """Arguments in which a value that begins with a minus, `-1,1` say, is joined to its option: `--scales=-1,1`.

    argparse takes such a value for an option, unless it is one number.
    """
    joined: list[str] = []
    for one in arguments:
        if joined and re.fullmatch("--[a-z-]+", joined[-1]) and re.match(r"-\.?\d", one):
            joined[-1] += f"={one}"
        else:
            joined.append(one)
    return joined


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code: 0; 1 if a check fails; 2 for a mistake; 128 + the signal that ended it."""
    commands = parser()
    options = commands.parse_args(_with_negative_values(sys.argv[1:] if argv is None else argv))
    if "run" not in options:
        commands.print_help(sys.stderr)
        return 2
    try:
        code = options.run(options)
        sys.stdout.flush()
        return code
    except UsageError as error:
        print(f"{options.prog}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # nobody reads on, as in `surgrad check sigmoid | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except KeyboardInterrupt:
        print(f"{options.prog}: interrupted", file=sys.stderr)
        return 130
