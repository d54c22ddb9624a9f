"""Distances between spike trains."""

from __future__ import annotations

import math
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._answers import answers_keywords
from surgrad._numbers import require_real
from surgrad._over_time import van_rossum_squared
from surgrad._types import Numbers, Parameter


@answers_keywords
def van_rossum_distance(
    first: Numbers, second: Numbers, *, tau: Parameter = 10.0, lengths: Any = None
) -> Float[Array, ...]:
    """Distances of van Rossum of spike trains over time, of each neuron in each sample, `(*batch, neurons)`.

    D = √(1/τ ∫ (f(t) - g(t))² dt), where f and g are the spike trains filtered with exp(-t/τ). It is the square root of
    what `losses.van_rossum_loss` averages.

        >>> import jax.numpy as jnp
        >>> from surgrad import metrics
        >>> first, second = jnp.zeros((2, 50, 1)).at[0, 10].set(1)
        >>> (metrics.van_rossum_distance(first, second) ** 2).round(3).tolist()  # one spike too many
        [0.5]

    Parameters:
        first, second: spike trains, `(time, *batch, neurons)`.
        tau: time constant of the filter in time steps, > 0. As it decreases, D² becomes half the number of spikes that
            do not coincide; as it grows, half the squared difference of the spike counts.
        lengths: the number of time steps of each sample, `(batch,)`, where sequences are padded.

    Raises:
        TypeError: lengths are not whole numbers, or spikes are complex.
        ValueError: the shapes differ, tau is not > 0, or a length is out of range.

    Source: van Rossum 2001, *A novel spike distance*, Neural Computation 13.
    """
    return jnp.sqrt(van_rossum_squared("van_rossum_distance", {"first": first, "second": second}, tau, lengths))


@answers_keywords
def victor_purpura_distance(first: Any, second: Any, *, cost: float) -> float:
    """Distance of Victor and Purpura between two lists of spike times: the least cost of making one from the other.

    To add or to remove a spike costs 1, and to move one by δ costs q |δ|. It is computed by dynamic programming in
    NumPy, in time proportional to the product of the numbers of spikes, and has no gradient.

        >>> from surgrad import metrics
        >>> metrics.victor_purpura_distance([3.0, 10.0], [4.0, 10.0, 30.0], cost=0.5)  # one moved by 1, and one added
        1.5

    Parameters:
        first, second: spike times of one neuron in any unit, in any order: those of a spike train are
            `np.flatnonzero(spikes[:, sample, neuron])`. A spike train of zeros and ones would be taken for times 0 and
            1.
        cost: q, of moving a spike by one unit of time, >= 0. With 0 the distance is the difference of the spike counts;
            with infinity it is the number of spikes that do not coincide. Spikes are moved by up to 2/q.

    Raises:
        TypeError: the cost is not a number.
        ValueError: the cost is below 0 or NaN, or spike times are not a list of finite numbers.

    Source: Victor and Purpura 1996, *Nature and precision of temporal coding in visual cortex*, J. Neurophysiology 76,
    the distance D^spike[q].
    """
    require_real("victor_purpura_distance", "cost", cost, at_least=0, finite=False)
    rows, columns = _spike_times("first", first), _spike_times("second", second)
    # With the columns i and the rows j so far, each row follows from the one above. To add spikes along a row costs 1
    # each, so that the least over all places is a running minimum after taking those costs off.
    added = np.arange(len(columns) + 1.0)
    row = added.copy()
    for number, time in enumerate(rows, 1):
        apart = np.abs(columns - time)
        moved = row[:-1] + (cost * apart if math.isfinite(cost) else np.where(apart > 0, 2.0, 0.0))
        least = np.concatenate([[number], np.minimum(row[1:] + 1, moved)])
        row = np.minimum.accumulate(least - added) + added
    return float(row[-1])


def _spike_times(name: str, given: Any) -> np.ndarray:
    """Spike times in order.

    Raises:
        ValueError: they are not a list of finite numbers.
    """
    times = np.asarray(given)
    real = times.size == 0 or np.issubdtype(times.dtype, np.integer) or np.issubdtype(times.dtype, np.floating)
    if times.ndim != 1 or not real or not np.isfinite(times.astype(float)).all():
        shown = f"an array of shape {times.shape} of {times.dtype}"
        raise ValueError(
            f"victor_purpura_distance: {name} must be a list of finite spike times, got {shown}; those of a spike "
            f"train are np.flatnonzero(spikes[:, sample, neuron])."
        )
    return np.sort(times.astype(float))
