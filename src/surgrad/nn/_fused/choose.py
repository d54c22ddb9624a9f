"""How the time loop of an elementwise cell runs: as a kernel on GPUs, else as a scan."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Literal

import jax

from surgrad._types import PyTree
from surgrad.nn._fused.warning import warn_of_scan
from surgrad.nn._loops import Keep, on_explicit_mesh, steps

Backend = Literal["scan", "pallas"]
BACKENDS = ("scan", "pallas")

_asked: ContextVar[Backend | None] = ContextVar("surgrad_time_loop", default=None)


@contextlib.contextmanager
def using(backend: Backend | None) -> Iterator[None]:
    """Run the time loops inside of a block as a kernel or as a scan; None chooses by the device."""
    token = _asked.set(backend)
    try:
        yield
    finally:
        _asked.reset(token)


def time_loop(cell: Any, state: PyTree, inputs: PyTree, keep: Keep = "all") -> tuple[PyTree, PyTree]:
    """All time steps of a cell that promises to be elementwise: the last state, and all outputs or the last.

    Raises:
        MixedNeuronsError: the step is not elementwise, and a kernel was to be built.
    """
    on_gpu = jax.default_backend() == "gpu"
    wanted = _asked.get() or ("pallas" if on_gpu else "scan")
    if wanted == "pallas" and not on_explicit_mesh():
        from surgrad.nn._fused.build import fused  # Pallas takes a while to import

        try:
            return fused(cell, state, inputs, keep, interpret=not on_gpu)
        except NotImplementedError as reason:
            warn_of_scan(type(cell).__name__, "", reason)
    return steps(cell, state, inputs, keep)
