"""Codes that make spikes of intensities."""

from __future__ import annotations

import numpy as np
from jaxtyping import Bool, Int, Real

from surgrad._numbers import require_whole

CODES = ("latency", "rate")


def latency(intensity: Real[np.ndarray, ...], steps: int) -> Int[np.ndarray, ...]:
    """The step of the only spike of each channel, earlier for higher intensities: round((1 - p)(steps - 1)).

    Where p = 0 there is no spike. Latencies have no axis of time, and so take few bytes; `jax.nn.one_hot(latencies,
    steps, axis=0)` makes spikes of them as networks take them, time first, and so does a `Dataset`.

    Parameters:
        intensity: p, from 0 (dark: no spike) to 1 (a spike at step 0).
        steps: number of steps, >= 1; stands for "never" in the result.

    Raises:
        ValueError: an intensity is outside of 0 to 1, or steps below 1.
    """
    _check("latency", intensity, steps)
    first = np.rint((1 - intensity) * (steps - 1)).astype(np.int32)
    return np.where(intensity > 0, first, np.int32(steps))


def rate(intensity: Real[np.ndarray, ...], steps: int, random: np.random.Generator) -> Bool[np.ndarray, "time ..."]:
    """Whether there is a spike, at each step with probability p, whatever came before; time leads.

    Parameters:
        intensity: p, from 0 (no spike) to 1 (a spike at each step), `(samples, channels)` most often.
        steps: number of steps, >= 1.
        random: where the spikes are drawn from.

    Returns:
        booleans, `(time, samples, channels)`, as networks and a `Dataset` take them.

    Raises:
        ValueError: an intensity is outside of 0 to 1, or steps below 1.
    """
    _check("rate", intensity, steps)
    spikes = np.empty((steps, *np.shape(intensity)), bool)
    for step in range(steps):  # all steps at once would take 8 bytes a spike
        spikes[step] = random.random(np.shape(intensity)) < intensity
    return spikes


def encode(intensity: np.ndarray, code: str, steps: int, random: np.random.Generator) -> np.ndarray:
    """Latencies, or spikes of the rate code, by the name of the code."""
    return latency(intensity, steps) if code == "latency" else rate(intensity, steps, random)


def require_code(task: str, code: str, steps: int) -> None:
    """Check the options of a task that say how its intensities become spikes.

    Raises:
        ValueError: there is no such code, or steps is no integer >= 1.
    """
    if code not in CODES:
        raise ValueError(f"{task}: code must be one of {', '.join(map(repr, CODES))}, got {code!r}.")
    require_whole(task, steps=steps)


def _check(code: str, intensity: np.ndarray, steps: int) -> None:
    require_whole(code, steps=steps)
    if not np.all((intensity >= 0) & (intensity <= 1)):
        raise ValueError(f"{code}: intensities must be 0 to 1, got {np.min(intensity)} to {np.max(intensity)}.")
