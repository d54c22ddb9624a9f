"""Recordings as arrays over time: a batch of spike counts, made when it is drawn."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from surgrad._answers import answers_keywords, missing_attribute
from surgrad._kinds import require_choice, require_kind
from surgrad._numbers import require_real, require_whole
from surgrad.events._dataset import EventDataset
from surgrad.events._recording import Events

MOST_BYTES = 2**33
"""A batch larger than that is refused, since it comes of times in another unit than was meant."""


class Batch(NamedTuple):
    """Recordings as arrays, padded with zeros to the longest.

    Parameters:
        spikes: number of events in each time step, or whether there is one, `(time, batch, *unit_shape)`.
        labels: class of each recording, int32, `(batch,)`, or None.
        lengths: number of time steps of each recording, int32, `(batch,)`, for `nn.unroll(..., lengths=lengths)`.
    """

    spikes: np.ndarray
    labels: np.ndarray | None
    lengths: np.ndarray

    if not TYPE_CHECKING:  # a checker would find every attribute
        __getattr__ = missing_attribute


class Grid(NamedTuple):
    """How time is divided into steps, and what is written into them: the checked options of `bin_events`.

    Parameters:
        width: width of a time step in microseconds; None: as many as `num_steps` says, over each recording.
        num_steps: number of time steps, or None.
        counts: whether several events in a time step are counted.
        drop: whether events behind the last time step are left out.
        multiple: what the number of time steps is padded to a multiple of.
        dtype: of the spikes.
    """

    width: Fraction | None
    num_steps: int | None
    counts: bool
    drop: bool
    multiple: int
    dtype: np.dtype[Any]

    def scale(self, recording: Events) -> tuple[int, int]:
        """The integers n and d for which the step of an event at t microseconds is ⌊t n / d⌋."""
        if self.width is not None:
            return self.width.denominator, self.width.numerator
        end = int(recording.times[-1]) + 1 if len(recording) else 1
        return self.num_steps or 1, end

    def length(self, recording: Events) -> int:
        """Number of time steps of a recording: `num_steps`, or with a width those up to its last event, at least 1.

        Raises:
            ValueError: it has events behind the last step.
        """
        if self.width is None:
            return self.num_steps or 1
        if not len(recording):
            return 1
        n, d = self.scale(recording)
        length = int(recording.times[-1]) * n // d + 1
        if self.num_steps is None or length <= self.num_steps:
            return length
        if not self.drop:
            width = float(self.width) / 1e6
            raise ValueError(
                f"{recording.source} has an event at {recording.duration:g} s, outside the grid: {self.num_steps} "
                f"steps of {width:g} s end at {self.num_steps * width:g} s. Take more steps, augment=CropTime(...), or "
                f"outside='drop' to leave such events out."
            )
        return self.num_steps


def grid(
    where: str,
    *,
    bin_width: float | None,
    num_steps: int | None,
    counts: bool,
    outside: str,
    pad_to_multiple_of: int,
    dtype: Any,
) -> Grid:
    """Check the options of `bin_events`.

    Raises:
        TypeError, ValueError: as of `bin_events`.
    """
    if bin_width is None and num_steps is None:
        raise ValueError(f"{where}: give bin_width=, the width of a time step in seconds, or num_steps=, or both.")
    width = None
    if bin_width is not None:
        require_real(where, "bin_width", bin_width, at_least=1e-6)
        # Exact for all widths of a whole number of nanoseconds, and for the third of a millisecond.
        width = Fraction(float(bin_width) * 1e6).limit_denominator(1000)
    if num_steps is not None:
        require_whole(where, num_steps=num_steps)
    require_whole(where, pad_to_multiple_of=pad_to_multiple_of)
    require_choice(where, "outside", outside, ("error", "drop"))
    kind = np.dtype(dtype)
    if not (jnp.issubdtype(kind, jnp.number) or (kind == np.bool_ and not counts)):
        raise TypeError(f"{where}: dtype must be one of numbers{' that count' if counts else ''}, got {kind}.")
    return Grid(width, num_steps, bool(counts), outside == "drop", pad_to_multiple_of, kind)


@answers_keywords
def bin_events(
    data: EventDataset,
    *,
    bin_width: float | None = None,
    num_steps: int | None = None,
    counts: bool = False,
    outside: Literal["error", "drop"] = "error",
    pad_to_multiple_of: int = 1,
    dtype: Any = np.uint8,
) -> Batch:
    """A batch of all recordings of a data set: events in time steps, `(time, batch, *unit_shape)`.

    With `bin_width`, step k has the events with k · bin_width <= t < (k + 1) · bin_width, computed exactly; a recording
    is as long as the step of its last event says, and shorter ones are padded with zeros. With `num_steps` alone each
    recording is divided into that many equal steps, from 0 to its last event. With both, the grid is the same for all.

    Parameters:
        data: the recordings, such as `data[:16]`.
        bin_width: width of a time step in seconds, >= 1e-6.
        num_steps: number of time steps, >= 1.
        counts: whether several events of a unit in one time step are counted; False: they are one spike, 1.
        outside: what becomes of events behind the last time step, if both numbers are given: `"error"`, or `"drop"`.
        pad_to_multiple_of: the number of time steps is padded to a multiple of this, so that few shapes are compiled.
        dtype: type of the numbers. Counts that it cannot hold are an error.

    Raises:
        TypeError: the data are something else; the dtype is not numeric.
        ValueError: neither `bin_width` nor `num_steps` is given, or an option is out of range.
        ValueError: a recording has events outside the grid, or more in a time step than the dtype holds; the
            batch would take more than 8 GiB. The message names the sample.

    Warns:
        UserWarning: `bin_width` is longer than every recording, so that each is one time step.

    >>> data = from_arrays([[0.001, 0.0011, 0.004], [0.002]], [[0, 0, 2], [1]], labels=[0, 1])
    >>> batch = bin_events(data, bin_width=0.002, counts=True)
    >>> batch.spikes[:, 0], batch.lengths
    (array([[2, 0, 0],
           [0, 0, 0],
           [0, 0, 1]], dtype=uint8), array([3, 2], dtype=int32))
    """
    require_kind("bin_events: data", data, EventDataset, "an EventDataset", "; from_arrays(times, units) makes one")
    chosen = grid(
        "bin_events",
        bin_width=bin_width,
        num_steps=num_steps,
        counts=counts,
        outside=outside,
        pad_to_multiple_of=pad_to_multiple_of,
        dtype=dtype,
    )
    batch = binned(list(data), chosen, data)
    if in_one_step(batch, chosen):
        warn_of_one_step(chosen, 3)
    return batch


def binned(recordings: Sequence[Events], chosen: Grid, data: EventDataset) -> Batch:
    """A batch of recordings that were drawn from a data set, and perhaps augmented."""
    lengths = np.array([chosen.length(one) for one in recordings])
    time = chosen.num_steps or int(lengths.max())
    time = -(-time // chosen.multiple) * chosen.multiple
    shape = time, len(recordings), data.num_units
    if np.prod(shape, dtype=float) * chosen.dtype.itemsize > MOST_BYTES:
        raise ValueError(
            f"a batch of {time} time steps x {shape[1]} recordings x {shape[2]} units is more than 8 GiB; "
            f"{recordings[int(lengths.argmax())].source} is {max(one.duration for one in recordings):g} s long. If it "
            f"is not, say in which time_unit the times are."
        )
    spikes = np.zeros(shape, chosen.dtype)
    for place, recording in enumerate(recordings):
        if len(recording):
            _fill(spikes, place, recording, chosen)
    labels = None if data.labels is None else np.array([one.label for one in recordings], np.int32)
    return Batch(spikes.reshape(time, len(recordings), *data.unit_shape), labels, lengths.astype(np.int32))


def _fill(spikes: np.ndarray, place: int, recording: Events, chosen: Grid) -> None:
    """Write one recording into a batch, whose entries are addressed as one axis."""
    n, d = chosen.scale(recording)
    cells = recording.times * n if n != 1 else recording.times
    cells = cells // d
    units = recording.units
    if chosen.drop and chosen.num_steps is not None and cells[-1] >= chosen.num_steps:
        inside = int(np.searchsorted(cells, chosen.num_steps))
        cells, units = cells[:inside], units[:inside]
    if chosen.counts:
        _require_room(recording, cells, units, chosen.dtype)
    cells *= spikes.shape[1] * spikes.shape[2]
    cells += units
    cells += place * spikes.shape[2]
    flat = spikes.reshape(-1)
    if chosen.counts:
        np.add.at(flat, cells, spikes.dtype.type(1))
    else:
        flat[cells] = 1


def _require_room(recording: Events, steps: np.ndarray, units: np.ndarray, dtype: np.dtype[Any]) -> None:
    """Refuse counts that a dtype cannot hold. Few recordings have that many events in one time step, or of one unit."""
    most = int(np.iinfo(dtype).max) if np.issubdtype(dtype, np.integer) else 2 ** (jnp.finfo(dtype).nmant + 1)
    if not np.any(steps[most:] == steps[:-most]) or np.bincount(units).max() <= most:
        return
    _, first, counts = np.unique(np.stack([steps, units]), axis=1, return_index=True, return_counts=True)
    if counts.max() > most:
        unit, wider = units[first[counts.argmax()]], "np.uint16" if most < 2**16 - 1 else "np.uint32"
        raise ValueError(
            f"{recording.source} has {counts.max()} events of unit {unit} in one time step, and {dtype} holds {most}; "
            f"take dtype={wider}, narrower time steps, or counts=False."
        )


def in_one_step(batch: Batch, chosen: Grid) -> bool:
    """Whether a width of time steps puts all events of each recording into one, and some have several."""
    if chosen.width is None or chosen.num_steps == 1 or batch.lengths.max() > 1:
        return False
    return bool(np.count_nonzero(batch.spikes) > len(batch.lengths))


def warn_of_one_step(chosen: Grid, stacklevel: int) -> None:
    """Warn that a time step is wider than all recordings, as it is if it was meant in another unit."""
    warnings.warn(
        f"bin_width={float(chosen.width or 0) / 1e6:g} s is longer than every recording that was drawn, so that "
        f"each has its events in one time step. Widths are seconds, 1e-3 for a millisecond, and so are times, unless "
        f"time_unit= says another unit; num_steps=1 is one step on purpose.",
        stacklevel=stacklevel + 1,
    )
