"""Packages that a GPU machine with JAX and PyTorch lacks, carried to it as a folder of wheels.

python -m benchmarks.gpu.wheels FOLDER [--python 3.12]     # on a machine with a network
python -m benchmarks.gpu --wheels FOLDER --out DIR         # on the GPU machine, which needs none
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

WHEELS = (
    "jaxpike==0.1.*",
    "spikingjelly==2.0.*",
    "loguru",
    "snntorch==1.0.*",
    "spyx==1.0.*",
    "array-record",
    "grain",
    "nir",
    "portpicker",
)
"""The competitors, and what they import beyond what comes with JAX, Flax, Equinox and PyTorch."""


def fetch(folder: Path, python: str) -> None:
    """Download the wheels for Linux on x86-64, and nothing that they depend on."""
    platforms = [f"--platform=manylinux{name}_x86_64" for name in ("_2_28", "_2_17", "2014")]
    where = ["--only-binary=:all:", "--implementation=cp", f"--python-version={python}", *platforms]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *where, "-d", str(folder), *WHEELS]
    subprocess.run(command, check=True)


def install(folder: Path, site: Path) -> Path:
    """Install all wheels of a folder into another, which is then to be searched for packages; needs no network."""
    wheels = sorted(map(str, folder.glob("*.whl")))
    if not wheels:
        raise SystemExit(f"--wheels: there are no wheels in {folder}; `python -m benchmarks.gpu.wheels` fetches them.")
    options = ["--quiet", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--upgrade", f"--target={site}"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, *wheels], check=True)
    return site


def main() -> None:
    """Fetch the wheels."""
    parser = argparse.ArgumentParser(description="Fetch the wheels that a GPU machine lacks.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="3.12", help="the Python of the GPU machine (default: 3.12)")
    options = parser.parse_args()
    fetch(options.folder, options.python)


if __name__ == "__main__":
    main()
