"""Hypergradients of these networks against central differences, in double precision."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from problem import Problem, Samples, Settings, batch_of, loss, network, optimizer, samples

from surgrad import meta
from surgrad._types import PyTree

STEPS = (1e-6, 1e-7, 1e-8)
"""Of the logarithm of a scale. The longest one counts across which no spike jumps: between jumps weights are smooth."""
JUDGES = 64
"""Samples of the outer loss."""


def small(problem: Problem) -> Problem:
    """The same with fewer neurons and samples, which double precision can afford."""
    return dataclasses.replace(problem, hidden=16, batch=8)


def compare(problem: Problem, settings: Settings) -> list[dict[str, Any]]:
    """One row a number of updates and seed: the derivative of a loss on other samples by the logarithms of all scales.

    The last link is the surrogate gradient of that loss, on both sides: through spikes a loss has no other. What
    training does to the weights is what differences show.
    """
    data = samples(problem, settings.seeds)
    rows = []
    for steps in settings.horizons:
        for place, seed in enumerate(settings.seeds):
            with jax.enable_x64(True):
                found = _both(small(problem), steps, seed, jax.tree.map(lambda x, i=place: x[i], data))
            rows.append({"task": problem.task, "method": "differences", "steps": steps, "seed": seed, **found})
    return rows


def _both(problem: Problem, steps: int, seed: int, data: Samples) -> dict[str, Any]:
    logs = jnp.zeros(problem.depth)
    ours, gradient = jax.device_get(_derivative(logs, seed, data, problem, steps))
    for by in STEPS:
        sides = [[_trained(logs + s * d, seed, data, problem, steps) for s in (1, -1)] for d in by * np.eye(logs.size)]
        if all(np.array_equal(above[1], below[1]) for above, below in sides):
            theirs = [_along(gradient, above[0], below[0]) / (2 * by) for above, below in sides]
            error = float(np.linalg.norm(ours - theirs) / np.linalg.norm(theirs))
            return {"derivative": ours.tolist(), "differences": theirs, "by": by, "error": error}
    return {"derivative": ours.tolist(), "differences": None, "by": None, "error": None}


def _along(gradient: PyTree, above: PyTree, below: PyTree) -> float:
    return float(sum(jax.tree.leaves(jax.tree.map(lambda g, a, b: np.vdot(g, a - b), gradient, above, below))))


@functools.partial(jax.jit, static_argnums=(3, 4))
def _derivative(logs: Array, seed: Array, data: Samples, problem: Problem, steps: int) -> tuple[Array, PyTree]:
    """The hypergradient, and the last link by itself."""

    def outer(weights: PyTree, logs: Array) -> Array:
        judges = data.validation[jnp.arange(min(JUDGES, len(data.validation)))]
        return loss(_network(problem, seed, weights, logs, data), judges)

    def inner(weights: PyTree, logs: Array, batch: Array) -> Array:
        return loss(_network(problem, seed, weights, logs, data), data.train[batch])

    start = network(problem, seed, jnp.exp(logs), data.train).connections()
    batches = jax.vmap(lambda i: batch_of(problem, seed, i))(jnp.arange(steps))
    found = meta.hypergradient(
        inner, outer, start, logs, batches, optimizer(problem), method=meta.Forward(), limit=jnp.inf
    )
    return found.gradient, jax.grad(outer)(found.inner.weights, logs)


@functools.partial(jax.jit, static_argnums=(3, 4))
def _trained(
    logs: Array, seed: Array, data: Samples, problem: Problem, steps: int
) -> tuple[PyTree, Float[Array, "steps spikes"]]:
    """Weights after some updates of a plain loop, and all hidden spikes on the way."""

    def both(weights: PyTree, batch: Array) -> tuple[Array, Array]:
        made = _network(problem, seed, weights, logs, data)
        outputs = made.outputs(data.train[batch].spikes())
        return loss(made, data.train[batch]), jnp.concatenate([x.ravel() for x in outputs[1:-2:2]])

    def step(now: Any, update: Array) -> tuple[Any, Array]:
        weights, state = now
        gradient, spikes = jax.grad(both, has_aux=True)(weights, batch_of(problem, seed, update))
        change, state = optimizer(problem).update(gradient, state, weights)
        return (optax.apply_updates(weights, change), state), spikes

    start = network(problem, seed, jnp.exp(logs), data.train).connections()
    now, spikes = jax.lax.scan(step, (start, optimizer(problem).init(start)), jnp.arange(steps))
    return now[0], spikes


def _network(problem: Problem, seed: Any, weights: PyTree, logs: Array, data: Samples) -> Any:
    return network(problem, seed, jnp.exp(logs), data.train).with_connections(weights)
