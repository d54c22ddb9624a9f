"""The inner loop: training as a function, differentiable by its hyperparameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
from jaxtyping import Array, Float

from surgrad._convention import exact
from surgrad._optimizers import GradientTransformation, updated
from surgrad._types import PyTree
from surgrad.meta._gradients.problem import Loss, Optimizer, Problem, as_array, count_steps, optimizer_of
from surgrad.nn import unroll

Checkpoints = int | Literal["auto"] | None
"""Updates between checkpoints of the backward pass; `"auto"`: as few as need the least memory; None: no checkpoints."""


class InnerLoop(NamedTuple):
    """The end of a training run.

    Parameters:
        weights: after the last update.
        state: of the optimiser, after the last update.
        losses: `(steps,)`, the inner loss before each update.
    """

    weights: PyTree
    state: PyTree
    losses: Float[Array, " steps"]


@exact()
def inner_loop(
    loss: Loss,
    weights: PyTree,
    hyper: PyTree,
    batches: PyTree,
    optimizer: Optimizer,
    *,
    state: PyTree = None,
    checkpoint_every: Checkpoints = "auto",
) -> InnerLoop:
    """Weights after one update w ← w + u(∂loss/∂w) for each batch, where u is the optimiser; differentiable by `hyper`.

    All surrogates follow the exact convention, see `exact`. Derivatives are those of the loop, in forward and in
    reverse mode. Gradient descent on w²/2 halves the weight at each step, if its learning rate is 1/2:

        >>> import jax.numpy as jnp, optax
        >>> done = inner_loop(lambda w, hyper, batch: w**2 / 2, 8.0, None, jnp.zeros(3), optax.sgd(0.5))
        >>> done.weights, done.losses
        (Array(1., dtype=float32), Array([32.,  8.,  2.], dtype=float32))

    Parameters:
        loss: `loss(weights, hyper, batch)`, a number.
        weights: a tree of floating arrays, which training changes.
        hyper: a tree of hyperparameters, on which loss and optimiser may depend: surrogates, a learning rate.
        batches: a tree of arrays, `(steps, ...)`. Where a hyperparameter follows a schedule, a part of the batches is
            the number of the step.
        optimizer: of Optax, or a function `hyper -> optimiser`, if the learning rate is a hyperparameter, say. Adam
            needs `eps_root` > 0 to be differentiable where the gradient of a weight is exactly zero.
        state: of the optimiser, to continue a run; None starts one.
        checkpoint_every: updates between two checkpoints of the backward pass, which computes what lies between them
            again. `"auto"` needs the least memory, for the time of one more forward pass; None keeps everything.

    Raises:
        TypeError: `optimizer` is neither of the two.
        ValueError: the batches do not share a leading axis.
    """
    count_steps(batches)
    rule = optimizer_of(optimizer, hyper)
    weights = jax.tree.map(as_array, weights)
    start = weights, rule.init(weights) if state is None else state

    def step(now: PyTree, batch: PyTree) -> tuple[PyTree, Float[Array, ""]]:
        return update(loss, rule, now, hyper, batch)

    (weights, state), losses = over_steps(step, start, batches, checkpoint_every)
    return InnerLoop(weights, state, losses)


def run(problem: Problem, hyper: PyTree) -> InnerLoop:
    """The inner loop of a problem with other hyperparameters, without checkpoints."""
    return inner_loop(
        problem.loss, problem.weights, hyper, problem.batches, problem.optimizer, state=problem.state,
        checkpoint_every=None,
    )  # fmt: skip


def update(
    loss: Loss, optimizer: GradientTransformation, now: tuple[PyTree, PyTree], hyper: PyTree, batch: PyTree
) -> tuple[tuple[PyTree, PyTree], Float[Array, ""]]:
    """Weights and state of the optimiser after one update, and the inner loss before it."""
    weights, state = now
    value, gradient = jax.value_and_grad(loss)(weights, hyper, batch)
    return updated(optimizer, gradient, state, weights), value


def over_steps(
    step: Callable[[Any, Any], tuple[Any, Any]], start: PyTree, given: PyTree, checkpoint_every: Checkpoints
) -> tuple[Any, Any]:
    """The last carry and all outputs of a loop over training steps, with checkpoints."""
    return unroll(step, start, given, checkpoint_every=checkpoint_every)
