"""Labelled spikes, and their split in samples to learn from and samples to judge by."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Integer

from surgrad._pytree import Pytree, static


class Dataset(Pytree):
    """Spikes of samples, and their classes.

    Where no channel spikes twice, a sample is held as latencies, one small integer a channel; else as a raster, one
    byte a channel and step.

    Parameters:
        events: integers, the step of each spike, where `steps` means never; or booleans, whether there is a spike.
        labels: class of each sample, an integer from 0.
        steps: length of a sample, in steps.
        classes: number of classes.
    """

    events: Integer[Array, "samples channels"] | Bool[Array, "samples time channels"]
    labels: Int[Array, " samples"]
    steps: int = static()
    classes: int = static()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, samples: Integer[Array | np.ndarray, " batch"]) -> Dataset:
        """Some of the samples, in a given order."""
        return Dataset(self.events[samples], self.labels[samples], self.steps, self.classes)

    @property
    def channels(self) -> int:
        """Number of channels."""
        return self.events.shape[-1]

    def spikes(self) -> Float[Array, "time samples channels"]:
        """0 or 1; time leads."""
        if self.events.dtype == bool:
            return jnp.moveaxis(self.events, -2, 0).astype(jnp.float32)
        return jax.nn.one_hot(self.events, self.steps, axis=0, dtype=jnp.float32)


class Split(NamedTuple):
    """Samples to learn from and samples to judge by."""

    train: Dataset
    test: Dataset


def dataset(events: np.ndarray, labels: np.ndarray, steps: int, classes: int) -> Dataset:
    """A data set of NumPy's arrays; latencies take as few bytes as the number of steps allows."""
    dtype = bool if events.dtype == bool else np.min_scalar_type(steps)
    return Dataset(jnp.asarray(events, dtype), jnp.asarray(labels, jnp.int32), steps, classes)


def split(data: Dataset, random: np.random.Generator, test_share: float) -> Split:
    """Samples in random order, the first `test_share` of them to test.

    Raises:
        ValueError: the share is not 0 to 1.
    """
    check_share("split", test_share=test_share)
    order = random.permutation(len(data))
    held_out = round(test_share * len(data))
    return Split(data[order[held_out:]], data[order[:held_out]])


def check_integers(task: str, least: int = 1, **given: int) -> None:
    """Check options of a task that are counts.

    Raises:
        ValueError: one is not an integer, or below the least.
    """
    for name, value in given.items():
        if not isinstance(value, (int, np.integer)) or value < least:
            raise ValueError(f"{task}: {name} must be an integer >= {least}, got {value!r}.")


def check_share(task: str, **given: float) -> None:
    """Check options of a task that are probabilities.

    Raises:
        ValueError: one is not 0 to 1.
    """
    for name, value in given.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{task}: {name} must be 0 to 1, got {value!r}.")
