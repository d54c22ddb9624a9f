"""The workers of `surgrad study`: processes of this machine, or jobs of Slurm, that share a database."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from surgrad.cli._jobs import Job, Jobs
from surgrad.cli._progress import progress
from surgrad.cli._signals import Stop, StoppedError, stop_on_signals
from surgrad.cli._usage import UsageError

if TYPE_CHECKING:  # the study needs Optax, which may be missing
    from surgrad.study import Row, Study

POLL = 0.5
"""Seconds between two looks at the workers and at the table."""


def epochs(study: Study) -> int:
    """The epochs of all runs together."""
    return sum(settings.epochs * len(settings.seeds) for settings in study.grid) * len(study.variants)


def memory(options: argparse.Namespace) -> float | None:
    """The bytes that a compiled program may need: a share of what the user gave for each worker of the machine."""
    sharing = 1 if options.workers is None or options.slurm is not None else options.workers
    if options.memory is not None:
        return 1e6 * options.memory / sharing
    from surgrad.study._programs import free_memory

    return free_memory() / sharing


def be_one(study: Study, database: str, options: argparse.Namespace) -> int:
    """Work until no run is missing, and return the exit code."""
    from surgrad.study import work

    with stop_on_signals() as stop:
        try:
            work(
                study,
                database,
                seed=options.worker,
                workers=options.workers or 1,
                heartbeat=options.heartbeat,
                tick=lambda runs: stop.obey(),
                tell=lambda text: print(text, file=sys.stderr, flush=True),
                older=options.older,
                memory=memory(options),
            )
        except StoppedError:
            return 128 + (stop.signal or 0)
    return 0


def supervise(study: Study, database: str, options: argparse.Namespace) -> tuple[list[Row], int | None]:
    """The rows of a study after workers have done what was missing, and the signal that stopped them, or None."""
    from surgrad.study import prepare

    given: dict[str, Any] = {name: getattr(options, name) for name in ("workers", "heartbeat", "older")}
    with stop_on_signals() as stop, progress(epochs(study)) as (advance, say):
        look, failed = _Look(study, database, options.older, advance), False
        while prepare(study, database, tell=say, patient=look.begun, **given) and stop.signal is None:
            if failed:
                raise RuntimeError("the workers ended before the study; the lines above say why.")
            failed = _watch(_starter(study, options, database, look), options.workers, look, stop)
    return study.rows(database, older=options.older), stop.signal


class _Look:
    """A look at the table, which advances the progress bar, and counts the runs that have finished."""

    def __init__(self, study: Study, database: str, older: bool, advance: Callable[[str, int], None]):
        self._read = lambda: study.rows(database, older=older)
        self._advance, self._seen, self.begun, self.finished = advance, 0, False, 0

    def __call__(self) -> None:
        self.begun = True
        try:
            rows = self._read()
        except Exception:  # the database is away; the workers say so, and try again
            return
        now, self.finished = int(sum(row.epochs for row in rows)), len(rows)
        self._advance("workers", now - self._seen)
        self._seen = now


def _command(options: argparse.Namespace, database: str) -> list[str]:
    """The command of a worker, but for its number."""
    command = [sys.executable, "-m", "surgrad", "study", options.study, "--database", database]
    command += ["--workers", str(options.workers), "--heartbeat", str(options.heartbeat)]
    if options.memory is not None:
        command += ["--memory", str(options.memory)]
    return [*command, *(["--older"] if options.older else []), "--worker"]


def _starter(
    study: Study, options: argparse.Namespace, database: str, look: _Look
) -> Callable[[int], subprocess.Popen[bytes] | Job]:
    """A function that starts the worker of a number."""
    command = _command(options, database)
    if options.slurm is not None:
        return Jobs(command, options.slurm, database, len(study.runs), lambda: look.finished).start
    return lambda number: subprocess.Popen([*command, str(number)])


def _watch(start: Callable[[int], subprocess.Popen[bytes] | Job], count: int, look: _Look, stop: Stop) -> bool:
    """Watch workers until all have ended, and return whether one failed; one that is killed is replaced."""
    look()
    alive, number, failed = dict[int, subprocess.Popen[bytes] | Job](), count, False
    try:
        for k in range(count):
            alive[k] = start(k)
        while alive and stop.signal is None:
            time.sleep(POLL)
            look()
            for k, code in [(k, worker.poll()) for k, worker in alive.items()]:
                if code is None:
                    continue
                del alive[k]
                failed |= code > 0
                if code < 0 and stop.signal is None:
                    failed |= not _replace(alive, start, number)
                    number += 1
    finally:
        for worker in alive.values():
            worker.terminate()
        for worker in alive.values():
            worker.wait()
    return failed


def _replace(alive: dict[int, subprocess.Popen[bytes] | Job], start: Any, number: int) -> bool:
    """Start one more worker, and return whether that went well; the others go on if not."""
    try:
        alive[number] = start(number)
    except UsageError as error:
        print(error, file=sys.stderr, flush=True)
    return number in alive
