"""How the time loop of an elementwise cell runs: as a kernel on GPUs, else as a scan."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any, Literal

import jax

from surgrad._types import PyTree
from surgrad.nn._fused.warning import warn_of_scan
from surgrad.nn._loops import Keep, name_of, on_explicit_mesh, steps

Backend = Literal["scan", "pallas"]
BACKENDS = ("scan", "pallas")
KERNELS = ("gpu", "tpu")
"""Backends of JAX for which kernels are compiled."""

_asked: ContextVar[Backend | None] = ContextVar("surgrad_time_loop", default=None)


@contextlib.contextmanager
def using(backend: Backend | None) -> Iterator[None]:
    """Run the time loops inside a block as a kernel or as a scan; None chooses by the device."""
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
    compiles = jax.default_backend() in KERNELS
    wanted = _asked.get() or ("pallas" if compiles else "scan")
    if wanted == "pallas" and not on_explicit_mesh():
        return kernel_or_scan(cell, state, inputs, keep, interpret=not compiles)
    return steps(cell, state, inputs, keep)


def kernel_or_scan(
    cell: Any, state: PyTree, inputs: PyTree, keep: Keep = "all", *, interpret: bool
) -> tuple[PyTree, PyTree]:
    """The loop as a kernel, or with a warning as a scan where no kernel can be built or compiled."""
    from surgrad.nn._fused.build import fused  # Pallas takes a while to import

    try:
        return fused(cell, state, inputs, keep, interpret=interpret, try_out=not interpret)
    except NotImplementedError as reason:
        warn_of_scan(name_of(cell), "", reason)
        return steps(cell, state, inputs, keep)
