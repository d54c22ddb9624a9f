"""Statistics that compare surrogates: paired by seed, with confidence intervals, corrected for many comparisons."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from surgrad._extras import missing
from surgrad._kinds import require_choice
from surgrad._numbers import require_real
from surgrad.study._rows import LABELS, Row, groups

MEASURES = "test_accuracy", "test_loss", "train_loss", "firing_rate"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A variant compared with a reference, seed by seed.

    Parameters:
        surrogate, kind, parameter, value, task, network: those of the rows.
        pairs: number of seeds that both have.
        mean: mean of the variant over these seeds, in the unit of the measure.
        difference: mean of the differences, variant minus reference.
        low, high: confidence interval of the difference; NaN if all differences are equal, so that their spread is
            unknown.
        p_value: two-sided probability of a difference as large as this, or larger, if there were none; of a paired
            t-test, or of a sign test if all differences are equal.
        p_corrected: the same, corrected for the number of comparisons by Holm's method.
        significant: whether `p_corrected` is at most 1 - confidence.
    """

    surrogate: str
    kind: str
    parameter: str
    value: float
    task: str
    network: str
    pairs: int
    mean: float
    difference: float
    low: float
    high: float
    p_value: float
    p_corrected: float
    significant: bool


def compare(
    rows: Iterable[Row],
    *,
    against: str | tuple[str, float],
    measure: str = "test_accuracy",
    confidence: float = 0.95,
) -> list[Comparison]:
    """Compare all variants with one of them, on every task and network, in the order of their first rows.

    Runs with the same seed start from the same random numbers, so that differences are taken seed by seed (a paired
    t-test, SciPy). Among many comparisons some differ by chance: the probabilities are corrected for their number by
    the method of Holm (1979; statsmodels), over all tasks and networks together. Confidence intervals
    are not corrected.

        >>> from surgrad import study
        >>> a = [study.Row("a", "scale", 1.0, seed, 0.80 + seed / 100, 0.7, 0.6, 0.1, 2.0) for seed in range(4)]
        >>> b = [study.Row("b", "scale", 1.0, seed, 0.85 + seed / 50, 0.7, 0.6, 0.1, 2.0) for seed in range(4)]
        >>> (found,) = study.compare([*a, *b], against="a")
        >>> round(found.difference, 3), round(found.low, 3), round(found.high, 3), found.significant
        (0.065, 0.044, 0.086, True)

    Parameters:
        rows: rows of a study.
        against: the reference: the name of a surrogate, or its name and value if it has several.
        measure: `"test_accuracy"`, `"test_loss"`, `"train_loss"` or `"firing_rate"`.
        confidence: probability with which an interval holds the true difference, above 0 and below 1.

    Raises:
        ImportError: SciPy or statsmodels is not installed.
        ValueError: there is no such reference, or there are several; two variants have fewer than two seeds in common;
            the rows have made different numbers of epochs; or a value is not finite, as that of a run that has
            diverged.
    """
    require_choice("compare", "measure", measure, MEASURES)
    require_real("compare", "confidence", confidence, above=0, below=1)
    found = groups(rows)
    if len(epochs := {row.epochs for group in found.values() for row in group}) > 1:
        raise ValueError(
            f"compare: the rows have made different numbers of epochs, {sorted(epochs)}, as after successive halving; "
            f"give rows with the same number, [row for row in rows if row.epochs == {max(epochs):g}]."
        )
    labels, values = list(found), [_by_seed(group, measure) for group in found.values()]
    references = {labels[i][-2:]: i for i in _references(labels, against)}
    tested = []
    for i, label in enumerate(labels):
        if label[-2:] not in references:
            raise ValueError(f"compare: {_shown(against)} has no rows for {_where(label)}, and {label[0]} has.")
        if i != references[label[-2:]]:
            tested.append((label, *_tested(values[i], values[references[label[-2:]]], label, against, confidence)))
    corrected = _holm([p for *_, p in tested])
    return [_comparison(one, p, confidence) for one, p in zip(tested, corrected, strict=True)]


def _by_seed(rows: Sequence[Row], measure: str) -> dict[int, float]:
    for row in rows:
        if not math.isfinite(getattr(row, measure)):
            raise ValueError(
                f"compare: {measure} of {row.surrogate}, {row.parameter}={row.value:g}, seed {row.seed} is "
                f"{getattr(row, measure)}; leave such rows out, and say so."
            )
    return {row.seed: getattr(row, measure) for row in rows}


def _references(labels: Sequence[Any], against: str | tuple[str, float]) -> list[int]:
    """The places of the references, one for each task and network."""
    name, *value = (against,) if isinstance(against, str) else against
    places = [i for i, label in enumerate(labels) if label[0] == name and (not value or label[3] == value[0])]
    if not places:
        known = ", ".join(dict.fromkeys(f"({label[0]!r}, {label[3]:g})" for label in labels))
        raise ValueError(f"compare: there are no rows of {_shown(against)}; there are {known}.")
    if len({labels[i][:4] for i in places}) > 1:
        several = ", ".join(dict.fromkeys(f"({labels[i][0]!r}, {labels[i][3]:g})" for i in places))
        raise ValueError(f"compare: {_shown(against)} stands for several variants; give one of {several}.")
    return places


def _tested(
    variant: dict[int, float], reference: dict[int, float], label: Any, against: Any, confidence: float
) -> tuple[int, float, float, float, float, float]:
    """Pairs, mean, difference, its interval and its probability."""
    seeds = sorted(variant.keys() & reference.keys())
    if len(seeds) < 2:
        raise ValueError(
            f"compare: {label[0]}, {label[2]}={label[3]:g}, and {_shown(against)} have {len(seeds)} seeds in common "
            f"{_where(label)}; a comparison needs two or more."
        )
    ours, theirs = (np.array([one[seed] for seed in seeds]) for one in (variant, reference))
    differences = ours - theirs
    rounding = 1e-6 * max(abs(ours).max(), abs(theirs).max())  # that of float32, in which networks are scored
    if np.ptp(differences) <= rounding:  # the spread is unknown, since accuracies are counts: a sign test
        low = high = math.nan
        p = 1.0 if abs(differences[0]) <= rounding else 0.5 ** (len(seeds) - 1)
    else:
        try:
            from scipy import stats
        except ModuleNotFoundError as error:
            raise ImportError(missing("study.compare", "scipy")) from error
        test: Any = stats.ttest_1samp(differences, 0.0)
        (low, high), p = test.confidence_interval(confidence), test.pvalue
    return len(seeds), ours.mean(), differences.mean(), low, high, p


def _holm(p_values: Sequence[float]) -> Sequence[float]:
    if not p_values:
        return []
    try:
        from statsmodels.stats.multitest import multipletests
    except ModuleNotFoundError as error:
        raise ImportError(missing("study.compare", "statsmodels")) from error
    corrected: Any = multipletests(p_values, method="holm")[1]
    return corrected.tolist()


def _comparison(tested: Any, corrected: float, confidence: float) -> Comparison:
    labels, pairs, mean, difference, low, high, p_value = tested
    named: dict[str, Any] = dict(zip(LABELS, labels, strict=True))
    return Comparison(
        **named,
        pairs=pairs,
        mean=float(mean),
        difference=float(difference),
        low=float(low),
        high=float(high),
        p_value=float(p_value),
        p_corrected=float(corrected),
        significant=bool(corrected <= 1 - confidence),
    )


def _shown(against: str | tuple[str, float]) -> str:
    return repr(against) if isinstance(against, str) else f"({against[0]!r}, {against[1]:g})"


def _where(label: Any) -> str:
    return " and ".join(part for part in label[-2:] if part) or "any task"
