"""Scales of surrogates from one forward pass, before training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._dtypes import like
from surgrad._numbers import require_real
from surgrad._surrogate import Surrogate
from surgrad._types import PyTree
from surgrad.meta._inspection.batch import inputs_and_targets, require_time_first
from surgrad.meta._inspection.recording import Membranes, record, surrogates, with_surrogates
from surgrad.meta._inspection.table import aligned
from surgrad.nn._contract import promises
from surgrad.tasks import Dataset

BASE, GROWTH = 0.167, 0.1
"""Target for a single slope, and its relative growth with each further one that a gradient passes in a row: chosen on
one half of the cases of `benchmarks/calibration`."""
SQUARE = 0.5
"""Largest mean square of the relative slope in a recurrent layer, as a share of the target: that of a Gaussian under
evenly spread membrane potentials, ∫ σ'² / ∫ √σ'. A rectangle has twice as much."""
WIDEST = 1.1 / BASE
"""Largest full width at half maximum for each unit of the target, as a share of the distance from rest to the
threshold: beyond one distance, neurons at rest are as if they were near the threshold. A little more, so that triangles
still reach neurons at rest, whose layer may be silent. Chosen on digits, manifolds and coincidences
(`benchmarks/which_one`)."""
LEFT = 0.2
"""Share of the mean root slope that this bound leaves at least: where potentials are far apart, few would see a slope
that is not wider than rest is far."""
RANGE, COARSE = 1e6, 25
"""Coarse grid of factors: from 1/RANGE to RANGE, two for each decade."""
NEAR, FINE = 10**0.5, 41
"""Fine grid: from one neighbour of the best coarse factor to the other, forty for each decade."""
TIE = 1e-3
"""Tie-break between equally good factors: a small penalty on abs(log factor)."""
LEAST = 0.05
"""Difference of mean root slopes between the flattest and the steepest scale below which no scale changes anything."""
ENTRIES = 8_000
"""Number of membrane potentials that are used; more are thinned out at random."""
OFF = 0.1
"""Relative distance from the target above which a surrogate is flagged."""


class Calibration(NamedTuple):
    """A calibrated model, and what was done; printed as a table.

    Parameters:
        model: the model with steeper or flatter surrogates.
        factors: `(surrogates,)`, how many times steeper each became, in the order of `surrogates(model)`.
        before: `(surrogates,)`, the mean root slope of each, see `calibrate`, before the change.
        after: `(surrogates,)`, after the change; above the target if no factor from 1e-6 to 1e6 changes anything, as of
            `StraightThrough`, whose factor is 1; below it if one of the bounds of `calibrate` is reached.
        target: the mean root slope that was aimed at.
    """

    model: Any
    factors: Float[Array, " surrogates"]
    before: Float[Array, " surrogates"]
    after: Float[Array, " surrogates"]
    target: float

    def __str__(self) -> str:
        """A table with a row for each surrogate; those that miss the target are flagged."""
        rows = [["surrogate", "shape", "times steeper", "root slope before", "after", "target", ""]]
        found = surrogates(self.model).items()
        for (path, surrogate), *numbers in zip(found, self.factors, self.before, self.after, strict=True):
            off = abs(float(numbers[-1]) / float(self.target) - 1) > OFF
            shown = [f"{float(number):.3g}" for number in (*numbers, self.target)]
            rows.append([path, _shape(surrogate), *shown, "<- off the target" if off else ""])
        return "\n".join(aligned(rows))


def _shape(surrogate: Any) -> str:
    """The name of the innermost surrogate, which has the shape."""
    parts = [part for part in vars(surrogate).values() if isinstance(part, Surrogate)]
    return _shape(parts[0]) if len(parts) == 1 else type(surrogate).__name__


def calibrate(model: PyTree, batch: Dataset | Array | tuple[Any, Any], *, target: float | None = None) -> Calibration:
    """The model with surrogates as wide as its membrane potentials require: their mean root slope meets a target.

    The mean root slope of a surrogate is the mean of √(σ'(x)/max σ') over all time steps, samples and neurons of one
    forward pass; where σ' is negative, −√|σ'/max σ'| counts. The root gives weight to tails, which carry gradients far
    from the threshold. What the steepest scale has is subtracted: a leak is there at all scales. Of a slope on one side
    of the threshold alone, the target is at most half of what the flattest scale has.

    Two bounds come before the target. No slope is wider at half of its maximum than 6.6 times the target times the
    distance from rest, where a neuron is without input, to the threshold (1.1 distances in one layer), unless less than
    a fifth of what is seen would be left, or the slope be negative at rest. And in a `Recurrent` layer, where the
    variance of a gradient grows by σ'² from step to step, the mean of (σ'/max σ')² is at most half of the target, as of
    a Gaussian; rectangles become half as wide.

    Each surrogate is calibrated alone; its scale changes, its shape and normalisation stay (`Surrogate.steeper`). A
    spike does not depend on its surrogate, so that one forward pass suffices; nothing is trained.

        >>> import jax.numpy as jnp, surgrad
        >>> cell = surgrad.nn.LIF(surgrad.Sigmoid(4000.0))
        >>> print(calibrate(cell, jnp.linspace(0, 2, 80).reshape(20, 4)))
        surrogate    shape  times steeper  root slope before  after  target
        surrogate  Sigmoid        0.00398           0.000123  0.169   0.167

    Parameters:
        model: a cell, usually a `Sequential`.
        batch: typical inputs, `(time, *batch, ...)`, a `Dataset`, or a pair (inputs, targets) as `diagnose` takes it;
            targets change nothing.
        target: the mean root slope, above 0 and below 1. None: `default_target(model)`, which is higher for deep and
            recurrent networks.

    Raises:
        TypeError: the batch is none of those, a whole `Split` say.
        ValueError: the target is out of range; the model has no surrogates; the batch is empty, or time does not lead.
    """
    target = default_target(model) if target is None else target
    require_real("calibrate", "target", target, above=0, below=1)
    inputs, targets = inputs_and_targets("calibrate", batch, "a Dataset or inputs, time first")
    require_time_first("calibrate", inputs, targets)
    factors, before, after = _solved(model, inputs, target)
    calibrated = with_surrogates(model, lambda i, surrogate: surrogate.steeper(factors[i]))
    return Calibration(calibrated, factors, before, after, target)


def default_target(model: PyTree) -> float:
    """The default target for a model: 0.167 (1 + 0.1 (n - 1)), at most 1/2, for n slopes in a row.

    In one time step a gradient passes one slope in each layer, and those of a `Recurrent` layer once more. Parallel
    branches count as if they were in a row.
    """
    recurrent = [leaf for leaf in jax.tree.leaves(model, is_leaf=_is_recurrent) if _is_recurrent(leaf)]
    in_a_row = len(surrogates(model)) + sum(len(surrogates(cell)) for cell in recurrent)
    return min(BASE * (1 + GROWTH * (in_a_row - 1)), 0.5)


def root_slope(surrogate: Surrogate, x: Membranes) -> Float[Array, ""]:
    """The mean of √(σ'(x)/max σ') over all entries; a negative slope counts as −√(|σ'(x)|/max σ')."""
    return _mean(jnp.sqrt, surrogate, x)


def _mean(power: Callable[[Array], Array], surrogate: Surrogate, x: Membranes) -> Float[Array, ""]:
    """The mean of a power of the relative slope, with the sign of the slope."""
    slope = surrogate.surrogate_grad(x)
    values = jnp.sign(slope) * power(jnp.abs(slope) / like(x, surrogate.peak()))
    return jnp.mean(jnp.where(jnp.isfinite(x), values, 0))


@jax.jit
def _solved(model: PyTree, inputs: Array, target: Array) -> tuple[Array, ...]:
    """Factors, and root slopes before and after, of all surrogates."""
    membranes, at_rest = (record(model, xs).membranes for xs in (inputs, jnp.zeros_like(inputs[:1])))
    each = zip(surrogates(model).values(), membranes, at_rest, _fed_back(model), strict=True)
    solved = [_solve(surrogate, x, rest, target, fed_back) for surrogate, x, rest, fed_back in each]
    return tuple(jnp.stack(each) for each in zip(*solved, strict=True))


def _solve(
    surrogate: Surrogate, x: Membranes, at_rest: Array, target: Array, fed_back: bool
) -> tuple[Array, Array, Array]:
    """The factor that brings the mean root slope nearest to the target, and the root slopes before and after."""
    x = _some(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    seen = _reachable(surrogate, x, target)
    bounded = _bounded(seen, surrogate, x) if fed_back else seen
    best = _nearest(bounded, target, x.dtype)
    narrowest = _nearest(bounded, LEFT * jnp.minimum(target, bounded(best)), x.dtype)
    best = jnp.clip(_not_too_wide(surrogate, at_rest, best, target), best, jnp.maximum(best, narrowest))
    return best, seen(jnp.ones((), x.dtype)), seen(best)


def _nearest(seen: Callable[[Array], Array], target: Array, dtype: Any) -> Array:
    """The factor that brings what is seen nearest to a target."""
    coarse = _best(seen, target, jnp.asarray(np.geomspace(1 / RANGE, RANGE, COARSE), dtype))
    return _best(seen, target, coarse * jnp.asarray(np.geomspace(1 / NEAR, NEAR, FINE), dtype))


def _not_too_wide(surrogate: Surrogate, at_rest: Array, factor: Array, target: Array) -> Array:
    """The factor, or the larger one that makes the slope as wide as it may be, unless it is negative at rest then."""
    rest = jnp.nanmedian(at_rest.astype(factor.dtype))
    narrower = jnp.max(surrogate.fwhm()).astype(factor.dtype) / (WIDEST * target * -rest)
    narrower = jnp.where((rest < 0) & jnp.isfinite(narrower) & (narrower > factor), narrower, factor)
    negative = jnp.any(surrogate.steeper(narrower).surrogate_grad(jnp.full_like(at_rest, rest, factor.dtype)) < 0)
    return jnp.where(negative, factor, narrower)


def _reachable(surrogate: Surrogate, x: Membranes, target: Array) -> Callable[[Array], Array]:
    """The mean root slope by the factor, as a number that some factor brings to the target.

    It is above that of the steepest scale: a leak is there at all scales. Where the flattest scale has less than twice
    the target, as a slope on one side alone has, it grows by as much as that lacks.
    """
    steepest, flattest = (root_slope(surrogate.steeper(jnp.asarray(f, x.dtype)), x) for f in (RANGE, 1 / RANGE))
    span = flattest - steepest
    gain = jnp.maximum(1, 2 * target / jnp.maximum(span, LEAST))
    return lambda factor: jnp.where(
        span > LEAST, (root_slope(surrogate.steeper(factor), x) - steepest) * gain, flattest
    )


def _bounded(seen: Callable[[Array], Array], surrogate: Surrogate, x: Membranes) -> Callable[[Array], Array]:
    """What is seen, or the mean square over its largest share of the target if that is more."""
    steepest = _mean(jnp.square, surrogate.steeper(jnp.asarray(RANGE, x.dtype)), x)
    return lambda factor: jnp.maximum(
        seen(factor), (_mean(jnp.square, surrogate.steeper(factor), x) - steepest) / SQUARE
    )


def _some(x: Membranes) -> Array:
    """At most about `ENTRIES` entries, `(some, neurons)`: random time steps and samples."""
    x = x.reshape(-1, *x.shape[2:]) if x.ndim > 2 else x
    rows = max(1, ENTRIES // max(1, x[0].size))
    return x if len(x) <= rows else x[np.random.default_rng(0).choice(len(x), rows, replace=False)]


def _best(seen: Callable[[Array], Array], target: Array, factors: Any) -> Array:
    """The factor nearest to the target, from the flattest scale to the first one that has no more than the target.

    Behind that one a slope that oscillates may reach the target again, with potentials in several of its waves.
    """
    slopes = jax.lax.map(seen, factors)
    off = jnp.abs(jnp.log(jnp.maximum(slopes, 1e-30)) - jnp.log(target)) + TIE * jnp.abs(jnp.log(factors))
    reached = (slopes <= target).astype(int)
    behind = (jnp.cumsum(reached) > reached) & (slopes[0] > target)
    return factors[jnp.argmin(jnp.where(behind, jnp.inf, off))]


def _fed_back(model: PyTree) -> list[bool]:
    """Whether each surrogate of a model is in a recurrent layer."""
    leaves = jax.tree.leaves(model, is_leaf=lambda leaf: _is_recurrent(leaf) or isinstance(leaf, Surrogate))
    return [_is_recurrent(leaf) for leaf in leaves for _ in surrogates(leaf)]


def _is_recurrent(leaf: Any) -> bool:
    return promises(leaf, "feeds_back")
