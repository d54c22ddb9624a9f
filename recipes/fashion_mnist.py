"""Fashion-MNIST, fully connected. `python -m recipes.fashion_mnist`"""

from __future__ import annotations

import sys
from typing import Any

import jax
from jaxtyping import Array, Float

import surgrad
from recipes import _run
from recipes._recipe import Recipe, of_constant_currents
from surgrad import nn, tasks

STEPS = 4


def load(seed: int) -> tasks.Split:
    """All images as intensities."""
    return tasks.fashion_mnist(steps=STEPS, code="intensity", seed=seed)


def network(key: Array, data: tasks.Dataset) -> nn.Sequential:
    """A hidden layer of 512 LIF neurons, and the mean membrane potentials of leaky integrators."""
    one, two = jax.random.split(key)
    return nn.Sequential(
        nn.Linear(data.channels, 512, key=one, gain=2.0),
        nn.LIF(surgrad.Arctan(2.0), tau=2.0),
        nn.Linear(512, data.classes, key=two),
        nn.LeakyIntegrator(tau=float(STEPS)),
        nn.MeanOverTime(),
    )


def logits(network: nn.Sequential, batch: Any, key: Array | None) -> Float[Array, "samples classes"]:
    """The first layer sees an image once, since its input does not change over time."""
    return of_constant_currents(network[1:], network[0](batch.events), STEPS)


RECIPE = Recipe(
    title="Fashion-MNIST, fully connected",
    about=(
        f"60,000 images to train on and 10,000 to test by; brightness is a current that stays for {STEPS} time steps. "
        f"{network.__doc__}"
    ),
    load=load,
    network=network,
    logits=logits,
    rate=1e-3,
    weight_decay=1e-2,
    epochs=10,
    batch=100,
    seeds=3,
    goal=0.88,
)

if __name__ == "__main__":
    sys.exit(_run.main("fashion_mnist", RECIPE))
