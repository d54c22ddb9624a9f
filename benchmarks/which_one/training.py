"""A run of the study: a compiled program for all shapes, widths and seeds of a problem, an architecture and a rule."""

from __future__ import annotations

import functools
import time
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from benchmarks.which_one import shapes
from benchmarks.which_one.problems import NETS, Net, problems
from benchmarks.which_one.rules import RULES, Rule
from benchmarks.which_one.runs import Result, Run
from surgrad import meta

LATE = 0.1
"""Share of the updates, the last ones, over which the loss of training is averaged."""


def trained(problem: Any, net: Net, rule: Rule, data: Any, surrogate: Any, seed: Array) -> dict[str, Array]:
    """What a run ends with, and the widths at which it began, one a layer."""
    start, drawn, judged = jax.random.split(jax.random.key(seed), 3)
    network = problem.network(surrogate, start, net, data)
    first = problem.sample(network, jax.random.fold_in(drawn, problem.updates), data)
    network = rule.begin(problem, network, first)
    optimizer = problem.optimizer()

    def update(carry: Any, step: Array) -> tuple[Any, tuple[Array, Array]]:
        weights, state, memory = carry
        now, key = network.with_connections(weights), jax.random.fold_in(drawn, step)
        batch = problem.sample(now, key, data)
        learning, memory = rule.during(problem, now, batch, step, key, memory)
        loss, gradient = jax.value_and_grad(lambda w: problem.loss(learning.with_connections(w), batch))(weights)
        # A gradient that has overflowed would end the run at once, for good.
        gradient = jax.tree.map(lambda g: jnp.nan_to_num(g, nan=0.0, posinf=0.0, neginf=0.0), gradient)
        changes, state = optimizer.update(gradient, state, weights)
        return (optax.apply_updates(weights, changes), state, memory), (loss, problem.reached(batch))

    weights = network.connections()
    carry = weights, optimizer.init(weights), jnp.ones(())
    (weights, *_), (losses, reached) = jax.lax.scan(update, carry, jnp.arange(problem.updates))
    late = losses[-max(1, int(LATE * problem.updates)) :].mean()
    widths = jnp.stack([one.fwhm() for one in meta.surrogates(network).values()])
    score = problem.score(network.with_connections(weights), judged, data, reached)
    return {"train_loss": late, "widths": widths, **score}


@functools.cache
def program(problem: Any, net: Net, rule: Rule) -> Any:
    """The compiled function of samples, surrogate and seed."""
    return jax.jit(functools.partial(trained, problem, net, rule))


def finished(run: Run, data: Any) -> Result:
    """The result of a run.

    Parameters:
        run: the run.
        data: the samples of its task.
    """
    rule = RULES[run.rule]
    compiled = program(problems()[run.task], NETS[run.net], rule)
    surrogate = shapes.at(run.shape, run.size, run.width or 1.0)
    fresh, begin = compiled._cache_size() == 0, time.perf_counter()
    found = jax.device_get(compiled(data, surrogate, jnp.asarray(run.seed)))
    seconds = time.perf_counter() - begin
    widths = tuple(float(f"{width:.4g}") for width in found.pop("widths"))
    numbers = {name: float(value) for name, value in found.items()}
    return Result(run, **numbers, widths=widths, seconds=seconds, compiled=seconds if fresh else 0.0)
