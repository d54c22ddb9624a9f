"""Worker processes, as seen from their parent."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
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
        options: of the worker, see there.
    """

    def __init__(
        self,
        case: Case,
        competitor: str,
        log: Path,
        python: str = sys.executable,
        environment: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        self._log = log.open("a")
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.compare.worker"],
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
        self._questions.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._answers.close()
        self._log.close()

    def start(self) -> dict[str, Any]:
        """Hand over the case; returns what it runs on."""
        return self.ask(self._request)

    def ask(self, command: str) -> dict[str, Any]:
        """The answer to a command.

        Raises:
            WorkerError: the worker cannot, or died.
        """
        try:
            self._questions.write(command + "\n")
            self._questions.flush()
            line = self._answers.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise WorkerError("error", f"the process ended with status {self._process.wait()}.")
        answer = json.loads(line)
        if "status" in answer:
            raise WorkerError(answer["status"], answer["reason"])
        return answer
