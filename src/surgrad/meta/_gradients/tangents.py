"""Derivatives by all hyperparameters, carried along with training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from surgrad._trees import selected, with_selected
from surgrad._types import PyTree
from surgrad.meta._gradients.inner_loop import update
from surgrad.meta._gradients.problem import Problem


class Carried(NamedTuple):
    """Weights and state of the optimiser, and their derivatives by all hyperparameters, a leading axis of those."""

    state: tuple[PyTree, PyTree]
    tangents: list[Float[Array, "hyper ..."]]


class Tangents:
    """Training of a problem, with one tangent for each number in its hyperparameters.

    Parameters:
        problem: what is trained.
    """

    def __init__(self, problem: Problem):
        self.problem = problem
        self.flat, self.unravel = ravel_pytree(problem.hyper)
        self._basis = jnp.eye(self.flat.size, dtype=self.flat.dtype)

    def start(self) -> Carried:
        """The beginning of training; the state of the optimiser may depend on hyperparameters."""

        def first(flat: Array) -> tuple[list[Array], Any]:
            state = self.problem.start(self.unravel(flat))
            return selected(state, _is_floating), state

        _, tangents, state = _pushed(first, (self.flat,), (self._basis,))
        return Carried(state, tangents)

    def advance(
        self, now: Carried, batches: PyTree
    ) -> tuple[Carried, tuple[Float[Array, " steps"], Float[Array, " steps"]]]:
        """The state after some updates; their losses, and the norm of the derivative of the weights after each."""

        def step(now: Carried, batch: PyTree) -> tuple[Carried, tuple[Array, Array]]:
            def one(leaves: list[Array], flat: Array) -> tuple[list[Array], Any]:
                hyper, state = self.unravel(flat), with_selected(now.state, _is_floating, leaves)
                state, loss = update(self.problem.loss, self.problem.optimizer_for(hyper), state, hyper, batch)
                return selected(state, _is_floating), (state, loss)

            primals = selected(now.state, _is_floating), self.flat
            _, tangents, (state, loss) = _pushed(one, primals, (now.tangents, self._basis))
            return Carried(state, tangents), (loss, norm(tangents[: _floating_count(state[0])]))

        return jax.lax.scan(step, now, batches)

    def outer(self, now: Carried) -> tuple[Float[Array, ""], Float[Array, " hyper"]]:
        """The outer loss, and its gradient by the hyperparameters, flat."""
        weights = now.state[0]

        def outer(leaves: list[Array], flat: Array) -> tuple[Array, None]:
            return self.problem.outer(with_selected(weights, _is_floating, leaves), self.unravel(flat)), None

        primals = selected(weights, _is_floating), self.flat
        tangents = now.tangents[: _floating_count(weights)]
        value, gradient, _ = _pushed(outer, primals, (tangents, self._basis))
        return value, gradient


def norm(leaves: list[Array]) -> Float[Array, ""]:
    """The Euclidean norm of all numbers."""
    return jnp.sqrt(sum(jnp.sum(jnp.square(leaf)) for leaf in leaves))


def _pushed(function: Callable[..., Any], primals: PyTree, tangents: PyTree) -> tuple[Any, Any, Any]:
    """The value, its derivatives along all tangents (a leading axis), and the second result of the function."""

    def along(tangents: PyTree) -> tuple[Any, Any, Any]:
        return jax.jvp(function, primals, tangents, has_aux=True)

    return jax.vmap(along, out_axes=(None, 0, None))(tangents)


def _is_floating(leaf: Any) -> bool:
    """Whether a leaf has a derivative; the state of an optimiser also counts updates."""
    return isinstance(leaf, (jax.Array, np.ndarray)) and jnp.issubdtype(leaf.dtype, jnp.floating)


def _floating_count(tree: PyTree) -> int:
    return len(selected(tree, _is_floating))
