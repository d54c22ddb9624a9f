"""The page of the fidelity ledger, from docs/reference/ledger.json, which the tests write."""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
import json
import runpy
from pathlib import Path
from typing import Any

import public
import verification
from docstrings import prepared
from sphinx.application import Sphinx
from written import Folder

import surgrad
from surgrad import nn

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = "https://github.com/surgrad/surgrad/blob/main"
HEAD = """
What is compared with something that is not this library's code, and how large the error was. The tests write these
numbers: ``python tools/ledger.py`` runs those that compare, and each row is the largest error of one object in one of
them. A test fails where an error is larger than what is allowed, and the test suite fails where a surrogate, a layer, a
loss, a metric or an encoder has no row at all.

A relative error is the difference divided by the exact value, or by a floor where that is close to zero; an allowed
error of 0 means equality. The bound of rounding of the surrogates is what a few roundings of the value and of its
inputs can do; `tests/golden_rows.py <{source}/tests/golden_rows.py>`__ derives it. All values and derivatives of a
surrogate are compared at about a hundred points each, far tails and kinks included.
"""
Row = dict[str, Any]


def kind_of(value: Any) -> str:
    """The kind of an object, by what it derives from or which package has it."""
    if inspect.isclass(value):
        bases = {surgrad.Surrogate: "Surrogates", nn.Cell: "Cells and readouts", nn.Connection: "Connections"}
        return next((kind for base, kind in bases.items() if issubclass(value, base)), "Others")
    kinds = {"encode": "Encoders", "losses": "Losses", "metrics": "Metrics", "train": "Losses", "tasks": "Readers"}
    return kinds.get(value.__module__.split(".")[1], "Others")


def rows(file: Path) -> dict[str, list[tuple[str, Row]]]:
    """The rows of the ledger with the public path of their object, by kind."""
    home = {id(name.object): name.path for name in reversed(public.everything())}
    found: dict[str, list[tuple[str, Row]]] = {}
    for row in json.loads(file.read_text(encoding="utf-8")):
        module, _, name = row["object"].partition(":")
        value = getattr(importlib.import_module(module), name)
        found.setdefault(kind_of(value), []).append((home.get(id(value), name), row))
    order = ["Surrogates", "Cells and readouts", "Connections", "Losses", "Metrics", "Encoders", "Readers", "Others"]
    return {kind: sorted(found[kind], key=lambda item: item[0].lower()) for kind in order if kind in found}


def page(file: Path) -> list[str]:
    """The page: a table for each kind, and the known differences."""
    found = rows(file)
    total = sum(map(len, found.values()))
    lines = ["Fidelity ledger", "===============", *HEAD.format(source=SOURCE).splitlines(), ""]
    objects = len({path for part in found.values() for path, _ in part})
    lines += [*verification.table([row for _, row in found["Surrogates"]])]
    lines += [f"{total} comparisons of {objects} objects:", ""]
    for kind, part in found.items():
        lines += [kind, "-" * len(kind), "", ".. list-table::", "   :header-rows: 1", "   :widths: 24 46 15 15", ""]
        head = ["object", "compared with", "largest error", "allowed"]
        for row in [head, *(cells(path, row) for path, row in part)]:
            lines += [f"   {'* ' if i == 0 else '  '}- {cell}" for i, cell in enumerate(row)]
        lines.append("")
    return [*lines, *differences()]


def cells(path: str, row: Row) -> list[str]:
    """One row of a table."""
    file, *_, name = row["test"].split("::")
    words = name.removeprefix("test_").replace("_", " ")
    note = docstring(file, name)
    measure = f"{row['measure']}, {row['dtype']}" if row["dtype"] else row["measure"]
    text = " ".join(prepared([f"({note})"])).strip() if note else ""
    return [
        f":py:obj:`{path.rpartition('.')[2]} <{path}>`",
        f"{row['reference']}: `{words} <{SOURCE}/{file}>`__ {text}".strip(),
        f"{row['error']:.2g}",
        f"{row['tolerance']:.2g} ({measure})",
    ]


@functools.cache
def docstring(file: str, name: str) -> str:
    """The docstring of a test, which says how parameters of peers are mapped."""
    nodes = ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
    found = (ast.get_docstring(node) for node in nodes if isinstance(node, ast.FunctionDef) and node.name == name)
    return " ".join((next(found, None) or "").split())


def differences() -> list[str]:
    """Known differences: what classes waive, what peers do that cannot be mapped, and tests of braintools."""
    lines = [
        "Known differences",
        "-----------------",
        "",
        "Laws of :py:obj:`surgrad.check` that classes break on purpose:",
        "",
    ]
    for name in public.everything():
        waivers = vars(name.object).get("waivers", {}) if inspect.isclass(name.object) else {}
        for law, reason in waivers.items():
            text = " ".join(prepared([f"`{law}`: {reason}."])).strip()
            lines.append(f"- :py:obj:`{name.name} <{name.path}>`, {text}")
    lines += ["", "Neurons of other libraries:", ""]
    for file in sorted((ROOT / "tests" / "peers").glob("test_*.py")):
        doc = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
        lines += [*prepared(doc.splitlines()), ""]
    lines += ["Tests of braintools that fail here on purpose, by the reason:", ""]
    for excuse in runpy.run_path(str(ROOT / "tests" / "compat" / "excuses.py"))["EXCUSES"]:
        lines += [f"- {' '.join(prepared([excuse.reason])).strip()}."]
    return [*lines, ""]


def write(app: Sphinx) -> None:
    folder = Path(app.srcdir, "reference")
    Folder(folder).write("ledger.rst", "\n".join(page(folder / "ledger.json")))


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("builder-inited", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
