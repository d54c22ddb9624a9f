"""Handwritten digits of scikit-learn in the latency code. `python -m recipes.digits`"""

from __future__ import annotations

import sys
from typing import Any

from jaxtyping import Array

import surgrad
from recipes import _run
from recipes._recipe import Recipe, of_spikes
from surgrad import nn, tasks, train

STEPS = 10


def load(seed: int) -> tasks.Split:
    """The digits, in another split for each seed."""
    return tasks.digits(steps=STEPS, seed=seed)


def network(key: Array, data: Any) -> nn.Sequential:
    """One hidden layer of 256 LIF neurons, and the largest membrane potentials of leaky integrators."""
    made = train.classifier(surrogate=surgrad.Arctan(2.0), data=data, key=key, hidden=256, tau=float(STEPS), gain=3.0)
    return nn.Sequential(made, nn.MaxOverTime())


RECIPE = Recipe(
    title="digits",
    about=(
        "The 1,797 digits of 8 × 8 pixels of scikit-learn, a fifth of them to test by; a pixel spikes once, the "
        f"earlier the brighter it is, in {STEPS} time steps. {network.__doc__}"
    ),
    load=load,
    network=network,
    logits=of_spikes,
    rate=5e-3,
    epochs=30,
    batch=64,
)

if __name__ == "__main__":
    sys.exit(_run.main("digits", RECIPE))
