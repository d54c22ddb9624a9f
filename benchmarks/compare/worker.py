"""The process of one competitor and one case: it answers commands, one JSON object a line.

Commands are a word each: `first`, the first step, which compiles; `parity FILE`, spikes and gradients into a file;
`step`; `memory`; `again`, the first step of the same program made anew, in a process that has loaded and prepared what
a process needs once. What libraries print goes to stderr.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.compare import parity
from benchmarks.compare.cases import Case
from benchmarks.compare.competitors import COMPETITORS
from benchmarks.compare.machine import version
from benchmarks.compare.memory import peak_of
from benchmarks.compare.problems import Problem, problem
from benchmarks.compare.program import Program

PARITY_STEPS = 1000
"""Steps of time over which spikes and gradients are compared; longer cases are compared over their beginning."""


def timed(step: Callable[[], Any]) -> dict[str, float]:
    """Seconds of the clock and of all threads of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    step()
    return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


class Worker:
    """A competitor at work on a case.

    Parameters:
        request: the case, the competitor's name, and what differs from its habit: `slope`, `double`, `threads`.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        self.competitor = COMPETITORS[request["competitor"]]
        self._prepare(request)
        case = Case.from_json(request["case"])
        given = problem(case)._replace(slope=request.get("slope", self.competitor.slope))
        self.digest = given.digest()
        self.problem: Problem = given.double() if request.get("double") else given
        self.build = self.competitor.build(case.architecture)
        self.program = self.build(self.problem)

    def _step(self) -> dict[str, float]:
        return timed(self.program.step)

    def _prepare(self, request: dict[str, Any]) -> None:
        """What comes before a library makes anything."""
        _use_threads(request.get("threads", 2), "torch" in self.competitor.packages)

    def ready(self) -> dict[str, Any]:
        """What it runs on."""
        return {"digest": self.digest, "versions": {name: version(name) for name in self.competitor.packages}}

    def answer(self, command: str) -> dict[str, Any]:
        """The answer to a command."""
        word, _, rest = command.partition(" ")
        if word == "first":
            return timed(self.program.step) | {"implementation": self.program.implementation()}
        if word == "step":
            return self._step()
        if word == "memory":
            return self._memory()
        if word == "again":
            return self._again()
        if word == "parity":
            parity.save(Path(rest), self._head())
            return {}
        raise ValueError(f"worker: unknown command {command!r}.")

    def _memory(self) -> dict[str, Any]:
        found = [peak for _ in range(3) if (peak := peak_of(self.program.step)) is not None]
        return {"memory_bytes": statistics.median(found) if found else None}

    def _again(self) -> dict[str, float]:
        if "jax" in self.competitor.packages:
            import jax

            jax.clear_caches()
        self.program = self.build(self.problem)
        return self._step()

    def _head(self) -> Program:
        """The program, or one for the beginning of a long case."""
        if len(self.problem.inputs) <= PARITY_STEPS:
            return self.program
        return self.build(self.problem.head(PARITY_STEPS))


def _use_threads(count: int, torch: bool) -> None:
    """As many threads for all: XLA takes as many as there are cores that it may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])
    if torch:
        import torch as library

        library.set_num_threads(count)


def main(kind: type[Worker] = Worker) -> None:
    """Answer until the other side closes."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker: Worker | None = None
    for line in sys.stdin:
        try:
            if worker is None:
                worker = kind(json.loads(line))
                answer = worker.ready()
            else:
                answer = worker.answer(line.strip())
        except Exception as error:  # whatever a library raises is an answer
            missing = isinstance(error, ImportError)
            kind = "not installed" if missing else "unsupported" if isinstance(error, NotImplementedError) else "error"
            answer = {"status": kind, "reason": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
