"""A study that goes on where it was: the runs whose rows are not in the table yet."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from surgrad import tasks
from surgrad.study._halving import updates_of
from surgrad.study._programs import data_key, families, trained
from surgrad.study._rows import Row
from surgrad.study._run import load
from surgrad.study._study import Run, Study
from surgrad.study._table import Table


def resumed(
    study: Study,
    database: str,
    tell: Callable[[str], None],
    *,
    finished: Callable[[list[Row]], None],
    older: bool,
    **options: Any,
) -> list[Row]:
    """The rows of a study, after what was missing has been trained: see `Study.run`."""
    table = Table(database, tell)
    table.register(study)
    data = all_data(study)
    while missing := without_rows(study, table, older):
        for runs in families(missing):
            train_into(table, study, runs, data, finished, **options)
    return in_order(study, table, older)


def train_into(
    table: Table,
    study: Study,
    runs: Sequence[Run],
    data: dict[Any, tasks.Split],
    finished: Callable[[list[Row]], None] = lambda rows: None,
    **options: Any,
) -> None:
    """Train the runs of a family, and add their rows to a table chunk by chunk."""
    rest = iter(runs)
    for rows in trained(runs, data[data_key(runs[0].settings)], **options):
        table.add(study, [run for _, run in zip(rows, rest, strict=False)], rows)
        finished(rows)


def all_data(study: Study) -> dict[Any, tasks.Split]:
    """The data of all tasks of a study, so that a mistake in one is found before any run trains."""
    by_batch = sorted(study.grid, key=lambda settings: settings.batch)
    data = {key: load(settings) for key, settings in {data_key(one): one for one in by_batch}.items()}
    if study.halving is not None:
        for settings in study.grid:
            study.halving.require(updates_of(settings, data[data_key(settings)]))
    return data


def without_rows(study: Study, table: Table, older: bool) -> list[Run]:
    """The runs of a study that have no sound row; rows that are corrupt are reported and removed."""
    there = {one.checksum for one in table.repaired(study.name) if older or not one.older}
    return with_rivals(study, [run for run in study.runs if run.checksum not in there])


def with_rivals(study: Study, runs: Sequence[Run]) -> list[Run]:
    """Some runs, and those without which they cannot be trained: all among which successive halving chooses."""
    if study.halving is None:
        return list(runs)
    some = {(run.rivals, run.settings) for run in runs}
    return [run for run in study.runs if (run.rivals, run.settings) in some]


def in_order(study: Study, table: Table, older: bool) -> list[Row]:
    """The rows of a study in the order of its runs; of several versions the one that has finished last."""
    found = {one.checksum: one.row for one in table.sound(study.name)[0] if older or not one.older}
    return [found[run.checksum] for run in study.runs if run.checksum in found]
