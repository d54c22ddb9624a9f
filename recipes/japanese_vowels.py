"""JapaneseVowels: speakers told apart by a vowel, as spikes of level crossings. `python -m recipes.japanese_vowels`"""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

import surgrad
from recipes import _run
from recipes._recipe import Recipe
from surgrad import nn, tasks

LEVELS = np.linspace(-2.5, 2.5, 17, dtype=np.float32)
"""In standard deviations of a channel."""


def load(seed: int) -> tuple[tasks.SeriesDataset, ...]:
    """The recordings, each channel with mean 0 and standard deviation 1 over those to train on."""
    train, test = tasks.japanese_vowels()
    counts = np.arange(train.steps)[:, None] < np.asarray(train.lengths)
    heard = np.asarray(train.values)[counts]
    mean, deviation = heard.mean(axis=0), heard.std(axis=0)
    return tuple(part.replace(values=(part.values - mean) / deviation) for part in (train, test))


def network(key: Array, data: tasks.SeriesDataset) -> nn.Sequential:
    """A recurrent layer of 256 LIF neurons, and the mean membrane potentials of integrators without a leak."""
    into, back, out = jax.random.split(key, 3)
    return nn.Sequential(
        nn.Linear(2 * len(LEVELS) * data.channels, 256, key=into, gain=1.5),
        nn.Recurrent(nn.LIF(surgrad.Arctan(2.0), tau=20.0), 256, key=back, gain=0.5),
        nn.Linear(256, data.classes, key=out),
        nn.LeakyIntegrator(tau=float("inf")),
        nn.MeanOverTime(),
    )


def logits(network: nn.Sequential, batch: tasks.SeriesDataset, key: Array | None) -> Float[Array, "samples classes"]:
    """Each recording at its own length; in training it is augmented before it becomes spikes."""
    values = batch.values if key is None else augmented(batch.values, key)
    return nn.unroll(network, crossings(values), lengths=batch.lengths, keep="last").outputs


def augmented(values: Array, key: Array) -> Array:
    """Values with noise, an offset for each channel, and some time steps and channels at their mean, 0."""
    time, samples, channels = values.shape
    noise, offset, steps, silent = jax.random.split(key, 4)
    values = values + 0.2 * jax.random.normal(noise, values.shape)
    values = values + 0.2 * jax.random.normal(offset, (1, samples, channels))
    values = values * jax.random.bernoulli(steps, 0.9, (time, samples, 1))
    return values * jax.random.bernoulli(silent, 0.95, (1, samples, channels))


def crossings(values: Float[Array, "time samples channels"]) -> Float[Array, "time samples crossings"]:
    """Spikes where a channel crosses a level upwards, and others where it does so downwards; it starts from 0."""
    above = values[..., None] >= LEVELS
    before = jnp.concatenate([jnp.broadcast_to(LEVELS <= 0, above[:1].shape), above[:-1]])
    spikes = jnp.concatenate([above & ~before, before & ~above], axis=-1)
    return spikes.reshape(*values.shape[:2], -1).astype(values.dtype)


RECIPE = Recipe(
    title="JapaneseVowels",
    about=(
        "270 recordings of a vowel by 9 speakers to train on and 370 to test by (Kudo et al., 1999): 12 cepstrum "
        "coefficients at 7 to 29 time steps, each recording at its own length; the class is the speaker. A channel "
        f"spikes where it crosses one of {len(LEVELS)} levels. {network.__doc__}"
    ),
    load=load,
    network=network,
    logits=logits,
    rate=3e-3,
    weight_decay=0.1,
    epochs=60,
    batch=32,
    goal=0.95,
)

if __name__ == "__main__":
    sys.exit(_run.main("japanese_vowels", RECIPE))
