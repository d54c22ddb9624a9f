"""Scales of surrogates from one forward pass, before any training."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from surgrad._numbers import require_real
from surgrad._surrogate import Surrogate
from surgrad._types import PyTree
from surgrad.meta.batch import inputs_and_targets, require_time_first
from surgrad.meta.probe import Membranes, record, surrogates, with_surrogates
from surgrad.meta.scale import steeper
from surgrad.nn._contract import promises
from surgrad.nn._dtypes import like
from surgrad.tasks import Dataset

BASE, GROWTH = 0.167, 0.1
"""Target for a single slope, and its relative growth with each further one that a gradient passes in a row: chosen on
one half of the cases of `benchmarks/calibration`."""
RANGE, COARSE = 1e6, 25
"""Factors reach from the inverse of the range to it; two to a decade are tried first."""
NEAR, FINE = 10**0.5, 41
"""And then forty to a decade, from one neighbour of the best of those to the other."""
IDLE = 1e-3
"""Of equally good factors the one that changes least is taken, by this much of |log factor|."""
ENTRIES = 8_000
"""Of the membranes that are looked at."""


class Calibration(NamedTuple):
    """A calibrated model, and what was done.

    Parameters:
        model: the model with steeper or flatter surrogates.
        factors: how many times steeper each surrogate became, in the order of `surrogates(model)`.
        before: mean root slope of each surrogate as it was, see `root_slope`.
        after: as it is now; off the target where no factor from 1e-6 to 1e6 reaches that.
        target: what was aimed at.
    """

    model: Any
    factors: Float[Array, " surrogates"]
    before: Float[Array, " surrogates"]
    after: Float[Array, " surrogates"]
    target: float


def calibrate(model: PyTree, batch: Dataset | Array | tuple[Any, Any], *, target: float | None = None) -> Calibration:
    """A model whose surrogates are as wide as its membranes want: their mean root slope has a target.

    The mean root slope of a surrogate is that of √(|σ'(x)|/max σ') over all steps, samples and neurons of one forward
    pass. The root lets tails count, of which heavy ones carry gradients far from the threshold. Every surrogate is
    calibrated alone. The scale changes, shape and normalisation stay (`steeper`). A spike does not depend on its
    surrogate, so that one pass suffices; nothing is trained.

    Parameters:
        model: a cell, a `Sequential` most often.
        batch: typical inputs, `(time, *batch, ...)`, a `Dataset`, or a pair (inputs, targets) as `diagnose` takes it;
            targets change nothing.
        target: the mean root slope, above 0 and below 1. None: `default_target(model)`, which is higher for deep and
            recurrent networks.

    Raises:
        TypeError: the batch is neither of those, a whole `Split` say.
        ValueError: the target is out of range; the model has no surrogates; the batch is empty, or time does not lead.
    """
    target = default_target(model) if target is None else target
    require_real("calibrate", "target", target, above=0, below=1)
    inputs, targets = inputs_and_targets("calibrate", batch, "a Dataset or inputs, time first")
    require_time_first("calibrate", inputs, targets)
    factors, before, after = _solved(model, inputs, target)
    found = iter(factors)
    calibrated = with_surrogates(model, lambda _, s: steeper(s, next(found)))
    return Calibration(calibrated, factors, before, after, target)


def default_target(model: PyTree) -> float:
    """The target for a model: 0.167 (1 + 0.1 (n - 1)), at most 1/2, for n slopes in a row.

    In a step a gradient passes one slope a layer, and those of a `Recurrent` layer once more. A network of parallel
    branches counts as if they were in a row.
    """
    recurrent = [leaf for leaf in jax.tree.leaves(model, is_leaf=_is_recurrent) if _is_recurrent(leaf)]
    in_a_row = len(surrogates(model)) + sum(len(surrogates(cell)) for cell in recurrent)
    return min(BASE * (1 + GROWTH * (in_a_row - 1)), 0.5)


def root_slope(surrogate: Surrogate, x: Membranes) -> Float[Array, ""]:
    """The mean of √(|σ'(x)|/max σ') over all entries."""
    return jnp.mean(jnp.sqrt(jnp.abs(surrogate.surrogate_grad(x)) / like(x, surrogate.peak())))


@jax.jit
def _solved(model: PyTree, inputs: Array, target: Array) -> tuple[Array, ...]:
    """Factors, and root slopes before and after, of all surrogates."""
    membranes = record(model, inputs).membranes
    solved = [_solve(s, x, target) for s, x in zip(surrogates(model).values(), membranes, strict=True)]
    return tuple(jnp.stack(each) for each in zip(*solved, strict=True))


def _solve(surrogate: Surrogate, x: Membranes, target: Array) -> tuple[Array, Array, Array]:
    """The factor that brings the mean root slope nearest to the target, and that before and after."""
    x = _some(x.astype(jnp.promote_types(x.dtype, jnp.float32)))
    x = jnp.where(jnp.isfinite(x), x, jnp.inf)  # where there is no slope
    coarse = _best(surrogate, x, target, jnp.asarray(np.geomspace(1 / RANGE, RANGE, COARSE), x.dtype))
    best = _best(surrogate, x, target, coarse * jnp.asarray(np.geomspace(1 / NEAR, NEAR, FINE), x.dtype))
    return best, root_slope(surrogate, x), root_slope(steeper(surrogate, best), x)


def _some(x: Membranes) -> Array:
    """Some steps and samples of the membranes, `(some, neurons)`, where there are too many."""
    x = x.reshape(-1, *x.shape[2:]) if x.ndim > 2 else x
    rows = max(1, ENTRIES // max(1, x[0].size))
    return x if len(x) <= rows else x[np.random.default_rng(0).choice(len(x), rows, replace=False)]


def _best(surrogate: Surrogate, x: Membranes, target: Array, factors: Any) -> Array:
    slopes = jax.lax.map(lambda factor: root_slope(steeper(surrogate, factor), x), factors)
    off = jnp.abs(jnp.log(slopes + 1e-30) - jnp.log(target)) + IDLE * jnp.abs(jnp.log(factors))
    return factors[jnp.argmin(off)]


def _is_recurrent(leaf: Any) -> bool:
    return promises(leaf, "feeds_back")
