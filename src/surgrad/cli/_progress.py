"""The progress of a study on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(total: int) -> Iterator[tuple[Callable[[str, int], None], Callable[[str], None]]]:
    """A progress bar on standard error if that is a terminal: functions that advance it, and that print above it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    console = Console(stderr=True, highlight=False)
    columns = TextColumn("{task.description:>20}"), BarColumn(None), TaskProgressColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("compiling", total=total)

        def advance(name: str, runs: int) -> None:
            bar.update(task, description=name, advance=runs)

        yield advance, lambda text: console.print(text, soft_wrap=True, markup=False)
