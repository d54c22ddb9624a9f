"""N-MNIST: digits in front of an event camera. `python -m recipes.n_mnist`"""

from __future__ import annotations

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import surgrad
from recipes import _run
from recipes._recipe import Recipe
from surgrad import events, nn

FOLDER = "data/n-mnist"
STEPS = 12


def load(seed: int) -> tuple[events.EventDataset, ...]:
    """The recordings of the files in the folder."""
    return tuple(events.read_nmnist(FOLDER, split) for split in ("train", "test"))


def draw(data: events.EventDataset, indices: np.ndarray) -> events.Batch:
    """The recordings of some indices, each in so many equal time steps."""
    return events.bin_events(data[indices], num_steps=STEPS)


def network(key: Array, data: events.EventDataset) -> nn.Sequential:
    """Convolutions with 12 and 32 kernels of 5 × 5 behind maxima of 2 × 2, all LIF, then leaky integrators."""
    one, two, three = jax.random.split(key, 3)
    lif = nn.LIF(surgrad.Arctan(2.0), tau=4.0)
    return nn.Sequential(
        nn.Conv2d(2, 12, 5, key=one, gain=2.0),  # 34 × 34 to 30 × 30
        lif,
        nn.MaxPool2d(2),
        nn.Conv2d(12, 32, 5, key=two, gain=2.0),  # 15 × 15 to 11 × 11
        lif,
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 5 * 5, data.classes, key=three),
        nn.LeakyIntegrator(tau=float(STEPS)),
        nn.MeanOverTime(),
    )


def logits(network: nn.Sequential, batch: Any, key: Array | None) -> Float[Array, "samples classes"]:
    """All recordings have the same number of time steps."""
    return nn.unroll(network, jnp.asarray(batch.spikes, jnp.float32), keep="last").outputs


RECIPE = Recipe(
    title="N-MNIST",
    about=(
        "The digits of MNIST in front of a moving event camera of 34 × 34 pixels (Orchard et al., 2015): 60,000 "
        f"recordings to train on and 10,000 to test by, in {STEPS} time steps. {network.__doc__}"
    ),
    load=load,
    draw=draw,
    network=network,
    logits=logits,
    rate=2e-3,
    weight_decay=1e-2,
    epochs=5,
    batch=128,
    seeds=3,
    needs=f"Train and Test of data.mendeley.com/datasets/468j46mzdv, unpacked in the folder {FOLDER} of the clone.",
)

if __name__ == "__main__":
    sys.exit(_run.main("n_mnist", RECIPE))
