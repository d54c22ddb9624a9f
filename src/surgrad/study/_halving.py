"""Studies in which the worse variants of a surrogate stop early: the successive halving of `surgrad.meta`."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad import tasks, train
from surgrad._mapping import over_runs
from surgrad._types import PyTree
from surgrad.meta import Halving, Training
from surgrad.meta._search.population import Population
from surgrad.study._programs import epoch_key, optimizer, row, stack, started
from surgrad.study._rows import Row
from surgrad.study._settings import Settings
from surgrad.study._study import Run


def halved(
    runs: Sequence[Run], halving: Halving, data: tasks.Split, tick: Callable[[Sequence[Run]], None]
) -> list[Row]:
    """The rows of all variants and seeds of a surrogate; the worse variants have made fewer epochs.

    A variant stands or falls with all of its seeds, so that comparisons stay paired.
    """
    begin, settings = time.perf_counter(), runs[0].settings
    seeds = list(dict.fromkeys(run.seed for run in runs))
    variants = [run.variant for run in runs if run.seed == seeds[0]]
    training = _training(settings, seeds, data)
    candidates = {"surrogate": stack([variant.surrogate for variant in variants])}
    population = _Told(training, lambda candidate: candidate, candidates, settings.mapping)
    population.tell = lambda indices: tick([run for i in indices for run in runs if run.variant == variants[i]])
    rungs = dataclasses.replace(halving, candidates=len(variants)).search(population, {}, 0, 0).rungs
    updates = {index: max(rung.steps for rung in rungs if index in rung.runs) for index in range(len(variants))}
    score = jax.jit(lambda fits, data: over_runs(lambda fit: train.score(fit.network, data), fits, settings.mapping))
    found: dict[tuple[Any, int], tuple[Any, Any, float]] = {}
    for index, variant in enumerate(variants):
        fits, total, count = population.state(index)
        scores, losses = jax.device_get((score(fits, data.test), total / count))
        for place, seed in enumerate(seeds):
            of_seed = train.Score(*(values[place] for values in scores))
            found[variant, seed] = losses[place], of_seed, updates[index] / _batches(settings, data)
    seconds = (time.perf_counter() - begin) / len(runs)
    return [row(run, *found[run.variant, run.seed], seconds) for run in runs]


def _batches(settings: Settings, data: tasks.Split) -> int:
    return len(data.train) // settings.batch


def updates_of(settings: Settings, data: tasks.Split) -> int:
    """The updates of a run that is trained to its end."""
    return settings.epochs * _batches(settings, data)


def _training(settings: Settings, seeds: Sequence[int], data: tasks.Split) -> Training:
    """The training of all seeds of a variant; its loss is their mean."""
    rule, keys = optimizer(settings), jnp.stack([jax.random.key(seed) for seed in seeds])
    samples, batch, batches = len(data.train), settings.batch, _batches(settings, data)
    every = np.concatenate([jax.vmap(lambda key, e=e: train.batches(samples, batch, key=epoch_key(key, e)))(keys)
                            for e in range(settings.epochs)], axis=1)  # fmt: skip
    order = jnp.asarray(every)  # (seeds, updates, batch)

    def start(hyper: Any) -> PyTree:
        fits = over_runs(lambda key: started(settings, hyper["surrogate"], key, data.train), keys, settings.mapping)
        return fits, jnp.zeros(len(seeds)), jnp.zeros(())

    def update(hyper: Any, state: PyTree, index: Any) -> tuple[PyTree, Any]:
        del hyper  # the network of each fit has the numbers of its surrogate
        fits, total, count = state
        fits, losses = over_runs(
            lambda run: train.step(run[0], rule, data.train[run[1]]), (fits, order[:, index]), settings.mapping
        )
        first = index % batches == 0  # the losses are those of the last epoch
        total, count = jnp.where(first, losses, total + losses), jnp.where(first, 1.0, count + 1)
        return (fits, total, count), losses.mean()

    return Training(start, update, updates_of(settings, data))


class _Told(Population):
    """A population that says which runs have advanced."""

    tell: Callable[[Sequence[int]], None] = staticmethod(lambda indices: None)

    def advance(self, indices: Any, first: int, count: int) -> Any:
        losses = jax.block_until_ready(super().advance(indices, first, count))
        self.tell([int(index) for index in indices])
        return losses
