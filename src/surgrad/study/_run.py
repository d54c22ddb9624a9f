"""The training runs of a study; runs whose surrogates differ only in numbers share a compiled program."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Int

from surgrad import tasks, train
from surgrad._mapping import over_runs
from surgrad._surrogate import Surrogate
from surgrad._types import PyTree
from surgrad.study._rows import Row
from surgrad.study._settings import Settings, Variant
from surgrad.tasks import Dataset


def families(variants: Iterable[Variant]) -> list[list[Variant]]:
    """Variants in groups whose surrogates differ only in numbers; the runs of a group share a compiled program."""
    groups: dict[Any, list[Variant]] = {}
    for variant in variants:
        groups.setdefault(jax.tree.structure(variant.surrogate), []).append(variant)
    return list(groups.values())


def load(settings: Settings) -> tasks.Split:
    """The data of a study, split into training and test samples.

    Raises:
        KeyError: there is no such task.
        TypeError: the task has no such option.
        ValueError: there are fewer training samples than a batch holds, or no test samples.
    """
    shared = {"steps": settings.steps, "seed": settings.split_seed}
    data = tasks.load(settings.data, **{**shared, **dict(settings.options)})
    if len(data.train) < settings.batch or not len(data.test):
        raise ValueError(
            f"{settings.data}: a study needs at least {settings.batch} training samples (one batch) and one test "
            f"sample, got {len(data.train)} and {len(data.test)}."
        )
    return data


def run(
    variants: Iterable[Variant],
    settings: Settings,
    tick: Callable[[list[Variant]], None] = lambda family: None,
    data: tasks.Split | None = None,
) -> Iterator[list[Row]]:
    """Train all runs of a study, and yield the rows of each family, see `families`, as soon as it has finished.

    Rows come in the order of the variants and seeds. The same settings give the same rows, `seconds` excepted.

    Parameters:
        variants: the surrogates to compare.
        settings: what the runs share.
        tick: a function that is called with a family after each of its epochs; an exception that it raises ends the
            study.
        data: training and test samples; None loads the task of the settings.

    Raises:
        KeyError, TypeError, ValueError: the task cannot be loaded, see `load`.
    """
    data = load(settings) if data is None else data
    for family in families(variants):
        begin = time.perf_counter()
        results = _train(family, settings, data, tick)
        count = len(family) * len(settings.seeds)
        yield list(_rows(family, settings, *results, (time.perf_counter() - begin) / count))


def _rows(
    family: list[Variant], settings: Settings, losses: np.ndarray, test: train.Score, seconds: float
) -> Iterator[Row]:
    """The rows of a family; the leading axis of the results is that of the runs."""
    runs = [(variant, seed) for variant in family for seed in settings.seeds]
    for (variant, seed), loss, *of_test in zip(runs, losses, *test, strict=True):
        accuracy, test_loss, firing_rate = map(float, of_test)
        labels = variant.name, variant.parameter, variant.value
        yield Row(*labels, seed, accuracy, test_loss, float(loss), firing_rate, seconds, variant.kind)


def _train(
    family: list[Variant], settings: Settings, data: tasks.Split, tick: Callable[[list[Variant]], None]
) -> tuple[np.ndarray, train.Score]:
    """The losses of the last epoch and the scores on the test samples, `(runs,)` each, of a family."""
    runs = [(variant, jax.random.key(seed)) for variant in family for seed in settings.seeds]
    fits = _stack([_start(variant.surrogate, key, data.train, settings) for variant, key in runs])
    keys, losses = jnp.stack([key for _, key in runs]), jnp.array([])
    for epoch in range(settings.epochs):
        order = _order(keys, epoch, len(data.train), settings.batch)
        fits, losses = jax.block_until_ready(_epoch(fits, order, data.train, settings))
        tick(family)
    return jax.device_get((losses, _score(fits, data.test, settings)))


def _stack(trees: Sequence[PyTree]) -> PyTree:
    """One tree of trees of the same structure; each leaf has a new leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *trees)


def _key(key: Array, epoch: int | Array) -> Array:
    """The random key of an epoch, counted from 0; epoch -1 stands for the initial weights."""
    return jax.random.fold_in(key, epoch + 1)


def _start(surrogate: Surrogate, key: Array, data: Dataset, settings: Settings) -> train.Fit:
    key, sizes = _key(key, -1), {"hidden": settings.hidden, "tau": settings.tau, "gain": settings.gain}
    return train.start(train.classifier(surrogate, data, key=key, **sizes), optax.adam(settings.learning_rate))


@functools.partial(jax.jit, static_argnames=("samples", "batch"))
def _order(keys: Array, epoch: Any, samples: int, batch: int) -> Int[Array, "runs batches batch"]:
    return jax.vmap(lambda key: train.batches(samples, batch, key=_key(key, epoch)))(keys)


@functools.partial(jax.jit, static_argnames="settings")
def _epoch(fits: train.Fit, order: Array, data: Dataset, settings: Settings) -> tuple[train.Fit, Array]:
    """The fits after one more epoch, and the mean loss of each."""
    optimizer = optax.adam(settings.learning_rate)
    return over_runs(lambda run: train.epoch(run[0], optimizer, data, run[1]), (fits, order), settings.mapping)


@functools.partial(jax.jit, static_argnames="settings")
def _score(fits: train.Fit, data: Dataset, settings: Settings) -> train.Score:
    return over_runs(lambda fit: train.score(fit.network, data), fits, settings.mapping)
