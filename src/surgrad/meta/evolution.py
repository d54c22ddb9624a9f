"""Evolution strategies: derivatives of a smoothed outer loss from its values alone, which cannot explode."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from surgrad._types import PyTree
from surgrad.meta.derivative import Rules, Start, begin
from surgrad.meta.explosion import Hypergradient, HypergradientDiagnosis, finite
from surgrad.meta.loop import count_steps, train

Estimates = Float[Array, "samples hyper"]
"""One unbiased estimate of the gradient a pair of runs."""


def evolution(rules: Rules, start: Start, key: Array, samples: int, sigma: Any) -> Hypergradient:
    """Pairs of runs with hyperparameters h ± σε, ε normal: the mean of (F(h+σε) - F(h-σε)) ε / 2σ."""
    flat, unravel = ravel_pytree(start.hyper)
    directions = jax.random.normal(key, (samples, flat.size), flat.dtype)

    def run(point: Array) -> Array:
        return outer_after(rules, start, unravel(point))

    values = over_runs(run, jnp.concatenate([flat[None] + sigma * directions, flat[None] - sigma * directions]))
    return estimated(jnp.mean(values), paired(values, directions, sigma), unravel)


def outer_after(rules: Rules, start: Start, hyper: PyTree) -> Array:
    """The outer loss after training."""
    trained = train(rules.loss, start.weights, hyper, start.batches, rules.optimizer, state=start.state, segment=None)
    return rules.outer(trained.weights, hyper)


def paired(values: Float[Array, " runs"], directions: Estimates, sigma: Any) -> Estimates:
    """The estimates of pairs of runs: those above in the first half, those below in the second."""
    above, below = jnp.split(values, 2)
    return ((above - below) / (2 * sigma))[:, None] * directions


def estimated(value: Array, each: Estimates, unravel: Callable[[Array], PyTree]) -> Hypergradient:
    """The mean of the estimates, and its standard error."""
    mean, error = jnp.mean(each, axis=0), jnp.std(each, axis=0, ddof=1) / jnp.sqrt(len(each))
    diagnosis = HypergradientDiagnosis(finite(value, mean), jnp.array(False), standard_error=unravel(error))
    return Hypergradient(value, unravel(mean), None, diagnosis)


def over_runs(run: Callable[[Any], Any], points: PyTree) -> Any:
    """A function of one run, of all: one after the other on a CPU, which keeps them in its cache, else at once."""
    return jax.lax.map(run, points) if jax.default_backend() == "cpu" else jax.vmap(run)(points)


class Particles(NamedTuple):
    """Training runs of a persistent evolution strategy: the pairs' halves above first, then those below.

    Parameters:
        weights: of all runs, along a leading axis.
        optimizer: its state in all runs.
        drift: `(samples, hyper)`, the sum of the perturbations of each pair so far, in units of σ.
    """

    weights: PyTree
    optimizer: PyTree
    drift: Estimates


def particles(rules: Rules, start: Start, samples: int) -> Particles:
    """All runs at their beginning."""
    flat, _ = ravel_pytree(start.hyper)
    state = begin(rules, start, start.hyper)
    weights, optimizer = jax.tree.map(lambda x: jnp.broadcast_to(x, (2 * samples, *x.shape)), state)
    return Particles(weights, optimizer, jnp.zeros((samples, flat.size), flat.dtype))


def persist(
    rules: Rules, now: Particles, hyper: PyTree, batches: PyTree, key: Array, sigma: Any
) -> tuple[Particles, tuple[Array, Estimates]]:
    """A window of training for all runs, each with a new perturbation; the mean outer loss after it, and estimates.

    The difference of a pair of outer losses is weighed with the sum of all perturbations so far, not with the last
    alone, so that what earlier windows did to the weights is counted.
    """
    flat, unravel = ravel_pytree(hyper)
    directions = jax.random.normal(key, now.drift.shape, flat.dtype)

    def run(particle: Any) -> tuple[Any, Array]:
        weights, state, point = particle
        hyper = unravel(point)
        trained = train(rules.loss, weights, hyper, batches, rules.optimizer, state=state, segment=None)
        return (trained.weights, trained.optimizer), rules.outer(trained.weights, hyper)

    points = jnp.concatenate([flat[None] + sigma * directions, flat[None] - sigma * directions])
    (weights, optimizer), values = over_runs(run, (now.weights, now.optimizer, points))
    drift = now.drift + directions
    return Particles(weights, optimizer, drift), (jnp.mean(values), paired(values, drift, sigma))


def persistent(rules: Rules, start: Start, key: Array, samples: int, sigma: Any, window: int) -> Hypergradient:
    """The gradient of the mean of the outer losses after every window of a run."""
    count = count_steps(start.batches) // window
    windows = jax.tree.map(lambda x: x.reshape(count, window, *x.shape[1:]), start.batches)

    def step(now: Particles, given: Any) -> tuple[Particles, tuple[Array, Estimates]]:
        batches, key = given
        return persist(rules, now, start.hyper, batches, key, sigma)

    first = particles(rules, start, samples)
    _, (values, each) = jax.lax.scan(step, first, (windows, jax.random.split(key, count)))
    _, unravel = ravel_pytree(start.hyper)
    return estimated(jnp.mean(values), jnp.mean(each, axis=0), unravel)
