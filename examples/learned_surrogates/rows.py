"""The runs that are done: a file of JSON lines, its settings first."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from problem import Settings

Row = dict[str, Any]


def read(path: Path, settings: Settings) -> list[Row]:
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
    return [json.loads(line) for line in lines]


def append(path: Path, rows: Iterable[Row], settings: Settings) -> None:
    """Add the rows of a job, all at once, so that a run that is cut off leaves whole jobs."""
    head = [] if path.exists() else [dataclasses.asdict(settings)]
    with path.open("a") as file:
        file.write("".join(json.dumps(_plain(line), ensure_ascii=False) + "\n" for line in [*head, *rows]))


def _plain(value: Any) -> Any:
    """The value without what JSON does not know: a number that is not finite becomes null."""
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
