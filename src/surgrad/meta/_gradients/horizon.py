"""The number of updates up to which the derivative through training predicts the effect of a change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Int

from surgrad._convention import exact
from surgrad._mapping import over_runs
from surgrad._numbers import require_whole
from surgrad._types import Parameter, PyTree
from surgrad.meta._gradients.inner_loop import inner_loop
from surgrad.meta._gradients.perturbed import both_sides, paired, perturbations, require_pairs, standard_error
from surgrad.meta._gradients.problem import Loss, Optimizer, Outer, Problem, as_array
from surgrad.meta._gradients.tangents import Tangents


class Horizon(NamedTuple):
    """The derivative of an outer loss by hyperparameters after several numbers of updates, and the measured effect.

    Parameters:
        steps: `(horizons,)`, numbers of updates.
        values: `(horizons,)`, the outer loss.
        derivative: a tree like the hyperparameters with a leading axis of horizons.
        effect: the same, of the outer loss smoothed over σ, from pairs of runs: what changes of that size do.
        standard_error: of the effect.
        norms: `(horizons,)`, of the derivative of the weights; an explosion is a straight line in their logarithm.
        agrees: whether the signs of derivative and effect are equal, or the effect is within two standard errors of
            zero, so that its sign is not known.
        lost: a tree like the hyperparameters: the first number of updates at which the signs disagree; 0 if none.
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
    sigma: Parameter = 0.1,
) -> Horizon:
    """The derivative through K updates, beside the effect of changes of size σ, for growing K.

    The derivative is that of `Forward`, the effect that of `Evolution`. The cost is that of one run in forward mode and
    of `2 * samples` plain runs, for any number of horizons.

    Parameters:
        loss, outer, weights, hyper, batches, optimizer, state: as those of `hypergradient`.
        at: numbers of updates, ascending, from 1 to that of the batches.
        key: of the perturbations.
        samples: pairs of runs, >= 2.
        sigma: standard deviation of the perturbations, > 0, in units of the hyperparameters.

    Raises:
        ValueError: `at` is empty, not ascending, or beyond the batches; samples or sigma are out of range.
    """
    require_pairs("horizon", samples, sigma)
    problem = Problem(loss, outer, optimizer, *jax.tree.map(as_array, (weights, hyper, batches, state)))
    _require(at, problem.steps)
    traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((problem, key, sigma)))
    return (_compute if traced else _compiled)(tuple(map(int, at)), samples, problem, key, sigma)


@exact()
def _compute(at: tuple[int, ...], samples: int, problem: Problem, key: Array, sigma: Any) -> Horizon:
    flat, unravel = ravel_pytree(problem.hyper)
    ends = zip((0, *at), at, strict=False)
    pieces = [jax.tree.map(lambda x, a=a, b=b: x[a:b], problem.batches) for a, b in ends]
    values, derivative, norms = _derivatives(problem, pieces)
    directions = perturbations(key, samples, flat)
    runs = over_runs(lambda point: _ends(problem, unravel(point), pieces), both_sides(flat, directions, sigma))
    each = jax.vmap(lambda values: paired(values, directions, sigma), in_axes=1)(runs)
    effect, error = jnp.mean(each, axis=1), jax.vmap(standard_error)(each)
    agrees, steps, tree = agreement(derivative, effect, error), jnp.asarray(at), jax.vmap(unravel)
    lost = jnp.min(jnp.where(agrees, at[-1] + 1, steps[:, None]), axis=0)
    lost = jnp.where(lost > at[-1], 0, lost).astype(flat.dtype)
    return Horizon(
        steps,
        values,
        tree(derivative),
        tree(effect),
        tree(error),
        norms,
        jax.tree.map(lambda x: x > 0, tree(agrees.astype(flat.dtype))),
        jax.tree.map(lambda x: x.astype(int), unravel(lost)),
    )


def agreement(derivative: Array, effect: Array, error: Array) -> Bool[Array, "*shape"]:
    """Whether signs are equal, or that of the effect is not known. A derivative that is not finite never agrees."""
    unknown = jnp.abs(effect) <= 2 * error
    return (jnp.sign(derivative) == jnp.sign(effect)) | (unknown & jnp.isfinite(derivative))


def _derivatives(problem: Problem, pieces: list[PyTree]) -> tuple[Array, Array, Array]:
    """After each piece of training: the outer loss, its flat gradient, and the norm of the weights' derivative."""
    tangents, found = Tangents(problem), []
    now = tangents.start()
    for batches in pieces:
        now, (_, norms) = tangents.advance(now, batches)
        found.append((*tangents.outer(now), norms[-1]))
    values, derivatives, norms = (jnp.stack(column) for column in zip(*found, strict=True))
    return values, derivatives, norms


def _ends(problem: Problem, hyper: PyTree, pieces: list[PyTree]) -> Float[Array, " horizons"]:
    """The outer losses of one run after each piece of training."""
    weights, state, values = problem.weights, problem.state, []
    for batches in pieces:
        done = inner_loop(problem.loss, weights, hyper, batches, problem.optimizer, state=state, checkpoint_every=None)
        weights, state = done.weights, done.state
        values.append(problem.outer(weights, hyper))
    return jnp.stack(values)


def _require(at: Sequence[int], steps: int) -> None:
    numbers = list(at)
    if not numbers or numbers != sorted(set(numbers)) or not 1 <= numbers[0] <= numbers[-1] <= steps:
        raise ValueError(f"horizon: at must be ascending numbers of steps from 1 to {steps}, got {numbers}.")
    for number in numbers:
        require_whole("horizon", **{"each of at": number})


_compiled = jax.jit(_compute, static_argnums=(0, 1))
