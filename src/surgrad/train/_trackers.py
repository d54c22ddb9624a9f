"""Trackers: where `fit` writes the numbers of each epoch."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from surgrad._extras import missing
from surgrad._files import replacing


@runtime_checkable
class Tracker(Protocol):
    """What `fit` calls to record numbers; any object with these three methods is one.

    A run that was killed calls `start` again with the step of the checkpoint from which it goes on. What was recorded
    of later steps is recorded once more then, so that a tracker forgets it.
    """

    def start(self, step: int) -> None:
        """Begin, or begin again; what was recorded of later steps is to be forgotten."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Record numbers by their names, after so many updates."""

    def close(self) -> None:
        """End, also after an error."""


class CSV:
    """A tracker that writes a table: a column for the step and one for each number, a row for each epoch.

    Parameters:
        path: path of the file. Rows of an interrupted run stay.

    Raises:
        OSError: the file cannot be written.
        ValueError: the file is there and has other columns.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def start(self, step: int) -> None:
        """Drop the rows of later steps, and one that was not written to its end."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if not self.path.exists():
            return
        lines = self.path.read_text("utf-8").splitlines(keepends=True)
        kept = [line for line in lines[1:] if line.endswith("\n") and _step(line) <= step]
        if len(kept) < len(lines) - 1 or not all(line.endswith("\n") for line in lines[:1]):
            head = lines[:1] if kept else []
            with replacing(self.path) as file:
                file.write("".join([*head, *kept]).encode())

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Append a row."""
        columns = ["step", *values]
        new = not self.path.exists() or not self.path.stat().st_size
        if not new:
            with self.path.open(newline="", encoding="utf-8") as file:
                there = next(csv.reader(file))
            if there != columns:
                raise ValueError(f"CSV: {self.path} has the columns {there}, not {columns}; give another path.")
        with self.path.open("a", newline="", encoding="utf-8") as file:
            rows = [columns] if new else []
            csv.writer(file, lineterminator="\n").writerows([*rows, [step, *map(repr, values.values())]])

    def close(self) -> None:
        """Nothing: each row is written at once."""


def _step(line: str) -> float:
    """The step of a row; infinite if it has none."""
    text = line.partition(",")[0]
    return int(text) if text.isdecimal() else float("inf")


class TensorBoard:
    """A tracker that writes a folder of events for TensorBoard, by tensorboardX.

    Parameters:
        folder: the folder, made if it is missing. `tensorboard --logdir FOLDER` shows it.

    Raises:
        ImportError: tensorboardX is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        try:
            import tensorboardX
        except ModuleNotFoundError as error:
            raise ImportError(missing("train.TensorBoard", "tensorboardX")) from error
        self._make, self.folder, self._writer = tensorboardX.SummaryWriter, Path(folder), None

    def start(self, step: int) -> None:
        """Open the folder; TensorBoard hides what was recorded of later steps."""
        # The name of the file has the second, which two short runs may share.
        suffix = f".{os.getpid()}.{step}"
        self._writer: Any = self._make(str(self.folder), purge_step=step + 1, filename_suffix=suffix)

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Write the numbers, each a scalar of its own."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def close(self) -> None:
        """Close the folder."""
        if self._writer is not None:
            self._writer.close()
