"""DVS128 Gesture: hand gestures in front of an event camera, in files of AEDAT 3.1 with labels beside them."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from surgrad._answers import answers_keywords
from surgrad._kinds import require_choice
from surgrad.events._aedat import AedatFile
from surgrad.events._dataset import EventDataset
from surgrad.events._recording import Events

SIDE, CLASSES = 128, 11
_COLUMNS = "class,startTime_usec,endTime_usec"


@answers_keywords
def read_dvs_gesture(path: str | os.PathLike[str], split: Literal["train", "test"] = "train") -> EventDataset:
    """DVS128 Gesture (Amir et al., 2017): 11 hand and arm gestures, 128 x 128 pixels, several seconds each.

    The unit of an event counts row, column and polarity (0: darker, 1: brighter), the last fastest, so that batches are
    `(time, batch, 128, 128, 2)`, as `nn.Conv2d` takes them. A recording is what lies between the start and the end of a
    gesture in the label file, with time from its start. Class 0 is gesture 1 of `gesture_mapping.csv`. Files are
    indexed when they are first needed, and of each only the packets of the recording are read.

    Parameters:
        path: the folder `DvsGesture`, with `trials_to_train.txt`, `trials_to_test.txt`, and for each trial that they
            list its file `.aedat` and `_labels.csv`.
        split: `"train"` or `"test"`.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a label file is broken; when a recording is drawn: its file is no AEDAT 3.1, or is cut off, or has a
            pixel outside the sensor, or no events. The message names the file, and the line or the sample.
    """
    require_choice("read_dvs_gesture", "split", split, ("train", "test"))
    folder = Path(path)
    trials = _existing(folder / f"trials_to_{split}.txt").read_text("utf-8").split()
    gestures = [gesture for trial in trials for gesture in _gestures(_existing(folder / trial))]
    if not gestures:
        raise ValueError(f"{folder / f'trials_to_{split}.txt'}: lists no trials with gestures.")
    labels = np.array([gesture.label for gesture in gestures])
    return EventDataset(_Gestures(gestures), labels, num_units=(SIDE, SIDE, 2), classes=CLASSES)


class _Gesture(NamedTuple):
    """A gesture: its file, its class, its start and its end in microseconds of the camera's clock."""

    file: Path
    label: int
    start: int
    end: int
    source: str


class _Gestures:
    """Gestures, read when they are asked for; the index of each file is kept."""

    def __init__(self, gestures: list[_Gesture]) -> None:
        self.gestures = gestures
        self.opened = functools.cache(AedatFile)

    def __len__(self) -> int:
        return len(self.gestures)

    def __getitem__(self, place: int) -> Events:
        """The recording of a gesture."""
        gesture = self.gestures[place]
        times, rows, columns, brighter = self.opened(gesture.file).between(gesture.start, gesture.end)
        outside = (rows >= SIDE) | (columns >= SIDE)
        if outside.any():
            first = int(np.argmax(outside))
            raise ValueError(
                f"{gesture.source}: an event is at row {rows[first]}, column {columns[first]}, outside "
                f"{SIDE} x {SIDE} pixels; {gesture.file} is damaged, or of another camera."
            )
        units = (rows * SIDE + columns) * 2 + brighter
        return Events._made(times - gesture.start, units.astype(np.int32), None, (SIDE, SIDE, 2), gesture.source)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise FileNotFoundError(f"read_dvs_gesture: there is no {path.name} in {path.parent}.")
    return path


def _gestures(file: Path) -> list[_Gesture]:
    """The gestures of a trial, from its label file."""
    table = _existing(file.with_name(f"{file.stem}_labels.csv"))
    head, *lines = table.read_text("utf-8").split() or [""]
    if head != _COLUMNS:
        raise ValueError(f"{table}: the first line must be {_COLUMNS!r}, got {head!r}.")
    found = []
    for number, line in enumerate(lines, 2):
        fields = line.split(",")
        if len(fields) != 3 or not all(field.isdigit() for field in fields):
            raise ValueError(f"{table}, line {number}: must be three integers, {_COLUMNS}, got {line!r}.")
        label, start, end = map(int, fields)
        if not 1 <= label <= CLASSES or end <= start:
            raise ValueError(
                f"{table}, line {number}: the class must be from 1 to {CLASSES} and the end after the start, "
                f"got {line!r}."
            )
        found.append(
            _Gesture(file, label - 1, start, end, f"{file}, gesture {number - 1} (line {number} of its labels)")
        )
    return found
