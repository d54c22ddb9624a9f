"""The folder of a study's results: rows as runs finish, and everything at the end."""

from __future__ import annotations

import csv
import dataclasses
import json
import math
import platform
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from surgrad.cli._usage import writing


class Folder:
    """A folder of `runs.csv` (one line for each run), `results.json` (everything), `compare.png`, and a database.

    The constructor checks that all three files can be written. Files of an earlier study stay until the first rows
    come; `database` is the address of the table in which all rows are kept.

    Parameters:
        path: path of the folder, which is created if it is missing.
        columns: names of the columns of `runs.csv`.

    Raises:
        UsageError: the folder or a file in it cannot be written.
    """

    def __init__(self, path: str, columns: Sequence[str]):
        self.path = Path(path)
        self.runs, self.results, self.picture = (self.path / n for n in ("runs.csv", "results.json", "compare.png"))
        self.database = f"sqlite:///{self.path / 'runs.db'}"
        self._columns, self._begun = columns, False
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
            for file in (self.runs, self.results, self.picture):
                was_there = file.exists()
                file.open("a").close()
                if not was_there:
                    file.unlink()

    def append(self, rows: Sequence[Any]) -> None:
        """Append the rows of finished runs to `runs.csv` at once, so that a later error cannot lose them."""
        with writing(self.path):
            if not self._begun:
                for stale in (self.results, self.picture):
                    stale.unlink(missing_ok=True)
            with self.runs.open("a" if self._begun else "w", newline="", encoding="utf-8") as file:
                if not self._begun:
                    csv.writer(file).writerow(self._columns)
                csv.writer(file).writerows([getattr(row, name) for name in self._columns] for row in rows)
            self._begun = True

    def write(self, results: dict[str, Any]) -> None:
        """Write `results.json`, with the versions of the packages that made the results."""
        content = json.dumps({"versions": _versions()} | _plain(results), indent=1, allow_nan=False)
        with writing(self.path):
            self.results.write_text(content + "\n", encoding="utf-8")

    def draw(self, figure: Any) -> None:
        """Write `compare.png`."""
        with writing(self.path):
            figure.savefig(self.picture, dpi=160)


def _versions() -> dict[str, str | None]:
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in ("surgrad", "jax", "numpy", "optax", "scikit-learn"):
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:  # run from a folder of sources
            versions[package] = None
    return versions


def _plain(value: Any) -> Any:
    """The value as JSON can hold it: dataclasses as dictionaries, and None for a number that is not finite."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if isinstance(value, dict):
        return {name: _plain(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
