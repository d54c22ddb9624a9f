"""Who takes part, under which name, with which slope."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.compare.cases import Case
from benchmarks.compare.problems import Problem
from benchmarks.compare.program import Program


class Competitor(NamedTuple):
    """One way to compute the same.

    Parameters:
        label: its name on pages and plots.
        role: `"peer"`, a library; `"baseline"`, plain JAX; `"limit"`, a part of the work that no exact dense method
            can leave out; `"ours"`.
        packages: what must be installed, and whose versions are reported.
        module: its file in `peers`.
        slope: its surrogate's, a name in `problems.SLOPES`.
        sparse: whether it needs binary inputs.
        colour: its colour in all pictures: Paul Tol's muted scheme for libraries, greys for limits, blues and yellows
            for surgrad.
    """

    label: str
    role: str
    packages: tuple[str, ...]
    module: str
    slope: str = "arctan"
    sparse: bool = False
    colour: str = "#C8AE4A"

    def build(self, architecture: str) -> Callable[[Problem], Program]:
        """The function of an architecture.

        Raises:
            NotImplementedError: it has none.
        """
        found = getattr(importlib.import_module(f"benchmarks.compare.peers.{self.module}"), architecture, None)
        if found is None:
            raise NotImplementedError(f"{self.label} has no {architecture} network.")
        return found


def _entries() -> Iterator[tuple[str, Competitor]]:
    """The competitors of all files in `peers`, from their literal `ENTRIES`: their libraries need not be installed."""
    for file in sorted(Path(__file__).with_name("peers").glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "ENTRIES":
                for name, entry in ast.literal_eval(node.value).items():
                    yield name, Competitor(module=file.stem, **entry)


ROLES = ("peer", "baseline", "limit", "ours")
COMPETITORS = dict(sorted(_entries(), key=lambda entry: ROLES.index(entry[1].role)))
"""All, by the names of the command line; their order is that of tables, colours and turns.

A competitor is one file in `peers`: its functions, and `ENTRIES`, with the fields of `Competitor` by name.
"""


LONG = ["snntorch", "spyx", "plain_scan", "surgrad", "surgrad_low_memory"]
"""Who takes part in long sequences unless told otherwise: gigabytes for each at once are more than machines have."""


def entered(case: Case, names: list[str] | None = None) -> list[str]:
    """Who takes part in a case, of some or of all."""
    names = names or (LONG if case.workload == "d" else list(COMPETITORS))
    return [name for name in names if case.activity is not None or not COMPETITORS[name].sparse]
