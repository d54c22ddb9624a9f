"""Recordings: the times and the units of events, checked when they are made."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from surgrad._answers import constructor_that_answers, missing_attribute
from surgrad._kinds import require_choice
from surgrad._numbers import require_whole

TimeUnit = Literal["s", "ms", "us"]
MICROSECONDS = {"s": 1_000_000, "ms": 1000, "us": 1}
"""Microseconds in each unit of time."""
LATEST = 2**53
"""The first time, in microseconds, that is refused: beyond it float64 skips whole numbers."""
INTEGER_TIMES = (
    "times are integers, whose unit is not known; say time_unit='us' (microseconds), 'ms' or 's', or give seconds as "
    "floating numbers"
)


class Events:
    """A recording: the time and the unit of each event, in order of time, on the host.

    A unit is what an event comes from: a channel of a cochlea model, a pixel and polarity of an event camera, a neuron.
    Times are kept in whole microseconds, so that events at the edges of time steps are where arithmetic on paper puts
    them.

    Parameters:
        times: time of each event since the start of the recording, >= 0, in order, `(events,)`: seconds as floating
            numbers, or numbers in `time_unit`. They are rounded to microseconds.
        units: unit of each event, integers >= 0, `(events,)`.
        label: the class of the recording, an integer >= 0, or None.
        time_unit: unit of the given times: `"s"`, `"ms"` or `"us"`. None stands for seconds, and is allowed for
            floating numbers only.
        num_units: the number of units, or the shape of the sensor, such as `(34, 34, 2)`; None if it is not known.
        source: where the recording comes from, for messages, such as `"sample 3 of digits.h5"`.

    Attributes:
        times: whole microseconds since the start, int64, `(events,)`.
        units: int32, `(events,)`. Both are copies that cannot be written to.
        label: as given.
        unit_shape: the shape of the sensor, such as `(700,)`, or None.
        source: as given.

    Raises:
        TypeError: there are no units; times are not real numbers, or integers without a unit; units are not integers.
        ValueError: times or units do not have one axis of the same length; a time is NaN, infinite, negative or before
            that of the event in front of it; a unit is negative or not below `num_units`.

    >>> recording = Events([0.001, 0.0025], [4, 0], label=1)
    >>> recording.times, recording.units, recording.duration
    (array([1000, 2500]), array([4, 0], dtype=int32), 0.0025)
    """

    times: np.ndarray
    units: np.ndarray
    label: int | None
    unit_shape: tuple[int, ...] | None
    source: str

    @constructor_that_answers
    def __init__(
        self,
        times: Any,
        units: Any = None,
        label: int | None = None,
        *,
        time_unit: TimeUnit | None = None,
        num_units: int | Sequence[int] | None = None,
        source: str = "Events",
    ) -> None:
        if units is None:
            raise TypeError(f"{source}: give times and units, arrays (events,) of one length{_fields(times)}.")
        self.source = source
        self.unit_shape = None if num_units is None else shape_of_units(source, num_units)
        self.times, self.units = _checked(source, times, units, time_unit, self.unit_shape)
        _protect(self)
        if label is not None:
            require_whole(source, 0, label=label)
        self.label = label

    @classmethod
    def _made(
        cls,
        times: np.ndarray,
        units: np.ndarray,
        label: int | None,
        unit_shape: tuple[int, ...] | None,
        source: str,
    ) -> Events:
        """A recording of arrays that are known to be right: whole microseconds, in order."""
        made = object.__new__(cls)
        made.times, made.units, made.label, made.unit_shape, made.source = times, units, label, unit_shape, source
        _protect(made)
        return made

    def __len__(self) -> int:
        return len(self.times)

    def __repr__(self) -> str:
        label = "" if self.label is None else f", label={self.label}"
        return f"<{len(self)} events in {self.duration:g} s{label}>"

    @property
    def duration(self) -> float:
        """Time of the last event in seconds; 0 if there is none."""
        return int(self.times[-1]) / 1e6 if len(self.times) else 0.0

    @property
    def seconds(self) -> np.ndarray:
        """Time of each event in seconds, float64, `(events,)`."""
        return self.times / 1e6

    if not TYPE_CHECKING:  # a checker would find every attribute
        __getattr__ = missing_attribute


def _fields(given: Any) -> str:
    """How to take the times and units out of an array with fields, such as those that tonic has; empty for others."""
    names = np.asarray(given).dtype.names or ()
    if not {"t", "x"} <= set(names):
        return f"; take them out of its fields {', '.join(names)}" if names else ""
    if "y" not in names:
        return "; of an array e with the fields t and x: Events(e['t'], e['x'], time_unit='us')"
    place, shape = (
        ("e['y'], e['x'], e['p'].astype(int)", "height, width, 2")
        if "p" in names
        else ("e['y'], e['x']", "height, width")
    )
    return (
        f"; of an array e with the fields {', '.join(names)}: Events(e['t'], np.ravel_multi_index(({place}), "
        f"({shape})), time_unit='us', num_units=({shape}))"
    )


def _protect(recording: Events) -> None:
    """An augmentation that changed a recording in place would change the data set."""
    recording.times.flags.writeable = recording.units.flags.writeable = False


def shape_of_units(where: str, num_units: int | Sequence[int]) -> tuple[int, ...]:
    """The shape of a sensor from a number of units or from itself.

    Raises:
        ValueError: a length is no integer >= 1.
    """
    shape = tuple(num_units) if isinstance(num_units, (tuple, list)) else (num_units,)
    for length in shape:
        require_whole(where, num_units=length)
    return tuple(map(int, shape))  # type: ignore[arg-type]


def microseconds(where: str, times: Any, time_unit: TimeUnit | None, *, sort: bool = False) -> np.ndarray:
    """Times as whole microseconds, in the order in which they are given.

    Parameters:
        where: what messages begin with.
        times: the times, one array.
        time_unit: their unit; None: seconds, as floating numbers.
        sort: whether they may be in any order.

    Raises:
        TypeError, ValueError: as of `Events`.
    """
    given = np.asarray(times)
    if given.size == 0 and given.dtype != object:
        return np.zeros(given.shape, np.int64)
    if time_unit is not None:
        require_choice(where, "time_unit", time_unit, tuple(MICROSECONDS))
    whole = np.issubdtype(given.dtype, np.integer)
    if whole and time_unit is None:
        raise TypeError(f"{where}: {INTEGER_TIMES}.")
    if not whole and not np.issubdtype(given.dtype, np.floating):
        raise TypeError(f"{where}: times must be real numbers, got {given.dtype}.")
    factor = MICROSECONDS[time_unit or "s"]
    # Products of half precision would overflow: SHD has its seconds in float16.
    exact = given if whole and factor == 1 else given.astype(np.float64) * factor
    low, high = exact.min(), exact.max()
    if not (low >= 0 and high < LATEST):  # NaN is in no range
        _refuse_times(where, given, exact, time_unit or "s")
    found = exact.astype(np.int64) if whole else np.rint(exact).astype(np.int64)
    if not sort and found.ndim == 1 and np.any(later := found[1:] < found[:-1]):
        place = int(np.argmax(later)) + 1
        raise ValueError(
            f"{where}: events must be in order of time, and event {place}, at {given[place]}, is before event "
            f"{place - 1}, at {given[place - 1]}; sort them: order = np.argsort(times, kind='stable')."
        )
    return found


def _refuse_times(where: str, given: np.ndarray, exact: np.ndarray, unit: str) -> NoReturn:
    place = int(np.argmin((exact >= 0) & (exact < LATEST)))
    time = given.ravel()[place]
    demand = "finite" if not math.isfinite(time) else ">= 0" if time < 0 else f"below {LATEST / MICROSECONDS[unit]:g}"
    raise ValueError(f"{where}: times must be {demand}, in {unit}, and event {place} is at {time}.")


def _checked(
    where: str, times: Any, units: Any, time_unit: TimeUnit | None, shape: tuple[int, ...] | None
) -> tuple[np.ndarray, np.ndarray]:
    """Times in microseconds and units of one recording."""
    units = np.asarray(units)
    shapes = np.shape(times), units.shape
    if len(shapes[0]) != 1 or shapes[0] != shapes[1]:
        raise ValueError(
            f"{where}: times and units must be arrays (events,) of one length, got the shapes {shapes[0]} and "
            f"{shapes[1]}."
        )
    return microseconds(where, times, time_unit), whole_units(where, units, shape)


def whole_units(where: str, units: np.ndarray, shape: tuple[int, ...] | None) -> np.ndarray:
    """A copy of units as int32, which nothing that is subtracted from them makes overflow.

    Raises:
        TypeError: they are not integers.
        ValueError: one is negative, or not below their number.
    """
    if units.size and not np.issubdtype(units.dtype, np.integer):
        advice = "; units.astype(int) are some, if all are whole" if np.issubdtype(units.dtype, np.floating) else ""
        raise TypeError(f"{where}: units must be integers, got {units.dtype}{advice}.")
    check_units(where, units, shape)
    return units.astype(np.int32)


def check_units(where: str, units: np.ndarray, shape: tuple[int, ...] | None) -> None:
    """Refuse units outside 0 to below their number.

    Raises:
        ValueError: there is one.
    """
    if not units.size:
        return
    most = 2**31 if shape is None else math.prod(shape)
    if units.min() < 0 or units.max() >= most:
        place = int(np.argmax((units < 0) | (units >= most)))
        demand = ">= 0" if shape is None and units[place] < 0 else f"from 0 to {most - 1}"
        raise ValueError(f"{where}: units must be {demand}, and event {place} has unit {units[place]}.")
