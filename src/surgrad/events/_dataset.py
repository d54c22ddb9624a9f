"""Collections of recordings with their labels, and the one of plain arrays."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol, overload, runtime_checkable

import numpy as np

from surgrad._answers import answers_keywords, constructor_that_answers, missing_attribute
from surgrad._kinds import described, require_kind
from surgrad._numbers import require_whole
from surgrad.events._recording import Events, TimeUnit, check_units, shape_of_units


@runtime_checkable
class Recordings(Protocol):
    """A sequence of recordings, each of which may be read when it is asked for."""

    def __len__(self) -> int:
        """Number of recordings."""
        ...

    def __getitem__(self, place: int, /) -> Events:
        """The recording at a place."""
        ...


class EventDataset:
    """Recordings of events with their labels: `data[3]` is one recording, `data[:100]` the data set of some.

    Recordings stay events on the host until they are binned: the data set of a file reads a recording when it is drawn.

    Parameters:
        recordings: a list of `Events`, or any sequence with `len` that returns one for an index, such as a class of
            your own that reads files.
        labels: class of each recording, integers >= 0, `(recordings,)`. None: those of a list of `Events`, if all have
            one; else there are none.
        num_units: number of units, or the shape of the sensor, such as `(34, 34, 2)`, whose units are counted with the
            last axis fastest.
        classes: number of classes; None: the highest label + 1.
        allow_empty: whether a recording may be without events. It is one time step long then.

    Attributes:
        labels: as given, int32, or None.
        unit_shape: the shape of the sensor, such as `(700,)`.
        classes: number of classes, or None without labels.

    Raises:
        TypeError: labels are not integers.
        ValueError: there is no recording, or not one label for each; a label is negative, or not below `classes`.
        ValueError: when a recording is drawn: it is empty, or one of its units is not below the number of units.

    >>> data = EventDataset([Events([0.1], [2]), Events([0.2, 0.3], [0, 1])], labels=[0, 1], num_units=3)
    >>> len(data), data.num_units, data.classes, data[1].units
    (2, 3, 2, array([0, 1], dtype=int32))
    """

    labels: np.ndarray | None
    unit_shape: tuple[int, ...]
    classes: int | None

    @constructor_that_answers
    def __init__(
        self,
        recordings: Recordings | Sequence[Events],
        labels: Any = None,
        *,
        num_units: int | Sequence[int],
        classes: int | None = None,
        allow_empty: bool = False,
    ) -> None:
        if not len(recordings):
            raise ValueError("EventDataset: there must be one recording at least, got none.")
        self.unit_shape = shape_of_units("EventDataset", num_units)
        if labels is None and isinstance(recordings, (list, tuple)):
            labels = _labels_of(recordings)
        self.labels = None if labels is None else _labels(labels, len(recordings), classes)
        self.classes = classes
        if self.labels is not None and classes is None:
            self.classes = int(self.labels.max()) + 1
        self._recordings, self._allow_empty = recordings, allow_empty
        self._places = np.arange(len(recordings))

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> Events: ...
    @overload
    def __getitem__(self, index: slice | list[int] | np.ndarray) -> EventDataset: ...
    def __getitem__(self, index: Any) -> Events | EventDataset:
        """A recording, by an integer; or the data set of some, by a slice, indices or booleans."""
        try:
            places = self._places[index]
        except IndexError as error:
            given = described(index) if np.ndim(index) else repr(index)
            raise IndexError(
                f"EventDataset: an index must be an integer, a slice, or an array of integers or booleans, for "
                f"{len(self)} recordings, got {given}."
            ) from error
        if np.ndim(places) == 0:
            return self._drawn(int(places), None if self.labels is None else int(self.labels[index]))
        if not len(places):
            raise ValueError(
                f"EventDataset: there must be one recording at least; {index} chooses none of {len(self)}."
            )
        part = copy.copy(self)
        part._places, part.labels = places, None if self.labels is None else self.labels[index]
        part.__dict__.pop("durations", None)
        return part

    def __iter__(self) -> Iterator[Events]:
        return (self[place] for place in range(len(self)))

    def __repr__(self) -> str:
        classes = "" if self.classes is None else f", {self.classes} classes"
        shape = " x ".join(map(str, self.unit_shape))
        return f"<EventDataset of {len(self)} recordings, {shape} units{classes}>"

    @property
    def num_units(self) -> int:
        """Number of units."""
        return int(np.prod(self.unit_shape))

    @functools.cached_property
    def durations(self) -> np.ndarray:
        """Time of the last event of each recording in seconds, float64, `(recordings,)`; all are read for it, once."""
        return np.array([recording.duration for recording in self])

    def _drawn(self, place: int, label: int | None) -> Events:
        read: Any = self._recordings[place]
        require_kind(f"EventDataset: recording {place}", read, Events, "Events")
        source = f"sample {place}" if read.source == "Events" else read.source
        check_units(source, read.units, self.unit_shape)
        if not self._allow_empty:
            _require_events(source, read)
        return Events._made(read.times, read.units, label, self.unit_shape, source)

    if not TYPE_CHECKING:  # a checker would find every attribute
        __getattr__ = missing_attribute


def _require_events(source: str, recording: Events) -> None:
    if not len(recording):
        raise ValueError(
            f"{source} has no events; leave it out, as data[indices] does, or say allow_empty=True: then it is one "
            f"time step long."
        )


def _labels_of(recordings: Sequence[Any]) -> list[int] | None:
    """The labels of recordings in memory; None if none has one.

    Raises:
        ValueError: some have one.
    """
    found = [one.label for one in recordings if isinstance(one, Events)]
    known = [label for label in found if label is not None]
    if known and len(known) < len(recordings):
        raise ValueError(
            f"EventDataset: all recordings must have a label, or none; sample {found.index(None)} has none."
        )
    return known or None


def _labels(labels: Any, count: int, classes: int | None) -> np.ndarray:
    given = np.asarray(labels)
    if not np.issubdtype(given.dtype, np.integer):
        raise TypeError(f"EventDataset: labels must be integers, got {given.dtype}; give the number of each class.")
    if given.shape != (count,):
        raise ValueError(
            f"EventDataset: there must be one label for each of {count} recordings, got {described(given)}."
        )
    if classes is not None:
        require_whole("EventDataset", classes=classes)
    most = np.inf if classes is None else classes - 1
    if given.min() < 0 or given.max() > most:
        place = int(np.argmax((given < 0) | (given > most)))
        demand = ">= 0" if classes is None else f"from 0 to {most}, for {classes} classes"
        raise ValueError(f"EventDataset: labels must be {demand}, and sample {place} has {given[place]}.")
    return given.astype(np.int32)


@answers_keywords
def from_arrays(
    times: Sequence[Any] | np.ndarray,
    units: Sequence[Any] | np.ndarray,
    labels: Any = None,
    *,
    num_units: int | Sequence[int] | None = None,
    classes: int | None = None,
    time_unit: TimeUnit | None = None,
    allow_empty: bool = False,
    source: str | None = None,
) -> EventDataset:
    """A data set of arrays in memory, one array of times and one of units for each recording.

    Parameters:
        times: for each recording the times of its events since its start, in order; seconds as floating numbers, or
            numbers in `time_unit`.
        units: for each recording the units of its events, integers >= 0.
        labels: class of each recording, integers >= 0, or None.
        num_units: number of units, or the shape of the sensor; None: the highest unit + 1.
        classes: number of classes; None: the highest label + 1.
        time_unit: unit of the times, `"s"`, `"ms"` or `"us"`; integers need one.
        allow_empty: whether a recording may be without events.
        source: the name of the file that the arrays come from, for messages.

    Raises:
        TypeError: times or units are of another type.
        ValueError: there are more of one than of the other, or a recording is empty, out of order, or has a time or a
            unit that is out of range; the message names the sample.

    >>> data = from_arrays([[0.001, 0.004], [0.002]], [[0, 2], [1]], labels=[0, 1])
    >>> data
    <EventDataset of 2 recordings, 3 units, 2 classes>
    """
    if len(times) != len(units):
        raise ValueError(
            f"from_arrays: there must be one array of times and one of units for each recording, got {len(times)} and "
            f"{len(units)}."
        )
    if any(np.ndim(one) == 0 for both in (times, units) for one in both):
        raise ValueError(
            "from_arrays: times and units must be lists of arrays, one of each for each recording; one recording alone "
            "is from_arrays([times], [units])."
        )
    names = [f"sample {place}{f' of {source}' if source else ''}" for place in range(len(times))]
    recordings = [
        Events(t, u, time_unit=time_unit, num_units=num_units, source=name)
        for t, u, name in zip(times, units, names, strict=True)
    ]
    if num_units is None:
        num_units = 1 + max((int(one.units.max()) for one in recordings if len(one)), default=0)
    if not allow_empty:
        for name, recording in zip(names, recordings, strict=True):
            _require_events(name, recording)
    return EventDataset(recordings, labels, num_units=num_units, classes=classes, allow_empty=allow_empty)
