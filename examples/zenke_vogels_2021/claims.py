"""What the paper says, and whether the runs show it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from experiment import SHAPES, SLOWER, Family, Settings
from records import Curve, Rows, curves

MARGIN = 2.0
"""Percentage points: what is less counts as no difference."""

Table = dict[Family, Curve]
OURS = "not in the paper"
WORDS = {"reset": "the reset", "recurrence": "recurrent connections"}


class Claim(NamedTuple):
    """A claim, where it comes from, what the runs show, and whether that is it."""

    claim: str
    source: str
    here: str
    holds: bool

    @property
    def published(self) -> bool:
        """Whether the paper makes it."""
        return self.source != OURS


class Gap(NamedTuple):
    """A difference of accuracies in points, paired by seed, and its standard error (one seed: NaN)."""

    mean: float
    error: float

    @property
    def below(self) -> bool:
        """Whether there is a loss beyond the margin and two standard errors."""
        return self.mean < -MARGIN and not self.mean >= -2 * self.error

    def __str__(self) -> str:
        return f"{self.mean:+.1f} ± {self.error:.1f}".replace(" ± nan", "").replace("-", "−")


def gap(ones: np.ndarray, others: np.ndarray) -> Gap:
    """How much higher the ones are."""
    difference = ones - others
    count = len(difference)
    return Gap(float(difference.mean()), float(difference.std(ddof=1) / count**0.5) if count > 1 else float("nan"))


def gap_of_best(one: Curve, other: Curve) -> Gap:
    """How much higher one curve is than another, each at its best scale."""
    return gap(one.accuracies[one.best], other.accuracies[other.best])


def claims(rows: Rows, settings: Settings) -> list[Claim]:
    """All claims, in the order of the page."""
    table, most = curves(rows), settings.classes[-1]
    made = [shape_matters_little(table, most), scale_matters(table, most)]
    for connection in WORDS:
        made += [f(table, most, connection) for f in (harmless_at_unit_peak, harmless_if_detached, harmful, grows)]
    return [*made, number_of_classes(table, settings), not_constant(table, most), too_wide(table, most)]


def shape_matters_little(table: Table, classes: int) -> Claim:
    """The best accuracies of the shapes, without and with recurrent connections."""
    conditions = {"not recurrent": {}, "recurrent": {"recurrence": "through"}}
    source = "abstract: learning is robust to the shape of the surrogate's derivative"
    return _shapes("At its best scale, the shape matters little", source, table, classes, conditions)


def scale_matters(table: Table, classes: int) -> Claim:
    """Worst against best scale of each shape, in the four conditions of unit peak."""
    conditions = {
        "reset detached": {},
        "gradient through the reset": {"reset": "through"},
        "recurrent, detached": {"recurrence": "detached"},
        "recurrent, gradient through": {"recurrence": "through"},
    }
    gaps = {
        name: {shape: _worst_scale(table[Family(shape, classes, **options)]) for shape in SHAPES}
        for name, options in conditions.items()
    }
    text = "; ".join(f"{name}: {_listed(of)} points" for name, of in gaps.items())
    source = "abstract: the scale can substantially affect learning"
    holds = any(found.below for of in gaps.values() for found in of.values())
    return Claim("The scale matters: worst minus best β", source, text, holds)


def harmless_at_unit_peak(table: Table, classes: int, connection: str) -> Claim:
    """Gradients through a connection against none, each at its best scale, of slopes with a peak of one."""
    gaps = {shape: gap_of_best(*_pair(table, Family(shape, classes), connection)) for shape in SHAPES}
    text = f"through minus detached, at the best β of each: {_listed(gaps)} points"
    claim = f"Slopes of peak one learn with gradients through {WORDS[connection]}"
    return Claim(claim, "figure 5: controls normalised to one", text, not any(g.below for g in gaps.values()))


def harmless_if_detached(table: Table, classes: int, connection: str) -> Claim:
    """Asymptotic against unit peak where no gradient goes through a connection."""
    high, one = (_pair(table, Family("SuperSpike", classes, peak), connection)[1] for peak in ("β", "one"))
    found = gap_of_best(high, one)
    text = f"asymptotic minus unit peak, at the best β of each: {found} points"
    claim = f"The asymptotic slope learns as well without gradients through {WORDS[connection]}"
    return Claim(claim, "figure 5: controls without those gradients", text, not found.below)


def harmful(table: Table, classes: int, connection: str) -> Claim:
    """Gradients through a connection against none, each at its best scale, of the asymptotic slope.

    The harm might be that of the learning rate, so that the former has two of them to choose from.
    """
    through, detached = _pair(table, Family("SuperSpike", classes, "β"), connection)
    slower = table[replace(Family("SuperSpike", classes, "β", rate=SLOWER), **{connection: "through"})]
    best = max((through, slower), key=lambda curve: curve.mean.max())
    found = gap_of_best(best, detached)
    named = f"through (β = {best.betas[best.best]:g}, learning rate × {1 if best is through else SLOWER:g})"
    text = f"{named} minus detached (β = {detached.betas[detached.best]:g}), both at their best: {found} points"
    text += f"; with the first learning rate alone: {gap_of_best(through, detached)}"
    claim = f"The asymptotic slope with gradients through {WORDS[connection]} learns worse"
    return Claim(claim, "figure 5: the curves in orange", text, found.below)


def grows(table: Table, classes: int, connection: str) -> Claim:
    """The same at each scale: the loss from the smallest to the largest."""
    through, detached = _pair(table, Family("SuperSpike", classes, "β"), connection)
    gaps = [gap(*each) for each in zip(through.accuracies, detached.accuracies, strict=True)]
    text = _listed({f"β = {beta:g}:": found for beta, found in zip(through.betas, gaps, strict=True)})
    claim = f"The harm of gradients through {WORDS[connection]} grows with the height of the slope, β"
    source = "figure 5, title: sensitive to the scale of the derivative"
    lost = through.accuracies - detached.accuracies
    return Claim(claim, source, f"through minus detached: {text} points", gap(lost[-1], lost[0]).below)


def number_of_classes(table: Table, settings: Settings) -> Claim:
    """The best accuracies of the shapes at each number of classes."""
    conditions = {f"{n} classes": {"classes": n} for n in settings.classes}
    return _shapes("So it is from few classes to many", "abstract: a range of problems", table, 0, conditions)


def not_constant(table: Table, classes: int) -> Claim:
    """A slope of 1 everywhere against the best of the three shapes."""
    best = max((table[Family(shape, classes)] for shape in SHAPES), key=lambda curve: curve.mean.max())
    constant = table[Family("constant", classes)]
    found = gap_of_best(constant, best)
    text = f"a slope of 1 everywhere: {constant.shown(0)}; minus the best: {found} points"
    return Claim("A control: a slope without any shape fails", OURS, text, found.below)


def too_wide(table: Table, classes: int) -> Claim:
    """Gradients through each connection against none at the smallest scale, of slopes with a peak of one."""
    parts, holds = [], True
    for connection, words in WORDS.items():
        pairs = {shape: _pair(table, Family(shape, classes), connection) for shape in SHAPES}
        gaps = {shape: gap(*(curve.accuracies[0] for curve in pair)) for shape, pair in pairs.items()}
        parts.append(f"{words}: {_listed(gaps)} points")
        holds &= any(found.below for found in gaps.values())
    beta = table[Family("SuperSpike", classes)].betas[0]
    text = f"through minus detached at β = {beta:g}; {'; '.join(parts)}"
    return Claim("Seen here: those gradients also harm slopes of peak one that are too wide", OURS, text, holds)


def _pair(table: Table, family: Family, connection: str) -> tuple[Curve, Curve]:
    """The family with gradients through a connection, and without them."""
    through, detached = (table[replace(family, **{connection: setting})] for setting in ("through", "detached"))
    return through, detached


def _shapes(claim: str, source: str, table: Table, classes: int, conditions: dict[str, dict[str, Any]]) -> Claim:
    """That the worst shape is not below the best, each at its best scale, in some conditions."""
    parts, holds = [], True
    for name, options in conditions.items():
        found = {shape: table[Family(shape, **{"classes": classes, **options})] for shape in SHAPES}
        worst, *_, best = sorted(found.values(), key=lambda curve: curve.mean.max())
        words = {shape: f"{c.shown(c.best)} (β = {c.betas[c.best]:g})" for shape, c in found.items()}
        apart = gap_of_best(worst, best)
        holds &= not apart.below
        parts.append(f"{name}: {_listed(words)}; worst minus best {apart} points")
    return Claim(claim, source, "; ".join(parts), holds)


def _worst_scale(curve: Curve) -> Gap:
    """How much higher the worst scale of a curve is than the best."""
    return gap(curve.accuracies[curve.mean.argmin()], curve.accuracies[curve.best])


def _listed(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())
