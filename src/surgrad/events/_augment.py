"""Augmentations: functions of a recording and a random generator, applied whenever a recording is drawn."""

from __future__ import annotations

import math

import numpy as np

from surgrad._numbers import require_real, require_share, require_whole
from surgrad._pytree import Pytree, static
from surgrad.events._recording import Events


def _with(recording: Events, times: np.ndarray, units: np.ndarray) -> Events:
    return Events._made(times, units, recording.label, recording.unit_shape, recording.source)


class CropTime(Pytree):
    """A window of time, from a random start: events outside it are left out, and time counts from its start.

    Parameters:
        duration: length of the window in seconds, > 0. A shorter recording stays as it is.
        start: start of the window in seconds, >= 0; None draws it, uniformly from 0 to where the window ends with the
            recording.

    Raises:
        ValueError: a number is out of range.
    """

    duration: float = static()
    start: float | None = static(default=None)

    def __post_init__(self) -> None:
        require_real("CropTime", "duration", self.duration, at_least=1e-6)
        if self.start is not None:
            require_real("CropTime", "start", self.start, at_least=0)

    def __call__(self, recording: Events, random: np.random.Generator) -> Events:
        """The recording in the window."""
        duration = round(self.duration * 1e6)
        last = int(recording.times[-1]) if len(recording) else 0
        if self.start is None:
            start = int(random.integers(0, max(last + 1 - duration, 0), endpoint=True))
        else:
            start = round(self.start * 1e6)
        first, end = np.searchsorted(recording.times, [start, start + duration])
        return _with(recording, recording.times[first:end] - start, recording.units[first:end])


class ShiftTime(Pytree):
    """A shift of the whole recording by a random time, t → t + s; events before time 0 are left out.

    A recording that is shifted to later times is longer: with `bin_width` its batch may have more time steps. On a grid
    of `bin_width` and `num_steps` its last events may be behind the end, which is an error unless `outside="drop"`
    leaves them out. With `num_steps` alone the steps become wider.

    Parameters:
        max_shift: the largest shift in seconds, >= 0; s is drawn uniformly from -max_shift to max_shift, in whole
            microseconds.

    Raises:
        ValueError: it is negative or infinite.
    """

    max_shift: float = static()

    def __post_init__(self) -> None:
        require_real("ShiftTime", "max_shift", self.max_shift, at_least=0)

    def __call__(self, recording: Events, random: np.random.Generator) -> Events:
        """The recording, earlier or later."""
        most = round(self.max_shift * 1e6)
        times = recording.times + random.integers(-most, most, endpoint=True)
        first = int(np.searchsorted(times, 0))
        return _with(recording, times[first:], recording.units[first:])


class ShiftUnits(Pytree):
    """A shift of all units of a recording by the same random number; what leaves the sensor is left out.

    Parameters:
        max_shift: the largest shift, an integer >= 0; it is drawn uniformly from -max_shift to max_shift.
        axis: axis of the sensor along which units move: 0 of `(700,)`; 0 or 1 of `(34, 34, 2)`, the rows or columns.

    Raises:
        ValueError: a number is out of range.
    """

    max_shift: int = static()
    axis: int = static(default=0)

    def __post_init__(self) -> None:
        require_whole("ShiftUnits", 0, max_shift=self.max_shift, axis=self.axis)

    def __call__(self, recording: Events, random: np.random.Generator) -> Events:
        """The recording from other units."""
        shift = int(random.integers(-self.max_shift, self.max_shift, endpoint=True))
        return _moved("ShiftUnits", recording, shift, self.axis)


class JitterUnits(Pytree):
    """A random shift of the unit of each event: a normal number, rounded; what leaves the sensor is left out.

    Parameters:
        sigma: standard deviation of the shift before it is rounded, in units, >= 0.
        axis: axis of the sensor along which units move: 0 of `(700,)`; 0 or 1 of `(34, 34, 2)`, the rows or columns.

    Raises:
        ValueError: a number is out of range.
    """

    sigma: float = static()
    axis: int = static(default=0)

    def __post_init__(self) -> None:
        require_real("JitterUnits", "sigma", self.sigma, at_least=0)
        require_whole("JitterUnits", 0, axis=self.axis)

    def __call__(self, recording: Events, random: np.random.Generator) -> Events:
        """The recording with jittered units."""
        normal = random.standard_normal(len(recording), np.float32)
        shift = np.rint(normal * np.float32(self.sigma)).astype(np.int32)
        return _moved("JitterUnits", recording, shift, self.axis)


class DropEvents(Pytree):
    """Events left out at random, each independent of all others.

    Parameters:
        p: probability that an event is left out, from 0 to 1.

    Raises:
        ValueError: it is out of range.
    """

    p: float = static()

    def __post_init__(self) -> None:
        require_share("DropEvents", p=self.p)

    def __call__(self, recording: Events, random: np.random.Generator) -> Events:
        """The recording with fewer events."""
        kept = random.random(len(recording), np.float32) >= self.p
        return _with(recording, recording.times[kept], recording.units[kept])


def _moved(name: str, recording: Events, shift: np.ndarray | int, axis: int) -> Events:
    """The recording with units moved along an axis of the sensor."""
    shape = recording.unit_shape
    if shape is None or axis >= len(shape):
        raise ValueError(
            f"{name}: axis must be one of the sensor of {recording.source}, whose shape is {shape}; got {axis}."
        )
    stride = math.prod(shape[axis + 1 :])
    units = recording.units
    place = (units // stride % shape[axis] if len(shape) > 1 else units) + shift
    inside = (place >= 0) & (place < shape[axis])
    return _with(recording, recording.times[inside], (units + shift * stride)[inside])
