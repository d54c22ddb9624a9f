"""A training that can stop and go on, which `tune` runs with many hyperparameters."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Self

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float, Int

from surgrad._numbers import require_whole
from surgrad._optimizers import GradientTransformation, require_optimizer, updated
from surgrad._types import PyTree
from surgrad.tasks import Dataset, Split

Hyper = dict[str, Any]
"""Hyperparameters by name."""


@dataclasses.dataclass(frozen=True)
class Training:
    """A training that can stop and go on, as a function of hyperparameters.

    Parameters:
        start: from hyperparameters, by name, to the state before the first update.
        update: from hyperparameters, state and number of the update, from 0, to the next state and a loss.
        steps: number of updates of a whole run, >= 1.

    Raises:
        ValueError: steps is no integer >= 1.
    """

    start: Callable[[Hyper], PyTree]
    update: Callable[[Hyper, PyTree, Int[Array, ""]], tuple[PyTree, Float[Array, ""]]]
    steps: int

    def __post_init__(self) -> None:
        require_whole("Training", steps=self.steps)

    @classmethod
    def of_network(
        cls,
        build: Callable[[Hyper], tuple[Any, GradientTransformation]],
        data: Dataset,
        loss: Callable[[Any, Dataset], Float[Array, ""]],
        *,
        steps: int,
        batch: int = 64,
        seed: int | Array = 0,
    ) -> Self:
        """The training of a network's weights on random batches, which are the same for all hyperparameters.

        Parameters:
            build: from hyperparameters to a network, with its initial weights, and an optimiser of Optax.
            data: samples to learn from.
            loss: of a network on some samples.
            steps: number of updates, >= 1.
            batch: samples in an update, >= 1.
            seed: of the batches, >= 0; it may be traced, so that seeds are mapped over.

        Raises:
            TypeError: the data are a whole `Split`; or, once a run starts, `build` returns no optimiser of Optax.
            ValueError: steps, batch or seed are out of range, or there are no samples.
        """
        _require(data, steps=steps, batch=batch, seed=seed)
        key, data = jax.random.key(seed), jax.tree.map(jnp.asarray, data)

        def start(hyper: Hyper) -> PyTree:
            network, optimizer = build(hyper)
            rule = require_optimizer("Training.of_network", optimizer)
            return network.connections(), rule.init(network.connections())

        def update(hyper: Hyper, state: PyTree, index: Int[Array, ""]) -> tuple[PyTree, Float[Array, ""]]:
            (network, optimizer), (weights, inner) = build(hyper), state
            samples = data[jax.random.randint(jax.random.fold_in(key, index), (batch,), 0, len(data))]
            value, gradient = jax.value_and_grad(lambda w: loss(network.with_connections(w), samples))(weights)
            return updated(optimizer, gradient, inner, weights), value

        return cls(start, update, steps)


def _require(data: Dataset, *, steps: int, batch: int, seed: int | Array) -> None:
    if isinstance(data, Split):
        raise TypeError("Training.of_network: data is a whole split; give the samples to learn from, data.train.")
    require_whole("Training.of_network", steps=steps, batch=batch, **{"the number of samples": len(data)})
    if not isinstance(seed, Tracer):
        require_whole("Training.of_network", 0, seed=seed)
