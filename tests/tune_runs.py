"""Small searches by `meta.tune`, for tests that kill and resume them: `python tune_runs.py KIND FOLDER`."""

import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

import surgrad
from fit_runs import data
from surgrad import meta, train
from surgrad.meta import Choice, Halving, LogRange, Optuna, Training

SHAPES = surgrad.Sigmoid(), surgrad.Arctan()
SPACE = {"shape": Choice(SHAPES), "scale": LogRange(0.1, 10), "rate": LogRange(1e-3, 1e-1)}
GUESS = {"shape": 1, "scale": 1.0, "rate": 0.01}
RUNGS, STEPS = [(5, 2), (11, 1)], 30


class EveryOther(meta.SearchMethod):
    """A method of somebody else, which shows itself as any object does: the even runs first, then the odd ones."""

    candidates = 4

    def search(self, population, space, initial, seed):
        losses = np.zeros(self.candidates)
        for runs in np.array([0, 2]), np.array([1, 3]):
            losses[runs] = population.advance(runs, 0, STEPS)
        order = np.argsort(losses)
        rung = meta.Rung(STEPS, tuple(map(int, order)), tuple(map(float, losses[order])))
        return meta.Search((rung,), self.candidates * STEPS)


METHODS = {
    "halving": Halving(4, rungs=RUNGS),
    "optuna": Optuna(4, batch=2, rungs=RUNGS),
    "a method of somebody else": EveryOther(),
}


def loss(network, batch):
    return train.score(network, batch).loss


def training(hidden=5, steps=STEPS, seed=0):
    samples = data(seed)

    def build(hyper):
        spike = hyper["shape"].steeper(hyper["scale"])
        net = train.classifier(spike, samples, key=jax.random.key(0), hidden=hidden, tau=4.0, gain=3.0)
        return net, optax.adam(hyper["rate"])

    return Training.of_network(build, samples, loss, steps=steps, batch=8)


def run(kind="halving", checkpoints=None, *, runs=None, space=SPACE, **others):
    options = {"method": METHODS[kind], "initial_candidates": [GUESS], "seed": 3} | others
    return meta.tune(runs or training(), space, checkpoints=checkpoints, **options)


def numbers(done):
    """All numbers of a result but its seconds, in order."""
    kept = done.hyper["scale"], done.hyper["rate"], done.state, done.candidates, done.rungs, done.cost[:3]
    return [np.asarray(leaf) for leaf in jax.tree.leaves(kept)]


def of_scalars(update, steps=STEPS):
    """A training whose state is one number."""
    return Training(lambda hyper: jnp.zeros(()), update, steps)


if __name__ == "__main__":
    kind, folder = sys.argv[1], Path(sys.argv[2])
    np.savez(folder / "unfinished.npz", *numbers(run(kind, train.Checkpoints(folder / "checkpoints", every_steps=2))))
    (folder / "unfinished.npz").rename(folder / "result.npz")
