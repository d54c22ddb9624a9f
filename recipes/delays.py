"""Delays that are learned, for spikes that lie further apart than neurons remember. `python -m recipes.delays`"""

from __future__ import annotations

import sys

import jax
from jaxtyping import Array

import surgrad
from recipes import _run
from recipes._recipe import Recipe, of_spikes
from surgrad import nn, tasks

LONGEST = 30
"""The largest delay in time steps."""


def load(seed: int) -> tasks.Split:
    """Other orders of the channels for each seed."""
    return tasks.coincidences(seed=seed)


def network(key: Array, data: tasks.Dataset) -> nn.Sequential:
    """A delay for each synapse, 32 LIF neurons with a time constant of 2 steps, and a mean over time."""
    into, out = jax.random.split(key)
    return nn.Sequential(
        nn.DelayedLinear(data.channels, 32, LONGEST, key=into, gain=2.0),
        nn.LIF(surgrad.Arctan(2.0), tau=2.0),
        nn.Linear(32, data.classes, key=out, gain=float(data.steps)),
        nn.MeanOverTime(),
    )


RECIPE = Recipe(
    title="delays",
    about=(
        "Coincidences: 4 classes of 250 samples, a fifth of them to test by. Five channels spike once each, so far "
        "apart that no neuron sees two spikes together but through delays; the class is the order of the channels. "
        f"{network.__doc__} Delays are learned with the weights, at 40 times their learning rate."
    ),
    load=load,
    network=network,
    logits=of_spikes,
    rate=5e-3,
    delays_faster=40.0,
    epochs=90,
    batch=50,
)

if __name__ == "__main__":
    sys.exit(_run.main("delays", RECIPE))
