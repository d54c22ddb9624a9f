"""The file format `.ts` of time series: a header of lines `@name value`, then a line for each series.

A line holds the channels one after the other, separated by colons, then the class; values are separated by commas.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from surgrad.tasks._series import SeriesDataset

FLAGS = "timestamps", "missing", "univariate", "equallength", "targetlabel"
NUMBERS = {"dimensions": "dimensions", "dimension": "dimensions", "serieslength": "serieslength"}


class Header(NamedTuple):
    """What the header of a file states.

    Parameters:
        classes: the names of the classes, in the order of their numbers.
        channels: number of channels, or None.
        equal: whether all series are equally long.
        length: their length, or None.
    """

    classes: tuple[str, ...]
    channels: int | None
    equal: bool
    length: int | None


def read_ts(path: str | Path, *, steps: int | None = None) -> SeriesDataset:
    """The labelled series of a `.ts` file, the format of the UEA and UCR archives of time series.

    Classes are numbered in the order in which the header names them.

    Parameters:
        path: the file.
        steps: number of time steps to which all series are padded, at least that of the longest; None for that.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is not what it must be: the message names the file, the line and what is wrong. Missing
            values, time stamps, and numbers to predict in place of classes are refused.

    Source: M. Löning et al. (2019), sktime: a unified interface for machine learning with time series; the rules of
    the format as the documentation of its successor aeon gives them.
    """
    file = Path(path)
    lines = _lines(file)
    header = _header(file, lines)
    series, labels = [], []
    channels, length = header.channels, header.length
    for number, text in lines:
        one, label = _series(f"{file}, line {number}", text, header.classes, channels, length)
        series.append(one)
        labels.append(label)
        channels = one.shape[1]
        length = len(one) if header.equal else None
    if not series:
        raise ValueError(f"{file}: there is no series behind @data; the file may be cut off.")
    return SeriesDataset.padded(series, labels, len(header.classes), steps=steps)


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """The lines of a file with their numbers from 1; empty ones and comments are left out.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not text.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{file}: is not a text file ({error.reason} at byte {error.start}).") from error
    stripped = enumerate(map(str.strip, text.splitlines()), start=1)
    return ((number, line) for number, line in stripped if line and not line.startswith(("#", "%")))


def _header(file: Path, lines: Iterator[tuple[int, str]]) -> Header:
    """The header, up to the line `@data`."""
    flags: dict[str, bool] = {}
    numbers: dict[str, int] = {}
    classes: tuple[str, ...] = ()
    for number, line in lines:
        where = f"{file}, line {number}"
        if not line.startswith("@"):
            raise ValueError(f"{where}: the header must be lines '@name value' up to '@data', got {_short(line)}.")
        name, *values = line[1:].split()
        kind = name.lower()
        if kind == "data":
            return _complete(file, flags, numbers, classes)
        if kind == "classlabel":
            classes = _classes(where, values)
        elif kind in FLAGS:
            flags[kind] = _flag(where, name, values)
        elif kind in NUMBERS:
            numbers[NUMBERS[kind]] = _number(where, name, values)
        elif kind != "problemname":
            raise ValueError(f"{where}: @{name} is not a name of the format .ts.")
    raise ValueError(f"{file}: there is no line '@data', behind which the series stand; is it a .ts file?")


def _complete(file: Path, flags: dict[str, bool], numbers: dict[str, int], classes: tuple[str, ...]) -> Header:
    if flags.get("timestamps"):
        raise ValueError(f"{file}: series with time stamps are not read; give values at equal distances.")
    if not classes:
        kind = "numbers to predict (@targetLabel)" if flags.get("targetlabel") else "no classes"
        raise ValueError(f"{file}: the header must name the classes, '@classLabel true NAME NAME'; it has {kind}.")
    channels = 1 if flags.get("univariate") else numbers.get("dimensions")
    equal = flags.get("equallength", False)
    return Header(classes, channels, equal, numbers.get("serieslength") if equal else None)


def _flag(where: str, name: str, values: list[str]) -> bool:
    words = [value.lower() for value in values]
    if words not in (["true"], ["false"]):
        raise ValueError(f"{where}: @{name} must be true or false, got {' '.join(values)!r}.")
    return words == ["true"]


def _number(where: str, name: str, values: list[str]) -> int:
    if len(values) != 1 or not values[0].isdecimal() or not int(values[0]):
        raise ValueError(f"{where}: @{name} must be an integer >= 1, got {' '.join(values)!r}.")
    return int(values[0])


def _classes(where: str, values: list[str]) -> tuple[str, ...]:
    if not values or not _flag(where, "classLabel", values[:1]):
        return ()
    if len(values) < 2 or len(set(values)) != len(values):
        raise ValueError(f"{where}: @classLabel true must name each class once, got {' '.join(values[1:])!r}.")
    return tuple(values[1:])


def _series(
    where: str, text: str, classes: tuple[str, ...], channels: int | None, length: int | None
) -> tuple[np.ndarray, int]:
    """The series of a line, `(time, channels)`, and the number of its class."""
    *parts, label = (part.strip() for part in text.split(":"))
    if label not in classes:
        raise ValueError(f"{where}: the class must be one of {', '.join(classes)}, got {_short(label)}.")
    if not parts or (channels is not None and len(parts) != channels):
        demand = "at least one channel" if channels is None else f"{channels} channels, separated by colons"
        raise ValueError(f"{where}: there must be {demand}, got {len(parts)}.")
    found = [_values(f"{where}, channel {place}", part) for place, part in enumerate(parts)]
    for place, values in enumerate(found):
        if len(values) != (len(found[0]) if length is None else length):
            demand = f"{len(found[0])} values, as channel 0 has" if length is None else f"{length} values, as all have"
            raise ValueError(f"{where}, channel {place}: there must be {demand}, got {len(values)}.")
    return np.array(found, np.float32).T, classes.index(label)


def _values(where: str, text: str) -> list[float]:
    values = []
    for place, piece in enumerate(text.split(",")):
        try:
            values.append(float(piece))
        except ValueError:
            kind = "is missing" if piece.strip() in ("", "?") else f"must be a number, got {_short(piece)}"
            raise ValueError(f"{where}: value {place} {kind}.") from None
        if not math.isfinite(values[-1]):
            raise ValueError(f"{where}: value {place} must be finite, got {piece.strip()}.")
    return values


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "...")
