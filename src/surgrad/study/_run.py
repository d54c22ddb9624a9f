"""Runs of a study, those whose surrogates differ in numbers alone in one compiled program."""

from __future__ import annotations

import dataclasses
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
from surgrad._catalogue import kind_name
from surgrad._combine import Normalized, Temperature
from surgrad._surrogate import Surrogate
from surgrad._types import PyTree
from surgrad.study._rows import Row
from surgrad.study._settings import Settings, Variant
from surgrad.tasks import Dataset


def families(variants: Iterable[Variant]) -> list[list[Variant]]:
    """Variants whose surrogates differ in numbers alone, together: they can share a program."""
    groups: dict[Any, list[Variant]] = {}
    for variant in variants:
        groups.setdefault(jax.tree.structure(variant.surrogate), []).append(variant)
    return list(groups.values())


def load(settings: Settings) -> tasks.Split:
    """The data of a study.

    Raises:
        ValueError: there are fewer samples to learn from than a batch holds, or none to judge by.
    """
    shared = {"steps": settings.steps, "seed": settings.split_seed}
    data = tasks.load(settings.data, **{**shared, **dict(settings.options)})
    if len(data.train) < settings.batch or not len(data.test):
        raise ValueError(
            f"{settings.data}: a study needs {settings.batch} samples (a batch) to learn from and one to judge by, got "
            f"{len(data.train)} and {len(data.test)}."
        )
    return data


def run(
    variants: Iterable[Variant],
    settings: Settings,
    tick: Callable[[list[Variant]], None] = lambda family: None,
    data: tasks.Split | None = None,
) -> Iterator[list[Row]]:
    """The rows of every family as it finishes, in the order of the variants, the same for the same settings.

    Parameters:
        variants: what to train with.
        settings: what the runs share.
        tick: called with a family after each of its epochs; what it raises ends the study.
        data: what to train on; None: the task of the settings.
    """
    mapping = settings.mapping or ("map" if jax.default_backend() == "cpu" else "vmap")
    settings = dataclasses.replace(settings, mapping=mapping)
    data = load(settings) if data is None else data
    for family in families(variants):
        begin = time.perf_counter()
        results = _train(family, settings, data, tick)
        count = len(family) * len(settings.seeds)
        yield list(_rows(family, settings, *results, (time.perf_counter() - begin) / count))


def _rows(
    family: list[Variant], settings: Settings, losses: np.ndarray, test: train.Score, seconds: float
) -> Iterator[Row]:
    """Rows from results whose leading axis is that of the runs."""
    runs = [(variant, seed) for variant in family for seed in settings.seeds]
    for (variant, seed), loss, *of_test in zip(runs, losses, *test, strict=True):
        accuracy, test_loss, firing_rate = map(float, of_test)
        named = variant.name, variant.parameter, variant.value
        yield Row(*named, seed, accuracy, test_loss, float(loss), firing_rate, seconds, kind_name(_shape(variant)))


def _shape(variant: Variant) -> Surrogate:
    """The surrogate of a variant without what `at_unit_peak` puts around it."""
    surrogate = variant.surrogate
    while isinstance(surrogate, (Normalized, Temperature)):
        surrogate = surrogate.surrogate
    return surrogate


def _train(
    family: list[Variant], settings: Settings, data: tasks.Split, tick: Callable[[list[Variant]], None]
) -> tuple[np.ndarray, train.Score]:
    """Losses of the last epoch and scores on the held-out samples, of all runs of a family."""
    runs = [(variant, jax.random.key(seed)) for variant in family for seed in settings.seeds]
    fits = _stack([_start(variant.surrogate, key, data.train, settings) for variant, key in runs])
    keys, losses = jnp.stack([key for _, key in runs]), jnp.array([])
    for epoch in range(settings.epochs):
        order = _order(keys, epoch, len(data.train), settings.batch)
        fits, losses = jax.block_until_ready(_epoch(fits, order, data.train, settings))
        tick(family)
    return jax.device_get((losses, _score(fits, data.test, settings)))


def _stack(trees: Sequence[PyTree]) -> PyTree:
    """Trees of one structure as one, leaf by leaf along a new leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *trees)


def _over_runs(settings: Settings, f: Callable[..., Any], *arguments: PyTree) -> Any:
    """A function of one run, of all runs: their arguments are stacked along the leading axis.

    On a CPU one run after the other keeps the working set in the cache; an accelerator is filled by all at once.
    """
    if settings.mapping == "map":
        return jax.lax.map(lambda each: f(*each), arguments)
    return jax.vmap(f)(*arguments)


def _key(key: Array, epoch: int | Array) -> Array:
    """The key of an epoch, from 0; that of the initial weights is -1."""
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
    return _over_runs(settings, lambda fit, samples: train.epoch(fit, optimizer, data, samples), fits, order)


@functools.partial(jax.jit, static_argnames="settings")
def _score(fits: train.Fit, data: Dataset, settings: Settings) -> train.Score:
    return _over_runs(settings, lambda fit: train.score(fit.network, data), fits)
