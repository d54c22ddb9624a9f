"""Results of a study: one row for each run, and summaries over the seeds."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Iterable, Sequence


@dataclasses.dataclass(frozen=True)
class Row:
    """The result of one run, from the held-out samples; the train loss is the mean of the last epoch's batches.

    Losses are cross-entropies in nats, the firing rate is spikes per hidden neuron and step, and `seconds` the run's
    share of the wall time of its family, compilation included. `surrogate` is the name of the variant, `kind` that of
    the class, from which pictures have colour and line style; empty in rows from elsewhere.
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


@dataclasses.dataclass(frozen=True)
class Summary:
    """The runs of one variant over its seeds: means, and the standard deviation of the accuracy (one run: None)."""

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


def summarise(rows: Iterable[Row]) -> list[Summary]:
    """One line a variant, in the order of its first row."""
    groups: dict[tuple[str, str, str, float], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.surrogate, row.kind, row.parameter, row.value), []).append(row)
    return [_summary(group) for group in groups.values()]


def _summary(rows: Sequence[Row]) -> Summary:
    def mean(name: str) -> float:
        return statistics.fmean(getattr(row, name) for row in rows)

    return Summary(
        rows[0].surrogate,
        rows[0].parameter,
        rows[0].value,
        len(rows),
        mean("test_accuracy"),
        statistics.stdev(row.test_accuracy for row in rows) if len(rows) > 1 else None,
        mean("test_loss"),
        mean("train_loss"),
        mean("firing_rate"),
        sum(row.seconds for row in rows),
        rows[0].kind,
    )
