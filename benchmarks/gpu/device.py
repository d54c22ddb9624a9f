"""The card, its driver, and what programs need in order to find them."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
from pathlib import Path

from benchmarks.compare import machine

ROOT = Path(__file__).resolve().parents[2]
FIELDS = {"card": "name", "driver": "driver_version", "memory": "memory.total", "clock": "clocks.max.sm"}
LIBRARIES = ("triton", "jax-cuda13-plugin", "jax-cuda12-plugin", "nvidia-cudnn-cu13", "nvidia-cudnn-cu12")


def card() -> dict[str, str] | None:
    """The first NVIDIA card; None on a machine without one."""
    query = f"--query-gpu={','.join(FIELDS.values())}"
    try:
        done = subprocess.run(
            ["nvidia-smi", query, "--format=csv,noheader"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    cells = [cell.strip() for cell in done.stdout.splitlines()[0].split(",")]
    return dict(zip(FIELDS, cells, strict=True))


def versions() -> dict[str, str | None]:
    """Those of all packages that take part, and of what drives the card."""
    installed = {found.metadata["Name"] for found in importlib.metadata.distributions()}
    return machine.versions() | {name: machine.version(name) for name in LIBRARIES if name in installed}


def environment(rehearse: bool, site: Path | None) -> dict[str, str]:
    """Variables of the processes of competitors.

    Memory is taken as it is needed, or nothing could be said of it, and products are those of float32 for all: by
    default JAX takes TF32, and PyTorch does not. Warnings go to the log: a kernel that cannot be compiled gives one.
    """
    found = [str(folder) for folder in (site, ROOT / "src") if folder] + os.environ.get("PYTHONPATH", "").split(":")
    return {
        "BENCHMARK_DEVICE": "cpu" if rehearse else "cuda",
        "JAX_PLATFORMS": "cpu" if rehearse else "cuda",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "JAX_DEFAULT_MATMUL_PRECISION": "highest",
        "PYTHONWARNINGS": "default",
        "PYTHONPATH": ":".join(filter(None, found)),
    }
