"""Training as a function: weights after some steps, differentiable by hyperparameters."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._extras import missing
from surgrad._types import PyTree
from surgrad.meta.exact import exact
from surgrad.nn import unroll

try:
    import optax
except ModuleNotFoundError as error:
    raise ImportError(missing("surgrad.meta", "optax")) from error

Loss = Callable[[PyTree, PyTree, PyTree], Float[Array, ""]]
"""What a training step makes smaller: `loss(weights, hyper, batch)`."""

Optimizer = optax.GradientTransformation | Callable[[PyTree], optax.GradientTransformation]
"""An optimiser, or a function that makes one of the hyperparameters."""


class Trained(NamedTuple):
    """The end of a training run, and the loss before each of its steps."""

    weights: PyTree
    optimizer: PyTree
    losses: Float[Array, " steps"]


@exact
def train(
    loss: Loss,
    weights: PyTree,
    hyper: PyTree,
    batches: PyTree,
    optimizer: Optimizer,
    *,
    state: PyTree = None,
    segment: int | str | None = "auto",
) -> Trained:
    """Weights after one step w ← w + u(∂loss/∂w) a batch, where u is the optimiser: differentiable by `hyper`.

    All surrogates follow the exact convention, see `exact`. Derivatives are those of the loop, in forward and in
    reverse mode; to have them by `weights`, differentiate by those.

    Parameters:
        loss: `loss(weights, hyper, batch)`, a number.
        weights: a tree of floating arrays, what is trained.
        hyper: a tree of hyperparameters, what the loss and the optimiser may depend on: surrogates, say.
        batches: a tree of arrays whose leading axis is that of the steps. A schedule wants the number of the step too.
        optimizer: of Optax, or a function `hyper -> optimiser` where, say, the learning rate is a hyperparameter. To
            be differentiable where a gradient is exactly zero, Adam needs `eps_root` > 0.
        state: of the optimiser, to go on from; None begins.
        segment: steps between checkpoints of the backward pass, see `surgrad.nn.unroll`. `"auto"` needs the least
            memory, for the time of one more forward pass; None keeps everything.

    Raises:
        TypeError: `optimizer` is neither.
        ValueError: the batches do not share a leading axis.
    """
    count_steps(batches)
    rule = optimizer_of(optimizer, hyper)
    weights = jax.tree.map(as_array, weights)
    start = weights, rule.init(weights) if state is None else state

    def step(now: PyTree, batch: PyTree) -> tuple[PyTree, Float[Array, ""]]:
        return training_step(loss, rule, now, hyper, batch)

    (weights, state), losses = unroll(step, start, batches, checkpoint_every=segment)
    return Trained(weights, state, losses)


def training_step(
    loss: Loss, rule: optax.GradientTransformation, now: tuple[PyTree, PyTree], hyper: PyTree, batch: PyTree
) -> tuple[tuple[PyTree, PyTree], Float[Array, ""]]:
    """Weights and state of the optimiser after a step, and the loss before it."""
    weights, state = now
    value, slope = jax.value_and_grad(loss)(weights, hyper, batch)
    with jax.numpy_dtype_promotion("standard"):  # Optax raises decays to counts of steps, floats to integers
        updates, state = rule.update(slope, state, weights)
        return (optax.apply_updates(weights, updates), state), value


def optimizer_of(optimizer: Optimizer, hyper: PyTree) -> optax.GradientTransformation:
    """The optimiser for hyperparameters.

    Raises:
        TypeError: it is no optimiser of Optax, and no function that makes one; or it is one of Optax's own functions,
            whose first argument is the learning rate, where the hyperparameters are more than one number.
    """
    if hasattr(optimizer, "update") or not callable(optimizer):
        return require_optimizer("train", optimizer)
    if getattr(optimizer, "__module__", "").startswith("optax.") and not jax.tree_util.all_leaves([hyper]):
        name = getattr(optimizer, "__name__", "sgd")
        raise TypeError(
            f"train: optimizer is the function optax.{name}, which would get all hyperparameters as its learning rate; "
            f"call it, optax.{name}(0.1) say, or choose one: lambda hyper: optax.{name}(hyper['rate'])."
        )
    return require_optimizer("train", optimizer(hyper))


def require_optimizer(where: str, rule: Any) -> optax.GradientTransformation:
    """The optimiser that something is.

    Raises:
        TypeError: it has not the two functions that make one, `init` and `update`.
    """
    if hasattr(rule, "init") and hasattr(rule, "update"):
        return rule
    given = f"the function {rule.__name__}" if isinstance(rule, types.FunctionType) else repr(rule)
    raise TypeError(
        f"{where}: optimizer must be an optimiser of Optax, optax.sgd(0.1) say, or a function of the hyperparameters "
        f"that makes one, got {given}."
    )


def count_steps(batches: PyTree) -> int:
    """The length of the leading axis that all batches share.

    Raises:
        ValueError: there is none, or it is empty.
    """
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(batches)}
    if len(lengths) != 1 or lengths <= {(), (0,)}:
        shapes = ", ".join(str(jnp.shape(leaf)) for leaf in jax.tree.leaves(batches)) or "nothing"
        raise ValueError(f"train: batches must share a leading axis of steps, at least one, got {shapes}.")
    return lengths.pop()[0]


def as_array(leaf: Any) -> Array:
    """A number as an array of a definite dtype, which a step of training keeps."""
    definite = isinstance(leaf, jax.Array) and not leaf.weak_type
    return leaf if definite else jnp.asarray(leaf, jnp.result_type(leaf))
