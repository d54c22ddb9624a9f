"""surgrad with checkpoints, which computes the forward pass twice; spikes are summed as they come, and not kept."""

from __future__ import annotations

import functools

import numpy as np

from benchmarks.compare.peers import surgrad
from benchmarks.compare.problems import Problem
from benchmarks.compare.program import Program
from surgrad.nn import LeakyIntegrator, Linear, Sequential

ENTRIES = {
    "surgrad_low_memory": {
        "label": "surgrad, low memory",
        "role": "ours",
        "packages": ("surgrad", "jax"),
        "colour": "#6FA8DC",
        "long": True,
    },
}


def feedforward(problem: Problem) -> Program:
    def network(p):
        return Sequential(Linear.from_arrays(p["weights"], p["bias"]), surgrad.cells(problem), LeakyIntegrator(np.inf))

    return surgrad.program(problem, network, checkpoint_every="auto", keep="last")


layered = functools.partial(surgrad.layered, checkpoint_every="auto")
recurrent = functools.partial(surgrad.recurrent, checkpoint_every="auto")
convolutional = functools.partial(surgrad.convolutional, checkpoint_every="auto")
