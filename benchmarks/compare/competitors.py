"""Who takes part, under which name, with which slope."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.compare.cases import ARCHITECTURES, Case
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
        architectures: the networks that it has, functions of its file.
        slope: its surrogate's, a name in `problems.SLOPES`.
        sparse: whether it needs binary inputs.
        long: whether it takes part in long sequences unless told otherwise: gigabytes for each at once are more than
            machines have.
        devices: on what it takes part, of `"cpu"` and `"gpu"`.
        environment: the folder of the environment that has it, see `environments`; None for that of the harness.
        colour: its colour in all pictures: Paul Tol's muted scheme for libraries, greys for limits, blues and yellows
            for surgrad.
    """

    label: str
    role: str
    packages: tuple[str, ...]
    module: str
    architectures: tuple[str, ...]
    slope: str = "arctan"
    sparse: bool = False
    long: bool = False
    devices: tuple[str, ...] = ("cpu", "gpu")
    environment: str | None = None
    colour: str = "#C8AE4A"

    def build(self, architecture: str) -> Callable[[Problem], Program]:
        """The function of an architecture.

        Raises:
            NotImplementedError: it has none.
        """
        if architecture not in self.architectures:
            raise NotImplementedError(f"{self.label} has no {architecture} network.")
        return getattr(importlib.import_module(f"benchmarks.compare.peers.{self.module}"), architecture)


def _entries() -> Iterator[tuple[str, Competitor]]:
    """The competitors of all files in `peers`, from their literal `ENTRIES`: their libraries need not be installed."""
    for file in sorted(Path(__file__).with_name("peers").glob("*.py")):
        defined = dict(_definitions(ast.parse(file.read_text(encoding="utf-8"))))
        networks = tuple(name for name in ARCHITECTURES if name in defined)
        for name, entry in ast.literal_eval(defined.get("ENTRIES") or ast.Dict([], [])).items():
            yield name, Competitor(module=file.stem, architectures=networks, **entry)


def _definitions(module: ast.Module) -> Iterator[tuple[str, ast.expr | None]]:
    """The names that a file defines, functions and values, and the expressions of values."""
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            yield node.name, None
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


ROLES = ("peer", "baseline", "limit", "ours")
COMPETITORS = dict(sorted(_entries(), key=lambda entry: ROLES.index(entry[1].role)))
"""All, by the names of the command line; their order is that of tables, colours and turns.

A competitor is one file in `peers`: its functions, and `ENTRIES`, with the fields of `Competitor` by name.
"""


def entered(case: Case, names: list[str] | None = None, device: str = "cpu") -> list[str]:
    """Who takes part in a case, of those that are named, or of all."""
    chosen = {name: COMPETITORS[name] for name in names or COMPETITORS}
    if names is None:
        chosen = {name: c for name, c in chosen.items() if device in c.devices and (c.long or not case.long)}
    return [name for name, c in chosen.items() if case.activity is not None or not c.sparse]
