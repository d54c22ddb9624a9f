"""The persistent evolution strategy: unbiased estimates in windows of updates."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from surgrad._mapping import over_runs
from surgrad._numbers import require_whole
from surgrad._types import Parameter, PyTree
from surgrad.meta._gradients.inner_loop import run
from surgrad.meta._gradients.method import HypergradientMethod
from surgrad.meta._gradients.perturbed import Estimates, both_sides, estimated, paired, perturbations, require_pairs
from surgrad.meta._gradients.problem import Problem
from surgrad.meta._gradients.result import Hypergradient
from surgrad.meta._gradients.truncated import require_window


class PersistentEvolution(HypergradientMethod):
    """An evolution strategy in windows, for the mean of the outer losses after every window.

    Each window has perturbations of its own, and their sum so far weighs the outer losses, so that the estimate is
    unbiased in spite of the windows. Value and gradient are those of the mean outer loss. Source: Vicol, Metz and
    Sohl-Dickstein (2021), Unbiased gradient estimation in unrolled computation graphs with persistent evolution
    strategies, ICML.

    Parameters:
        window: updates of a window, >= 1; a divisor of their number.
        samples: pairs of runs, >= 2.
        sigma: standard deviation of the perturbations, > 0, in units of the hyperparameters.
        key: of the perturbations.

    Raises:
        ValueError: an option is out of range.
    """

    window: int
    samples: int = 16
    sigma: Parameter = 0.1
    key: Array = dataclasses.field(kw_only=True)

    def __post_init__(self) -> None:
        require_whole("PersistentEvolution", window=self.window)
        require_pairs("PersistentEvolution", self.samples, self.sigma)

    def require(self, steps: int) -> None:
        require_window("PersistentEvolution", self.window, steps)
        if steps % self.window:
            raise ValueError(f"PersistentEvolution: window must divide the {steps} updates, got {self.window}.")

    def differentiate(self, problem: Problem) -> Hypergradient:
        count = problem.steps // self.window
        windows = jax.tree.map(lambda x: x.reshape(count, self.window, *x.shape[1:]), problem.batches)

        def step(now: Particles, given: Any) -> tuple[Particles, tuple[Array, Estimates]]:
            batches, key = given
            return persist(dataclasses.replace(problem, batches=batches), now, key, self.sigma)

        keys = jax.random.split(self.key, count)
        _, (values, each) = jax.lax.scan(step, particles(problem, self.samples), (windows, keys))
        return estimated(jnp.mean(values), jnp.mean(each, axis=0), problem.hyper)


class Particles(NamedTuple):
    """The training runs of all pairs, in the order of `both_sides`.

    Parameters:
        weights: of all runs, along a leading axis.
        state: of the optimiser in all runs.
        drift: `(samples, hyper)`, the sum of the perturbations of each pair so far, in units of σ.
    """

    weights: PyTree
    state: PyTree
    drift: Estimates


def particles(problem: Problem, samples: int) -> Particles:
    """All runs at their beginning."""
    flat, _ = ravel_pytree(problem.hyper)
    start = problem.start(problem.hyper)
    weights, state = jax.tree.map(lambda x: jnp.broadcast_to(x, (2 * samples, *x.shape)), start)
    return Particles(weights, state, jnp.zeros((samples, flat.size), flat.dtype))


def persist(
    problem: Problem, now: Particles, key: Array, sigma: Parameter
) -> tuple[Particles, tuple[Array, Estimates]]:
    """All runs after the updates of a problem, with new perturbations; the mean outer loss after it, and estimates.

    The difference of a pair of outer losses is weighed with the sum of all perturbations so far, not with the last one
    alone, so that the effect of earlier windows on the weights counts.
    """
    flat, unravel = ravel_pytree(problem.hyper)
    directions = perturbations(key, len(now.drift), flat)

    def one(particle: Any) -> tuple[Any, Array]:
        weights, state, point = particle
        hyper = unravel(point)
        done = run(dataclasses.replace(problem, weights=weights, state=state), hyper)
        return (done.weights, done.state), problem.outer(done.weights, hyper)

    points = both_sides(flat, directions, sigma)
    (weights, state), values = over_runs(one, (now.weights, now.state, points))
    drift = now.drift + directions
    return Particles(weights, state, drift), (jnp.mean(values), paired(values, drift, sigma))
