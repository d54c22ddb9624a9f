"""Native kernels, which Numba compiles when a product is first lowered, and which XLA then finds by name."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from typing import Any

import jax

_handlers: dict[str, Any] = {}
"""Handlers by name, kept because their machine code lives as long as they do; None for one that failed to compile."""
_lock = threading.Lock()


def available() -> bool:
    """Whether Numba is installed, which event-driven products need."""
    return importlib.util.find_spec("numba") is not None


def require() -> None:
    """Raise an error if Numba is not installed.

    Raises:
        ImportError: Numba is not installed.
    """
    if not available():
        raise ImportError(
            'Event-driven products are compiled by Numba, which is not installed: pip install "surgrad[events]".'
        )


def target(kind: str, dtype: str) -> str | None:
    """The name of a kernel of a dtype in XLA; None, with a warning, if it cannot be compiled.

    Parameters:
        kind: `nn` or `tn`, of products, `spread` or `correlate`, of convolutions.
        dtype: name of the type of its numbers.
    """
    name = f"surgrad_event_{kind}_{dtype}"
    with _lock:
        if name not in _handlers:
            _handlers[name] = _register(name, kind, dtype)
    return name if _handlers[name] else None


def _register(name: str, kind: str, dtype: str) -> Any:
    # Numba and XLA may fail for many reasons, such as no folder for the cache or an interface that is no longer
    # supported. The dense product gives the same result.
    try:
        if kind in ("nn", "tn"):
            from surgrad.nn._events.kernels import handler
        else:
            from surgrad.nn._events.convolution_kernels import handler
        compiled = handler(kind, dtype)
        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(compiled.ctypes), platform="cpu")
    except Exception as problem:
        warnings.warn(
            f"the native kernel {name} cannot be compiled, and the dense product is used instead: {problem}",
            stacklevel=2,
        )
        return None
    return compiled
