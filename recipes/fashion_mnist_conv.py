"""Fashion-MNIST, convolutional. `python -m recipes.fashion_mnist_conv`"""

from __future__ import annotations

import sys
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

import surgrad
from recipes import _run
from recipes._recipe import Recipe, of_constant_currents
from recipes.fashion_mnist import load
from surgrad import nn, tasks

STEPS = 4
SIDE = 28
"""Height and width of an image."""


def network(key: Array, data: tasks.Dataset) -> nn.Sequential:
    """Two convolutions with a stride of 2, 32 kernels of 5 × 5 and 64 of 3 × 3, then 256 neurons, all of them LIF."""
    one, two, three, four = jax.random.split(key, 4)
    lif = nn.LIF(surgrad.Arctan(2.0), tau=2.0)
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, stride=2, padding="SAME", key=one, gain=2.0),
        lif,
        nn.Conv2d(32, 64, 3, stride=2, padding="SAME", key=two, gain=2.0),
        lif,
        nn.Flatten(),
        nn.Linear(64 * (SIDE // 4) ** 2, 256, key=three, gain=2.0),
        lif,
        nn.Linear(256, data.classes, key=four),
        nn.LeakyIntegrator(tau=float(STEPS)),
        nn.MeanOverTime(),
    )


def logits(network: nn.Sequential, batch: Any, key: Array | None) -> Float[Array, "samples classes"]:
    """The first layer sees an image once, since it does not change over time; in training images are augmented."""
    images = batch.events.reshape(-1, SIDE, SIDE, 1)
    images = images if key is None else augmented(images, key)
    return of_constant_currents(network[1:], network[0](images), STEPS)


def augmented(images: Array, key: Array) -> Array:
    """Images of which half are mirrored, and all are moved by up to one pixel in each direction, the same for all."""
    mirror, move = jax.random.split(key)
    mirrored = jax.random.bernoulli(mirror, 0.5, (len(images), 1, 1, 1))
    images = jnp.where(mirrored, images[:, :, ::-1], images)
    row, column = jax.random.randint(move, (2,), 0, 3)
    framed = jnp.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)])
    return jax.lax.dynamic_slice(framed, (0, row, column, 0), images.shape)


RECIPE = Recipe(
    title="Fashion-MNIST, convolutional",
    about=(
        f"60,000 images to train on and 10,000 to test by; brightness is a current that stays for {STEPS} time steps. "
        f"In training half of the images are mirrored, and batches are moved by a pixel. {network.__doc__}"
    ),
    load=load,
    network=network,
    logits=logits,
    rate=2e-3,
    weight_decay=0.1,
    epochs=10,
    batch=100,
    seeds=3,
    goal=0.90,
)

if __name__ == "__main__":
    sys.exit(_run.main("fashion_mnist_conv", RECIPE))
