"""Recordings of your own in files of NumPy and in text files."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surgrad._answers import answers_keywords
from surgrad.events._dataset import EventDataset, from_arrays
from surgrad.events._recording import TimeUnit

_COLUMNS = "time,unit, and if there are several recordings or classes also sample and label"


@answers_keywords
def read_npz(
    path: str | os.PathLike[str],
    *,
    num_units: int | Sequence[int] | None = None,
    classes: int | None = None,
    time_unit: TimeUnit | None = None,
    allow_empty: bool = False,
) -> EventDataset:
    """The recordings in a file of `numpy.savez`, with the events of all recordings one after the other.

    The file has the arrays `times` and `units`, `(events,)`; `counts`, the number of events of each recording,
    `(recordings,)`; and may have `labels`, `(recordings,)`. Without `counts` there is one recording.

    Parameters:
        path: path of the file.
        num_units: number of units, or the shape of the sensor; None: the highest unit + 1.
        classes: number of classes; None: the highest label + 1.
        time_unit: unit of the times, `"s"`, `"ms"` or `"us"`; integers need one.
        allow_empty: whether a recording may be without events.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: times or units are of another type.
        ValueError: the file is broken or lacks an array, the arrays do not fit each other, or a recording is empty, out
            of order, or has a time or a unit that is out of range. The message names the file and the sample.
    """
    arrays = _arrays(Path(path))
    for name in ("times", "units"):
        if name not in arrays:
            raise ValueError(f"{path}: there is no array {name!r}; it has {', '.join(arrays) or 'none'}.")
    times, units = arrays["times"], arrays["units"]
    counts = arrays.get("counts", np.array([len(times)]))
    if not np.issubdtype(counts.dtype, np.integer) or counts.ndim != 1 or counts.min(initial=0) < 0:
        raise ValueError(f"{path}: counts must be integers >= 0, (recordings,), got {counts.dtype}, {counts.shape}.")
    if not len(times) == len(units) == counts.sum():
        raise ValueError(
            f"{path}: there are {len(times)} times, {len(units)} units, and counts for {counts.sum()} events; all must "
            f"be the same."
        )
    ends = np.cumsum(counts)[:-1]
    return from_arrays(
        np.split(times, ends),
        np.split(units, ends),
        arrays.get("labels"),
        num_units=num_units,
        classes=classes,
        time_unit=time_unit,
        allow_empty=allow_empty,
        source=str(path),
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    with path.open("rb") as content:
        try:
            with np.load(content, allow_pickle=False) as file:
                return {name: file[name] for name in file.files}
        except (zipfile.BadZipFile, ValueError, EOFError, OSError, AttributeError) as broken:
            raise ValueError(
                f"{path}: cannot be read as a file of numpy.savez ({broken}); it may be cut off."
            ) from broken


@answers_keywords
def read_csv(
    path: str | os.PathLike[str],
    *,
    num_units: int | Sequence[int] | None = None,
    classes: int | None = None,
    time_unit: TimeUnit = "s",
) -> EventDataset:
    """The recordings in a text file with one event a line, columns separated by commas.

    The first line names the columns: `time` and `unit`, in any order, and if there are several recordings or classes
    `sample` and `label` too. The lines of a sample follow each other, and have one label. A sample is named by an
    integer; which integers they are does not matter.

    Parameters:
        path: path of the file.
        num_units: number of units, or the shape of the sensor; None: the highest unit + 1.
        classes: number of classes; None: the highest label + 1.
        time_unit: unit of the times, `"s"`, `"ms"` or `"us"`.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a column is missing, a line is broken, a sample is in two places or has two labels, or is out of
            order or has a time or a unit that is out of range. The message names the file, and the line or the sample.
    """
    columns = _columns(Path(path))
    first = {name: _whole(path, name, column) for name, column in columns.items() if name != "time"}
    samples = first.get("sample", np.zeros(len(columns["time"]), np.int64))
    begins = np.flatnonzero(np.diff(samples, prepend=samples[0] - 1))
    if len(np.unique(samples[begins])) < len(begins):
        again = next(place for place in begins if np.any(samples[:place] == samples[place]))
        raise ValueError(
            f"{path}, line {again + 2}: sample {samples[again]} goes on here; its lines must follow each other."
        )
    labels = None
    if "label" in first:
        labels = first["label"][begins]
        differs = np.repeat(labels, np.diff(begins, append=len(samples))) != first["label"]
        if differs.any():
            line = int(np.argmax(differs))
            raise ValueError(
                f"{path}, line {line + 2}: sample {samples[line]} has a second label, {first['label'][line]}."
            )
    return from_arrays(
        np.split(columns["time"], begins[1:]),
        np.split(first["unit"], begins[1:]),
        labels,
        num_units=num_units,
        classes=classes,
        time_unit=time_unit,
        source=str(path),
    )


def _columns(path: Path) -> dict[str, np.ndarray]:
    with path.open(encoding="utf-8") as file:
        names = [name.strip() for name in file.readline().split(",")]
        if not {"time", "unit"} <= set(names) <= {"time", "unit", "sample", "label"} or len(set(names)) < len(names):
            raise ValueError(f"{path}: the first line must name the columns, {_COLUMNS}; got {','.join(names)!r}.")
        lines = file.read().rstrip().splitlines()
    if not lines:
        raise ValueError(f"{path}: has no events.")
    return dict(zip(names, _numbers(path, lines, len(names)).T, strict=True))


def _numbers(path: Path, lines: list[str], width: int) -> np.ndarray:
    try:
        found = np.loadtxt(lines, delimiter=",", ndmin=2, dtype=np.float64)
    except ValueError:
        found = np.zeros((0, 0))
    if found.shape != (len(lines), width):
        number, line = next((n, line) for n, line in enumerate(lines, 2) if not _is_row(line, width))
        raise ValueError(
            f"{path}, line {number}: must be {width} numbers, got {line.strip()!r}; the file may be cut off."
        )
    return found


def _is_row(line: str, width: int) -> bool:
    try:
        return len([float(field) for field in line.split(",")]) == width
    except ValueError:
        return False


def _whole(path: Any, name: str, column: np.ndarray) -> np.ndarray:
    """A column as integers.

    Raises:
        ValueError: one is not.
    """
    broken = ~(np.isfinite(column) & (column == np.rint(column)))
    if broken.any():
        place = int(np.argmax(broken))
        raise ValueError(f"{path}, line {place + 2}: {name} must be an integer, got {column[place]:g}.")
    return column.astype(np.int64)
