"""Spiking Heidelberg Digits: spoken digits as spikes of a cochlea model. `python -m recipes.shd`"""

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

FOLDER = "data/shd"
STEPS, WIDTH = 100, 0.014
"""Number of time steps, and their width in seconds: 1.4 s, as long as the longest recordings."""
CHANNELS = 140
"""Groups of five neighbouring units of the 700."""


def load(seed: int) -> tuple[events.EventDataset, ...]:
    """The recordings of the files in the folder."""
    return tuple(events.read_shd(FOLDER, split) for split in ("train", "test"))


def draw(data: events.EventDataset, indices: np.ndarray) -> events.Batch:
    """The recordings of some indices, as counts in time steps."""
    return events.bin_events(data[indices], bin_width=WIDTH, num_steps=STEPS, counts=True, outside="drop")


def network(key: Array, data: events.EventDataset) -> nn.Sequential:
    """A recurrent layer of 256 LIF neurons, and the mean membrane potentials of leaky integrators."""
    into, back, out = jax.random.split(key, 3)
    return nn.Sequential(
        nn.Linear(CHANNELS, 256, key=into, gain=2.0),
        nn.Recurrent(nn.LIF(surgrad.Arctan(2.0), tau=10.0), 256, key=back, gain=0.5),
        nn.Linear(256, data.classes, key=out),
        nn.LeakyIntegrator(tau=20.0),
        nn.MeanOverTime(),
    )


def logits(network: nn.Sequential, batch: Any, key: Array | None) -> Float[Array, "samples classes"]:
    """Each recording at its own length; in training all of its units are shifted together."""
    spikes = jnp.asarray(batch.spikes, jnp.float32)
    if key is not None:
        shifts = jax.random.randint(key, (spikes.shape[1],), -40, 41)
        spikes = jax.vmap(lambda one, by: jnp.roll(one, by, axis=-1), (1, 0), 1)(spikes, shifts)
    groups = spikes.reshape(*spikes.shape[:2], CHANNELS, -1).sum(axis=-1)
    return nn.unroll(network, groups, lengths=batch.lengths, keep="last").outputs


RECIPE = Recipe(
    title="SHD",
    about=(
        "The Spiking Heidelberg Digits (Cramer et al., 2022): 8,156 spoken digits in two languages to train on, 2,264 "
        f"to test by. {STEPS} time steps, {CHANNELS} channels, each recording at its own length. {network.__doc__}"
    ),
    load=load,
    draw=draw,
    network=network,
    logits=logits,
    rate=2e-3,
    weight_decay=1e-2,
    epochs=50,
    batch=256,
    needs=f"shd_train.h5 and shd_test.h5 of zenkelab.org/datasets in the folder {FOLDER} of the clone.",
)

if __name__ == "__main__":
    sys.exit(_run.main("shd", RECIPE))
