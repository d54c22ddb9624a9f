"""Random manifolds in spike time."""

from __future__ import annotations

import math

import numpy as np

from surgrad._numbers import require_real, require_whole
from surgrad.tasks._dataset import Split, dataset, require_split, split
from surgrad.tasks._registry import register

MOST_TERMS = 1000
"""Largest number of terms of a series. Terms with a coefficient below the inverse of it are left out."""


@register
def manifolds(
    *,
    classes: int = 10,
    units: int = 20,
    dimensions: int = 1,
    alpha: float = 1.0,
    samples: int = 1000,
    steps: int = 100,
    window: int | None = None,
    seed: int = 0,
    test_share: float = 0.2,
) -> Split:
    """Random manifolds: for each class a smooth manifold in the space of the spike times of all channels.

    Each channel spikes once. The spike time of channel i at a point x, uniform in [0, 1]^D, is

        f_i(x) = prod_j sum_{k=1}^{n} k^(-alpha) A_ijk sin(2π(k x_j B_ijk + C_ijk)),    A, B, C uniform in [0, 1],

    scaled to 0 to 1 over the samples of the class, times the window, rounded down to a time step. Spike counts do not
    tell the class. The defaults are the values of the publication.

    Parameters:
        classes: number of manifolds.
        units: number M of channels.
        dimensions: dimension D of a manifold.
        alpha: smoothness, > 0; there are n = min(ceil(1000^(1/alpha)), 1000) terms.
        samples: number of points on each manifold.
        steps: length of a sample in time steps.
        window: number of time steps, from the first on, in which the spikes fall; None for the first half.
        seed: seed of the manifolds, the points and the split.
        test_share: share of the samples that are held out, from 0 to below 1.

    Raises:
        ValueError: an option is out of range.

    Source: Zenke & Vogels (2021), section 4.1.1, formula and constants as a public reproduction cites them. Verified
    against the authors' code, `randman`: cut-off, product, distributions and the rounding of times are the same. Its
    series has other weights: it begins at k = 0, with A_ij0 = 0, and term k weighs (k + 1)^(-alpha) in its NumPy
    variant, 1/((k + 1)^alpha + 1) in its PyTorch variant, the default.
    """
    sizes = {"classes": classes, "units": units, "dimensions": dimensions, "samples": samples}
    require_whole("manifolds", **sizes, steps=steps)
    window = (steps + 1) // 2 if window is None else window
    require_whole("manifolds", window=window)
    if window > steps:
        raise ValueError(f"manifolds: window must be at most steps, {steps}, got {window}.")
    require_real("manifolds", "alpha", alpha, above=0, finite=False)
    require_split("manifolds", seed, test_share)
    random = np.random.default_rng(seed)
    times = [_manifold(random, samples, units, dimensions, alpha) for _ in range(classes)]
    # The latest spike of a channel is at 1, the end of the window; it belongs to the last time step of the window.
    latencies = np.minimum((window * np.concatenate(times)).astype(int), window - 1)
    return split(dataset(latencies, np.repeat(np.arange(classes), samples), steps, classes), random, test_share)


def _manifold(random: np.random.Generator, samples: int, units: int, dimensions: int, alpha: float) -> np.ndarray:
    """Points on one manifold, each coordinate from 0 to 1, `(samples, units)`."""
    terms = math.ceil(MOST_TERMS ** (1 / max(alpha, 1)))
    series = random.random((units, dimensions, 3, terms))
    points = random.random((samples, dimensions))
    # Blocks of a hundred points fit into the cache.
    blocks = [points[begin : begin + 100] for begin in range(0, samples, 100)]
    coordinates = np.concatenate([np.stack([coordinate(b, unit, alpha) for unit in series], axis=1) for b in blocks])
    lowest, highest = coordinates.min(axis=0), coordinates.max(axis=0)
    return (coordinates - lowest) / np.maximum(highest - lowest, np.finfo(np.float32).tiny)


def coordinate(points: np.ndarray, series: np.ndarray, alpha: float) -> np.ndarray:
    """The spike time f_i at points `(points, dimensions)`, in single precision; `series` is A, B and C."""
    k = np.arange(1, series.shape[-1] + 1)
    product = np.ones(len(points), np.float32)
    for x, (amplitude, frequency, phase) in zip(points.T, series, strict=True):
        turns = np.outer(x, k * frequency) + phase
        turns -= np.rint(turns)  # whole turns would cost single precision its digits, and the sine much time
        waves = np.sin(np.float32(2 * np.pi) * turns.astype(np.float32))
        product *= waves @ (amplitude / k**alpha).astype(np.float32)
    return product
