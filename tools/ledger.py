"""Run the tests that compare with references, and write the ledger of what they found: docs/reference/ledger.json.

    python tools/ledger.py                          # with this Python
    python tools/ledger.py .venv-peers/bin/python   # and the tests beside other libraries with a Python that has those

A row is the largest error of one object in one test. Rows of tests that did not run, as their packages are missing,
stay as they were; those of tests that no longer exist are removed.
"""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "docs" / "reference" / "ledger.json"
Row = dict[str, Any]


RECORDERS = {"agrees", "record"}


def files() -> list[Path]:
    """The test files that record something."""
    found = sorted((ROOT / "tests").rglob("test_*.py"))
    found.remove(ROOT / "tests" / "test_ledger.py")
    return [file for file in found if "from ledger import" in file.read_text("utf-8")]


def tests() -> list[str]:
    """The tests that record something, themselves or by a function of their file, as pytest names them."""
    return [name for file in files() for name in recording(file)]


def recording(file: Path) -> list[str]:
    """The tests of one file that record something."""
    tree = ast.parse(file.read_text("utf-8"))
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    helpers = RECORDERS | {name for name, node in functions.items() if calls(node, RECORDERS)}
    groups = [(file.relative_to(ROOT).as_posix(), tree.body)]
    groups += [(f"{groups[0][0]}::{node.name}", node.body) for node in tree.body if isinstance(node, ast.ClassDef)]
    return [
        f"{path}::{node.name}"
        for path, body in groups
        for node in body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_") and calls(node, helpers)
    ]


def calls(function: ast.FunctionDef, names: set[str]) -> bool:
    """Whether a function calls one of some names."""
    found = (node.func for node in ast.walk(function) if isinstance(node, ast.Call))
    return any(isinstance(called, ast.Name) and called.id in names for called in found)


def recorded(python: str, chosen: list[str]) -> list[Row]:
    """What some tests record when they run with a Python."""
    with tempfile.NamedTemporaryFile("r", suffix=".jsonl", encoding="utf-8") as file:
        environment = os.environ | {"SURGRAD_LEDGER": file.name}
        command = [python, "-m", "pytest", "-m", "slow or not slow", *chosen]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        return [json.loads(line) for line in file.read().splitlines()]


def key(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in ("object", "reference", "dtype", "measure", "test"))


def merged(before: list[Row], found: list[Row]) -> list[Row]:
    """The largest error of each object and test, in place of what earlier runs of these tests found."""
    rows: dict[tuple[str, ...], Row] = {}
    for row in found:
        largest = rows.setdefault(key(row), row)
        if row["error"] / (row["tolerance"] or 1) > largest["error"] / (largest["tolerance"] or 1):
            rows[key(row)] = row
    again = {row["test"] for row in found}
    there = set(tests())
    kept = [row for row in before if row["test"] in there - again]
    return sorted([*kept, *rows.values()], key=key)


def main(pythons: list[str]) -> int:
    """Write the ledger from what the tests find with some Pythons."""
    rows = json.loads(FILE.read_text("utf-8")) if FILE.exists() else []
    rows = merged(rows, recorded(sys.executable, tests()))
    beside = [test for test in tests() if test.startswith(("tests/peers", "tests/adapters"))]
    for python in pythons:
        rows = merged(rows, recorded(python, beside))
    FILE.write_text("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n", "utf-8")
    print(f"{len(rows)} rows in {FILE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
