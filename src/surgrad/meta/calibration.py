"""Scales of surrogates from one forward pass, before any training."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._surrogate import Surrogate
from surgrad._types import PyTree
from surgrad.meta.probe import Membranes, record, surrogates, with_surrogates
from surgrad.meta.scale import steeper
from surgrad.tasks import Dataset

TARGET = 0.12
"""Of the mean relative slope: the one that lost least accuracy over the cases of `benchmarks/calibration`."""
FACTORS = (1e-3, 1e3)
POINTS = 121
"""Of the grid of factors, twenty to a decade."""
ENTRIES = 20_000
"""Of the membranes that are looked at."""


class Calibration(NamedTuple):
    """A calibrated model, and what was done.

    Parameters:
        model: the model with steeper or flatter surrogates.
        factors: how many times steeper each surrogate became, in the order of `paths`.
        before: mean relative slope of each surrogate as it was.
        after: as it is now; off the target where no factor within `FACTORS` reaches that.
    """

    model: Any
    factors: Float[Array, " surrogates"]
    before: Float[Array, " surrogates"]
    after: Float[Array, " surrogates"]


def calibrate(model: PyTree, batch: Dataset | Array, *, target: float = TARGET) -> Calibration:
    """A model whose surrogates are as wide as its membranes want: their mean relative slope has a target.

    The mean relative slope of a surrogate is that of |σ'(x)|/max σ' over all steps, samples and neurons of one forward
    pass; every surrogate is calibrated alone. The scale changes, shape and normalisation stay (`steeper`). A spike
    does not depend on its surrogate, so that one pass suffices; nothing is trained.

    Parameters:
        model: a cell, a `Sequential` most often.
        batch: typical inputs, `(time, *batch, ...)`, or a `Dataset`.
        target: the mean relative slope, above 0 and below 1.

    Raises:
        ValueError: the target is out of range; the model has no surrogates.
    """
    if not 0 < target < 1:
        raise ValueError(f"calibrate: target must be above 0 and below 1, got {target}.")
    inputs = batch.spikes() if isinstance(batch, Dataset) else jnp.asarray(batch)
    factors, before, after = _solved(model, inputs, target)
    found = iter(factors)
    return Calibration(with_surrogates(model, lambda _, s: steeper(s, next(found))), factors, before, after)


def relative_slope(surrogate: Surrogate, x: Membranes) -> Float[Array, ""]:
    """The mean of |σ'(x)|/max σ' over all entries."""
    return jnp.mean(jnp.abs(surrogate.surrogate_grad(x))) / surrogate.peak()


@jax.jit
def _solved(model: PyTree, inputs: Array, target: Array) -> tuple[Array, ...]:
    """Factors, and slopes before and after, of all surrogates."""
    membranes = record(model, inputs).membranes
    solved = [_solve(s, x, target) for s, x in zip(surrogates(model).values(), membranes, strict=True)]
    return tuple(jnp.stack(each) for each in zip(*solved, strict=True))


def _solve(surrogate: Surrogate, x: Membranes, target: Array) -> tuple[Array, Array, Array]:
    """The factor that brings the mean relative slope nearest to the target, and the slope before and after."""
    x = x.ravel()[:: max(1, x.size // ENTRIES)]
    x = jnp.where(jnp.isfinite(x), x, jnp.inf)  # where there is no slope
    factors = jnp.geomspace(*FACTORS, POINTS)
    slopes = jax.lax.map(lambda factor: relative_slope(steeper(surrogate, factor), x), factors)
    best = jnp.argmin(jnp.abs(jnp.log(slopes + 1e-30) - jnp.log(target)))
    return factors[best], relative_slope(surrogate, x), slopes[best]
