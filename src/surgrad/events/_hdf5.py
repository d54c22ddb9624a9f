"""Recordings in HDF5 files, in the layout of the Heidelberg data sets, read one by one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from surgrad._answers import answers_keywords
from surgrad._extras import missing
from surgrad._files import replacing, require_file
from surgrad._kinds import require_kind
from surgrad.events._dataset import EventDataset
from surgrad.events._recording import Events, TimeUnit, microseconds, shape_of_units, whole_units

_SHAPE = "unit_shape"
_LAYOUT = "spikes/times and spikes/units, arrays of different lengths, one for each recording, and labels"


@answers_keywords
def read_hdf5(
    path: str | os.PathLike[str],
    *,
    num_units: int | Sequence[int] | None = None,
    classes: int | None = None,
    time_unit: TimeUnit | None = None,
    allow_empty: bool = False,
) -> EventDataset:
    """The recordings in an HDF5 file in the layout of the Heidelberg data sets; each is read when it is drawn.

    The file has the arrays `spikes/times` and `spikes/units`, with one array of its own length for each recording
    (`h5py.vlen_dtype`), and may have `labels`, one integer for each. Needs h5py, `surgrad[data]`.

    Parameters:
        path: path of the file, which stays open for reading.
        num_units: number of units, or the shape of the sensor; None: as `write_hdf5` left it in the file.
        classes: number of classes; None: the highest label + 1.
        time_unit: unit of the times, `"s"`, `"ms"` or `"us"`; None: seconds, as floating numbers.
        allow_empty: whether a recording may be without events.

    Raises:
        FileNotFoundError: there is no such file.
        ImportError: h5py is not installed.
        ValueError: the file is no HDF5 file, is cut off, lacks an array, or does not say its number of units; or, when
            a recording is drawn, it cannot be read, or has a time or a unit that is out of range. The message names the
            file and the sample.
    """
    recordings = Hdf5Recordings(Path(path), num_units, time_unit, sort=False)
    return EventDataset(
        recordings, recordings.labels, num_units=recordings.unit_shape, classes=classes, allow_empty=allow_empty
    )


@answers_keywords
def write_hdf5(path: str | os.PathLike[str], data: EventDataset) -> None:
    """Write a data set to an HDF5 file, from which `read_hdf5` reads recordings one by one; for more than fits memory.

    The layout is that of the Heidelberg data sets, so that readers of other libraries know it: seconds in
    `spikes/times`, and `spikes/units`, and `labels`. An interrupted call leaves an older file as it was. Needs h5py,
    `surgrad[data]`.

    Parameters:
        path: path of the file; an existing file is replaced.
        data: the data set, of which one recording after the other is drawn.

    Raises:
        ImportError: h5py is not installed.
        TypeError: the path or the data are something else.
        ValueError: a recording cannot be drawn; nothing is written then.
    """
    if not isinstance(path, (str, os.PathLike)):
        raise TypeError(
            f"write_hdf5: the arguments are write_hdf5(path, data), in this order, got {type(path).__name__} "
            f"for the path."
        )
    require_kind("write_hdf5: data", data, EventDataset, "an EventDataset", "; from_arrays(times, units) makes one")
    h5py = _h5py()
    with replacing(Path(path)) as content, h5py.File(content.name, "w") as file:
        times = file.create_dataset("spikes/times", (len(data),), h5py.vlen_dtype(np.float64))
        units = file.create_dataset("spikes/units", (len(data),), h5py.vlen_dtype(np.min_scalar_type(data.num_units)))
        for place, recording in enumerate(data):
            times[place], units[place] = recording.seconds, recording.units
        if data.labels is not None:
            file["labels"] = data.labels
        file.attrs[_SHAPE] = data.unit_shape


class Hdf5Recordings:
    """The recordings in a file, read when they are asked for.

    Parameters:
        path: path of the file.
        num_units: number of units, or the shape of the sensor; None: as the file says.
        time_unit: unit of the times, or None.
        sort: whether events may be out of order in the file; they are sorted then.
    """

    def __init__(
        self, path: Path, num_units: int | Sequence[int] | None, time_unit: TimeUnit | None, *, sort: bool
    ) -> None:
        self.path, self.sort = path, sort
        self.time_unit: TimeUnit | None = time_unit
        self.file = _opened(path)
        self.times, self.units = self._array("spikes/times"), self._array("spikes/units")
        if num_units is None and _SHAPE not in self.file.attrs:
            raise ValueError(f"{path}: give num_units=, the number of units; the file does not say it.")
        known = self.file.attrs[_SHAPE].tolist() if num_units is None else num_units
        self.unit_shape = shape_of_units(str(path), known)
        self.labels = np.asarray(self._array("labels")[()]) if "labels" in self.file else None
        counts = {len(self.times), len(self.units), len(self.times if self.labels is None else self.labels)}
        if len(counts) > 1:
            raise ValueError(
                f"{path}: spikes/times, spikes/units and labels must be of one length, got {len(self.times)}, "
                f"{len(self.units)} and {'none' if self.labels is None else len(self.labels)}."
            )

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, place: int) -> Events:
        """The recording at a place.

        Raises:
            ValueError: it cannot be read, or is not one.
        """
        where = f"sample {place} of {self.path}"
        try:
            times, units = np.asarray(self.times[place]), np.asarray(self.units[place])
        except OSError as broken:
            raise ValueError(f"{where} cannot be read ({broken}); the file is damaged.") from broken
        if times.shape != units.shape:
            raise ValueError(
                f"{where} has {times.size} times and {units.size} units; there must be one of each an event."
            )
        whole, units = (
            microseconds(where, times, self.time_unit, sort=self.sort),
            whole_units(where, units, self.unit_shape),
        )
        if self.sort and np.any(whole[1:] < whole[:-1]):
            order = np.argsort(whole, kind="stable")
            whole, units = whole[order], units[order]
        return Events._made(whole, units, None, self.unit_shape, where)

    def _array(self, name: str) -> Any:
        found = self.file.get(name)
        if not isinstance(found, _h5py().Dataset):
            raise ValueError(f"{self.path}: there is no array {name!r}; the layout is {_LAYOUT}.")
        return found


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise ImportError(missing("an HDF5 file", "h5py")) from error
    return h5py


def _opened(path: Path) -> Any:
    h5py = _h5py()
    require_file(path)
    try:
        return h5py.File(path, "r")
    except OSError as broken:
        raise ValueError(f"{path}: cannot be read as an HDF5 file ({broken}); it may be cut off.") from broken
