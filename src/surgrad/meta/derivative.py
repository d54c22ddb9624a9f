"""Derivatives of an outer loss after training by hyperparameters: backwards through the steps, or along with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from surgrad._types import PyTree
from surgrad.meta.explosion import Hypergradient, by_horizon, by_window
from surgrad.meta.loop import Loss, Optimizer, Trained, count_steps, optimizer_of, train, training_step
from surgrad.nn import unroll

Outer = Callable[[PyTree, PyTree], Float[Array, ""]]
"""The loss that hyperparameters are to minimise: `outer(weights, hyper)`, after training."""


class Rules(NamedTuple):
    """The functions of a problem."""

    loss: Loss
    outer: Outer
    optimizer: Optimizer


class Start(NamedTuple):
    """The numbers of a problem."""

    weights: PyTree
    state: PyTree
    hyper: PyTree
    batches: PyTree


def begin(rules: Rules, start: Start, hyper: PyTree) -> tuple[PyTree, PyTree]:
    """Weights and state of the optimiser before the first step."""
    if start.state is not None:
        return start.weights, start.state
    return start.weights, optimizer_of(rules.optimizer, hyper).init(start.weights)


def reverse(rules: Rules, start: Start, segment: int | str | None) -> Hypergradient:
    """All hyperparameters at once, backwards through the steps.

    Every step gets hyperparameters of its own, equal in value, so that one pass tells what each step contributes, and
    with it the gradient of every shorter window.
    """
    steps = count_steps(start.batches)
    spread = jax.tree.map(lambda h: jnp.broadcast_to(h, (steps, *h.shape)), start.hyper)
    taps = jnp.zeros(steps, jnp.result_type(*jax.tree.leaves(start.weights)))

    def objective(spread: PyTree, taps: Array, first: PyTree, last: PyTree) -> tuple[Array, Trained]:
        def step(now: PyTree, given: PyTree) -> tuple[PyTree, Array]:
            batch, hyper, tap = given
            rule = optimizer_of(rules.optimizer, hyper)
            (weights, state), loss = training_step(rules.loss, rule, now, hyper, batch)
            return (_tapped(weights, tap), state), loss

        now = begin(rules, start, first)
        (weights, state), losses = unroll(step, now, (start.batches, spread, taps), checkpoint_every=segment)
        return rules.outer(weights, last), Trained(weights, state, losses)

    slopes = jax.value_and_grad(objective, argnums=(0, 1, 2, 3), has_aux=True)
    (value, trained), (steps_own, norms, first, last) = slopes(spread, taps, start.hyper, start.hyper)
    windows = jax.tree.map(lambda own, direct: direct + jnp.cumsum(own[::-1], axis=0), steps_own, last)
    gradient = jax.tree.map(lambda window, initial: window[-1] + initial, windows, first)
    return Hypergradient(value, gradient, trained, by_window(value, gradient, norms[::-1], windows))


def truncated(rules: Rules, start: Start, segment: int | str | None, window: int) -> Hypergradient:
    """The derivative through the last steps alone, as if the weights before them did not depend on anything."""
    head, tail = split(start.batches, count_steps(start.batches) - window)
    losses = None
    if head is not None:
        weights, state, losses = train(
            rules.loss, start.weights, start.hyper, head, rules.optimizer, state=start.state, segment=None
        )
        start = start._replace(weights=weights, state=state)
    result = reverse(rules, start._replace(batches=tail), segment)
    if losses is None:
        return result
    trained = result.trained._replace(losses=jnp.concatenate([losses, result.trained.losses]))
    return result._replace(trained=trained)


def forward(rules: Rules, start: Start) -> Hypergradient:
    """One tangent a hyperparameter, carried along with training: memory does not grow with the steps."""
    flat, unravel = ravel_pytree(start.hyper)
    now = begin_pushed(rules, start, flat, unravel)
    now, (losses, norms) = pushed(rules, now, flat, unravel, start.batches)
    value, slope = outer_pushed(rules, now, flat, unravel)
    gradient = unravel(slope)
    trained = Trained(*now.state, losses)
    return Hypergradient(value, gradient, trained, by_horizon(value, gradient, norms))


class Pushed(NamedTuple):
    """Weights and state of the optimiser, and their derivatives by the hyperparameters along a leading axis."""

    state: tuple[PyTree, PyTree]
    tangents: list[Float[Array, "hyper ..."]]


def begin_pushed(rules: Rules, start: Start, flat: Array, unravel: Callable[[Array], PyTree]) -> Pushed:
    """The beginning of training; the state of the optimiser may hold hyperparameters."""

    def first(flat: Array) -> tuple[list[Array], Any]:
        state = begin(rules, start, unravel(flat))
        return _real_leaves(state), state

    _, tangents, state = _along_all(first, flat)
    return Pushed(state, tangents)


def pushed(
    rules: Rules, now: Pushed, flat: Array, unravel: Callable[[Array], PyTree], batches: PyTree
) -> tuple[Pushed, tuple[Float[Array, " steps"], Float[Array, " steps"]]]:
    """The end of some steps of training; their losses, and the norm of the derivative of the weights after each."""

    def step(now: Pushed, batch: PyTree) -> tuple[Pushed, tuple[Array, Array]]:
        def advance(leaves: list[Array], flat: Array) -> tuple[list[Array], Any]:
            hyper = unravel(flat)
            state, loss = training_step(
                rules.loss, optimizer_of(rules.optimizer, hyper), _with_real(now.state, leaves), hyper, batch
            )
            return _real_leaves(state), (state, loss)

        primals = _real_leaves(now.state), flat
        _, tangents, (state, loss) = _push(advance, primals, (now.tangents, jnp.eye(flat.size, dtype=flat.dtype)))
        count = len(_real_leaves(state[0]))
        return Pushed(state, tangents), (loss, norm(tangents[:count]))

    return jax.lax.scan(step, now, batches)


def outer_pushed(rules: Rules, now: Pushed, flat: Array, unravel: Callable[[Array], PyTree]) -> tuple[Array, Array]:
    """The outer loss, and its derivative by the flat hyperparameters."""
    weights, tangents = _real_leaves(now.state[0]), now.tangents

    def outer(leaves: list[Array], flat: Array) -> tuple[Array, None]:
        return rules.outer(_with_real(now.state[0], leaves), unravel(flat)), None

    basis = jnp.eye(flat.size, dtype=flat.dtype)
    value, slope, _ = _push(outer, (weights, flat), (tangents[: len(weights)], basis))
    return value, slope


def _along_all(function: Callable[..., Any], flat: Array) -> tuple[Any, Any, Any]:
    return _push(function, (flat,), (jnp.eye(flat.size, dtype=flat.dtype),))


def _push(function: Callable[..., Any], primals: PyTree, tangents: PyTree) -> tuple[Any, Any, Any]:
    """Value, derivatives along all tangents (their leading axis), and what the function returns besides."""

    def along(tangents: PyTree) -> tuple[Any, Any, Any]:
        return jax.jvp(function, primals, tangents, has_aux=True)

    value, slopes, rest = jax.vmap(along, out_axes=(None, 0, None))(tangents)
    return value, slopes, rest


def norm(leaves: list[Array]) -> Float[Array, ""]:
    """The Euclidean norm of all numbers."""
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in leaves))


def split(batches: PyTree, head: int) -> tuple[PyTree, PyTree]:
    """The first batches, None where there are none, and those after them."""
    first = jax.tree.map(lambda x: x[:head], batches) if head else None
    return first, jax.tree.map(lambda x: x[head:], batches)


def _real(leaf: Array) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)


def _real_leaves(tree: PyTree) -> list[Array]:
    """The floating leaves: what has a derivative; an optimiser also counts."""
    return [leaf for leaf in jax.tree.leaves(tree) if _real(leaf)]


def _with_real(tree: PyTree, leaves: list[Array]) -> Any:
    """The tree with other floating leaves."""
    new = iter(leaves)
    return jax.tree.map(lambda leaf: next(new) if _real(leaf) else leaf, tree)


@jax.custom_vjp
def _tapped(weights: PyTree, tap: Float[Array, ""]) -> PyTree:
    """The weights; the derivative by `tap` is the norm of that by the weights."""
    return weights


def _tapped_forward(weights: PyTree, tap: Array) -> tuple[PyTree, Array]:
    return weights, tap


def _tapped_backward(tap: Array, slope: PyTree) -> tuple[PyTree, Array]:
    return slope, norm(jax.tree.leaves(slope)).astype(tap.dtype)


_tapped.defvjp(_tapped_forward, _tapped_backward)
