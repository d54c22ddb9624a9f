"""Codes of data sets by name: what a `Dataset` stores for intensities."""

from __future__ import annotations

import numpy as np

from surgrad._kinds import require_choice
from surgrad._numbers import require_whole
from surgrad.encode import latency_steps

CODES = ("latency", "rate", "intensity")


def events(intensity: np.ndarray, code: str, steps: int, random: np.random.Generator) -> np.ndarray:
    """Events of a `Dataset`: latencies, spikes of the rate code that are drawn once, or the intensities."""
    if code == "latency":
        return np.asarray(latency_steps(intensity, steps))
    if code == "intensity":
        return np.asarray(intensity, np.float32)
    # Time step by time step, since random numbers take eight times the memory of spikes.
    return np.stack([random.random(intensity.shape) < intensity for _ in range(steps)])


def require_code(task: str, code: str, steps: int) -> None:
    """Check the options `code` and `steps` of a task.

    Raises:
        ValueError: there is no such code, or steps is no integer >= 1.
    """
    require_choice(task, "code", code, CODES)
    require_whole(task, steps=steps)
