"""Progress bars with the time that is left, by rich: that of `fit`, and any other."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from surgrad._extras import missing

Advance = Callable[[int, str], None]
"""`(number so far, text)`."""


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
    with drawn(total, done, shown=True) as (advance, _):
        yield advance


@contextmanager
def drawn(
    total: int | None, done: int = 0, *, shown: bool | None = None, transient: bool = False
) -> Iterator[tuple[Advance, Callable[[str], None]]]:
    """A bar of rich on standard error: a function that moves it, and one that prints a line above it.

    Parameters:
        total: number of updates, or of what else is counted, None if nobody knows.
        done: number before.
        shown: whether there is a bar; None: on a terminal. Lines are printed in any case.
        transient: whether the bar vanishes at the end.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    off = not (console.is_terminal if shown is None else shown)
    columns = TextColumn("{task.description}"), BarColumn(None), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=transient, disable=off) as progress:
        task = progress.add_task("compiling", total=total, completed=done)

        def advance(now: int, text: str) -> None:
            progress.update(task, completed=now, description=text)

        yield advance, lambda text: console.print(text, soft_wrap=True, markup=False)
