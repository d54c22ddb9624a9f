"""The process of one competitor and one case on a GPU: repeats that wait for the device, and the device's memory."""

from __future__ import annotations

import statistics
import time
from typing import Any

from benchmarks.compare import worker

TURN = 0.15
"""Seconds that a competitor has in a turn."""

REPEATS = range(3, 31)
"""How many steps it takes in a turn, by how long they take."""


class DeviceWorker(worker.Worker):
    """A competitor at work on a case.

    Parameters:
        request: as that of `Worker`, and `device`, `"gpu"` or `"cpu"`, for a rehearsal.
    """

    def __init__(self, request: dict[str, Any]) -> None:
        super().__init__(request)
        self._at_rest = self._stats().get("bytes_in_use", 0)

    def _prepare(self, request: dict[str, Any]) -> None:
        self._on_gpu, self._with_torch = request["device"] == "gpu", "torch" in self.competitor.packages
        if self._with_torch:
            import torch

            torch.backends.cudnn.allow_tf32 = False  # of products it is by default

    def _step(self) -> dict[str, float]:
        """Medians of steps one after the other, each waited for; one before them wakes the device."""
        self.program.step()
        found, end = [], time.perf_counter() + TURN
        while len(found) < REPEATS.start or (len(found) < REPEATS.stop and time.perf_counter() < end):
            found.append(worker.timed(self.program.step))
        return {clock: statistics.median(sample[clock] for sample in found) for clock in found[0]}

    def _memory(self) -> dict[str, Any]:
        """The most bytes of the device that a step needs beyond inputs and weights; None for both in a rehearsal.

        PyTorch counts what it hands out while a step runs. JAX counts it from the beginning of the process, with what
        XLA takes to try out products while it compiles; so what XLA has planned for the compiled step is told, and
        that count beside it, as `process_bytes`.
        """
        planned, at_most = self.program.planned(), self._stats().get("peak_bytes_in_use")
        if not self._on_gpu:
            return {"memory_bytes": None, "process_bytes": None}
        if self._with_torch:
            return dict.fromkeys(("memory_bytes", "process_bytes"), self._of_torch())
        beyond = None if at_most is None else at_most - self._at_rest
        return {"memory_bytes": beyond if planned is None else planned, "process_bytes": beyond}

    def _of_torch(self) -> int:
        import torch

        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        self.program.step()
        return torch.cuda.max_memory_allocated() - before

    def _stats(self) -> dict[str, int]:
        """What JAX counts of the device's memory."""
        if self._with_torch or not self._on_gpu:
            return {}
        import jax

        return jax.devices()[0].memory_stats() or {}


if __name__ == "__main__":
    worker.main(DeviceWorker)
