"""The problem whose hypergradient is computed: two losses, an optimiser, and the numbers that training starts from."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._optimizers import GradientTransformation, require_optimizer
from surgrad._types import PyTree

Loss = Callable[[PyTree, PyTree, PyTree], Float[Array, ""]]
"""The inner loss, which training minimises: `loss(weights, hyper, batch)`."""

Outer = Callable[[PyTree, PyTree], Float[Array, ""]]
"""The outer loss, which the hyperparameters minimise: `outer(weights, hyper)`, after training."""

Optimizer = GradientTransformation | Callable[[PyTree], GradientTransformation]
"""An optimiser, or a function that makes one from the hyperparameters."""


@functools.partial(
    jax.tree_util.register_dataclass,
    data_fields=("weights", "hyper", "batches", "state"),
    meta_fields=("loss", "outer", "optimizer"),
)
@dataclasses.dataclass(frozen=True)
class Problem:
    """A training run, and the outer loss after it: what a method of hypergradients differentiates.

    The functions are structure of the pytree, so that the same functions never compile twice; all else are leaves.

    Parameters:
        loss: `loss(weights, hyper, batch)`, the inner loss.
        outer: `outer(weights, hyper)`, the outer loss.
        optimizer: of Optax, or a function `hyper -> optimiser`.
        weights: a tree of floating arrays, where training starts.
        hyper: a tree of floating arrays.
        batches: a tree of arrays, `(steps, ...)`.
        state: of the optimiser before the first update; None: the initial one.
    """

    loss: Loss
    outer: Outer
    optimizer: Optimizer
    weights: PyTree
    hyper: PyTree
    batches: PyTree
    state: PyTree = None

    @property
    def steps(self) -> int:
        """The number of updates."""
        return count_steps(self.batches)

    def optimizer_for(self, hyper: PyTree) -> GradientTransformation:
        """The optimiser for hyperparameters."""
        return optimizer_of(self.optimizer, hyper)

    def start(self, hyper: PyTree) -> tuple[PyTree, PyTree]:
        """Weights and state of the optimiser before the first update."""
        if self.state is not None:
            return self.weights, self.state
        return self.weights, self.optimizer_for(hyper).init(self.weights)


def optimizer_of(optimizer: Optimizer, hyper: PyTree) -> GradientTransformation:
    """The optimiser for hyperparameters.

    Raises:
        TypeError: it is neither an optimiser of Optax nor a function that makes one; or it is one of Optax's own
            functions, whose first argument is the learning rate, and the hyperparameters are more than one number.
    """
    if hasattr(optimizer, "update") or not callable(optimizer):
        return require_optimizer("inner_loop", optimizer)
    if getattr(optimizer, "__module__", "").startswith("optax.") and not jax.tree_util.all_leaves([hyper]):
        name = getattr(optimizer, "__name__", "sgd")
        raise TypeError(
            f"inner_loop: optimizer is the function optax.{name}, which would get all hyperparameters as its learning "
            f"rate; call it, optax.{name}(0.1) say, or choose one: lambda hyper: optax.{name}(hyper['learning_rate'])."
        )
    return require_optimizer("inner_loop", optimizer(hyper))


def count_steps(batches: PyTree) -> int:
    """The length of the leading axis that all batches share.

    Raises:
        ValueError: they share none, or it is empty.
    """
    lengths = {jnp.shape(leaf)[:1] for leaf in jax.tree.leaves(batches)}
    if len(lengths) != 1 or lengths <= {(), (0,)}:
        shapes = ", ".join(str(jnp.shape(leaf)) for leaf in jax.tree.leaves(batches)) or "nothing"
        raise ValueError(f"inner_loop: batches must share a leading axis of steps, at least one, got {shapes}.")
    return lengths.pop()[0]


def as_array(leaf: Any) -> Array:
    """A number as an array of a definite dtype, which an update keeps."""
    definite = isinstance(leaf, jax.Array) and not leaf.weak_type
    return leaf if definite else jnp.asarray(leaf, jnp.result_type(leaf))
