"""Labelled series of real numbers that differ in length, and their split into training and test samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float, Integer

from surgrad._numbers import require_entries, require_whole
from surgrad._pytree import Pytree, static
from surgrad._shapes import require_shapes
from surgrad._types import Numbers


class SeriesDataset(Pytree):
    """Labelled series of real numbers, each of its own length, padded to a common number of time steps.

    `nn.unroll(net, data.values, lengths=data.lengths)` runs each series at its own length. `data[indices]` is the data
    set of some series, also in a compiled function, `len(data)` their number; `padded` makes one of a list of arrays.

    Parameters:
        values: real numbers, `(time, samples, channels)`; those behind the end of a series count for nothing.
        lengths: number of time steps of each series, integers from 1 to that of time, `(samples,)`.
        labels: class of each series, integers from 0 to below `classes`, `(samples,)`.
        classes: number of classes, >= 1.

    Raises:
        TypeError: values are not floating numbers; lengths or labels are not integers.
        ValueError: a length or a label is out of its range, a value before the end of its series is NaN or infinite,
            or shapes do not fit each other.

    Example:
        >>> import numpy as np
        >>> from surgrad import tasks
        >>> series = [np.ones((3, 2)), np.zeros((5, 2))]  # (time, channels) each
        >>> data = tasks.SeriesDataset.padded(series, labels=[0, 1], classes=2)
        >>> data.values.shape, data.lengths.tolist()
        ((5, 2, 2), [3, 5])
    """

    values: Float[Array | np.ndarray, "time samples channels"]
    lengths: Integer[Array | np.ndarray, " samples"]
    labels: Integer[Array | np.ndarray, " samples"]
    classes: int = static()

    def __post_init__(self) -> None:
        require_whole("SeriesDataset", classes=self.classes)
        _require_fit(self.values, self.lengths, self.labels)
        last = self.classes - 1
        require_entries("SeriesDataset", "labels", self.labels, last, f"0 to {last}, for {self.classes} classes")
        _require_lengths(self.lengths, self.steps)
        _require_finite(self.values, self.lengths)

    @classmethod
    def padded(
        cls, series: Sequence[Any], labels: Sequence[int] | Numbers, classes: int, *, steps: int | None = None
    ) -> SeriesDataset:
        """The data set of a list of arrays, `(time, channels)` each, with zeros behind the end of each.

        Parameters:
            series: arrays of real numbers; they may differ in time, and have the same channels.
            labels, classes: as of the class.
            steps: number of time steps of all, at least that of the longest; None for that.

        Raises:
            ValueError: there is no series, one is empty or of another number of channels, or longer than `steps`; and
                as of the class.
        """
        arrays = [np.asarray(one, np.float32) for one in series]
        if not arrays:
            raise ValueError("SeriesDataset: there must be at least one series, got none.")
        for sample, one in enumerate(arrays):
            if one.ndim != 2 or not one.size or one.shape[1] != arrays[0].shape[-1]:
                form = f"(time >= 1, {arrays[0].shape[-1] if arrays[0].ndim == 2 else 'channels'})"
                raise ValueError(f"SeriesDataset: series {sample} must be {form}, got the shape {one.shape}.")
        lengths = np.array([len(one) for one in arrays])
        longest = int(lengths.max())
        time = longest if steps is None else steps
        require_whole("SeriesDataset", longest, steps=time)
        values = np.zeros((time, len(arrays), arrays[0].shape[1]), np.float32)
        for sample, one in enumerate(arrays):
            values[: len(one), sample] = one
        numbers = jnp.asarray(lengths, jnp.int32), jnp.asarray(np.asarray(labels), jnp.int32)
        return cls(jnp.asarray(values), *numbers, classes)

    @property
    def traced_indices(self) -> bool:
        """Whether `data[indices]` takes traced indices, so that `train.fit` makes many updates in one program: True."""
        return True

    @property
    def batch_axes(self) -> SeriesDataset:
        """The axis of the samples in each array, for the devices of `train.fit`: 1 in the values, else 0."""
        return jax.tree.unflatten(jax.tree.structure(self), [1, 0, 0])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, samples: Integer[Array | np.ndarray, " batch"]) -> SeriesDataset:
        """The series of some indices, in that order."""
        # They fit as the whole does, so nothing is checked again.
        found = [self.values[:, samples], self.lengths[samples], self.labels[samples]]
        return jax.tree.unflatten(jax.tree.structure(self), found)

    @property
    def steps(self) -> int:
        """Number of time steps of the padded series."""
        return self.values.shape[0]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.values.shape[-1]


class SeriesSplit(NamedTuple):
    """The series of a task.

    Parameters:
        train: series to train on.
        test: series to judge by.
    """

    train: SeriesDataset
    test: SeriesDataset


def _require_fit(values: Any, lengths: Any, labels: Any) -> None:
    """Check dtypes and shapes."""
    if not jnp.issubdtype(values.dtype, jnp.floating):
        raise TypeError(f"SeriesDataset: values must be floating numbers, got {values.dtype}.")
    for name, given in (("lengths", lengths), ("labels", labels)):
        if not jnp.issubdtype(given.dtype, jnp.integer):
            raise TypeError(f"SeriesDataset: {name} must be integers, got {given.dtype}.")
    form = "time >= 1, samples, channels"
    given = {"values": (values.shape, form), "lengths": (lengths.shape, "samples"), "labels": (labels.shape, "samples")}
    require_shapes("SeriesDataset", given)


def _require_lengths(lengths: Any, time: int) -> None:
    if isinstance(lengths, Tracer):
        return
    for sample, length in enumerate(np.asarray(lengths).tolist()):
        if not 1 <= length <= time:
            demand = f"lengths must be 1 to {time}, the number of time steps"
            raise ValueError(f"SeriesDataset: {demand}, got {length} for sample {sample}.")


def _require_finite(values: Any, lengths: Any) -> None:
    if isinstance(values, Tracer) or isinstance(lengths, Tracer):
        return
    numbers, ends = np.asarray(values, np.float32), np.asarray(lengths)
    counts = (np.arange(len(numbers))[:, None] < ends)[:, :, None]
    wrong = np.argwhere(counts & ~np.isfinite(numbers))
    if len(wrong):
        step, sample, channel = wrong[0]
        where = f"at time step {step} of channel {channel} of sample {sample}"
        raise ValueError(f"SeriesDataset: values must be finite, got {numbers[step, sample, channel]} {where}.")
