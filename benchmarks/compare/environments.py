"""Environments of competitors that cannot be installed beside the others: they need a newer Python, or pin JAX.

They are made once, as those of `run.py`, and used by all competitors that name them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from benchmarks.compare.competitors import COMPETITORS

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import run  # noqa: E402, it lies in the folder above

ENVIRONMENTS = {".venv-sparx": ["-e", ".[dev,sparx]"], ".venv-peers-newest": ["-e", ".[dev,brain]", "--upgrade"]}
"""What is installed in each, in the newest releases that agree, on the newest Python of this machine."""


def pythons(names: Iterable[str]) -> dict[str, str]:
    """The interpreters of competitors with an environment of their own, whether it is there or not."""
    folders = {name: COMPETITORS[name].environment for name in names}
    return {name: run.binary(str(ROOT / folder), "python") for name, folder in folders.items() if folder}


def make(names: Iterable[str]) -> None:
    """Make the environments of competitors that are missing; what fails is said, and the competitor left out."""
    python = run.newest_python()
    for folder in sorted({COMPETITORS[name].environment or "" for name in names} - {""}):
        try:
            if python is None:
                raise SystemExit("no Python >= 3.12 here")
            run.environment(folder, ENVIRONMENTS[folder], python, pinned=False)
        except SystemExit as reason:
            print(f"{folder} cannot be made: {reason}", file=sys.stderr)
