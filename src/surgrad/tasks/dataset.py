"""Labelled spike latencies, and the code that makes them from intensities."""

from __future__ import annotations

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from surgrad._pytree import Pytree, static


class Dataset(Pytree):
    """Samples whose channels spike at most once, and their classes.

    Parameters:
        latencies: step of each spike, `(samples, channels)`; `steps` means never.
        labels: class of each sample, an integer from 0.
        steps: length of a sample, in steps.
        classes: number of classes.
    """

    latencies: Int[Array, "samples channels"]
    labels: Int[Array, " samples"]
    steps: int = static()
    classes: int = static()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, samples: Int[Array, " batch"]) -> Dataset:
        """Some of the samples, in a given order."""
        return Dataset(self.latencies[samples], self.labels[samples], self.steps, self.classes)

    def spikes(self) -> Float[Array, "time samples channels"]:
        """0 or 1; time leads."""
        time = jnp.arange(self.steps)[:, None, None]
        return (self.latencies == time).astype(jnp.float32)


class Split(NamedTuple):
    """Samples to learn from and samples to judge by."""

    train: Dataset
    test: Dataset


def latency(intensity: np.ndarray, steps: int) -> np.ndarray:
    """Steps of spikes that come earlier for higher intensities: round((1 - p)(steps - 1)), and never where p = 0.

    Parameters:
        intensity: p, from 0 (dark: no spike) to 1 (a spike at step 0).
        steps: number of steps, >= 1; stands for "never" in the result.

    Raises:
        ValueError: an intensity is outside of 0 to 1, or steps below 1.
    """
    if steps < 1:
        raise ValueError(f"latency: steps must be >= 1, got {steps}.")
    if not np.all((intensity >= 0) & (intensity <= 1)):
        raise ValueError(f"latency: intensities must be 0 to 1, got {np.min(intensity)} to {np.max(intensity)}.")
    first = np.rint((1 - intensity) * (steps - 1)).astype(np.int32)
    return np.where(intensity > 0, first, np.int32(steps))


def split(intensity: np.ndarray, labels: np.ndarray, *, steps: int, seed: int, test_share: float) -> Split:
    """Samples encoded as latencies and shuffled by the seed, the first `test_share` of them to test."""
    order = np.random.default_rng(seed).permutation(len(labels))
    latencies, classes = latency(intensity, steps), int(labels.max()) + 1
    held_out = round(test_share * len(labels))

    def subset(samples: np.ndarray) -> Dataset:
        return Dataset(jnp.asarray(latencies[samples]), jnp.asarray(labels[samples], jnp.int32), steps, classes)

    return Split(subset(order[held_out:]), subset(order[:held_out]))
