"""The data of studies, and studies that are kept in memory alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import jax

from surgrad import tasks
from surgrad.study._programs import trained
from surgrad.study._rows import Row
from surgrad.study._settings import Settings, Variant
from surgrad.study._study import Run


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
    """Train all runs of some variants, and yield the rows of each family, see `families`, as soon as it has finished.

    Rows come in the order of the variants and seeds. The same settings give the same rows, `seconds` excepted. Nothing
    is kept: `Study.run` keeps the rows in a table, and goes on after an interruption.

    Parameters:
        variants: the surrogates to compare.
        settings: what the runs share.
        tick: a function that is called with the variants that train after each of their epochs; an exception that it
            raises ends the study.
        data: training and test samples; None loads the task of the settings.

    Raises:
        KeyError, TypeError, ValueError: the task cannot be loaded, see `load`.
    """
    data = load(settings) if data is None else data

    def told(runs: Sequence[Run]) -> None:
        tick(list(dict.fromkeys(run.variant for run in runs)))

    for family in families(variants):
        runs = [Run(variant, settings, seed) for variant in family for seed in settings.seeds]
        yield [row for chunk in trained(runs, data, told) for row in chunk]
