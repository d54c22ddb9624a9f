"""Optimisers of Optax: the check that something is one, and one update."""

from __future__ import annotations

import types
from typing import Any

import jax

from surgrad._types import PyTree

try:
    import optax
except ModuleNotFoundError as missing:
    raise ImportError('surgrad.train and surgrad.meta need Optax: pip install "surgrad[train]"') from missing

GradientTransformation = optax.GradientTransformation


def require_optimizer(where: str, optimizer: Any, function: bool = True) -> GradientTransformation:
    """Return the optimiser, or raise.

    Parameters:
        where: what takes the optimiser, for the message.
        optimizer: what was given.
        function: whether a function of the hyperparameters is named as another possibility.

    Raises:
        TypeError: it lacks the two functions that make an optimiser, `init` and `update`.
    """
    if hasattr(optimizer, "init") and hasattr(optimizer, "update"):  # Optax' own check; a NamedTuple of functions
        return optimizer
    other = ", or a function of the hyperparameters that makes one" if function else ""
    given = f"the function {optimizer.__name__}" if isinstance(optimizer, types.FunctionType) else repr(optimizer)
    raise TypeError(f"{where}: optimizer must be an optimiser of Optax, optax.sgd(0.1) say{other}, got {given}.")


def updated(
    optimizer: GradientTransformation, gradient: PyTree, state: PyTree, weights: PyTree
) -> tuple[PyTree, PyTree]:
    """Return the weights and the state of the optimiser after one update."""
    with jax.numpy_dtype_promotion("standard"):  # Optax raises decays, floats, to counts of steps, integers
        updates, state = optimizer.update(gradient, state, weights)
        return optax.apply_updates(weights, updates), state
