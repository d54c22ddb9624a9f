"""Hypergradients: derivatives of an outer loss after training by the hyperparameters of training."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array

from surgrad._numbers import require_real, require_whole
from surgrad._types import PyTree
from surgrad.meta.derivative import Outer, Rules, Start, forward, reverse, truncated
from surgrad.meta.evolution import evolution, persistent
from surgrad.meta.exact import exact
from surgrad.meta.explosion import LIMIT, Hypergradient, finite, judged, report
from surgrad.meta.loop import Loss, Optimizer, as_array, count_steps, optax, optimizer_of

MODES = ("reverse", "forward", "truncated", "evolution", "persistent")
NEEDS = {"truncated": ("window",), "evolution": ("key",), "persistent": ("window", "key")}


class Method(NamedTuple):
    """How a hypergradient is computed; another one is another program."""

    mode: str
    segment: int | str | None
    window: int | None
    samples: int


def hypergradient(
    loss: Loss,
    outer: Outer,
    weights: PyTree,
    hyper: PyTree,
    batches: PyTree,
    optimizer: Optimizer,
    *,
    mode: str = "reverse",
    state: PyTree = None,
    segment: int | str | None = "auto",
    window: int | None = None,
    key: Array | None = None,
    samples: int = 16,
    sigma: float = 0.1,
    limit: float = LIMIT,
) -> Hypergradient:
    """The outer loss F(h) = outer(w_K(h), h) after K steps of training, its gradient by h, and what that is worth.

    All surrogates follow the exact convention, see `exact`, wherever they stand. The derivative of the trained weights
    is then the true one; that of the outer loss by the weights, the last link, is its surrogate gradient, since a
    loss on spikes has no other. Evolution strategies need neither. The modes:

    - `"reverse"`: backwards through all steps, for any number of hyperparameters. Memory grows with √K or K, see
      `segment`, and with K times the hyperparameters.
    - `"forward"`: one tangent a hyperparameter along with training, in memory that does not grow with K; for few.
      Both are those of Franceschi, Donini, Frasconi and Pontil (2017), Forward and reverse gradient-based
      hyperparameter optimization, ICML.
    - `"truncated"`: reverse mode through the last `window` steps; biased, as what came before counts as constant.
    - `"evolution"`: the gradient of E[F(h + σε)], ε normal, from pairs of runs with h ± σε.
    - `"persistent"`: the same in windows, for the mean of the outer losses after every window, each with perturbations
      of its own whose sum weighs the outer losses: unbiased in spite of the windows (Vicol, Metz and Sohl-Dickstein
      2021, Unbiased gradient estimation in unrolled computation graphs with persistent evolution strategies, ICML).
      Value and gradient are those of that mean.

    The same functions compile once; a `lambda` that is written anew at each call compiles anew.

    Positive hyperparameters are best given unconstrained, see `unconstrained`, so that σ is relative.

    Parameters:
        loss: `loss(weights, hyper, batch)`, what training makes smaller.
        outer: `outer(weights, hyper)`, a loss on other data, most often.
        weights: where training begins.
        hyper: a tree of floating numbers: surrogates, say, a tuple of one a layer.
        batches: a tree of arrays, one leading index a step.
        optimizer: of Optax, or a function `hyper -> optimiser`.
        mode: one of the above.
        state: of the optimiser, to go on from; None begins.
        segment: steps between checkpoints in reverse mode, see `train`.
        window: steps, of `"truncated"` at most K, of `"persistent"` a divisor of K.
        key: of the perturbations.
        samples: pairs of runs, >= 2.
        sigma: standard deviation of the perturbations, > 0, in units of the hyperparameters.
        limit: growth of the derivative while the steps double from which on it counts as exploding, > 1; see
            `HypergradientDiagnosis`.

    Warns:
        ExplodingHypergradientWarning: the derivative has grown more than the limit. Inside `jit` the program itself
            warns while it runs, through a callback, also of what is not finite, and `diagnosis.exploding` tells.

    Raises:
        FloatingPointError: value or gradient is not finite; the message says what Adam needs, if it is that.
        TypeError: `optimizer` is none.
        ValueError: the batches do not share an axis of steps, or an option is missing or out of range.
    """
    method = Method(mode, segment, window, samples)
    steps = count_steps(batches)
    _require(method, steps, key=key, sigma=sigma, limit=limit)
    rules = Rules(loss, outer, optimizer)
    start = Start(*jax.tree.map(as_array, (weights, state, hyper, batches)))
    traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((start, key, sigma)))
    result = judged((_compute if traced else _compiled)(rules, method, start, key, sigma), limit)
    report(result, steps, functools.partial(_advice, rules, start))
    return result


@exact
def _compute(rules: Rules, method: Method, start: Start, key: Array | None, sigma: Any) -> Hypergradient:
    given: Any = method
    match method.mode:
        case "reverse":
            return reverse(rules, start, method.segment)
        case "truncated":
            return truncated(rules, start, method.segment, given.window)
        case "forward":
            return forward(rules, start)
        case "evolution":
            return evolution(rules, start, jnp.asarray(key), method.samples, sigma)
    return persistent(rules, start, jnp.asarray(key), method.samples, sigma, given.window)


# Rules are structure: the same functions never compile twice.
_compiled = jax.jit(_compute, static_argnums=(0, 1))


def _require(method: Method, steps: int, **given: Any) -> None:
    """Refuse options that are missing or out of range."""
    mode, window = method.mode, method.window
    if mode not in MODES:
        raise ValueError(f"hypergradient: mode must be one of {', '.join(map(repr, MODES))}, got {mode!r}.")
    for name in NEEDS.get(mode, ()):
        if (given | {"window": window})[name] is None:
            hint = "jax.random.key(0), say" if name == "key" else f"a number of steps, 1 to {steps}"
            raise ValueError(f"hypergradient: mode {mode!r} needs {name}: {hint}.")
    if window is not None:
        require_whole("hypergradient", window=window)
    if window is not None and not 1 <= window <= steps:
        raise ValueError(f"hypergradient: window must be 1 to {steps}, the number of steps, got {window!r}.")
    if mode == "persistent" and window is not None and steps % window:
        raise ValueError(f"hypergradient: window must divide the {steps} steps in mode 'persistent', got {window}.")
    require_whole("hypergradient", 2, samples=method.samples)
    require_real("hypergradient", "sigma", given["sigma"], above=0)
    require_real("hypergradient", "limit", given["limit"], above=1, finite=False)


def _advice(rules: Rules, start: Start) -> str:
    """What to do about a gradient that is not finite."""
    if not differentiable_at_zero(optimizer_of(rules.optimizer, start.hyper), start.weights):
        return (
            "The optimiser has no derivative where the gradient of a weight is exactly zero, as that of a neuron that "
            "never spikes: Adam and its kin need eps_root > 0, optax.adam(1e-3, eps_root=1e-8) say."
        )
    return (
        "Look where training itself diverges (the losses of meta.train), and at hyperparameters at the end of their "
        "range."
    )


def differentiable_at_zero(rule: optax.GradientTransformation, weights: PyTree) -> bool:
    """Whether the first update of an optimiser has a derivative by the gradient where that is zero."""
    state, zero = rule.init(weights), jax.tree.map(jnp.zeros_like, weights)
    one = jax.tree.map(jnp.ones_like, weights)
    with jax.numpy_dtype_promotion("standard"):  # as in `training_step`
        _, slope = jax.jvp(lambda gradient: rule.update(gradient, state, weights)[0], (zero,), (one,))
    return bool(finite(slope))
