"""Measurements of all competitors of a case, in turn."""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare import parity
from benchmarks.compare.cases import Case
from benchmarks.compare.competitors import COMPETITORS
from benchmarks.compare.problems import problem
from benchmarks.compare.processes import Process, WorkerError

PATIENCE = 1800.0
"""Seconds after which an answer is not waited for any longer: a step of the slowest takes some seconds."""

UNKNOWN = {
    "status": "error",
    "reason": None,
    "versions": None,
    "wall_s": None,
    "cpu_s": None,
    "first_call_cpu_s": None,
    "first_call_s": None,
    "compile_cpu_s": None,
    "compile_again_cpu_s": None,
    "memory_bytes": None,
    "parity": None,
    "implementation": None,
}
"""The figures of a competitor before they are known."""

STARTS, USUAL = 3, 3
"""Processes in which compilation is measured, and steps after the first in each."""


def in_turn(askers: Mapping[str, Callable[[], dict[str, float]]], rounds: int) -> dict[str, list[dict[str, float]]]:
    """Answers of all in each round, one after the other; every second round backwards, so that none is always next to
    the same, and a machine that grows slower does not favour the first.
    """
    samples: dict[str, list[dict[str, float]]] = {name: [] for name in askers}
    for i in range(rounds):
        for name in list(askers)[:: -1 if i % 2 else 1]:
            samples[name].append(askers[name]())
    return samples


def spread(values: Iterable[float]) -> dict[str, Any]:
    """Median, quartiles, and all values in the order of rounds."""
    values = list(values)
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else values * 3
    return {"median": middle, "low": low, "high": high, "all": values}


class Match:
    """The competitors of a case and their figures.

    Parameters:
        case: what is measured.
        names: who takes part.
        pythons: interpreters of those that do not live in this environment.
        log: file for what libraries print.
        threads: of each.
    """

    def __init__(
        self,
        case: Case,
        names: Sequence[str],
        log: Path,
        pythons: Mapping[str, str] | None = None,
        threads: int = 2,
    ) -> None:
        self.case, self.names, self.log, self.threads = case, names, log, threads
        self.pythons, self.limits = pythons or {}, parity.LIMITS
        self.digest = problem(case).digest()
        self.figures: dict[str, dict[str, Any]] = {name: dict(UNKNOWN) for name in names}
        self._references: dict[str, parity.Outputs] = {}

    def play(self, rounds: int) -> dict[str, Any]:
        """All figures, in turn; a competitor that fails parity is not timed."""
        with contextlib.ExitStack() as stack, tempfile.TemporaryDirectory() as folder:
            ready = self._admitted(stack, Path(folder))
            samples = in_turn({name: self._step(name, process) for name, process in ready.items()}, rounds)
            for name, process in ready.items():
                self._try(name, lambda p=process, n=name: self._finish(n, p, samples[n]))
        if self.case.compiles:
            self._compile([name for name in ready if self.figures[name]["status"] == "timed"])
        return {**self.case.to_json(), "rounds": rounds, "competitors": self.figures}

    def _admitted(self, stack: contextlib.ExitStack, folder: Path) -> dict[str, Process]:
        """The processes of those that take part, one started after the other."""
        processes: dict[str, Process] = {}

        def admit(name: str) -> None:
            processes[name] = stack.enter_context(self._process(name))
            self._admit(name, processes[name], folder)

        return {name: processes[name] for name in self.names if self._try(name, lambda n=name: admit(n))}

    def _process(self, name: str, **options: Any) -> Process:
        """A new process of a competitor."""
        if name in self.pythons:
            options["python"] = self.pythons[name]
        return Process(self.case, name, self.log, threads=self.threads, patience=lambda: PATIENCE, **options)

    def _try(self, name: str, action: Callable[[], None]) -> bool:
        """Whether an action went well; if not, the reason stands in the figures."""
        try:
            action()
        except WorkerError as error:
            self.figures[name] |= {"status": error.status, "reason": error.reason}
        except (ValueError, OSError) as error:  # what it has written cannot be read, or is something else
            self.figures[name] |= {"status": "error", "reason": str(error)}
        return self.figures[name]["status"] == "timed"

    def _admit(self, name: str, process: Process, folder: Path) -> None:
        """First call, and parity."""
        figures, started = self.figures[name], process.start()
        if started["digest"] != self.digest:
            raise WorkerError("error", "it has other inputs or weights: its code or its NumPy differs from ours.")
        figures["versions"] = started["versions"]
        first = process.ask("first")
        figures |= {"first_call_cpu_s": first["cpu_s"], "first_call_s": first["wall_s"]}
        figures["implementation"] = first["implementation"]
        path = folder / f"{name}.npz"
        process.ask(f"parity {path}")
        found = figures["parity"] = parity.compare(parity.Outputs(path), self._reference(name, folder), self.limits)
        if not found["passes"]:
            raise WorkerError(
                "failed parity",
                f"{found['spikes_that_differ']} of {found['entries']} spikes differ, "
                f"gradient off by {found['gradient_error']:.2g}.",
            )
        figures["status"] = "timed"

    def _reference(self, name: str, folder: Path) -> parity.Outputs:
        """The plain scan in double precision, with the competitor's slope."""
        slope = COMPETITORS[name].slope
        if slope not in self._references:
            path = folder / f"reference {slope}.npz"
            double = {"JAX_ENABLE_X64": "1"}
            with self._process("plain_scan", environment=double, slope=slope, double=True) as process:
                process.start()
                process.ask(f"parity {path}")
            self._references[slope] = parity.Outputs(path)
        return self._references[slope]

    def _step(self, name: str, process: Process) -> Callable[[], dict[str, float]]:
        def ask() -> dict[str, float]:
            if self.figures[name]["status"] != "timed":
                return {}
            try:
                return process.ask("step")
            except WorkerError as error:
                self.figures[name] |= {"status": error.status, "reason": error.reason}
                return {}

        return ask

    def _finish(self, name: str, process: Process, samples: list[dict[str, float]]) -> None:
        """Statistics, and memory."""
        figures = self.figures[name]
        if figures["status"] != "timed":
            return
        for key in ("wall_s", "cpu_s"):
            figures[key] = spread(sample[key] for sample in samples)
        figures |= process.ask("memory")

    def _compile(self, names: Sequence[str]) -> None:
        """What the first step takes beyond a usual one, in processes one after the other, with none beside them.

        The first step of all also pays for pages of memory that were never written, more of them the more processes
        hold memory; so that of the processes that are timed tells of the machine as much as of the compiler.
        """
        found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        for _ in range(STARTS):
            for name in names:
                self._try(name, lambda n=name: found[n].append(self._start(n)))
        for name, each in found.items():
            for key in ("compile_cpu_s", "compile_again_cpu_s"):
                self.figures[name][key] = statistics.median(one[key] for one in each) if each else None

    def _start(self, name: str) -> dict[str, float]:
        with self._process(name) as process:
            process.start()
            first = process.ask("first")["cpu_s"]
            usual = statistics.median(process.ask("step")["cpu_s"] for _ in range(USUAL))
            again = process.ask("again")["cpu_s"]
        return {"compile_cpu_s": max(first - usual, 0.0), "compile_again_cpu_s": max(again - usual, 0.0)}


def report(case: str, figures: Mapping[str, dict[str, Any]]) -> None:
    """A line for each competitor on stderr."""
    print(case, file=sys.stderr)
    for name, found in figures.items():
        if found["status"] == "timed":
            cpu, wall = 1000 * found["cpu_s"]["median"], 1000 * found["wall_s"]["median"]
            print(f"  {COMPETITORS[name].label:<30}{cpu:10.1f} ms CPU {wall:10.1f} ms wall", file=sys.stderr)
        else:
            print(f"  {COMPETITORS[name].label:<30}{found['status']}: {found['reason']}", file=sys.stderr)
