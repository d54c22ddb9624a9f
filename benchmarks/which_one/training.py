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

CANDIDATES, FACTORS = 4, (0.05, 20.0)
"""Of `tuned`: candidates, the calibrated one among them, and the range of factors."""
LATE = 0.1
"""Share of the updates, the last ones, over which the loss of training is averaged."""


def updated(
    problem: Any, rule: Rule, data: Any, drawn: Array, network: Any, carry: Any, step: Array
) -> tuple[Any, tuple[Array, Array]]:
    """Weights, state of the optimiser and the rule's number after an update; its loss, and what was reached before."""
    weights, state, memory = carry
    now, key = network.with_connections(weights), jax.random.fold_in(drawn, step)
    batch = problem.sample(now, key, data)
    learning, memory = rule.during(problem, now, batch, step, key, memory)
    loss, gradient = jax.value_and_grad(lambda w: problem.loss(learning.with_connections(w), batch))(weights)
    # A gradient that has overflowed would end the run at once, for good.
    gradient = jax.tree.map(lambda g: jnp.nan_to_num(g, nan=0.0, posinf=0.0, neginf=0.0), gradient)
    changes, state = problem.optimizer().update(gradient, state, weights)
    return (optax.apply_updates(weights, changes), state, memory), (loss, problem.reached(batch))


def begun(problem: Any, net: Net, rule: Rule, data: Any, surrogate: Any, seed: Array) -> tuple[Any, Array, Array]:
    """The network whose training begins, and the keys of its samples and of its judgement."""
    start, drawn, judged = jax.random.split(jax.random.key(seed), 3)
    network = problem.network(surrogate, start, net, data)
    first = problem.sample(network, jax.random.fold_in(drawn, problem.updates), data)
    return rule.begin(problem, network, first), drawn, judged


def initial(problem: Any, network: Any) -> tuple[Any, Any, Array]:
    """What the first update is given."""
    weights = network.connections()
    return weights, problem.optimizer().init(weights), jnp.ones(())


def trained(problem: Any, net: Net, rule: Rule, data: Any, surrogate: Any, seed: Array) -> dict[str, Array]:
    """What a run ends with, and the widths at which it began, one a layer."""
    network, drawn, judged = begun(problem, net, rule, data, surrogate, seed)
    update = functools.partial(updated, problem, rule, data, drawn, network)
    (weights, *_), (losses, reached) = jax.lax.scan(update, initial(problem, network), jnp.arange(problem.updates))
    late = losses[-max(1, int(LATE * problem.updates)) :].mean()
    score = problem.score(network.with_connections(weights), judged, data, reached.mean())
    return {"train_loss": late, "widths": widths(network), **score}


def widths(network: Any) -> Array:
    """Full widths at half maximum of the surrogates of a network."""
    return jnp.stack([one.fwhm() for one in meta.surrogates(network).values()])


def tuned(problem: Any, net: Net, rule: Rule, data: Any, surrogate: Any, seed: Array) -> dict[str, Array]:
    """The same of `meta.tune`: candidates are factors of the calibrated widths. It compiles anew for each run."""
    network, drawn, judged = jax.jit(functools.partial(begun, problem, net, rule))(data, surrogate, seed)

    def steeper(hyper: dict[str, Any]) -> Any:
        return meta.with_surrogates(network, lambda _, one: one.steeper(hyper["factor"]))

    def update(hyper: dict[str, Any], carry: Any, step: Array) -> tuple[Any, Array]:
        after, (loss, reached) = updated(problem, rule, data, drawn, steeper(hyper), carry[0], step)
        return (after, carry[1] + reached / problem.updates), problem.lacking(loss, reached)

    training = meta.Training(lambda _: (initial(problem, network), jnp.zeros(())), update, problem.updates)
    space, method = {"factor": meta.LogRange(*FACTORS)}, meta.Halving(CANDIDATES)
    found = meta.tune(training, space, method=method, initial_candidates=[{"factor": 1.0}], seed=int(seed))
    best, ((weights, *_), reached) = steeper(found.hyper), found.state
    score = problem.score(best.with_connections(weights), judged, data, reached)
    return {"train_loss": jnp.asarray(jnp.nan), "widths": widths(best), **score}


@functools.cache
def program(problem: Any, net: Net, rule: Rule) -> Any:
    """The compiled function of samples, surrogate and seed."""
    if rule.searches:
        return functools.partial(tuned, problem, net, rule)
    return jax.jit(functools.partial(trained, problem, net, rule))


def finished(run: Run, data: Any) -> Result:
    """The result of a run.

    Parameters:
        run: the run.
        data: the samples of its task.
    """
    before = program.cache_info().misses
    compiled = program(problems()[run.task], NETS[run.net], RULES[run.rule])
    surrogate = shapes.at(run.shape, run.size, run.width or 1.0)
    fresh, begin = program.cache_info().misses > before, time.perf_counter()
    found = jax.device_get(compiled(data, surrogate, jnp.asarray(run.seed)))
    seconds = time.perf_counter() - begin
    widths = tuple(float(f"{width:.4g}") for width in found.pop("widths"))
    numbers = {name: float(value) for name, value in found.items()}
    return Result(run, **numbers, widths=widths, seconds=seconds, compiled=seconds if fresh else 0.0)
