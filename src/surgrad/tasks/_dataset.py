"""Labelled spikes, and their split in samples to learn from and samples to judge by."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool, Float, Integer

from surgrad._numbers import require_real, require_whole
from surgrad._pytree import Pytree, static
from surgrad.encode import rate


class Dataset(Pytree):
    """Spikes of samples, and their classes.

    Where no channel spikes twice, a sample is held as latencies, one small integer a channel; else as a raster, one
    byte a step and channel. Intensities are held as they are; each call of `spikes` draws spikes of the rate code.

    Parameters:
        events: integers, the step of each spike, where `steps` means never (`encode.latency_steps`); booleans, whether
            there is a spike, time first; or floating numbers from 0 to 1, the intensities of channels.
        labels: class of each sample, an integer from 0.
        steps: length of a sample, in steps.
        classes: number of classes.

    Raises:
        TypeError: events are of another dtype, or labels no integers.
        ValueError: a label is no class, an event no step, or an intensity not 0 to 1; shapes do not fit each other.
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
        _require_fit(self.events, self.labels, self.steps)
        _require_range("labels", self.labels, self.classes - 1, f"0 to {self.classes - 1}, for {self.classes} classes")
        if self._is_intensity:
            _require_range("events", self.events, 1, "intensities from 0 to 1")
        elif not self._is_raster:
            _require_range("events", self.events, self.steps, f"steps 0 to {self.steps - 1}, or {self.steps} for never")

    @property
    def _is_raster(self) -> bool:
        return self.events.dtype == bool

    @property
    def _is_intensity(self) -> bool:
        return jnp.issubdtype(self.events.dtype, jnp.floating)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, samples: Integer[Array | np.ndarray, " batch"]) -> Dataset:
        """Some of the samples, in a given order."""
        events = self.events[:, samples] if self._is_raster else self.events[samples]
        # What is taken out of a data set fits as the whole does: its numbers are not read again.
        return jax.tree.unflatten(jax.tree.structure(self), [events, self.labels[samples]])

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.events.shape[-1]

    def spikes(self, key: Array | None = None) -> Float[Array, "time samples channels"]:
        """0 or 1; time leads.

        Parameters:
            key: of the spikes of intensities, which are drawn from it; not needed otherwise.

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
    """Check types and shapes, which are known while a program is traced, too."""
    raster = events.dtype == bool
    if not raster and not jnp.issubdtype(events.dtype, jnp.integer) and not jnp.issubdtype(events.dtype, jnp.floating):
        raise TypeError(
            f"Dataset: events must be integers (latencies), booleans (a raster) or floating numbers (intensities), "
            f"got {events.dtype}."
        )
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"Dataset: labels must be integers, got {labels.dtype}; give the number of each class.")
    wanted = (steps, *labels.shape) if raster else labels.shape
    if labels.ndim != 1 or events.ndim != len(wanted) + 1 or events.shape[:-1] != wanted:
        form = f"(time, samples, channels), with {steps} steps" if raster else "(samples, channels)"
        raise ValueError(
            f"Dataset: events must be {form}, and labels (samples,), got {events.shape} and {labels.shape}."
        )


def _require_range(name: str, numbers: Any, most: int, demand: str) -> None:
    """Check numbers that have a value already, on the host, where a traced program does not see it."""
    if isinstance(numbers, (np.ndarray, jax.Array)) and not isinstance(numbers, Tracer) and numbers.size:
        found = np.asarray(numbers)
        if not (found.min() >= 0 and found.max() <= most):  # NaN is in no range
            raise ValueError(f"Dataset: {name} must be {demand}, got {found.min()} to {found.max()}.")


class Split(NamedTuple):
    """Samples to learn from and samples to judge by."""

    train: Dataset
    test: Dataset


def dataset(events: np.ndarray, labels: np.ndarray, steps: int, classes: int) -> Dataset:
    """A data set of NumPy's arrays; latencies take as few bytes as the number of steps allows."""
    dtype = np.min_scalar_type(steps) if np.issubdtype(events.dtype, np.integer) else events.dtype
    return Dataset(jnp.asarray(events, dtype), jnp.asarray(labels, jnp.int32), steps, classes)


def split(data: Dataset, random: np.random.Generator, test_share: float) -> Split:
    """Samples in random order, the first `test_share` of them to test.

    Raises:
        ValueError: that leaves no sample to learn from.
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
    """Check the options of a task that say how its samples are split, before they are made.

    Raises:
        ValueError: the share is not from 0 to below 1, or the seed is no integer >= 0.
    """
    require_whole(task, 0, seed=seed)
    require_real(task, "test_share", test_share, at_least=0, below=1)
