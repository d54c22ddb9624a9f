"""Hypergradients: gradients of an outer loss after training, by the hyperparameters of training."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer

from surgrad._convention import exact
from surgrad._former import answers
from surgrad._numbers import require_real
from surgrad._optimizers import GradientTransformation
from surgrad._types import PyTree
from surgrad.meta._gradients.explosion import LIMIT, finite, judged, report
from surgrad.meta._gradients.method import HypergradientMethod
from surgrad.meta._gradients.problem import Loss, Optimizer, Outer, Problem, as_array
from surgrad.meta._gradients.result import Hypergradient
from surgrad.meta._gradients.reverse import Reverse

_METHODS = (
    "method=meta.Reverse(), meta.Forward(), meta.Truncated(window), meta.Evolution(key=key) or "
    "meta.PersistentEvolution(window, key=key)"
)
_OPTION = "it is an option of the method: write method=meta."


@answers(
    mode=f"write {_METHODS}",
    window=f"{_OPTION}Truncated(window) or meta.PersistentEvolution(window, key=key)",
    segment=f"{_OPTION}Reverse(checkpoint_every=...)",
    checkpoint_every=f"{_OPTION}Reverse(checkpoint_every=...)",
    key=f"{_OPTION}Evolution(key=key)",
    samples=f"{_OPTION}Evolution(samples=..., key=key)",
    sigma=f"{_OPTION}Evolution(sigma=..., key=key)",
)
def hypergradient(
    loss: Loss,
    outer: Outer,
    weights: PyTree,
    hyper: PyTree,
    batches: PyTree,
    optimizer: Optimizer,
    *,
    method: HypergradientMethod = Reverse(),  # noqa: B008 (immutable)
    state: PyTree = None,
    limit: float = LIMIT,
) -> Hypergradient:
    """The outer loss F(h) = outer(w_K(h), h) after K updates, its gradient by h, and a diagnosis of that.

    All surrogates follow the exact convention, see `exact`, wherever they stand. The derivative of the trained weights
    is then the true one. That of the outer loss by the weights, the last link, is its surrogate gradient, since a loss
    on spikes has no other. Evolution strategies need neither. The same functions compile once; a `lambda` that is
    written anew at each call compiles anew. One step of gradient descent to a target h, by the rate 1/4, gives
    w = h/4:

        >>> import jax.numpy as jnp, optax
        >>> loss, outer = lambda w, h, batch: (w - h) ** 2 / 2, lambda w, h: w**2
        >>> found = hypergradient(loss, outer, 0.0, 2.0, jnp.zeros(1), optax.sgd(0.25))
        >>> float(found.value), float(found.gradient)
        (0.25, 0.25)

    Parameters:
        loss: `loss(weights, hyper, batch)`, the inner loss, which training minimises.
        outer: `outer(weights, hyper)`, the outer loss, usually on other data.
        weights: a tree of floating arrays, where training starts.
        hyper: a tree of floating numbers: surrogates, say, a tuple of one for each layer.
        batches: a tree of arrays, `(updates, ...)`.
        optimizer: of Optax, or a function `hyper -> optimiser`.
        method: `Reverse`, `Forward`, `Truncated`, `Evolution`, `PersistentEvolution`, or one of your own, a
            `HypergradientMethod`.
        state: of the optimiser, to continue a run; None starts one.
        limit: growth of the derivative while the steps double above which it counts as exploding, > 1; see
            `HypergradientDiagnosis`.

    Warns:
        ExplodingHypergradientWarning: the derivative has grown more than the limit. Inside `jax.jit` the program
            itself warns while it runs, through a callback, also if a result is not finite; `diagnosis.exploding` tells.

    Raises:
        FloatingPointError: value or gradient is not finite; the message says what Adam needs, if that is the cause.
        TypeError: `optimizer` is no optimiser, or `method` is no method.
        ValueError: the batches do not share an axis of updates, or an option is out of range.
    """
    _require(method, limit)
    problem = Problem(loss, outer, optimizer, *jax.tree.map(as_array, (weights, hyper, batches, state)))
    method.require(problem.steps)
    traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((problem, method)))
    result = judged((_differentiated if traced else _compiled)(method, problem), limit)
    report(result, problem.steps, functools.partial(_advice, problem))
    return result


@exact()
def _differentiated(method: HypergradientMethod, problem: Problem) -> Hypergradient:
    return method.differentiate(problem)


_compiled = jax.jit(_differentiated)


def _require(method: Any, limit: float) -> None:
    if not isinstance(method, HypergradientMethod):
        raise TypeError(f"hypergradient: method must be an object, {_METHODS}, got {method!r}.")
    require_real("hypergradient", "limit", limit, above=1, finite=False)


def _advice(problem: Problem) -> str:
    """What to do about a gradient that is not finite."""
    if not differentiable_at_zero(problem.optimizer_for(problem.hyper), problem.weights):
        return (
            "The optimiser has no derivative where the gradient of a weight is exactly zero, as that of a neuron that "
            "never spikes: Adam and its kin need eps_root > 0, optax.adam(1e-3, eps_root=1e-8) say."
        )
    return (
        "Check whether training itself diverges (the losses of meta.inner_loop), and whether hyperparameters lie at "
        "the end of their range."
    )


def differentiable_at_zero(optimizer: GradientTransformation, weights: PyTree) -> bool:
    """Whether the first update of an optimiser has a derivative by the gradient where that is zero."""
    state, zero = optimizer.init(weights), jax.tree.map(jnp.zeros_like, weights)
    one = jax.tree.map(jnp.ones_like, weights)
    with jax.numpy_dtype_promotion("standard"):  # as in `surgrad._optimizers.updated`
        _, tangent = jax.jvp(lambda gradient: optimizer.update(gradient, state, weights)[0], (zero,), (one,))
    return bool(finite(tangent))
