"""Up to how many steps the derivative through training tells what a change of the hyperparameters does."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from surgrad._numbers import require_real, require_whole
from surgrad._types import PyTree
from surgrad.meta.derivative import Outer, Rules, Start, begin_pushed, outer_pushed, pushed
from surgrad.meta.evolution import over_runs, paired
from surgrad.meta.exact import exact
from surgrad.meta.loop import Loss, Optimizer, as_array, count_steps, train


class Horizon(NamedTuple):
    """The derivative of an outer loss by hyperparameters after some numbers of steps, and what it should be.

    Parameters:
        steps: `(horizons,)`, numbers of steps.
        values: `(horizons,)`, the outer loss.
        derivative: a tree like the hyperparameters with a leading axis of horizons.
        effect: the same, of the outer loss smoothed over σ, from pairs of runs: what steps of that size do.
        standard_error: of the effect.
        norms: `(horizons,)`, that of the derivative of the weights: an explosion is a straight line in its logarithm.
        agrees: whether the signs are equal, or the effect is within two standard errors of zero, so that nothing is
            known.
        lost: a tree like the hyperparameters: the first number of steps at which signs disagree; 0 if there is none.
    """

    steps: Int[Array, " horizons"]
    values: Float[Array, " horizons"]
    derivative: Any
    effect: Any
    standard_error: Any
    norms: Float[Array, " horizons"]
    agrees: Any
    lost: Any


def horizon(
    loss: Loss,
    outer: Outer,
    weights: PyTree,
    hyper: PyTree,
    batches: PyTree,
    optimizer: Optimizer,
    *,
    at: Sequence[int],
    key: Array,
    state: PyTree = None,
    samples: int = 32,
    sigma: float = 0.1,
) -> Horizon:
    """The derivative through K steps of training, beside the effect of steps of size σ, for growing K.

    The derivative is that of `hypergradient` in forward mode, the effect that in mode `"evolution"`: the cost is that
    of one run in forward mode and `2 * samples` plain runs, for any number of horizons.

    Parameters:
        loss, outer, weights, hyper, batches, optimizer, key, state, samples, sigma: as those of `hypergradient`.
        at: numbers of steps, ascending, from 1 to that of the batches.

    Raises:
        ValueError: `at` is empty, not ascending, or beyond the batches; samples or sigma are out of range.
    """
    _require(at, count_steps(batches))
    require_whole("horizon", 2, samples=samples)
    require_real("horizon", "sigma", sigma, above=0)
    start = Start(*jax.tree.map(as_array, (weights, state, hyper, batches)))
    rules, numbers = Rules(loss, outer, optimizer), tuple(map(int, at))
    traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((start, key, sigma)))
    return (_compute if traced else _compiled)(rules, numbers, samples, start, key, sigma)


@exact
def _compute(rules: Rules, at: tuple[int, ...], samples: int, start: Start, key: Array, sigma: Any) -> Horizon:
    flat, unravel = ravel_pytree(start.hyper)
    pieces = [jax.tree.map(lambda x, a=a, b=b: x[a:b], start.batches) for a, b in zip((0, *at), at, strict=False)]
    values, derivative, norms = _derivatives(rules, start, flat, unravel, pieces)
    directions = jax.random.normal(key, (samples, flat.size), flat.dtype)
    points = jnp.concatenate([flat[None] + sigma * directions, flat[None] - sigma * directions])
    ends = over_runs(lambda point: _ends(rules, start, unravel(point), pieces), points)
    each = jax.vmap(lambda values: paired(values, directions, sigma), in_axes=1)(ends)
    effect, error = jnp.mean(each, axis=1), _standard_error(each)
    agrees = agreement(derivative, effect, error)
    steps = jnp.asarray(at)
    lost = jnp.min(jnp.where(agrees, at[-1] + 1, steps[:, None]), axis=0)
    tree = jax.vmap(unravel)
    marks = functools.partial(_like, unravel, flat)
    return Horizon(
        steps,
        values,
        tree(derivative),
        tree(effect),
        tree(error),
        norms,
        jax.tree.map(lambda x: x > 0, tree(agrees.astype(flat.dtype))),
        marks(jnp.where(lost > at[-1], 0, lost)),
    )


def agreement(derivative: Array, effect: Array, error: Array) -> Bool[Array, "*shape"]:
    """Whether signs are equal, or the effect may be zero. A derivative that is not finite agrees with nothing."""
    unknown = jnp.abs(effect) <= 2 * error
    return (jnp.sign(derivative) == jnp.sign(effect)) | (unknown & jnp.isfinite(derivative))


def _derivatives(
    rules: Rules, start: Start, flat: Array, unravel: Callable[[Array], PyTree], pieces: list[PyTree]
) -> tuple[Array, Array, Array]:
    """Outer losses, their derivatives and the norms of those of the weights after every piece of training."""
    now, found = begin_pushed(rules, start, flat, unravel), []
    for batches in pieces:
        now, (_, norms) = pushed(rules, now, flat, unravel, batches)
        found.append((*outer_pushed(rules, now, flat, unravel), norms[-1]))
    values, slopes, norms = (jnp.stack(column) for column in zip(*found, strict=True))
    return values, slopes, norms


def _ends(rules: Rules, start: Start, hyper: PyTree, pieces: list[PyTree]) -> Float[Array, " horizons"]:
    """The outer losses of a run after every piece of training."""
    weights, state, values = start.weights, start.state, []
    for batches in pieces:
        trained = train(rules.loss, weights, hyper, batches, rules.optimizer, state=state, segment=None)
        weights, state = trained.weights, trained.optimizer
        values.append(rules.outer(weights, hyper))
    return jnp.stack(values)


def _standard_error(each: Float[Array, "horizons samples hyper"]) -> Float[Array, "horizons hyper"]:
    return jnp.std(each, axis=1, ddof=1) / each.shape[1] ** 0.5


def _like(unravel: Callable[[Array], PyTree], flat: Array, steps: Int[Array, " hyper"]) -> Any:
    """Whole numbers in the tree of the hyperparameters."""
    return jax.tree.map(lambda x: x.astype(int), unravel(steps.astype(flat.dtype)))


def _require(at: Sequence[int], steps: int) -> None:
    numbers = list(at)
    if not numbers or numbers != sorted(set(numbers)) or not 1 <= numbers[0] <= numbers[-1] <= steps:
        raise ValueError(f"horizon: at must be ascending numbers of steps from 1 to {steps}, got {numbers}.")
    for number in numbers:
        require_whole("horizon", **{"each of at": number})


_compiled = jax.jit(_compute, static_argnums=(0, 1, 2))
