"""Environments of competitors that cannot be installed beside the others: they need a newer Python, or pin JAX.

They are made once, as those of `run.py`, and used by all competitors that name them.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from benchmarks.compare.competitors import COMPETITORS

ROOT = Path(__file__).resolve().parents[2]


def _commands() -> ModuleType:
    """`run.py` of the project, under a name of its own: examples have a module `run` too."""
    found = importlib.util.spec_from_file_location("surgrad_commands", ROOT / "run.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


run = _commands()

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
