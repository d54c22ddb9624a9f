"""The workers of `surgrad study`: processes of this machine, or jobs of Slurm, that share a database."""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

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
        look, failed = _Look(study, database, options.older, advance), ""
        while prepare(study, database, tell=say, patient=look.begun, **given) and stop.signal is None:
            if failed:
                raise RuntimeError(f"study: the workers ended before the study; {failed}")
            start = _processes if options.slurm is None else _jobs
            failed = start(_command(options, database), options, look, stop)
    return study.rows(database, older=options.older), stop.signal


class _Look:
    """A look at the table, which advances the progress bar."""

    def __init__(self, study: Study, database: str, older: bool, advance: Callable[[str, int], None]):
        self._read = lambda: sum(row.epochs for row in study.rows(database, older=older))
        self._advance, self._seen, self.begun = advance, 0, False

    def __call__(self) -> None:
        self.begun = True
        try:
            now = int(self._read())
        except Exception:  # the database is away; the workers say so, and try again
            return
        self._advance("workers", now - self._seen)
        self._seen = now


def _command(options: argparse.Namespace, database: str) -> list[str]:
    """The command of a worker, but for its number."""
    command = [sys.executable, "-m", "surgrad", "study", options.study, "--database", database]
    command += ["--workers", str(options.workers), "--heartbeat", str(options.heartbeat)]
    if options.memory is not None:
        command += ["--memory", str(options.memory)]
    return [*command, *(["--older"] if options.older else []), "--worker"]


def _processes(command: list[str], options: argparse.Namespace, look: Callable[[], None], stop: Stop) -> str:
    """Run the workers as processes until all have ended, and return what went wrong; one that is killed is replaced."""
    alive = {k: subprocess.Popen([*command, str(k)]) for k in range(options.workers)}
    number, failed = len(alive), 0
    try:
        while alive:
            time.sleep(POLL)
            look()
            for k, process in list(alive.items()):
                code = process.poll()
                if code is None:
                    continue
                del alive[k]
                failed += code > 0
                if code < 0 and stop.signal is None:
                    alive[number] = subprocess.Popen([*command, str(number)])
                    number += 1
            if stop.signal is not None:
                break
    finally:
        for process in alive.values():
            process.terminate()
        for process in alive.values():
            process.wait()
    return "the lines above say why." if failed else ""


def _jobs(command: list[str], options: argparse.Namespace, look: Callable[[], None], stop: Stop) -> str:
    """Run the workers as jobs of submitit until all have ended, and return what went wrong."""
    import submitit

    folder = Path("results") / "jobs"
    executor = submitit.AutoExecutor(folder=folder)
    if executor.cluster != "slurm":
        print("there is no Slurm here (no srun): submitit runs the jobs on this machine", file=sys.stderr)
    try:
        executor.update_parameters(**{"name": "surgrad", "timeout_min": 60, **_parameters(options.slurm)})
    except (NameError, TypeError, ValueError) as error:
        raise UsageError(f"--slurm: {error}") from error
    work = submitit.helpers.CommandFunction(command)
    jobs = [executor.submit(work, k) for k in range(options.workers)]
    print(f"{len(jobs)} jobs, {', '.join(job.job_id for job in jobs)}; their output is in {folder}", file=sys.stderr)
    while not all(job.done() for job in jobs):
        time.sleep(POLL)
        look()
        if stop.signal is not None:
            for job in jobs:
                job.cancel()
            return ""
    errors = [text for job in jobs if (text := _error(job))]
    return f"{len(errors)} of {len(jobs)} jobs failed: {errors[0]}" if errors else ""


def _error(job: Any) -> str:
    error = job.exception()
    return "" if error is None else (str(error).strip().splitlines() or [type(error).__name__])[-1]


def _parameters(text: str) -> dict[str, Any]:
    """The options of submitit, with numbers as numbers."""
    found: dict[str, Any] = {}
    for piece in text.split(",") if text else ():
        name, equals, value = piece.partition("=")
        if not (name and equals):
            raise UsageError(f"--slurm takes OPTION=VALUE,OPTION=VALUE, got {text!r}.")
        found[name.strip()] = int(value) if value.isdecimal() else value
    return found
