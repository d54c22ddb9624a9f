"""A generator that runs ahead of its consumer, in a thread of its own."""

from __future__ import annotations

import atexit
import functools
import queue
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class _End(NamedTuple):
    """What the thread says last: the error that ended it, or None."""

    error: BaseException | None


def prefetched(make: Callable[[], Iterator[T]], ahead: int) -> Generator[T, None, None]:
    """What `make()` yields, up to `ahead` items made before they are asked for.

    The thread starts with the first item that is asked for. It ends with the generator, when that is exhausted, closed
    or dropped, and with the program. An error in it is raised where the next item is asked for.
    """
    made: queue.Queue[Any] = queue.Queue(ahead)
    stopped = threading.Event()
    thread = threading.Thread(target=_run, args=(make, made, stopped), name="surgrad-batches", daemon=True)
    stop = functools.partial(_stop, made, stopped, thread)
    # A generator that is still open when the interpreter shuts down is closed when threads no longer run.
    atexit.register(stop)
    thread.start()
    try:
        while not isinstance(item := made.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        if not stopped.is_set():  # by `atexit`, after which the functions of modules may be gone
            stop()
            atexit.unregister(stop)


def _stop(made: queue.Queue[Any], stopped: threading.Event, thread: threading.Thread) -> None:
    stopped.set()
    while not made.empty():  # so that a thread that waits for room goes on, and sees that it is to end
        made.get_nowait()
    thread.join()


def _run(make: Callable[[], Iterator[T]], made: queue.Queue[Any], stopped: threading.Event) -> None:
    error: BaseException | None = None
    try:
        for item in make():
            made.put(item)
            if stopped.is_set():
                return
    except BaseException as raised:
        error = raised
    made.put(_End(error))
