"""Where and on what figures were measured."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

from benchmarks.compare.competitors import COMPETITORS

ROOT = Path(__file__).parents[2]


def machine() -> dict[str, Any]:
    """The processor and its system; None for what it does not tell."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_bytes": _memory(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def load() -> list[float] | None:
    """Processes that want a core, as means over 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()] if hasattr(os, "getloadavg") else None


def versions() -> dict[str, str | None]:
    """The versions of all packages that take part; None for those that are not installed."""
    names = ("surgrad", "jax", "jaxlib", "numpy", *(name for c in COMPETITORS.values() for name in c.packages))
    return {name: version(name) for name in dict.fromkeys(names)}


def commit() -> dict[str, Any]:
    """The commit that was measured, and whether files other than results differed from it."""
    found = _git("rev-parse", "HEAD")
    results = [
        f":(exclude){folder}"
        for folder in ("benchmarks/results", "benchmarks/gpu/results", "recipes/results", "recipes/README.md")
    ]
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", ".", *results)
    return {"id": found, "changed": None if changed is None else bool(changed)}


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def version(name: str) -> str | None:
    """The version of a package, also of surgrad where its source alone is there; None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return importlib.import_module(name).__version__ if name == "surgrad" else None


def _cpu() -> str | None:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or None
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), None)


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):
        return None
