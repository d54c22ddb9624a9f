"""The workers of `surgrad study --slurm`: jobs that submitit sends to Slurm, or runs on this machine without one.

Whether a job is there still is asked of `squeue`. submitit asks `sacct`, which clusters without accounting do not
have, and then waits for ever for a job that was killed.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from surgrad.cli._usage import UsageError

QUEUE_POLL = 5.0
"""Seconds between two looks at Slurm's queue."""
FOLDER = Path("results") / "jobs"
"""Where submitit writes what a job is to do, what it returned, and its output and errors."""


class Jobs:
    """The jobs of a study.

    Parameters:
        command: that of a worker, but for its number.
        text: options of submitit, `OPTION=VALUE,OPTION=VALUE`.
        database: the address of the database.
        runs: how many runs there are.
        finished: tells how many have finished.

    Raises:
        UsageError: an option is not one of submitit, or commands of Slurm are missing.
    """

    def __init__(
        self, command: Sequence[str], text: str, database: str, runs: int, finished: Callable[[], int]
    ) -> None:
        import submitit

        self.runs, self.finished = runs, finished
        self._executor = submitit.AutoExecutor(folder=FOLDER)
        self.queue = _Queue() if self._executor.cluster == "slurm" else None
        _require_commands(self.queue)
        self._command, self._alone = command, [] if self.queue is None else ["--slurm"]  # a job has a memory of its own
        given = {"name": "surgrad", "timeout_min": 60, **_parameters(text)}
        try:
            self._executor.update_parameters(**given)
        except (AssertionError, NameError, TypeError, ValueError) as error:
            raise UsageError(f"--slurm: {error}") from error
        if self.queue is None:
            _say("there is no Slurm here (no srun): submitit runs the jobs on this machine")
        elif database.startswith("sqlite"):
            _say("the jobs share a SQLite file, which is safe on one machine alone; elsewhere use PostgreSQL")

    def start(self, number: int) -> Job:
        """Send the job of a worker.

        Raises:
            UsageError: Slurm refuses it.
        """
        from submitit.core.utils import FailedJobError, FailedSubmissionError

        try:
            with contextlib.redirect_stderr(io.StringIO()):  # what sbatch says is in the error
                sent = self._executor.submit(subprocess.call, [*self._command, str(number), *self._alone])
        except (FailedJobError, FailedSubmissionError, OSError) as error:
            said = "; ".join(str(error).replace("sbatch: error: ", "").splitlines())
            raise UsageError(f"--slurm: sbatch has refused a job: {said}") from error
        _say(f"job {sent.job_id}: worker {number}; its output is in {FOLDER}")
        return Job(sent, self)


class Job:
    """A job, with the methods of a process that `subprocess.Popen` has started."""

    def __init__(self, sent: Any, jobs: Jobs) -> None:
        self._sent, self._jobs, self._before = sent, jobs, jobs.finished()

    def poll(self) -> int | None:
        """None while the job is there; what the worker returned; -SIGKILL if it was ended, and runs had finished.

        A job that waits is cancelled when no run is missing.
        """
        finished = self._jobs.finished()
        if self._sent.paths.result_pickle.exists():
            code = self._returned()
        elif not self._is_there():
            code = -signal.SIGKILL
        elif self._waits() and finished == self._jobs.runs:
            self.terminate()
            return 0
        else:
            return None
        if code > 0:
            _say(f"job {self._sent.job_id} failed: {self._last_words()}")
        elif code < 0 and finished == self._jobs.runs:
            return 0
        elif code < 0 and finished == self._before:
            _say(
                f"job {self._sent.job_id} was ended before a run had finished, and is not sent again; it may need more "
                f"time (timeout_min) or memory (mem_gb), see {FOLDER}"
            )
            return 1
        return code

    def terminate(self) -> None:
        """Cancel the job."""
        self._sent.cancel(check=False)

    def wait(self) -> None:
        """Return: Slurm ends the job in its own time."""

    def _is_there(self) -> bool:
        queue = self._jobs.queue
        return not self._sent.done() if queue is None else queue.has(self._sent.job_id)

    def _waits(self) -> bool:
        queue = self._jobs.queue
        return queue is not None and queue.state(self._sent.job_id).startswith("PENDING")

    def _last_words(self) -> str:
        lines = (self._sent.stderr() or "").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it has printed no error")

    def _returned(self) -> int:
        if self._sent.exception() is not None:  # submitit was told that the time is over
            return -signal.SIGKILL
        code = self._sent.result()
        return 128 - code if code in (128 + signal.SIGINT, 128 + signal.SIGTERM) else code


class _Queue:
    """The jobs of this user that wait or run, as Slurm tells now and then."""

    def __init__(self) -> None:
        self._asked, self._now = -math.inf, dict[str, str]()
        self._known, self._gone, self._told = False, dict[str, float](), set[str]()

    def has(self, job: str) -> bool:
        """Whether a job is there; it is gone when it was away for so long that its result would have come."""
        if time.monotonic() - self._asked > QUEUE_POLL:
            self._ask()
        if job in self._now or not self._known:
            self._gone.pop(job, None)
            self._tell(job, self.state(job))
            return True
        return self._asked - self._gone.setdefault(job, self._asked) < 2 * QUEUE_POLL

    def state(self, job: str) -> str:
        """The state of a job at the last look."""
        return self._now.get(job, "")

    def _ask(self) -> None:
        """Ask Slurm; an answer that does not come says nothing of the jobs."""
        command = "squeue", "--noheader", "--user", str(os.getuid()), "--format=%i %T %r"
        self._asked = time.monotonic()
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        self._known = answer.returncode == 0
        found = (line.partition(" ") for line in answer.stdout.splitlines())
        self._now = {job: state for job, _, state in found}

    def _tell(self, job: str, state: str) -> None:
        """Tell once each reason for which jobs wait."""
        waits, _, reason = state.partition(" ")
        if waits == "PENDING" and reason not in {"None", "Priority", *self._told}:
            self._told.add(reason)
            _say(f"job {job} waits; Slurm's reason: {reason}")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _require_commands(queue: _Queue | None) -> None:
    if queue is None:
        return
    if absent := [name for name in ("sbatch", "squeue", "scancel") if shutil.which(name) is None]:
        raise UsageError(
            f"--slurm: there is srun here, but no {' and no '.join(absent)} on PATH; start the study on a login node."
        )


def _parameters(text: str) -> dict[str, Any]:
    """The options of submitit, with numbers as numbers."""
    found: dict[str, Any] = {}
    for piece in text.split(",") if text else ():
        name, equals, value = (part.strip() for part in piece.partition("="))
        if not (name and equals):
            raise UsageError(f"--slurm takes OPTION=VALUE,OPTION=VALUE, got {text!r}.")
        if name.removeprefix("slurm_") in ("nodes", "tasks_per_node", "ntasks_per_node"):
            raise UsageError(f"--slurm: a worker is a job with one task, so {name} cannot be given; see --workers.")
        found[name] = _value(value)
    return found


def _value(text: str) -> Any:
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        with contextlib.suppress(ValueError):
            if str(kind(text)) == text:  # 007 and 1e5 may be names
                return kind(text)
    return text
