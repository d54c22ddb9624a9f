"""The compiled programs of a study: runs that differ only in numbers train together, as many as memory allows."""

from __future__ import annotations

import dataclasses
import functools
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Int

from surgrad import tasks, train
from surgrad._mapping import suited
from surgrad._types import PyTree
from surgrad.study._rows import Row
from surgrad.study._settings import Settings
from surgrad.study._study import Run
from surgrad.tasks import Dataset

CHUNK = 16
"""Runs that are trained together at most where one run follows the other: more would only delay their rows."""
SHARE = 0.5
"""Share of the free memory that a program may need."""


def families(runs: Iterable[Run]) -> list[list[Run]]:
    """Runs in groups that differ only in numbers and seeds, and so share a compiled program."""
    groups: dict[Any, list[Run]] = {}
    for run in runs:
        structure = jax.tree.structure(run.variant.surrogate)
        groups.setdefault((structure, _static(run.settings), data_key(run.settings), run.rivals), []).append(run)
    return list(groups.values())


def data_key(settings: Settings) -> tuple[Any, ...]:
    """What decides which data a run is trained on."""
    return settings.data, settings.options, settings.steps, settings.split_seed


def _static(settings: Settings) -> Settings:
    """The settings without what does not matter to the program."""
    return dataclasses.replace(settings, seeds=(0,), split_seed=0, mapping=settings.mapping or suited())


def trained(
    runs: Sequence[Run],
    data: tasks.Split,
    tick: Callable[[Sequence[Run]], None] = lambda runs: None,
    memory: float | None = None,
) -> Iterator[list[Row]]:
    """The rows of the runs of a family, chunk by chunk, in the order of the runs.

    Parameters:
        runs: runs that differ only in numbers and seeds.
        data: their training and test samples.
        tick: a function that is called with the runs of a chunk after each epoch.
        memory: bytes that a program may need; None: a share of what is free.
    """
    if runs[0].halving is not None:
        from surgrad.study._halving import halved

        yield halved(runs, runs[0].halving, data, tick)
        return
    settings = _static(runs[0].settings)
    fits = [_start(run, data.train) for run in runs]
    width = _width(fits, settings, data.train, memory or free_memory())
    for part in np.array_split(np.arange(len(runs)), -(-len(runs) // width)):
        chunk, begin = [runs[i] for i in part], time.perf_counter()
        results = _train(chunk, [fits[i] for i in part], settings, data, tick, width)
        seconds = (time.perf_counter() - begin) / len(chunk)
        yield [row(run, *one, settings.epochs, seconds) for run, one in zip(chunk, results, strict=True)]


def row(run: Run, loss: Any, score: train.Score, epochs: float, seconds: float) -> Row:
    """The row of a run."""
    variant, settings = run.variant, run.settings
    labels = variant.name, variant.parameter, variant.value, run.seed
    numbers = float(score.accuracy), float(score.loss), float(loss), float(score.firing_rate), seconds
    return Row(*labels, *numbers, variant.kind, settings.task, settings.network, float(epochs))


def _train(
    runs: Sequence[Run],
    fits: Sequence[train.Fit],
    settings: Settings,
    data: tasks.Split,
    tick: Callable[[Sequence[Run]], None],
    width: int,
) -> list[tuple[Any, train.Score]]:
    """The loss of the last epoch and the score on the test samples of each of some runs."""
    count = len(runs)
    # One program serves any number of runs, where one follows the other; the rest of the stack is not computed.
    padding = (width - count) * (settings.mapping == "map")
    keys = jnp.stack([jax.random.key(run.seed) for run in runs] + [jax.random.key(0)] * padding)
    stacked, losses = stack([*fits, *[fits[0]] * padding]), jnp.zeros(())
    for epoch in range(settings.epochs):
        order = _order(keys, epoch, len(data.train), settings.batch)
        stacked, losses = jax.block_until_ready(_epoch(stacked, order, count, data.train, settings))
        tick(runs)
    losses, scores = jax.device_get((losses, _score(stacked, count, data.test, settings)))
    return [(losses[i], train.Score(*(values[i] for values in scores))) for i in range(count)]


def _width(fits: Sequence[train.Fit], settings: Settings, data: Dataset, memory: float) -> int:
    """The number of runs in a program: as many as memory allows, by what XLA says that a program needs.

    Where one run follows the other it is a power of two, so that chunks of other sizes share programs.
    """
    width = min(1 << (len(fits) - 1).bit_length(), CHUNK) if settings.mapping == "map" else len(fits)
    while width > 1 and (needed := _needed(fits[0], width, settings, data)) > memory:
        width = max(1, min(width - 1, int(width * memory / needed)))
    return width


def _needed(fit: train.Fit, width: int, settings: Settings, data: Dataset) -> float:
    """The bytes that an epoch of so many runs needs; `jit` keeps the program for the call that follows."""
    stacked = jax.eval_shape(lambda: stack([fit] * width))
    order = jax.ShapeDtypeStruct((width, len(data) // settings.batch, settings.batch), jnp.zeros(0, int).dtype)
    found: Any = _epoch.lower(stacked, order, 0, data, settings).compile().memory_analysis()
    if found is None:  # a backend that does not say
        return 0
    parts = found.argument_size_in_bytes, found.output_size_in_bytes, found.temp_size_in_bytes
    return sum(parts) - found.alias_size_in_bytes


def free_memory() -> float:
    """The bytes that a program may need if the user has not said: a share of what is free on the device."""
    device = jax.local_devices()[0]
    stats: Any = None if device.platform == "cpu" else device.memory_stats()
    if stats:
        return SHARE * (stats["bytes_limit"] - stats["bytes_in_use"])
    try:
        with open("/proc/meminfo", encoding="ascii") as file:  # it counts what the page cache would give back
            lines = dict(line.split(":", 1) for line in file)
        return SHARE * min(1024 * float(lines["MemAvailable"].split()[0]), _of_slurm())
    except (OSError, KeyError):
        return SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def _of_slurm() -> float:
    """The bytes that Slurm gives to this job on this machine; infinite where it gives all, or there is no Slurm."""
    mega, processors = (int(os.environ.get(f"SLURM_{name}", 0)) for name in ("MEM_PER_NODE", "CPUS_ON_NODE"))
    mega = mega or processors * int(os.environ.get("SLURM_MEM_PER_CPU", 0))
    return 2**20 * mega or math.inf


def stack(trees: Sequence[PyTree]) -> PyTree:
    """One tree of trees of the same structure; each leaf has a new leading axis."""
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(leaf) for leaf in leaves]), *trees)


def epoch_key(key: Array, epoch: int | Array) -> Array:
    """The random key of an epoch, counted from 0; epoch -1 stands for the initial weights."""
    return jax.random.fold_in(key, epoch + 1)


def _start(run: Run, data: Dataset) -> train.Fit:
    return started(run.settings, run.variant.surrogate, jax.random.key(run.seed), data)


def started(settings: Settings, surrogate: Any, key: Array, data: Dataset) -> train.Fit:
    """A fit of the network of some settings before its first update."""
    sizes = {name: getattr(settings, name) for name in ("hidden", "tau", "gain", "depth", "recurrent")}
    return train.start(settings.build(surrogate, data, key=epoch_key(key, -1), **sizes), optimizer(settings))


def optimizer(settings: Settings) -> optax.GradientTransformation:
    """The optimiser of some settings."""
    return optax.adam(settings.learning_rate)


def _over_first(function: Any, runs: PyTree, start: PyTree, count: Any, mapping: str | None) -> Any:
    """The results of a function for the first runs of a stack, in place of those in `start`; under `"vmap"` for all."""
    if mapping == "vmap":
        return jax.vmap(function)(runs)

    def body(i: Any, results: PyTree) -> PyTree:
        # Behind barriers a run is compiled by itself, so that its numbers do not depend on the size of the stack.
        one = jax.lax.optimization_barrier(jax.tree.map(lambda leaf: leaf[i], runs))
        new = jax.lax.optimization_barrier(function(one))
        return jax.tree.map(lambda stacked, one: stacked.at[i].set(one), results, new)

    return jax.lax.fori_loop(0, count, body, start)


@functools.partial(jax.jit, static_argnames=("samples", "batch"))
def _order(keys: Array, epoch: Any, samples: int, batch: int) -> Int[Array, "runs batches batch"]:
    return jax.vmap(lambda key: train.batches(samples, batch, key=epoch_key(key, epoch)))(keys)


@functools.partial(jax.jit, static_argnames="settings")
def _epoch(fits: train.Fit, order: Array, count: Any, data: Dataset, settings: Settings) -> tuple[train.Fit, Array]:
    """The fits after one more epoch, and the mean loss of each."""
    rule = optimizer(settings)
    losses = jnp.zeros(len(order))
    return _over_first(
        lambda run: train.epoch(run[0], rule, data, run[1]), (fits, order), (fits, losses), count, settings.mapping
    )


@functools.partial(jax.jit, static_argnames="settings")
def _score(fits: train.Fit, count: Any, data: Dataset, settings: Settings) -> train.Score:
    zeros = train.Score(*[jnp.zeros(len(jax.tree.leaves(fits)[0]))] * 3)
    return _over_first(lambda fit: train.score(fit.network, data), fits, zeros, count, settings.mapping)
