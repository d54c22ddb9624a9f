"""The entry of the command line: it parses arguments, runs a command, and reports mistakes in one line."""

from __future__ import annotations

import argparse
import inspect
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

from surgrad.cli import _calibrate, _check, _compare, _convert, _explore, _show, _study, _train, _tune
from surgrad.cli._usage import UsageError

COMMANDS = (_train, _compare, _study, _calibrate, _tune, _check, _show, _explore, _convert)
"""Modules that have a docstring, `arguments(parser)`, and `run(options)`, which returns the exit code."""


class _Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}\n")


class _Help(argparse.ArgumentDefaultsHelpFormatter):
    """Help with the defaults of options, except those that say nothing: None, False and an empty list."""

    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=28)
        self._action_max_length = 14  # argparse forgets that commands are indented

    def _get_help_string(self, action: argparse.Action) -> str | None:
        silent = action.default is None or action.default is False or action.default == []
        return action.help if silent else super()._get_help_string(action)


def parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    text = "Train spiking networks; compare, calibrate, tune, check, show, explore and convert surrogate gradients."
    parser = _Parser(prog="surgrad", description=text, formatter_class=_Help)
    parser.add_argument(
        "--version",
        action="version",
        version=f"surgrad {import_module('surgrad').__version__}",
        help="print the version",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for module in COMMANDS:
        name, text = module.__name__.rpartition("._")[2], inspect.getdoc(module) or ""
        command = commands.add_parser(
            name,
            help=text.splitlines()[0],
            description=text,
            formatter_class=_Help,
        )
        module.arguments(command)
        command.set_defaults(run=module.run, prog=command.prog)
    return parser


def _with_negative_values(arguments: Sequence[str]) -> list[str]:
    """Join a value that begins with a minus, such as `-1,1`, to its option: `--scales=-1,1`.

    argparse would take such a value for an option, unless it is a single number.
    """
    joined: list[str] = []
    for one in arguments:
        if joined and re.fullmatch("--[a-z-]+", joined[-1]) and re.match(r"-\.?\d", one):
            joined[-1] += f"={one}"
        else:
            joined.append(one)
    return joined


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command, and return its exit code.

    The code is 0 for success, 1 if a check fails, 2 for a mistake of the user, and 128 + n if signal n ended it.

    Parameters:
        argv: the arguments of the command line; None: those of the process.
    """
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
    except BrokenPipeError:  # the reader has left, as in `surgrad check sigmoid | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13
    except KeyboardInterrupt:
        print(f"{options.prog}: interrupted", file=sys.stderr)
        return 130
