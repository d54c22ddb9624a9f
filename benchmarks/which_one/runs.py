"""Runs of the study, and the table of their rows: a file of SQLite, in which no finished run is lost or done twice."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import gzip
import hashlib
import io
import json
import math
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import surgrad
from benchmarks.which_one import shapes
from benchmarks.which_one.problems import Net

VERSION = 1
"""Of the design: rows of another one do not count. To be raised when a change of code changes results."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run.

    Parameters:
        task: name of the problem.
        net: name of the architecture.
        rule: name of the rule that sets the width.
        shape: name of a class.
        size: what is 1, `"height"` or `"area"`.
        width: full width at half maximum at the beginning; 0 where the rule decides it.
        seed: of weights, samples and chance.
    """

    task: str
    net: str
    rule: str
    shape: str
    size: str
    width: float
    seed: int

    def same(self) -> Run:
        """The run under the name that its shape has in the present catalogue: several classes may be one shape."""
        index = shapes.index_of(self.shape)
        return self if index is None else dataclasses.replace(self, shape=shapes.shapes()[index].name)


@dataclasses.dataclass(frozen=True)
class Result:
    """A finished run.

    Parameters:
        run: the run.
        test_accuracy: share of the test samples, or of the longest episode, 0 to 1.
        test_loss, train_loss: losses; NaN where one has overflowed.
        firing_rate: spikes for each hidden neuron and time step.
        widths: full widths at half maximum at the beginning, one a layer.
        seconds: wall time without compilation.
        compiled: wall time of compilation, of the first run of a program; else 0.
    """

    run: Run
    test_accuracy: float
    test_loss: float
    train_loss: float
    firing_rate: float
    widths: tuple[float, ...]
    seconds: float
    compiled: float


_RUN = [field.name for field in dataclasses.fields(Run)]
_NUMBERS = "test_accuracy", "test_loss", "train_loss", "firing_rate", "seconds", "compiled"
_MADE = "surgrad", "jax", "finished"
_COLUMNS = "design", *_RUN, *_NUMBERS, "widths", *_MADE


def design(problem: Any, net: Net) -> str:
    """A checksum of the numbers of a problem and an architecture, so that rows of another design do not count."""
    text = json.dumps([VERSION, problem.design(net)], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


class Table:
    """The rows in a file, which is made if it is not there.

    Parameters:
        path: the file.
        designs: the checksum of the design by the names of task and architecture; other rows are passed over.
    """

    def __init__(self, path: Path, designs: dict[tuple[str, str], str]) -> None:
        self._designs = designs
        self._file = sqlite3.connect(path, timeout=60)
        columns = ", ".join(_COLUMNS)
        key = ", ".join(["design", *_RUN])
        self._file.execute(f"CREATE TABLE IF NOT EXISTS runs ({columns}, PRIMARY KEY ({key}))")

    def add(self, result: Result) -> None:
        """Add a row; it is in the file when this returns."""
        import jax

        numbers = [_finite(getattr(result, name)) for name in _NUMBERS]
        now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        made = surgrad.__version__, jax.__version__, now
        row = (
            self._designs[result.run.task, result.run.net],
            *dataclasses.astuple(result.run),
            *numbers,
            json.dumps(result.widths),
            *made,
        )
        with self._file:
            self._file.execute(f"INSERT OR IGNORE INTO runs VALUES ({', '.join('?' * len(row))})", row)

    def results(self) -> list[Result]:
        """The rows of the present design, in the order in which they were finished."""
        found = self._file.execute(f"SELECT {', '.join(_COLUMNS)} FROM runs ORDER BY rowid").fetchall()
        return [_result(row) for row in (dict(zip(_COLUMNS, one, strict=True)) for one in found) if self._counts(row)]

    def _counts(self, row: dict[str, Any]) -> bool:
        return self._designs.get((row["task"], row["net"])) == row["design"]

    def write(self, path: Path) -> None:
        """Write the rows of the present design to a compressed CSV file, the same bytes for the same rows."""
        text = io.StringIO()
        lines = csv.writer(text, lineterminator="\n")
        lines.writerow(_COLUMNS)
        found = self._file.execute(f"SELECT {', '.join(_COLUMNS)} FROM runs ORDER BY {', '.join(_RUN)}").fetchall()
        lines.writerows(row for row in found if self._counts(dict(zip(_COLUMNS, row, strict=True))))
        path.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))

    def read(self, path: Path) -> None:
        """Add the rows of a file that `write` wrote; those that are there stay."""
        with gzip.open(path, "rt", newline="") as file:
            rows = [[_parsed(name, row[name]) for name in _COLUMNS] for row in csv.DictReader(file)]
        with self._file:
            self._file.executemany(f"INSERT OR IGNORE INTO runs VALUES ({', '.join('?' * len(_COLUMNS))})", rows)

    def missing(self, runs: Iterable[Run]) -> list[Run]:
        """The runs that have no row."""
        done = {result.run.same() for result in self.results()}
        return [run for run in runs if run.same() not in done]


def _parsed(name: str, text: str) -> Any:
    """A member of a row of CSV: NaN is NULL in the table, and nothing in the file."""
    if name in _NUMBERS:
        return float(text) if text else None
    return {"width": float, "seed": int}.get(name, str)(text)


def _finite(number: float) -> float | None:
    return float(number) if math.isfinite(number) else None


def _result(row: dict[str, Any]) -> Result:
    numbers: dict[str, Any] = {name: math.nan if row[name] is None else row[name] for name in _NUMBERS}
    return Result(Run(*(row[name] for name in _RUN)), widths=tuple(json.loads(row["widths"])), **numbers)
