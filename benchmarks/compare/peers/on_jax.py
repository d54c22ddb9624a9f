"""Programs of networks that are written as JAX functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from benchmarks.compare.problems import WINDOW, Problem
from benchmarks.compare.program import Program

Network = Callable[[Any, jax.Array], tuple[jax.Array, list[jax.Array]]]
"""From parameters and inputs to the readout and the spikes of each layer."""


def slope(problem: Problem) -> Callable[[jax.Array], jax.Array]:
    """The derivative that stands for the step's."""
    return {
        "arctan": lambda x: 1 / (1 + (np.pi * x) ** 2),
        "arctan window": lambda x: jnp.where(jnp.abs(x) <= WINDOW, 1 / (1 + (np.pi * x) ** 2), 0),
        "norse": lambda x: 0.125 / (1 + jnp.abs(x) / 8) ** 2,
    }[problem.slope]


def loss(problem: Problem, readout: jax.Array) -> jax.Array:
    """The sum of the readout, or its cross-entropy."""
    if problem.labels is None:
        return readout.sum()
    chances = jax.nn.log_softmax(readout.mean(0))
    return -jnp.take_along_axis(chances, problem.labels[:, None], 1).mean()


def program(problem: Problem, network: Network) -> Program:
    """Value and gradient of the loss in one compiled function."""
    parameters = jax.tree.map(jnp.asarray, problem.parameters)
    inputs = jnp.asarray(problem.inputs)
    step = jax.jit(jax.value_and_grad(lambda p, x: loss(problem, network(p, x)[0])))
    forward = jax.jit(lambda p, x: network(p, x)[1])
    return Program(
        lambda: jax.block_until_ready(step(parameters, inputs)),
        lambda: [np.asarray(spikes) for spikes in forward(parameters, inputs)],
        lambda: {name: np.asarray(value) for name, value in step(parameters, inputs)[1].items()},
    )
