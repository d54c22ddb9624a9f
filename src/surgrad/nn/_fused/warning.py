"""The warning of a kernel that cannot be built, once for each reason."""

from __future__ import annotations

import warnings

_warned: set[str] = set()


class NoKernelWarning(UserWarning):
    """Warning: a time loop was to run as a kernel, and runs as a scan, which gives the same results."""


def warn_of_scan(where: str, part: str, reason: Exception) -> None:
    """Warn that a time loop, or a part of it, runs as a scan."""
    text = f"{where}: {part}the time loop runs as a scan, since a kernel cannot be built: {reason}"
    if text not in _warned:
        _warned.add(text)
        warnings.warn(text, NoKernelWarning, stacklevel=2)
