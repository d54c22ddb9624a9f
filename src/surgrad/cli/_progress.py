"""The progress of a study on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(total: int) -> Iterator[tuple[Callable[[str, int], None], Callable[[str], None]]]:
    """A progress bar on standard error if that is a terminal: functions that advance it, and that print above it."""
    from surgrad.train._progress import drawn

    done = 0
    with drawn(total, transient=True) as (show, say):

        def advance(name: str, runs: int) -> None:
            nonlocal done
            done += runs
            show(done, f"{name:>20}")

        yield advance, say
