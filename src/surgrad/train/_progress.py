"""The progress bar of `fit`, with the time that is left, by rich."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from surgrad._extras import missing

Advance = Callable[[int, str], None]
"""`(updates so far, text)`."""


@contextmanager
def bar(wanted: bool | None, total: int | None, done: int) -> Iterator[Advance]:
    """A function that moves a bar on standard error; it does nothing where there is none.

    Parameters:
        wanted: whether there is a bar; None: on a terminal, if rich is installed.
        total: number of updates, None if nobody knows.
        done: number of updates before.

    Raises:
        ImportError: a bar is wanted, and rich is not installed.
    """
    installed = importlib.util.find_spec("rich") is not None
    if wanted and not installed:
        raise ImportError(missing("fit(..., progress=True)", "optax", "rich"))
    if not (wanted or (wanted is None and installed and sys.stderr.isatty())):
        yield lambda step, text: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = TextColumn("{task.description}"), BarColumn(None), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=Console(stderr=True, highlight=False)) as shown:
        task = shown.add_task("compiling", total=total, completed=done)
        yield lambda step, text: shown.update(task, completed=step, description=text)
