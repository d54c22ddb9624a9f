"""Reverse mode: backwards through all updates, for any number of hyperparameters."""

from __future__ import annotations

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._numbers import require_whole
from surgrad._pytree import static
from surgrad._types import PyTree
from surgrad.meta._gradients.explosion import by_norms, last_turn
from surgrad.meta._gradients.inner_loop import Checkpoints, InnerLoop, over_steps, update
from surgrad.meta._gradients.method import HypergradientMethod
from surgrad.meta._gradients.problem import Problem
from surgrad.meta._gradients.result import Hypergradient
from surgrad.meta._gradients.tangents import norm


class Reverse(HypergradientMethod):
    """Reverse mode, backwards through all updates: exact, for any number of hyperparameters.

    Memory grows with the updates K, or with √K with checkpoints, and with K times the hyperparameters. Source:
    Franceschi, Donini, Frasconi and Pontil (2017), Forward and reverse gradient-based hyperparameter optimization,
    ICML.

    Parameters:
        checkpoint_every: updates between checkpoints, >= 1, see `inner_loop`.

    Raises:
        ValueError: `checkpoint_every` is neither an integer >= 1 nor `"auto"` nor None.
    """

    checkpoint_every: Checkpoints = static(default="auto")

    def __post_init__(self) -> None:
        require_checkpoints("Reverse", self.checkpoint_every)

    def differentiate(self, problem: Problem) -> Hypergradient:
        return backwards(problem, self.checkpoint_every)


def require_checkpoints(where: str, checkpoint_every: Checkpoints) -> None:
    """Check the number of updates between checkpoints.

    Raises:
        ValueError: it is neither an integer >= 1 nor `"auto"` nor None.
    """
    if checkpoint_every not in (None, "auto"):
        require_whole(where, checkpoint_every=checkpoint_every)


def backwards(problem: Problem, checkpoint_every: Checkpoints) -> Hypergradient:
    """The hypergradient through all updates of a problem.

    Every update gets its own copy of the hyperparameters, so that one backward pass tells what each update contributes,
    and with it the gradient of every shorter window.
    """
    steps = problem.steps
    spread = jax.tree.map(lambda h: jnp.broadcast_to(h, (steps, *h.shape)), problem.hyper)
    taps = jnp.zeros(steps, jnp.result_type(*jax.tree.leaves(problem.weights)))

    def objective(spread: PyTree, taps: Array, first: PyTree, last: PyTree) -> tuple[Array, InnerLoop]:
        def step(now: PyTree, given: PyTree) -> tuple[PyTree, Array]:
            batch, hyper, tap = given
            (weights, state), loss = update(problem.loss, problem.optimizer_for(hyper), now, hyper, batch)
            return (_tapped(weights, tap), state), loss

        given = problem.batches, spread, taps
        (weights, state), losses = over_steps(step, problem.start(first), given, checkpoint_every)
        return problem.outer(weights, last), InnerLoop(weights, state, losses)

    differentiated = jax.value_and_grad(objective, argnums=(0, 1, 2, 3), has_aux=True)
    (value, inner), (by_step, norms, first, last) = differentiated(spread, taps, problem.hyper, problem.hyper)
    windows = jax.tree.map(lambda own, direct: direct + jnp.cumsum(own[::-1], axis=0), by_step, last)
    gradient = jax.tree.map(lambda window, initial: window[-1] + initial, windows, first)
    diagnosis = by_norms(value, gradient, norms[::-1])
    diagnosis = diagnosis._replace(windows=windows, turns=jax.tree.map(last_turn, windows))
    return Hypergradient(value, gradient, inner, diagnosis)


@jax.custom_vjp
def _tapped(weights: PyTree, tap: Float[Array, ""]) -> PyTree:
    """The weights; the gradient by `tap` is the norm of that by the weights."""
    return weights


def _tapped_forward(weights: PyTree, tap: Array) -> tuple[PyTree, Array]:
    return weights, tap


def _tapped_backward(tap: Array, gradient: PyTree) -> tuple[PyTree, Array]:
    return gradient, norm(jax.tree.leaves(gradient)).astype(tap.dtype)


_tapped.defvjp(_tapped_forward, _tapped_backward)
