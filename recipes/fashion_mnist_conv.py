"""Fashion-MNIST, convolutional. `python -m recipes.fashion_mnist_conv`"""

from __future__ import annotations

import sys
from typing import Any

import jax
from jaxtyping import Array, Float

import surgrad
from recipes import _run
from recipes._recipe import Recipe, of_constant_currents
from recipes.fashion_mnist import STEPS, load
from surgrad import nn, tasks

SIDE = 28
"""Height and width of an image."""


def network(key: Array, data: tasks.Dataset) -> nn.Sequential:
    """Convolutions with 16 and 32 kernels of 3 × 3, maxima of 2 × 2, 128 neurons: all LIF; then leaky integrators."""
    one, two, three, four = jax.random.split(key, 4)
    lif = nn.LIF(surgrad.Arctan(2.0), tau=2.0)
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding="SAME", key=one, gain=2.0),
        lif,
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding="SAME", key=two, gain=2.0),
        lif,
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * (SIDE // 4) ** 2, 128, key=three, gain=2.0),
        lif,
        nn.Linear(128, data.classes, key=four),
        nn.LeakyIntegrator(tau=float(STEPS)),
        nn.MeanOverTime(),
    )


def logits(network: nn.Sequential, batch: Any, key: Array | None) -> Float[Array, "samples classes"]:
    """The first layer sees an image once, since its input does not change over time."""
    images = batch.events.reshape(-1, SIDE, SIDE, 1)
    return of_constant_currents(network[1:], network[0](images), STEPS)


RECIPE = Recipe(
    title="Fashion-MNIST, convolutional",
    about=(
        f"60,000 images to train on and 10,000 to test by; brightness is a current that stays for {STEPS} time steps. "
        f"{network.__doc__}"
    ),
    load=load,
    network=network,
    logits=logits,
    rate=2e-3,
    weight_decay=1e-2,
    epochs=10,
    batch=100,
    seeds=3,
    goal=0.90,
)

if __name__ == "__main__":
    sys.exit(_run.main("fashion_mnist_conv", RECIPE))
