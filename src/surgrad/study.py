"""Studies: one network trained with many surrogates and seeds, the runs of a family in one compiled program."""

from __future__ import annotations

import dataclasses
import functools
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from surgrad import tasks
from surgrad._colours import kind_name
from surgrad._combine import Normalized, Temperature
from surgrad._extras import missing
from surgrad._numbers import require_real, require_whole
from surgrad._surrogate import Surrogate
from surgrad._types import PyTree
from surgrad.tasks import Dataset

try:
    import optax
except ModuleNotFoundError as error:
    raise ImportError(missing("surgrad.study", "optax")) from error

from surgrad import train

MAPPINGS = ("map", "vmap")


@dataclasses.dataclass(frozen=True)
class Variant:
    """A surrogate to train with, and what tables call it: its name, the parameter that varies, and its value.

    The surrogate may be of a class of your own, and the name any text.
    """

    name: str
    parameter: str
    value: float
    surrogate: Surrogate


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all runs of a study share.

    Parameters:
        data: name of the task.
        options: of the task, as pairs of name and value; they go before `steps` and `split_seed`.
        seeds: one run a variant and seed; a seed sets the initial weights and the order of the batches.
        split_seed: of the split in samples to train and to test, the same for all runs.
        epochs: passes through the samples.
        steps: length of a sample, in steps.
        hidden: number of hidden neurons.
        tau: time constant of all neurons, in steps.
        gain: of the initial hidden weights; at 3 about one neuron in twenty spikes at each step.
        batch: samples an update.
        learning_rate: of Adam.
        mapping: `"map"`, one run after the other, or `"vmap"`, all at once; None: what suits the machine.
    """

    data: str = "digits"
    options: tuple[tuple[str, Any], ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    split_seed: int = 0
    epochs: int = 12
    steps: int = 20
    hidden: int = 128
    tau: float = 20.0
    gain: float = 3.0
    batch: int = 64
    learning_rate: float = 5e-3
    mapping: str | None = None

    def __post_init__(self) -> None:
        if self.mapping not in (None, *MAPPINGS):
            raise ValueError(f"Settings: mapping must be one of 'map', 'vmap' or None, got {self.mapping!r}.")
        sizes = {name: getattr(self, name) for name in ("epochs", "steps", "hidden", "batch")}
        require_whole("Settings", **sizes, **{"the number of seeds": len(self.seeds)})
        require_whole("Settings", 0, split_seed=self.split_seed)
        for seed in self.seeds:
            require_whole("Settings", 0, **{"each of seeds": seed})
        for name in ("tau", "gain", "learning_rate"):
            require_real("Settings", name, getattr(self, name), above=0)


@dataclasses.dataclass(frozen=True)
class Row:
    """The result of one run, from the held-out samples; the train loss is the mean of the last epoch's batches.

    Losses are cross-entropies in nats, the firing rate is spikes per hidden neuron and step, and `seconds` the run's
    share of the wall time of its family, compilation included. `surrogate` is the name of the variant, `kind` that of
    the class, from which pictures have colour and line style; empty in rows from elsewhere.
    """

    surrogate: str
    parameter: str
    value: float
    seed: int
    test_accuracy: float
    test_loss: float
    train_loss: float
    spike_rate: float
    seconds: float
    kind: str = ""


@dataclasses.dataclass(frozen=True)
class Summary:
    """The runs of one variant over its seeds: means, and the standard deviation of the accuracy (one run: None)."""

    surrogate: str
    parameter: str
    value: float
    runs: int
    test_accuracy: float
    test_accuracy_sd: float | None
    test_loss: float
    train_loss: float
    spike_rate: float
    seconds: float
    kind: str = ""


def at_unit_peak(surrogate: Surrogate, scale: float) -> Surrogate:
    """A surrogate `scale` times steeper, > 0, of largest slope 1: the slope is σ'(scale·x)/max σ'."""
    require_real("at_unit_peak", "scale", scale, above=0)
    return Normalized(Temperature(surrogate, 1 / scale), to="peak")


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


def summarise(rows: Iterable[Row]) -> list[Summary]:
    """One line a variant, in the order of its first row."""
    groups: dict[tuple[str, str, str, float], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.surrogate, row.kind, row.parameter, row.value), []).append(row)
    return [_summary(group) for group in groups.values()]


def _summary(rows: Sequence[Row]) -> Summary:
    def mean(name: str) -> float:
        return statistics.fmean(getattr(row, name) for row in rows)

    return Summary(
        rows[0].surrogate,
        rows[0].parameter,
        rows[0].value,
        len(rows),
        mean("test_accuracy"),
        statistics.stdev(row.test_accuracy for row in rows) if len(rows) > 1 else None,
        mean("test_loss"),
        mean("train_loss"),
        mean("spike_rate"),
        sum(row.seconds for row in rows),
        rows[0].kind,
    )


def _rows(
    family: list[Variant], settings: Settings, losses: np.ndarray, test: train.Score, seconds: float
) -> Iterator[Row]:
    """Rows from results whose leading axis is that of the runs."""
    runs = [(variant, seed) for variant in family for seed in settings.seeds]
    for (variant, seed), loss, *of_test in zip(runs, losses, *test, strict=True):
        accuracy, test_loss, spike_rate = map(float, of_test)
        named = variant.name, variant.parameter, variant.value
        yield Row(*named, seed, accuracy, test_loss, float(loss), spike_rate, seconds, kind_name(_shape(variant)))


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
    return train.start(train.classifier(key, surrogate, data, **sizes), optax.adam(settings.learning_rate))


@functools.partial(jax.jit, static_argnames=("samples", "batch"))
def _order(keys: Array, epoch: Any, samples: int, batch: int) -> Int[Array, "runs batches batch"]:
    return jax.vmap(lambda key: train.batches(_key(key, epoch), samples, batch))(keys)


@functools.partial(jax.jit, static_argnames="settings")
def _epoch(fits: train.Fit, order: Array, data: Dataset, settings: Settings) -> tuple[train.Fit, Array]:
    """The fits after one more epoch, and the mean loss of each."""
    optimizer = optax.adam(settings.learning_rate)
    return _over_runs(settings, lambda fit, samples: train.epoch(fit, optimizer, data, samples), fits, order)


@functools.partial(jax.jit, static_argnames="settings")
def _score(fits: train.Fit, data: Dataset, settings: Settings) -> train.Score:
    return _over_runs(settings, lambda fit: train.score(fit.network, data), fits)
