"""The cases that rules of calibration are chosen and judged by: tasks, shapes, normalisations, depths, recurrence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

import surgrad as sg
from surgrad import tasks
from surgrad.nn import LIF, LastStep, LeakyIntegrator, Linear, MaxOverTime, Recurrent, Sequential

TASKS: dict[str, dict[str, Any]] = {
    "digits": {"steps": 25},
    "digits, rates": {"steps": 25, "code": "rate"},
    "manifolds": {"classes": 6, "steps": 40},
    "delayed_memory": {"classes": 8, "noise": 0.05, "steps": 30},
    "temporal_xor": {"samples": 1000, "noise": 0.04},
}
"""The options of each task; what stands before a comma is its name."""

LATE = ("delayed_memory", "temporal_xor")
"""Tasks whose answer is the voltage at the end; that of the others is its peak."""

SHAPES: dict[str, type[sg.Surrogate]] = {
    "sigmoid": sg.Sigmoid,
    "arctan": sg.Arctan,
    "soft sign": sg.SoftSign,
    "gaussian": sg.GaussianGrad,
    "triangle": sg.PiecewiseQuadratic,
    "exponential": sg.PiecewiseExp,
}
NORMALISATIONS = ("area", "peak")
DEPTHS = (1, 2, 3, 4)
HIDDEN, TAU, GAIN = 64, 20.0, 3.0
SEED = 0


@dataclass(frozen=True)
class Case:
    """A network and what it learns.

    Parameters:
        task: key of `TASKS`.
        shape: key of `SHAPES`.
        normalisation: of the slope, to unit area or unit peak.
        depth: number of hidden layers.
        recurrent: whether hidden layers are.
        held_out: whether rules are judged by it; the others are those to choose rules by.
    """

    task: str
    shape: str
    normalisation: str
    depth: int
    recurrent: bool
    held_out: bool

    def surrogate(self, scale: Any) -> sg.Surrogate:
        """The surrogate, `scale` times steeper than its class makes it."""
        return sg.Normalized(sg.Temperature(SHAPES[self.shape](), 1 / scale), to=self.normalisation)

    def data(self) -> tasks.Split:
        """What is learned, the same in all cases of the task."""
        return tasks.load(self.task.split(",")[0], **TASKS[self.task])

    def network(self, key: jax.Array, data: tasks.Dataset, scale: Any) -> Sequential:
        """A network at its beginning."""
        spike, width, parts = self.surrogate(scale), data.channels, []
        for layer in jax.random.split(key, self.depth + 1)[1:]:
            into, back = jax.random.split(layer)
            cell = LIF(spike, TAU)
            cell = Recurrent(cell, HIDDEN, key=back) if self.recurrent else cell
            parts += [Linear(width, HIDDEN, key=into, gain=GAIN), cell]
            width = HIDDEN
        return Sequential(
            *parts,
            Linear(width, data.classes, key=key),
            LeakyIntegrator(TAU),
            LastStep() if self.task in LATE else MaxOverTime(),
        )


def cases(each: int = 2) -> Iterator[Case]:
    """For every task, depth and kind of layer some shapes and normalisations, drawn by chance; every other held out."""
    random = np.random.default_rng(SEED)
    kinds = [(shape, to) for shape in SHAPES for to in NORMALISATIONS]
    pool: list[tuple[str, str]] = []
    for task in TASKS:
        for recurrent in (False, True):
            for depth in DEPTHS:
                for index in range(each):
                    # Without replacement, until all shapes have had their turn.
                    pool = pool or [kinds[i] for i in random.permutation(len(kinds))]
                    shape, to = pool.pop()
                    yield Case(task, shape, to, depth, recurrent, bool(index % 2))
