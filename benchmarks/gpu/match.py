"""Measurements of all competitors of a case on a GPU, in turn, within a budget of time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.compare import parity, rounds
from benchmarks.compare.cases import Case
from benchmarks.compare.processes import Process

ROUNDS = 5

PATIENCE = 90.0
"""Seconds after which a competitor has lost its turn."""

GRACE = 2.0
"""Seconds for an answer when time is over, so that those who have taken their turns still tell their memory."""

LIMITS = parity.Limits(spikes=1e-3, gradient=3e-2)
"""Wider than on a CPU: convolutions may be computed by a transform, which is not exact, and then a spike that differs
changes those that follow. Another reset, decay or slope still fails."""


class Budget:
    """Seconds that may pass.

    Parameters:
        seconds: from now on.
    """

    def __init__(self, seconds: float) -> None:
        self._end, self._taken = time.monotonic() + seconds, {"": 0.0}

    def left(self) -> float:
        """Seconds that are left, no fewer than none."""
        return max(self._end - time.monotonic(), 0.0)

    def fits(self, case: Case) -> bool:
        """Whether a case will be over in time, if it takes as long as the longest of its kind before it."""
        return self.left() > self._taken.get(case.workload, max(self._taken.values()) / 2)

    @contextlib.contextmanager
    def taken(self, case: Case) -> Any:
        """Note how long a case takes."""
        start = time.monotonic()
        yield
        self._taken[case.workload] = max(time.monotonic() - start, self._taken.get(case.workload, 0.0))


class DeviceMatch(rounds.Match):
    """The competitors of a case and their figures.

    Parameters:
        case: what is measured.
        names: who takes part.
        log: file for what libraries print.
        budget: seconds that may pass.
        device: `"gpu"`, or `"cpu"` for a rehearsal.
        environment: variables of the processes.
    """

    def __init__(
        self, case: Case, names: Sequence[str], log: Path, budget: Budget, device: str, environment: Mapping[str, str]
    ) -> None:
        super().__init__(case, names, log)
        self.budget, self.device, self.environment, self.limits = budget, device, environment, LIMITS

    def _process(self, name: str, environment: Mapping[str, str] | None = None, **options: Any) -> Process:
        return Process(
            self.case,
            name,
            self.log,
            environment={**self.environment, **(environment or {})},
            worker="benchmarks.gpu.worker",
            patience=lambda: min(max(self.budget.left(), GRACE), PATIENCE),
            device=self.device,
            **options,
        )

    def _admitted(self, stack: contextlib.ExitStack, folder: Path) -> dict[str, Process]:
        """The processes of those that take part: they start at the same time, and compile one after the other."""
        processes = {name: stack.enter_context(self._process(name)) for name in self.names}
        for process in processes.values():
            process.hand_over()
        return {n: p for n, p in processes.items() if self._try(n, lambda n=n, p=p: self._admit(n, p, folder))}


def skipped(case: Case, names: Sequence[str], reason: str) -> dict[str, Any]:
    """The figures of a case that is not measured."""
    unknown = rounds.UNKNOWN | {"status": "not measured", "reason": reason}
    return {**case.to_json(), "rounds": 0, "competitors": {name: dict(unknown) for name in names}}
