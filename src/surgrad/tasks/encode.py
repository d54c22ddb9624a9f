"""Codes that make spikes of intensities."""

from __future__ import annotations

import numpy as np

CODES = ("latency", "rate")


def latency(intensity: np.ndarray, steps: int) -> np.ndarray:
    """Steps of spikes that come earlier for higher intensities: round((1 - p)(steps - 1)), and never where p = 0.

    Parameters:
        intensity: p, from 0 (dark: no spike) to 1 (a spike at step 0).
        steps: number of steps, >= 1; stands for "never" in the result.

    Raises:
        ValueError: an intensity is outside of 0 to 1, or steps below 1.
    """
    _check("latency", intensity, steps)
    first = np.rint((1 - intensity) * (steps - 1)).astype(np.int32)
    return np.where(intensity > 0, first, np.int32(steps))


def rate(intensity: np.ndarray, steps: int, random: np.random.Generator) -> np.ndarray:
    """Whether there is a spike, at each step with probability p, whatever came before.

    Parameters:
        intensity: p, from 0 (no spike) to 1 (a spike at each step), `(samples, channels)`.
        steps: number of steps, >= 1.
        random: where the spikes are drawn from.

    Returns:
        booleans, `(samples, steps, channels)`.

    Raises:
        ValueError: an intensity is outside of 0 to 1, or steps below 1.
    """
    _check("rate", intensity, steps)
    samples, channels = intensity.shape
    spikes = np.empty((samples, steps, channels), bool)
    for step in range(steps):  # all steps at once would take 8 bytes a spike
        spikes[:, step] = random.random((samples, channels)) < intensity
    return spikes


def encode(intensity: np.ndarray, code: str, steps: int, random: np.random.Generator) -> np.ndarray:
    """Spikes of intensities by the name of the code, `"latency"` or `"rate"`.

    Raises:
        ValueError: there is no such code, or what the code itself refuses.
    """
    if code not in CODES:
        raise ValueError(f"code must be one of {', '.join(map(repr, CODES))}, got {code!r}.")
    return latency(intensity, steps) if code == "latency" else rate(intensity, steps, random)


def _check(code: str, intensity: np.ndarray, steps: int) -> None:
    if steps < 1:
        raise ValueError(f"{code}: steps must be >= 1, got {steps}.")
    if not np.all((intensity >= 0) & (intensity <= 1)):
        raise ValueError(f"{code}: intensities must be 0 to 1, got {np.min(intensity)} to {np.max(intensity)}.")
