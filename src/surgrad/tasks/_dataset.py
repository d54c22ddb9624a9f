"""Labelled spike trains, and their split into training and test samples."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer

from surgrad._numbers import require_entries, require_real, require_whole
from surgrad._pytree import Pytree, static
from surgrad._shapes import require_shapes
from surgrad.encode import rate


class Dataset(Pytree):
    """Labelled spike trains of equal length.

    If no channel spikes twice, a sample is stored as latencies, one small integer for each channel; else as a raster,
    one byte for each time step and channel. Intensities are stored as they are, and `spikes(key)` draws spikes of the
    rate code. `data[indices]` is the data set of some samples, `len(data)` their number.

    Parameters:
        events: integers `(samples, channels)`, the time step of each spike, where `steps` means never
            (`encode.latency_steps`); booleans `(time, samples, channels)`, whether there is a spike; or floating
            numbers from 0 to 1, `(samples, channels)`, intensities.
        labels: class of each sample, integers from 0 to below `classes`, `(samples,)`.
        steps: length of a sample in time steps, >= 1.
        classes: number of classes, >= 1.

    Raises:
        TypeError: events have another dtype, or labels are not integers.
        ValueError: a label, an event or an intensity is out of its range, or shapes do not fit each other.
    """

    events: (
        Integer[Array | np.ndarray, "samples channels"]
        | Bool[Array | np.ndarray, "time samples channels"]
        | Float[Array | np.ndarray, "samples channels"]
    )
    labels: Integer[Array | np.ndarray, " samples"]
    steps: int = static()
    classes: int = static()

    def __post_init__(self) -> None:
        require_whole("Dataset", steps=self.steps, classes=self.classes)
        steps, last = self.steps, self.classes - 1
        _require_fit(self.events, self.labels, steps)
        require_entries("Dataset", "labels", self.labels, last, f"0 to {last}, for {self.classes} classes")
        if self._is_intensity:
            require_entries("Dataset", "events", self.events, 1, "intensities from 0 to 1")
        elif not self._is_raster:
            require_entries("Dataset", "events", self.events, steps, f"steps 0 to {steps - 1}, or {steps} for never")

    @property
    def _is_raster(self) -> bool:
        return self.events.dtype == bool

    @property
    def _is_intensity(self) -> bool:
        return jnp.issubdtype(self.events.dtype, jnp.floating)

    @property
    def batch_axes(self) -> Dataset:
        """The axis of the samples in each array, for the devices of `train.fit`: 1 in a raster, else 0."""
        return jax.tree.unflatten(jax.tree.structure(self), [int(self._is_raster), 0])

    @property
    def traced_indices(self) -> bool:
        """Whether `data[indices]` takes traced indices, so that `train.fit` makes many updates in one program: True."""
        return True

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, samples: Integer[Array | np.ndarray, " batch"]) -> Dataset:
        """The samples of some indices, in that order."""
        events = self.events[:, samples] if self._is_raster else self.events[samples]
        # The samples fit as the whole does, so nothing is checked again.
        return jax.tree.unflatten(jax.tree.structure(self), [events, self.labels[samples]])

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.events.shape[-1]

    def spikes(self, key: Array | None = None) -> Float[Array, "time samples channels"]:
        """The spike trains, 0 or 1.

        Parameters:
            key: random key of the spikes, if the data set has intensities; else it is not needed.

        Raises:
            TypeError: there are intensities, and no key.
        """
        if self._is_intensity:
            if key is None:
                raise TypeError("Dataset: spikes of intensities are drawn; give a key: spikes(jax.random.key(0)).")
            return rate(self.events, self.steps, key=key)
        if self._is_raster:
            return jnp.asarray(self.events, jnp.float32)
        return jax.nn.one_hot(self.events, self.steps, axis=0, dtype=jnp.float32)


def _require_fit(events: Any, labels: Any, steps: int) -> None:
    """Check dtypes and shapes."""
    raster = events.dtype == bool
    if not raster and not jnp.issubdtype(events.dtype, jnp.integer) and not jnp.issubdtype(events.dtype, jnp.floating):
        raise TypeError(
            f"Dataset: events must be integers (latencies), booleans (a raster) or floating numbers (intensities), "
            f"got {events.dtype}."
        )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"Dataset: labels must be integers, got {labels.dtype}; give the number of each class.")
    form = f"{steps} steps, samples, channels" if raster else "samples, channels"
    require_shapes("Dataset", {"events": (events.shape, form), "labels": (labels.shape, "samples")})


class Split(NamedTuple):
    """The samples of a task.

    Parameters:
        train: samples to train on.
        test: samples to judge by.
    """

    train: Dataset
    test: Dataset


def dataset(events: np.ndarray, labels: np.ndarray, steps: int, classes: int) -> Dataset:
    """A data set of NumPy arrays, with latencies in the smallest dtype that holds them."""
    dtype = np.min_scalar_type(steps) if np.issubdtype(events.dtype, np.integer) else events.dtype
    return Dataset(jnp.asarray(events, dtype), jnp.asarray(labels, jnp.int32), steps, classes)


def split(data: Dataset, random: np.random.Generator, test_share: float) -> Split:
    """The samples in random order, a share of them as test samples.

    Raises:
        ValueError: no training sample is left.
    """
    order = random.permutation(len(data))
    held_out = round(test_share * len(data))
    if held_out == len(data):
        raise ValueError(
            f"split: test_share={test_share} of {len(data)} samples leaves none to learn from; make it smaller, or "
            f"take more samples."
        )
    return Split(data[order[held_out:]], data[order[:held_out]])


def require_split(task: str, seed: int, test_share: float) -> None:
    """Check the options `seed` and `test_share` of a task.

    Raises:
        ValueError: the share is not from 0 to below 1, or the seed is no integer >= 0.
    """
    require_whole(task, 0, seed=seed)
    require_real(task, "test_share", test_share, at_least=0, below=1)
