"""Several workers on one study: processes, on one machine or many, that share a database."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from surgrad._numbers import require_whole
from surgrad.study._programs import CHUNK, families
from surgrad.study._resume import all_data, train_into, with_rivals, without_rows
from surgrad.study._study import Run, Study

if TYPE_CHECKING:  # SQLAlchemy and Optuna may be missing
    from surgrad.study._queue import Queue
    from surgrad.study._table import Table

HEARTBEAT = 10
"""Seconds between two signs of life of a worker."""


def prepare(
    study: Study,
    database: str,
    *,
    workers: int = 1,
    heartbeat: int = HEARTBEAT,
    tell: Callable[[str], None] = warnings.warn,
    older: bool = False,
    patient: bool = False,
) -> int:
    """Get a study ready for workers, and return how many runs are missing.

    It checks all that `Study.run` checks, removes corrupt rows, and fills the queue of chunks. Call it before workers
    start.

    Parameters:
        study: the study.
        database: as of `Study.run`.
        workers: how many workers will share the study, >= 1; chunks are small enough that all have some.
        heartbeat: seconds between two signs of life of a worker, an integer >= 1.
        tell: as of `Study.run`.
        older: as of `Study.run`.
        patient: whether a database that cannot be reached is tried again for an hour.

    Raises:
        ImportError, ConnectionError, KeyError, TypeError, ValueError: as of `Study.run`; ImportError also if Optuna is
            not installed.
        RuntimeError: a run has been begun twenty times, and each time its worker was killed.
    """
    require_whole("prepare", workers=workers, heartbeat=heartbeat)
    table, queue = _opened(study, database, 0, heartbeat, tell, patient)
    all_data(study)
    missing = without_rows(study, table, older)
    if missing:
        queue.fill(_chunks(missing, workers))
    return len(missing)


def work(
    study: Study,
    database: str,
    *,
    seed: int = 0,
    workers: int = 1,
    heartbeat: int = HEARTBEAT,
    tick: Callable[[Sequence[Run]], None] = lambda runs: None,
    tell: Callable[[str], None] = warnings.warn,
    older: bool = False,
    memory: float | None = None,
) -> None:
    """Take part in a study as one of several workers; return when the table has the rows of all runs.

    Workers may come and go, and be killed at any moment: what a worker had begun goes to another one after three
    heartbeats, and no row is lost or doubled. Optuna keeps the queue, in tables of its own in the same database. All
    workers are given the same study. A database that cannot be reached is tried again for an hour, also at the start.

    Parameters:
        study: the study.
        database: as of `Study.run`: a SQLite file for the processes of one machine, PostgreSQL for several machines.
        seed: number of the worker, >= 0, another one for each.
        workers: how many workers share the study, >= 1.
        heartbeat: seconds between two signs of life, an integer >= 1, the same for all workers.
        tick, tell, older, memory: as of `Study.run`.

    Raises:
        Exception: as of `prepare`; and what a run raises.
    """
    require_whole("work", workers=workers, heartbeat=heartbeat)
    require_whole("work", 0, seed=seed)
    table, queue = _opened(study, database, seed, heartbeat, tell, patient=True)
    data, runs = all_data(study), {run.checksum: run for run in study.runs}

    def train(checksums: Collection[str]) -> None:
        done = table.done(study.name, older)
        left = [runs[one] for one in checksums if one in runs and one not in done]
        for family in families(with_rivals(study, left)):
            train_into(table, study, family, data, tick=tick, memory=memory)

    def once() -> bool:
        done = table.done(study.name, older)
        missing = [run for run in study.runs if run.checksum not in done]
        if missing and not queue.has_waiting():
            queue.fill(_chunks(with_rivals(study, missing), workers))
        if missing and queue.has_waiting():
            queue.take(train)
        elif missing:  # others have taken the rest, and may yet die
            time.sleep(min(heartbeat, 2))
        return bool(missing)

    while table.patiently(once):
        pass


def _opened(
    study: Study, database: str, seed: int, heartbeat: int, tell: Callable[[str], None], patient: bool
) -> tuple[Table, Queue]:
    from surgrad.study._queue import Queue
    from surgrad.study._table import Table

    table = Table(database, tell, patient)
    table.register(study)
    return table, table.patiently(lambda: Queue(study, database, seed, heartbeat))


def _chunks(missing: Sequence[Run], workers: int) -> list[Any]:
    """The runs of each family in chunks: as many as train together, and two for each worker at least, if there are."""
    found: list[Any] = []
    for family in families(missing):
        if family[0].rivals:  # successive halving compares all of them
            found.append(family)
            continue
        size = min(CHUNK, -(-len(family) // (2 * workers)))
        found += [[family[i] for i in part] for part in np.array_split(np.arange(len(family)), -(-len(family) // size))]
    return found
