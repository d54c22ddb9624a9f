"""Inputs and weights of a case: the same numbers for every competitor, on a grid where float32 adds them exactly.

Inputs are multiples of 2^-6, weights of 2^-13, so that a weighted sum below 32 has no rounding error whatever the order
of its terms. The decay 7/8 is exact as well, also for the neurons that scale their input by 1/8 = 1 - 7/8. What is
left to rounding is v ← 7/8 v + I, where competitors may differ in the last bit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from benchmarks.compare.cases import Case

DECAY = 7 / 8
"""What is left of a voltage after a step, of neurons and of readouts."""

WINDOW = 0.1
"""Half-width of the slope that is cut off, in units of the threshold."""

SEEDS = {"neurons": 2036, "feedforward": 2036, "layered": 2036, "recurrent": 2036, "convolutional": 2047}
"""Of all numbers. With them no voltage of the recurrent network of 256 comes closer to the threshold than 3.8e-6 in
float64, and none of the convolutional one than 3.0e-6, several times what rounding moves them: there, a single spike
that differs changes all that follow."""

SAMPLE = 2**16
"""How many neurons of neurons alone are compared; more would only take time."""

TILE = 2**18
"""How many neurons of neurons alone have numbers of their own; the others repeat them."""

SLOPES = {"arctan", "arctan window", "norse"}
"""Slopes that competitors have: 1/(1 + (πx)²); the same for |x| <= `WINDOW`, else 0; Norse's, see its file."""


class Problem(NamedTuple):
    """What a competitor computes.

    The loss is the sum of the readout over all (`labels` None), else the cross-entropy of its mean over time. A
    readout is the spikes of the last layer, or leaky integrators (layered, recurrent). Thresholds are 1, resets
    subtract 1. Of neurons alone, the currents are the parameter, and the inputs are the gradient by their spikes.

    Parameters:
        inputs: `(time, batch, inputs)`, or `(time, batch, height, width, channels)`.
        parameters: weights `(inputs, outputs)` or `(height, width, inputs, outputs)`, and a bias `(outputs,)`.
        labels: `(batch,)`, classes, or None.
        slope: a name in `SLOPES`.
    """

    inputs: np.ndarray
    parameters: dict[str, np.ndarray]
    labels: np.ndarray | None = None
    slope: str = "arctan"

    def head(self, steps: int) -> Problem:
        """The same over the first steps alone."""
        return self._replace(inputs=self.inputs[:steps])

    @property
    def stride(self) -> int:
        """Of neurons alone every so many are compared, about `SAMPLE` of them."""
        return max(self.inputs.shape[-1] // SAMPLE, 1)

    def double(self) -> Problem:
        """The same in float64."""
        parameters = {name: value.astype(np.float64) for name, value in self.parameters.items()}
        return self._replace(inputs=self.inputs.astype(np.float64), parameters=parameters)

    def digest(self) -> str:
        """A hash of all numbers, that tells whether two processes have the same."""
        found = hashlib.sha256(self.inputs.data)
        for name, value in self.parameters.items():
            found.update(name.encode() + value.tobytes())
        return found.hexdigest()[:16]


def problem(case: Case) -> Problem:
    """The numbers of a case, always the same."""
    random = np.random.default_rng(SEEDS[case.architecture])
    return _PROBLEMS[case.architecture](case, random)


def _grid(values: np.ndarray, bits: int) -> np.ndarray:
    return np.round(values * 2.0**bits).astype(np.float32) / np.float32(2.0**bits)


def _inputs(case: Case, random: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    if case.activity is None:
        return _grid(random.standard_normal(shape, np.float32), 6)
    return (random.random(shape, np.float32) < case.activity).astype(np.float32)


def _weights(random: np.random.Generator, shape: tuple[int, ...], deviation: float) -> np.ndarray:
    """Uniform weights with which inputs that are active with probability p make currents of √p times a deviation."""
    reach = deviation * (3 / np.prod(shape[:-1])) ** 0.5
    return _grid(random.uniform(-reach, reach, shape), 13)


def _neurons(case: Case, random: np.random.Generator) -> Problem:
    (count,) = case.sizes
    drawn = (2, case.steps, case.batch, min(count, TILE))
    values = np.tile(_grid(random.standard_normal(drawn, np.float32), 6), -(-count // drawn[-1]))[..., :count]
    currents, field = values
    # Odd multiples of 2^-7 never add up to the threshold, where some libraries spike and others do not.
    return Problem(field.astype(case.dtype), {"currents": (currents + np.float32(2**-7)).astype(case.dtype)})


def _layered(case: Case, random: np.random.Generator) -> Problem:
    inputs, *hidden, outputs = case.sizes
    parameters, active = {}, case.activity or 1
    for i, size in enumerate([*hidden, outputs]):
        parameters[f"layer {i}"] = _weights(random, (inputs, size), 0.65 * active**-0.5)
        inputs, active = size, 0.1  # what such weights make of the spikes of a layer
    labels = random.integers(0, outputs, case.batch)
    return Problem(_inputs(case, random, (case.steps, case.batch, case.sizes[0])), parameters, labels)


def _feedforward(case: Case, random: np.random.Generator) -> Problem:
    inputs, outputs = case.sizes
    # As torch.nn.Linear draws them; binary inputs need larger weights for spikes.
    gain = 3**-0.5 if case.activity is None else 0.4 * case.activity**-0.5
    weights = _weights(random, (inputs, outputs), gain)
    parameters = {"weights": weights, "bias": _weights(random, (1, outputs), (3 * inputs) ** -0.5)[0]}
    return Problem(_inputs(case, random, (case.steps, case.batch, inputs)), parameters)


def _recurrent(case: Case, random: np.random.Generator) -> Problem:
    inputs, hidden, outputs = case.sizes
    parameters = {
        "input": _weights(random, (inputs, hidden), 0.75 * (case.activity or 1) ** -0.5),
        "recurrent": _weights(random, (hidden, hidden), 0.75),
        "readout": _weights(random, (hidden, outputs), 1.0),
    }
    labels = random.integers(0, outputs, case.batch)
    return Problem(_inputs(case, random, (case.steps, case.batch, inputs)), parameters, labels)


def _convolutional(case: Case, random: np.random.Generator) -> Problem:
    side, channels, first, second, outputs = case.sizes
    left = ((side - 4) // 2 - 4) // 2
    parameters = {
        "first": _weights(random, (5, 5, channels, first), 0.5 * (case.activity or 1) ** -0.5),
        "second": _weights(random, (5, 5, first, second), 2.0),
        "dense": _weights(random, (left, left, second, outputs), 3.0),
    }
    labels = random.integers(0, outputs, case.batch)
    return Problem(_inputs(case, random, (case.steps, case.batch, side, side, channels)), parameters, labels)


_PROBLEMS: dict[str, Callable[[Case, np.random.Generator], Problem]] = {
    "neurons": _neurons,
    "feedforward": _feedforward,
    "layered": _layered,
    "recurrent": _recurrent,
    "convolutional": _convolutional,
}
