"""The resident memory of this process, as Linux counts it."""

from __future__ import annotations

import ctypes
import gc
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")


def peak_of(step: Callable[[], Any]) -> int | None:
    """The most bytes that a step needs beyond what is resident before it; None where the system does not tell.

    Freed memory goes back to the system before, so that the step cannot hide in what an earlier one left behind; JAX
    lets go of some only in the collection of garbage.
    """
    try:
        time.sleep(0.05)
        gc.collect()
        ctypes.CDLL("libc.so.6").malloc_trim(0)
        CLEAR.write_text("5")  # sets the peak to what is resident now
        before = _status("VmRSS")
        step()
        return max(_status("VmHWM") - before, 0)
    except (OSError, AttributeError, KeyError):
        return None


def _status(key: str) -> int:
    lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
    return int(lines[key].split()[0]) * 1024
