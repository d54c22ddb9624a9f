"""Recordings of your own in files of NumPy and in text files."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surgrad._answers import answers_keywords
from surgrad._files import require_file
from surgrad.events._dataset import EventDataset, from_arrays
from surgrad.events._recording import INTEGER_TIMES, TimeUnit

_ARRAYS = ("times", "units", "counts", "labels")
_COLUMNS = {"time", "unit", "sample", "label"}
_FIRST_LINE = "time,unit, and if there are several recordings or classes also sample and label"


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
    `(recordings,)`; and may have `labels`, `(recordings,)`. Without `counts` there is one recording. There must be no
    others, since one of them could be one of these with a wrong name.

    Parameters:
        path: path of the file.
        num_units: number of units, or the shape of the sensor; None: the highest unit + 1.
        classes: number of classes; None: the highest label + 1.
        time_unit: unit of the times, `"s"`, `"ms"` or `"us"`; integers need one.
        allow_empty: whether a recording may be without events.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: times or units are of another type.
        ValueError: the file is broken, or lacks an array or has an unknown one, the arrays do not fit each other, or a
            recording is empty, out of order, or has a time or a unit that is out of range. The message names the file
            and the sample.
    """
    arrays = _arrays(Path(path))
    _require_names(path, arrays)
    times, units = arrays["times"], arrays["units"]
    if "counts" not in arrays:
        _require_one_recording(path, times, arrays.get("labels"))
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


def _require_names(path: Any, arrays: Collection[str]) -> None:
    """Refuse a file that lacks an array, or has one more."""
    has = f"it has {', '.join(arrays) or 'none'}"
    for name in ("times", "units"):
        if name not in arrays:
            raise ValueError(f"{path}: there is no array {name!r}; {has}.")
    if unknown := [name for name in arrays if name not in _ARRAYS]:
        raise ValueError(
            f"{path}: must have the arrays {', '.join(_ARRAYS)}, of which the last two may be missing, and no others; "
            f"leave out or rename {', '.join(map(repr, unknown))}."
        )


def _require_one_recording(path: Any, times: np.ndarray, labels: np.ndarray | None) -> None:
    """Refuse a file without counts whose arrays are those of several recordings."""
    lacks = f"{path}: there is no array 'counts', the number of events of each recording, so that all are one"
    if labels is not None and labels.shape not in ((), (1,)):
        raise ValueError(f"{lacks}; but there are labels of the shape {labels.shape}.")
    if (place := _first_back(times)) is not None:
        raise ValueError(f"{lacks}; but event {place}, at {times[place]}, is before event {place - 1}.")


def _first_back(times: np.ndarray) -> int | None:
    """The place of the first time that is before the one in front of it."""
    back = times[1:] < times[:-1]
    return int(np.argmax(back)) + 1 if times.ndim == 1 and back.any() else None


def _arrays(path: Path) -> dict[str, np.ndarray]:
    require_file(path)
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
    time_unit: TimeUnit | None = None,
) -> EventDataset:
    """The recordings in a text file with one event a line, columns separated by commas.

    The first line names the columns: `time` and `unit`, in any order, and if there are several recordings or classes
    `sample` and `label` too. The lines of a sample follow each other, and have one label. A sample is named by an
    integer; which integers they are does not matter.

    Parameters:
        path: path of the file.
        num_units: number of units, or the shape of the sensor; None: the highest unit + 1.
        classes: number of classes; None: the highest label + 1.
        time_unit: unit of the times, `"s"`, `"ms"` or `"us"`; None: seconds, of which one has a decimal point or an
            exponent at least.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: all times are integers, and there is no `time_unit`.
        ValueError: a column is missing or unknown, a line is broken, a sample is in two places or has two
            labels, or is out of order or has a time or a unit that is out of range. The message names the file, and the
            line or the sample.
    """
    columns = _columns(Path(path), time_unit)
    if "sample" not in columns and (place := _first_back(columns["time"])) is not None:
        raise ValueError(
            f"{path}: there is no column 'sample', so that all events are one recording; but line {place + 2}, at "
            f"{columns['time'][place]:g}, is before line {place + 1}."
        )
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


def _columns(path: Path, time_unit: TimeUnit | None) -> dict[str, np.ndarray]:
    require_file(path)
    with path.open(encoding="utf-8-sig") as file:  # spreadsheets write a mark in front, which is no part of a name
        names = [name.strip() for name in file.readline().split(",")]
        if not {"time", "unit"} <= set(names) <= _COLUMNS or len(set(names)) < len(names):
            surplus = [name for place, name in enumerate(names) if name not in _COLUMNS or name in names[:place]]
            leave = f"; leave out {', '.join(map(repr, surplus))}" if {"time", "unit"} <= set(names) else ""
            raise ValueError(
                f"{path}: the first line must name the columns, {_FIRST_LINE}; got {','.join(names)!r}{leave}."
            )
        lines = file.read().rstrip().splitlines()
    if not lines:
        raise ValueError(f"{path}: has no events.")
    columns = dict(zip(names, _numbers(path, lines, len(names)).T, strict=True))
    place = names.index("time")
    if time_unit is None and all(line.split(",")[place].strip().lstrip("+-").isdigit() for line in lines):
        raise TypeError(f"{path}: {INTEGER_TIMES}.")
    return columns


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
