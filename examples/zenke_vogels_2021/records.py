"""The runs that are done: a file of JSON lines, its settings first, and accuracies by family."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from experiment import Family, Settings

Rows = list[dict[str, Any]]
_FIELDS = tuple(field.name for field in dataclasses.fields(Family))


def read(path: Path, settings: Settings) -> Rows:
    """The rows that there are.

    Raises:
        ValueError: the file is of other settings.
    """
    if not path.exists():
        return []
    first, *lines = path.read_text().splitlines()
    written = json.loads(first)
    if written != json.loads(json.dumps(dataclasses.asdict(settings))):
        raise ValueError(f"{path} holds runs of other settings, {written}; give another folder to --out, or remove it.")
    return [{name: math.nan if value is None else value for name, value in json.loads(line).items()} for line in lines]


def append(path: Path, rows: Iterable[dict[str, Any]], settings: Settings) -> None:
    """Add the rows of a family, all at once, so that a run that is cut off leaves whole families."""
    lines = [{name: None if value != value else value for name, value in row.items()} for row in rows]
    head = [] if path.exists() else [dataclasses.asdict(settings)]
    with path.open("a") as file:
        file.write("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in [*head, *lines]))


def family_of(row: dict[str, Any]) -> Family:
    """The family of a row."""
    return Family(**{name: row[name] for name in _FIELDS})


@dataclasses.dataclass(frozen=True)
class Curve:
    """The accuracies of a family in %, `(betas, seeds)`, of held-out samples."""

    betas: np.ndarray
    accuracies: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """Over seeds."""
        return self.accuracies.mean(axis=1)

    @property
    def sd(self) -> np.ndarray:
        """Over seeds; NaN for a single one."""
        one = self.accuracies.shape[1] == 1
        return np.full(len(self.betas), np.nan) if one else self.accuracies.std(axis=1, ddof=1)

    @property
    def best(self) -> int:
        """The place of the scale with the highest mean."""
        return int(self.mean.argmax())

    def shown(self, place: int) -> str:
        """Mean ± standard deviation at a scale."""
        return f"{self.mean[place]:.1f} ± {self.sd[place]:.1f}".replace(" ± nan", "")


def curves(rows: Rows) -> dict[Family, Curve]:
    """The curve of each family."""
    groups: dict[Family, Rows] = {}
    for row in rows:
        groups.setdefault(family_of(row), []).append(row)
    return {family: _curve(group) for family, group in groups.items()}


def _curve(rows: Rows) -> Curve:
    betas, seeds = (sorted({row[name] for row in rows}) for name in ("beta", "seed"))
    found = {(row["beta"], row["seed"]): 100 * row["test_accuracy"] for row in rows}
    return Curve(np.array(betas), np.array([[found[beta, seed] for seed in seeds] for beta in betas]))
