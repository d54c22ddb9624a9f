"""Signals that end a study between two epochs, so that no file is left half written."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class StoppedError(Exception):
    """The study was asked to stop."""


class Stop:
    """Whether, and by which signal, the study was asked to stop."""

    signal: int | None = None

    def obey(self) -> None:
        """Raise `StoppedError` if a signal came."""
        if self.signal is not None:
            raise StoppedError


@contextmanager
def stop_on_signals() -> Iterator[Stop]:
    """Record the first SIGINT or SIGTERM; the second one acts at once, as by default.

    An exception that a signal handler raises can be lost inside a compiled call; a record cannot.
    """
    stop = Stop()

    def note(number: int, frame: FrameType | None) -> None:
        stop.signal = number
        signal.signal(number, before[number])

    before: dict[int, Any] = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
