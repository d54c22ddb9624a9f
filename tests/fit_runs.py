"""Small runs of `train.fit`, for tests that kill and resume them: `python fit_runs.py KIND FOLDER EPOCHS`."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import surgrad
from surgrad import train
from surgrad.nn import LIF, Conv2d, Flatten, LeakyIntegrator, Linear, Recurrent, Sequential
from surgrad.tasks import Dataset

STEPS, SIDE, CLASSES, SAMPLES, EPOCHS, BATCH = 5, 4, 2, 24, 6, 8
KEYS = jax.random.split(jax.random.key(1), 3)
KEY = jax.random.key(7)
ADAM = optax.adam(0.02)


def data(seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(CLASSES, size=SAMPLES)
    return Dataset(random.random((STEPS, SAMPLES, SIDE * SIDE)) < 0.2 + 0.4 * labels[:, None], labels, STEPS, CLASSES)


def frames(x):
    return x.reshape(*x.shape[:-1], SIDE, SIDE, 1)


def network(kind):
    hidden, spike = 5, surgrad.Arctan(2.0)
    readout = Linear(hidden, CLASSES, key=KEYS[1]), LeakyIntegrator(4.0)
    into = Linear(SIDE * SIDE, hidden, key=KEYS[0], gain=3.0)
    if kind == "feed-forward":
        return Sequential(into, LIF(spike, 4.0), *readout)
    if kind == "recurrent":
        return Sequential(into, Recurrent(LIF(spike, 4.0), hidden, key=KEYS[2], gain=0.5), *readout)
    conv = frames, Conv2d(1, 2, (3, 3), key=KEYS[0], gain=3.0), LIF(spike, 4.0), Flatten(3)
    return Sequential(*conv, Linear(8, CLASSES, key=KEYS[1]), LeakyIntegrator(4.0))


def accuracy(network, batch):
    return train.score(network, batch).accuracy


def drops(network, batch, key):
    """A loss with chance of its own."""
    logits = network.outputs(batch.spikes())[-1].max(axis=0)
    kept = jax.random.bernoulli(key, 0.8, logits.shape)
    return optax.softmax_cross_entropy_with_integer_labels(jnp.where(kept, logits, 0.0), batch.labels).mean()


OBJECTIVE = train.Objective(drops, takes_key=True, evaluate=lambda network, batch: train.score(network, batch).loss)
METRICS = {"accuracy": accuracy}


def run(kind, folder=None, **others):
    """A run with all that a checkpoint holds: chance in the loss, a validation, a best network, a table."""
    options = {
        "optimizer": ADAM,
        "key": KEY,
        "epochs": EPOCHS,
        "batch_size": BATCH,
        "loss": OBJECTIVE,
        "validation": data(1),
        "metrics": METRICS,
        "patience": 100,
    }
    if folder is not None:
        options["checkpoints"] = train.Checkpoints(Path(folder) / "checkpoints", every_steps=2)
        options["track"] = train.CSV(Path(folder) / "metrics.csv")
    given = options | others
    return train.fit(given.pop("network", network(kind)), given.pop("data", data()), **given)


def numbers(done):
    """All numbers of a result, in order."""
    return [np.asarray(leaf) for leaf in jax.tree.leaves((done.network, done.fit, done.history, done.best_epoch))]


if __name__ == "__main__":
    kind, folder, epochs = sys.argv[1:]
    np.savez(Path(folder) / "unfinished.npz", *numbers(run(kind, folder, epochs=int(epochs))))
    (Path(folder) / "unfinished.npz").rename(Path(folder) / "result.npz")
