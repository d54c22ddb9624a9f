"""Results of a study: one row for each run, and summaries over the seeds."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence
from typing import Any


@dataclasses.dataclass(frozen=True)
class Row:
    """The result of one run.

    Parameters:
        surrogate: the name of the variant.
        parameter: the name of the number that varies.
        value: its value.
        seed: the seed of the run.
        test_accuracy: accuracy on the test samples, 0 to 1.
        test_loss: cross-entropy on the test samples, in nats.
        train_loss: mean cross-entropy of the batches of the last epoch, in nats.
        firing_rate: spikes for each hidden neuron and time step, on the test samples.
        seconds: the run's share of the wall time of its family, compilation included.
        kind: the name of the surrogate's class, by which pictures choose colour and line style; empty if unknown.
        task: the task, as it is written on the command line; empty if unknown.
        network: the network in a few words; empty if unknown.
        epochs: passes through the training samples that the run has made, fewer where it was stopped early; 0 if
            unknown.
    """

    surrogate: str
    parameter: str
    value: float
    seed: int
    test_accuracy: float
    test_loss: float
    train_loss: float
    firing_rate: float
    seconds: float
    kind: str = ""
    task: str = ""
    network: str = ""
    epochs: float = 0.0


@dataclasses.dataclass(frozen=True)
class Summary:
    """The runs of one variant: means over its seeds, in the units of `Row`.

    Parameters:
        surrogate, parameter, value, kind, task, network: those of the rows.
        runs: number of runs.
        test_accuracy, test_loss, train_loss, firing_rate: means.
        test_accuracy_sd: standard deviation of the accuracy; None for one run.
        seconds: the sum over the runs.
    """

    surrogate: str
    parameter: str
    value: float
    runs: int
    test_accuracy: float
    test_accuracy_sd: float | None
    test_loss: float
    train_loss: float
    firing_rate: float
    seconds: float
    kind: str = ""
    task: str = ""
    network: str = ""


LABELS = "surrogate", "kind", "parameter", "value", "task", "network"
"""What the runs of a variant have in common."""


def summarise(rows: Iterable[Row]) -> list[Summary]:
    """One summary for each variant, task and network, in the order of its first row.

    >>> rows = [Row("sigmoid", "scale", 1.0, seed, 0.5 + seed / 4, 0.7, 0.6, 0.1, 2.0) for seed in (0, 1)]
    >>> [(line.runs, line.test_accuracy, line.seconds) for line in summarise(rows)]
    [(2, 0.625, 4.0)]
    """
    return [_summary(group) for group in groups(rows).values()]


def groups(rows: Iterable[Row]) -> dict[tuple[Any, ...], list[Row]]:
    """Rows by what they have in common, see `LABELS`."""
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(getattr(row, name) for name in LABELS), []).append(row)
    return found


def _summary(rows: Sequence[Row]) -> Summary:
    labels: dict[str, Any] = {name: getattr(rows[0], name) for name in LABELS}
    averaged = "test_accuracy", "test_loss", "train_loss", "firing_rate"
    means: dict[str, Any] = {name: statistics.fmean(getattr(row, name) for row in rows) for name in averaged}
    deviation = statistics.stdev(row.test_accuracy for row in rows) if len(rows) > 1 else None
    seconds = sum(row.seconds for row in rows)
    return Summary(**labels, **means, runs=len(rows), test_accuracy_sd=deviation, seconds=seconds)
