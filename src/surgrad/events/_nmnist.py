"""N-MNIST: handwritten digits in front of an event camera that moves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import numpy as np

from surgrad._answers import answers_keywords
from surgrad._kinds import require_choice
from surgrad.events._dataset import EventDataset
from surgrad.events._recording import Events

SIDE, CLASSES = 34, 10
_BYTES = 5
_OVERFLOW_ROW, _OVERFLOW = 240, 2**13
"""An event of this row stands for the overflow of the clock, by so many microseconds, in the authors' reader."""


@answers_keywords
def read_nmnist(path: str | os.PathLike[str], split: Literal["train", "test"] = "train") -> EventDataset:
    """N-MNIST (Orchard et al., 2015): digits of MNIST in front of an event camera, 34 x 34 pixels, 0.3 s.

    The unit of an event counts row, column and polarity (0: darker, 1: brighter), the last fastest, so that batches are
    `(time, batch, 34, 34, 2)`, as `nn.Conv2d` takes them. Recordings are read when they are drawn.

    Parameters:
        path: folder with the folders `Train` and `Test`, which have a folder for each digit, `0` to `9`, with one file
            `.bin` for each recording.
        split: `"train"` (60,000 recordings) or `"test"` (10,000).

    Raises:
        FileNotFoundError: a folder is not there, or has no recordings.
        ValueError: when a recording is drawn: its file is cut off, or has a pixel outside the sensor; the message
            names the file.
    """
    require_choice("read_nmnist", "split", split, ("train", "test"))
    folder = Path(path) / split.capitalize()
    files, labels = [], []
    for digit in range(CLASSES):
        of_digit = sorted((folder / str(digit)).glob("*.bin"))
        if not of_digit:
            raise FileNotFoundError(
                f"read_nmnist: there are no recordings {folder / str(digit)}/*.bin; give the folder into which "
                f"Train.zip and Test.zip of data.mendeley.com/datasets/468j46mzdv were unpacked."
            )
        files += of_digit
        labels += [digit] * len(of_digit)
    return EventDataset(_Files(files), np.array(labels), num_units=(SIDE, SIDE, 2), classes=CLASSES)


class _Files:
    """Recordings in files of their own, read when they are asked for."""

    def __init__(self, files: list[Path]) -> None:
        self.files = files

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, place: int) -> Events:
        """The recording in a file."""
        return read_atis(self.files[place])


def read_atis(path: Path) -> Events:
    """The recording in a file of events of 40 bits: column, row, polarity and 23 bits of microseconds.

    Raises:
        ValueError: the file is cut off, or has a pixel outside the sensor.
    """
    content = np.fromfile(path, np.uint8)
    if len(content) % _BYTES:
        raise ValueError(
            f"{path}: has {len(content)} bytes, and an event is {_BYTES}: {len(content) % _BYTES} are left over; it "
            f"may be cut off."
        )
    column, row, high, middle, low = content.reshape(-1, _BYTES).T.astype(np.int64)
    overflow = row == _OVERFLOW_ROW
    times = ((high & 127) << 16) + (middle << 8) + low + _OVERFLOW * np.cumsum(overflow)
    outside = ~overflow & ((column >= SIDE) | (row >= SIDE))
    if outside.any():
        place = int(np.argmax(outside))
        raise ValueError(
            f"{path}: event {place} is at row {row[place]}, column {column[place]}, outside {SIDE} x {SIDE} pixels; "
            f"it is no file of N-MNIST, or damaged."
        )
    units = ((row * SIDE + column) * 2 + (high >> 7))[~overflow]
    times = times[~overflow]
    order = np.argsort(times, kind="stable")
    return Events._made(times[order], units[order].astype(np.int32), None, (SIDE, SIDE, 2), str(path))
