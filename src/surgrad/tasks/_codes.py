"""Intensities as the events of a data set, by the name of a code."""

from __future__ import annotations

import numpy as np

from surgrad._numbers import require_whole
from surgrad.encode import latency_steps

CODES = ("latency", "rate", "intensity")


def events(intensity: np.ndarray, code: str, steps: int, random: np.random.Generator) -> np.ndarray:
    """What a `Dataset` holds: latencies; spikes of the rate code, drawn once; or the intensities themselves."""
    if code == "latency":
        return np.asarray(latency_steps(intensity, steps))
    if code == "intensity":
        return np.asarray(intensity, np.float32)
    # A byte a spike; the numbers that are drawn take eight, so not all time steps are drawn at once.
    return np.stack([random.random(intensity.shape) < intensity for _ in range(steps)])


def require_code(task: str, code: str, steps: int) -> None:
    """Check the options of a task that say how its intensities become spikes.

    Raises:
        ValueError: there is no such code, or steps is no integer >= 1.
    """
    if code not in CODES:
        raise ValueError(f"{task}: code must be one of {', '.join(map(repr, CODES))}, got {code!r}.")
    require_whole(task, steps=steps)
