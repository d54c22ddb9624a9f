"""The cases that are measured: a workload at one size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

ARCHITECTURES = ("neurons", "feedforward", "layered", "recurrent", "convolutional")
"""The networks that competitors may have."""

WORKLOADS = {
    "a": "Linear(n, n) + LIF, the public benchmark of Open Neuromorphic",
    "b": "recurrent network",
    "c": "convolutional network of three layers",
    "d": "long sequences through Linear(n, n) + LIF",
    "g": "network of three layers",
}
"""The workloads of networks; those of single operations are in `elements` and `eager`."""


@dataclass(frozen=True)
class Case:
    """A workload at one size.

    Parameters:
        workload: key of `WORKLOADS`.
        architecture: which function of a competitor is asked.
        sizes: numbers of neurons, from the input to the readout; for images their side and channels.
        steps: length in time.
        batch: sequences at once.
        activity: fraction of the inputs that are 1 while the others are 0; None for dense normal inputs.
        dtype: of inputs and outputs.
        long: whether the length of time is what is asked about, by competitors that can be long.
        compiles: whether compilation is asked about too, in processes of their own.
    """

    workload: str
    architecture: str
    sizes: tuple[int, ...]
    steps: int
    batch: int
    activity: float | None = None
    dtype: str = "float32"
    long: bool = False
    compiles: bool = False

    @property
    def name(self) -> str:
        """What tells the case from others of its workload."""
        inputs = "dense input" if self.activity is None else f"{100 * self.activity:g} % binary input"
        dtype = "" if self.dtype == "float32" else f", {self.dtype}"
        return f"{'-'.join(map(str, self.sizes))}, {self.steps} steps, batch {self.batch}, {inputs}{dtype}"

    def to_json(self) -> dict[str, Any]:
        """The parameters, and the name."""
        return {**asdict(self), "name": self.name}

    @classmethod
    def from_json(cls, given: dict[str, Any]) -> Case:
        """The case that was written."""
        values: dict[str, Any] = {key: value for key, value in given.items() if key != "name"}
        values["sizes"] = tuple(given["sizes"])
        return cls(**values)


def cases(workload: str, sizes: Sequence[int] | None = None, quick: bool = False) -> list[Case]:
    """The cases of a workload, from the smallest to the largest.

    Parameters:
        workload: key of `WORKLOADS`.
        sizes: numbers of neurons n, for the workloads that have one; None for those of the published results.
        quick: seconds in place of minutes, to see that everything runs; no figure of it means anything.
    """
    made = {"a": _linear, "b": _recurrent, "c": _convolutional, "d": _long, "g": _layered}
    return made[workload](sizes, quick)


def _linear(sizes: Sequence[int] | None, quick: bool) -> list[Case]:
    sizes = sizes or ((32,) if quick else (128, 512, 1024, 2048))
    steps, batch, compiled = (20, 4, 32) if quick else (500, 16, 512)
    return [
        Case("a", "feedforward", (n, n), steps, batch, activity, compiles=n == compiled and activity is None)
        for activity in (None, 0.05)
        for n in sizes
    ]


def _recurrent(sizes: Sequence[int] | None, quick: bool) -> list[Case]:
    if quick:
        return [Case("b", "recurrent", (40, 32, 5), 20, 4, 0.1)]
    return [Case("b", "recurrent", (700, n, 20), 250, 64, 0.03) for n in sizes or (256,)]


def _convolutional(sizes: Sequence[int] | None, quick: bool) -> list[Case]:
    steps, batch = (4, 2) if quick else (50, 16)
    return [Case("c", "convolutional", (28, 1, 16, 32, 10), steps, batch, 0.1)]


def _long(sizes: Sequence[int] | None, quick: bool) -> list[Case]:
    lengths = (20, 60) if quick else (250, 1000, 4000, 16_000)
    sizes = sizes or ((32,) if quick else (128, 512))
    batch = 4 if quick else 16
    return [Case("d", "feedforward", (n, n), steps, batch, 0.05, long=True) for n in sizes for steps in lengths]


def _layered(sizes: Sequence[int] | None, quick: bool) -> list[Case]:
    if quick:
        return [Case("g", "layered", (40, 32, 32, 5), 20, 4, 0.1)]
    return [Case("g", "layered", (700, n, n, 20), 500, 16, 0.05) for n in sizes or (512,)]
