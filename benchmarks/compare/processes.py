"""Worker processes, as seen from their parent."""

from __future__ import annotations

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from benchmarks.compare.cases import Case

ROOT = Path(__file__).parents[2]

ENVIRONMENT = {
    # Threads of OpenMP that spin while they wait cost torch up to 80 times where another process wants the core.
    "OMP_WAIT_POLICY": "passive",
    # Of other arenas, malloc_trim leaves the free end to the process, where the memory of a step hides in it.
    "MALLOC_ARENA_MAX": "1",
    "PYTHONWARNINGS": "ignore",
    "JAX_PLATFORMS": "cpu",
}


class WorkerError(Exception):
    """A competitor that cannot take part, with its status and the reason."""

    def __init__(self, status: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Process:
    """A competitor in a process of its own, with a case; a context that ends the process.

    Parameters:
        case: what it works on.
        competitor: its name in `COMPETITORS`.
        python: the interpreter that has it installed.
        log: file for what libraries print.
        environment: variables beside `ENVIRONMENT`.
        worker: the module that answers.
        patience: how many seconds an answer is waited for; None for as long as it takes.
        options: of the worker, see there.

    Raises:
        WorkerError: there is no such interpreter.
    """

    def __init__(
        self,
        case: Case,
        competitor: str,
        log: Path,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
        worker: str = "benchmarks.compare.worker",
        patience: Callable[[], float] | None = None,
        **options: Any,
    ) -> None:
        if shutil.which(python) is None:
            raise WorkerError("not installed", f"there is no {python}.")
        self._log, self._patience, self._waiting = log.open("a"), patience, False
        self._process = subprocess.Popen(
            [python, "-m", worker],
            cwd=ROOT,
            env=os.environ | ENVIRONMENT | dict(environment or {}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._questions, self._answers = self._process.stdin, self._process.stdout
        self._request = json.dumps({"case": case.to_json(), "competitor": competitor, **options})

    def __enter__(self) -> Process:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._questions.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._log.close()

    def hand_over(self) -> None:
        """Hand over the case, and do not wait until it is ready."""
        self._waiting = True
        self._tell(self._request)

    def start(self) -> dict[str, Any]:
        """Hand over the case, unless that is done; returns what it runs on."""
        if not self._waiting:
            self.hand_over()
        return self._answer()

    def ask(self, command: str) -> dict[str, Any]:
        """The answer to a command.

        Raises:
            WorkerError: the worker cannot, or died, or takes too long.
        """
        self._tell(command)
        return self._answer()

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):
            self._questions.write(line + "\n")
            self._questions.flush()

    def _answer(self) -> dict[str, Any]:
        if self._patience is not None and not select.select([self._answers], [], [], max(self._patience(), 0.0))[0]:
            self._process.kill()
            raise WorkerError("not measured", "out of time.")
        line = self._answers.readline()
        if not line:
            raise WorkerError("error", f"the process ended with status {self._process.wait()}.")
        answer = json.loads(line)
        if "status" in answer:
            raise WorkerError(answer["status"], answer["reason"])
        return answer
