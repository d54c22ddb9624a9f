"""Native kernels on demand: compiled by Numba when a product is first lowered, then known to XLA by a name."""

from __future__ import annotations

import importlib.util
import threading
import warnings
from typing import Any

import jax

_handlers: dict[str, Any] = {}
"""By name, for the machine code lives as long as these objects; None where there is none to be had."""
_lock = threading.Lock()


def available() -> bool:
    """Whether event-driven products can be used: whether Numba is installed."""
    return importlib.util.find_spec("numba") is not None


def require() -> None:
    """Refuse to go on without Numba.

    Raises:
        ImportError: Numba is not installed.
    """
    if not available():
        raise ImportError(
            'Event-driven products are compiled by Numba, which is not installed: pip install "surgrad[events]".'
        )


def target(kind: str, dtype: str) -> str | None:
    """The name by which XLA finds the kernel of a kind, `nn` or `tn`, and a type; None, with a warning, if it fails."""
    name = f"surgrad_event_product_{kind}_{dtype}"
    with _lock:
        if name not in _handlers:
            _handlers[name] = _register(name, kind, dtype)
    return name if _handlers[name] else None


def _register(name: str, kind: str, dtype: str) -> Any:
    # Numba and XLA may each fail in ways of their own (no place for a cache, a retired interface); the dense product
    # is as right.
    try:
        from surgrad.nn._events.kernels import handler

        compiled = handler(kind, dtype)
        jax.ffi.register_ffi_target(name, jax.ffi.pycapsule(compiled.ctypes), platform="cpu")
    except Exception as problem:
        warnings.warn(f"event_product: no native kernel, the dense product is used: {problem}", stacklevel=2)
        return None
    return compiled
