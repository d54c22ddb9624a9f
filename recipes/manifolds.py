"""Random manifolds in spike time. `python -m recipes.manifolds`"""

from __future__ import annotations

import sys
from typing import Any

from jaxtyping import Array

import surgrad
from recipes import _run
from recipes._recipe import Recipe, of_spikes
from surgrad import nn, tasks, train

STEPS = 50


def load(seed: int) -> tasks.Split:
    """Other manifolds for each seed."""
    return tasks.manifolds(steps=STEPS, window=25, seed=seed)


def network(key: Array, data: Any) -> nn.Sequential:
    """One hidden layer of 128 LIF neurons, and the largest membrane potentials of leaky integrators."""
    spike = surgrad.SuperSpike(10.0)
    made = train.classifier(surrogate=spike, data=data, key=key, hidden=128, tau=STEPS / 5, gain=3.0)
    return nn.Sequential(made, nn.MaxOverTime())


RECIPE = Recipe(
    title="manifolds",
    about=(
        "Random manifolds in spike time (Zenke and Vogels, 2021): 10 classes of 1,000 samples, a fifth of them to test "
        f"by; each of 20 channels spikes once in {STEPS} time steps, so no count tells the class. {network.__doc__}"
    ),
    load=load,
    network=network,
    logits=of_spikes,
    rate=5e-3,
    epochs=30,
    batch=128,
)

if __name__ == "__main__":
    sys.exit(_run.main("manifolds", RECIPE))
