"""The two problems: samples, networks, and a training of their weights at given scales of the surrogates."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int

from surgrad import Normalized, Sigmoid, Surrogate, Temperature, meta, tasks, train
from surgrad.nn import Sequential
from surgrad.tasks import Dataset


@dataclass(frozen=True)
class Problem:
    """A task, a network and how it learns.

    Parameters:
        task: name of the task.
        title: what figures call it.
        options: of the task, as pairs of name and value.
        sizes: number of samples to learn from, to validate by, and to test by.
        hidden, depth: neurons of a hidden layer, and number of such layers.
        recurrent: gain of the weights within a layer, 0 for none.
        tau: time constant of all neurons, in steps.
        gain: of the initial weights.
        updates, batch: number of updates, and samples an update.
        rate: of Adam.
    """

    task: str
    title: str
    options: tuple[tuple[str, Any], ...]
    sizes: tuple[int, int, int]
    hidden: int
    depth: int
    recurrent: float
    tau: float
    gain: float
    updates: int
    batch: int
    rate: float


CLOTHES = Problem(
    task="fashion_mnist",
    title="Fashion-MNIST, feed-forward",
    options=(("steps", 20), ("code", "latency"), ("limit", 12_000)),
    sizes=(10_000, 2_000, 4_000),
    hidden=128,
    depth=2,
    recurrent=0.0,
    tau=20.0,
    gain=3.0,
    updates=300,
    batch=64,
    rate=2e-3,
)
MANIFOLDS = Problem(
    task="manifolds",
    title="random manifolds, recurrent",
    options=(("classes", 10), ("steps", 40), ("samples", 800)),
    sizes=(5_400, 1_000, 1_600),
    hidden=64,
    depth=1,
    recurrent=1.0,
    tau=20.0,
    gain=3.0,
    updates=400,
    batch=64,
    rate=2e-3,
)


LIMITS = (0.01, 1000.0)
"""Between which every scale stays."""


@dataclass(frozen=True)
class Settings:
    """What is run.

    Parameters:
        problems: what is learned.
        seeds: a seed sets samples, initial weights and batches, the same for all methods.
        scales: the grid of fixed ones.
        starts: where every method has to begin, each of the grid.
        points: of a curve of losses; a divisor of all numbers of updates.
        candidates: of tuning, the calibrated one included.
        window: updates between two changes of a scale that is learned, and through which the hypergradient goes; a
            divisor of all numbers of updates.
        judges: samples to validate by that a hypergradient sees.
        outer_rate: of Adam on the logarithm of the scale.
        clip: largest hypergradient, by the logarithm of the scale.
        horizons: updates through which hypergradients are compared with differences.
    """

    problems: tuple[Problem, ...] = (CLOTHES, MANIFOLDS)
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    scales: tuple[float, ...] = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
    starts: tuple[float, ...] = (0.1, 1.0, 100.0)
    points: int = 20
    candidates: int = 8
    window: int = 5
    judges: int = 128
    outer_rate: float = 0.1
    clip: float = 0.1
    horizons: tuple[int, ...] = (1, 5, 20)


class Samples(NamedTuple):
    """Samples to learn weights from, to choose hyperparameters by, and to judge by."""

    train: Dataset
    validation: Dataset
    test: Dataset


@functools.lru_cache(maxsize=1)
def samples(problem: Problem, seeds: tuple[int, ...]) -> Samples:
    """The samples of all seeds, along a leading axis."""
    each = [_samples(problem, seed) for seed in seeds]
    return jax.tree.map(lambda *one: jnp.stack(one), *each)


def _samples(problem: Problem, seed: int) -> Samples:
    train, test = tasks.load(problem.task, seed=seed, **dict(problem.options))
    learn, validate, judge = problem.sizes
    places = jnp.arange(learn + validate)
    return Samples(train[places[:learn]], train[places[learn:]], test[places[:judge]])


def surrogate(scale: Any) -> Surrogate:
    """The slope s'(scale x)/max s', of unit peak, where s is the logistic function of alpha = 4."""
    return Normalized(Temperature(Sigmoid(), 1 / scale), to="peak")


def network(problem: Problem, seed: Any, scales: Float[Array, " layers"], data: Dataset) -> Sequential:
    """The network at its beginning, with a scale a layer."""
    return train.classifier(
        tuple(surrogate(scales[layer]) for layer in range(problem.depth)),
        data,
        key=jax.random.fold_in(jax.random.key(seed), 0),
        hidden=problem.hidden,
        tau=problem.tau,
        gain=problem.gain,
        depth=problem.depth,
        recurrent=problem.recurrent,
    )


def optimizer(problem: Problem) -> optax.GradientTransformation:
    """Adam, differentiable where the gradient of a weight is exactly zero."""
    return optax.adam(problem.rate, eps_root=1e-8)


def loss(network: Sequential, batch: Dataset) -> Float[Array, ""]:
    """The cross-entropy, in nats."""
    return train.score(network, batch).loss


def training(problem: Problem, seed: Any, data: Samples) -> meta.Training:
    """The training of a seed, by `scales`."""

    def build(hyper: dict[str, Any]) -> tuple[Sequential, optax.GradientTransformation]:
        return network(problem, seed, hyper["scales"], data.train), optimizer(problem)

    return meta.Training.of_network(build, data.train, loss, steps=problem.updates, batch=problem.batch, seed=seed)


def batch_of(problem: Problem, seed: Any, update: Any) -> Int[Array, " batch"]:
    """The samples of an update, those that `training` takes."""
    key = jax.random.fold_in(jax.random.key(seed), update)
    return jax.random.randint(key, (problem.batch,), 0, problem.sizes[0])


def accuracies(network: Sequential, data: Samples) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Share of right answers, on the samples to validate by and on those to test by."""
    return _accuracy(network, data.validation), _accuracy(network, data.test)


def _accuracy(network: Sequential, data: Dataset) -> Float[Array, ""]:
    """A few hundred samples at a time, whose rasters would not all fit in the memory."""
    places = jnp.arange(len(data)).reshape(-1, math.gcd(len(data), 200))
    return jax.lax.map(lambda some: train.score(network, data[some]).accuracy, places).mean()
