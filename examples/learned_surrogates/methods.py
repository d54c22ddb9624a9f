"""The methods: a fixed scale, calibration, tuning, and scales that hypergradients move during training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float
from problem import (
    LIMITS,
    Problem,
    Samples,
    Settings,
    accuracies,
    batch_of,
    loss,
    network,
    optimizer,
    samples,
    training,
)

from surgrad import meta
from surgrad._types import PyTree


class Outcome(NamedTuple):
    """What a run ends with.

    Parameters:
        losses: of every update, before it, in nats.
        path: scales over the run, `(points, layers)`; the last ones are those that it ended with.
        growth: the most that a hypergradient grew while its steps doubled; 0 where there is none.
        validation, test: share of right answers.
    """

    losses: Float[Array, " updates"]
    path: Float[Array, "points layers"]
    growth: Float[Array, ""]
    validation: Float[Array, ""]
    test: Float[Array, ""]


def recorded(plain: meta.Training) -> meta.Training:
    """The same training, whose state holds the loss of every update too."""

    def start(hyper: dict[str, Any]) -> PyTree:
        return plain.start(hyper), jnp.zeros(plain.steps)

    def update(hyper: dict[str, Any], state: PyTree, index: Any) -> tuple[PyTree, Float[Array, ""]]:
        inner, value = plain.update(hyper, state[0], index)
        return (inner, state[1].at[index].set(value)), value

    return dataclasses.replace(plain, start=start, update=update)


def outcome(problem: Problem, seed: Any, data: Samples, scales: Float[Array, " layers"], state: PyTree) -> Outcome:
    """What a recorded training ends with, from its last state."""
    (weights, _), losses = state
    right = accuracies(network(problem, seed, scales, data.train).with_connections(weights), data)
    return Outcome(losses, scales[None], jnp.zeros(()), *right)


def plain(problem: Problem, settings: Settings, scales: Array, seed: Any, data: Samples) -> Outcome:
    """A run at scales that stay."""
    rule, hyper = recorded(training(problem, seed, data)), {"scales": scales}
    state = jax.lax.fori_loop(0, rule.steps, lambda i, state: rule.update(hyper, state, i)[0], rule.start(hyper))
    return outcome(problem, seed, data, scales, state)


def learned(
    problem: Problem, settings: Settings, scales: Array, seed: Any, data: Samples, apart: bool = False
) -> Outcome:
    """A run whose scales a hypergradient moves after every window, on samples to validate by.

    The hypergradient is that of the window alone: weights and optimiser go on from where they are. Adam makes steps of
    the logarithm of the scales; a derivative that explodes must not blind it, so that each is clipped.

    Parameters:
        scales: where they begin.
        apart: whether each layer has a scale of its own, or all are moved by one factor.
    """
    at, bounds = _networks(problem, scales, seed, data), _bounds(scales, apart)
    inner, outer = optimizer(problem), optax.chain(optax.clip(settings.clip), optax.adam(settings.outer_rate))

    def window(now: Any, index: Array) -> Any:
        weights, state, moved, outer_state = now
        judge = data.validation[_validation(problem, seed, index, settings)]
        batches = jax.vmap(lambda i: batch_of(problem, seed, i))(index * settings.window + jnp.arange(settings.window))
        found = meta.hypergradient(
            lambda w, m, batch: loss(at(w, m), data.train[batch]), lambda w, m: loss(at(w, m), judge),
            weights, moved, batches, inner, state=state, method=meta.Forward(), limit=jnp.inf,
        )  # fmt: skip
        # What is not a number would end the run; it counts as nothing known.
        known = jnp.where(jnp.isfinite(found.gradient), found.gradient, 0)
        change, outer_state = outer.update(known, outer_state, moved)
        moved = jnp.clip(moved + change, *bounds)
        now = found.inner.weights, found.inner.state, moved, outer_state
        return now, (found.inner.losses, scales * jnp.exp(moved), found.diagnosis.growth)

    moved = jnp.zeros(problem.depth if apart else 1)
    weights = network(problem, seed, scales, data.train).connections()
    start = weights, inner.init(weights), moved, outer.init(moved)
    (weights, _, moved, _), (losses, path, growth) = jax.lax.scan(
        window, start, jnp.arange(problem.updates // settings.window)
    )
    right = accuracies(at(weights, moved), data)
    return Outcome(losses.ravel(), jnp.concatenate([scales[None], path]), growth.max(), *right)


def learned_apart(problem: Problem, settings: Settings, scales: Array, seed: Any, data: Samples) -> Outcome:
    """The same with a scale of its own for each layer."""
    return learned(problem, settings, scales, seed, data, apart=True)


def _networks(problem: Problem, scales: Array, seed: Any, data: Samples) -> Callable[[PyTree, Array], Any]:
    """From weights, and logarithms of factors of the scales, to networks."""

    def at(weights: PyTree, moved: Array) -> Any:
        return network(problem, seed, scales * jnp.exp(moved), data.train).with_connections(weights)

    return at


def _bounds(scales: Array, apart: bool) -> tuple[Array, Array]:
    """Logarithms of the least and the largest factor that keep scales within their limits.

    A scale that does not matter any more would drift away without them.
    """
    low, high = (jnp.log(limit / scales) for limit in LIMITS)
    return (low, high) if apart else (low.max(), high.min())


def _validation(problem: Problem, seed: Any, index: Any, settings: Settings) -> Array:
    """The samples that judge a window, drawn independently of the batches."""
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 2**31), index)
    return jax.random.randint(key, (settings.judges,), 0, problem.sizes[1])


def calibrated(problem: Problem, start: float, place: int, settings: Settings) -> Float[Array, " layers"]:
    """The scales of calibration on a batch of the samples to learn from."""
    data, seed = samples_of(problem, place, settings), settings.seeds[place]
    begin = network(problem, seed, jnp.full(problem.depth, start), data.train)
    return start * meta.calibrate(begin, data.train[batch_of(problem, seed, 0)]).factors


def searched(problem: Problem, place: int, settings: Settings, guess: Float[Array, " layers"] | None) -> meta.Tuning:
    """The search of a seed, with a guess among its candidates, if there is one."""
    data, seed = samples_of(problem, place, settings), settings.seeds[place]
    return meta.tune(
        recorded(training(problem, seed, data)),
        {"scales": meta.LogRange(*LIMITS, shape=(problem.depth,))},
        method=meta.Halving(settings.candidates),
        initial_candidates=[] if guess is None else [{"scales": np.asarray(guess)}],
        seed=seed,
    )


def samples_of(problem: Problem, place: int, settings: Settings) -> Samples:
    """The samples of one of the seeds."""
    return jax.tree.map(lambda x: x[place], samples(problem, settings.seeds))
