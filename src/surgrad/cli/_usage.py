"""Mistakes of the user: the error, and checks that raise it."""

from __future__ import annotations

import argparse
import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from surgrad._extras import missing


class UsageError(argparse.ArgumentTypeError):
    """A mistake of the user; its message is the line that is printed, to which argparse adds the option's name."""


@contextmanager
def reported(*kinds: type[Exception]) -> Iterator[None]:
    """Report errors of the library as mistakes of the user, in the library's words."""
    try:
        yield
    except kinds as error:
        raise UsageError(" ".join(str(error.args[0] if error.args else error).split())) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Report errors of the file system as mistakes of the user, who chose the path."""
    try:
        yield
    except OSError as error:
        reason = "not a folder" if isinstance(error, FileExistsError) else error.strerror or error
        raise UsageError(f"cannot write to {path}: {reason} ({error.filename}).") from error


def require(*packages: str) -> None:
    """Check that optional packages are installed, before anything long starts.

    Raises:
        UsageError: some are missing; the message names the smallest extra that installs them.
    """
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    if absent:
        raise UsageError(missing("this command", *absent))


def at_least(least: int, most: int = 10**9) -> Callable[[str], int]:
    """A type of arguments: integers from `least` to `most`."""

    def integer(text: str) -> int:
        if not text.isdecimal() or not least <= int(text) <= most:
            limit = f"<= {most}" if text.isdecimal() and int(text) > most else f">= {least}"
            raise argparse.ArgumentTypeError(f"must be an integer {limit}, got {text!r}")
        return int(text)

    return integer
