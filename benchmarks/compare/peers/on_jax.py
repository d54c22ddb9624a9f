"""Programs of networks that are written as JAX functions."""

from __future__ import annotations

import functools
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


def program(problem: Problem, network: Network, spikes: Callable[..., list[jax.Array]] | None = None) -> Program:
    """Value and gradient of the loss in one compiled function.

    Parameters:
        problem: what is computed.
        network: readout and spikes, which are not used if they are given by themselves.
        spikes: spikes of each layer from parameters and inputs, where they cost the network something.
    """
    parameters = jax.tree.map(jnp.asarray, problem.parameters)
    inputs = jnp.asarray(problem.inputs)
    step = Compiled(jax.value_and_grad(lambda p, x: loss(problem, network(p, x)[0])), parameters, inputs)
    forward = jax.jit(spikes or (lambda p, x: network(p, x)[1]))
    return Program(
        lambda: jax.block_until_ready(step()),
        lambda: [np.asarray(spikes) for spikes in forward(parameters, inputs)],
        lambda: {name: np.asarray(value) for name, value in step()[1].items()},
        step.planned,
    )


def neurons(problem: Problem, run: Callable[[jax.Array], jax.Array]) -> Program:
    """Spikes of neurons over time, and the gradient by their inputs, in one compiled function."""
    currents, field = jnp.asarray(problem.parameters["currents"]), jnp.asarray(problem.inputs)

    def both(currents, field):
        spikes, backward = jax.vjp(run, currents)
        return spikes, backward(field.astype(spikes.dtype))[0]

    step = Compiled(both, currents, field)
    return Program(
        lambda: jax.block_until_ready(step()),
        lambda: [np.asarray(step()[0][..., :: problem.stride])],
        lambda: {"currents": np.asarray(step()[1][..., :: problem.stride])},
        step.planned,
    )


class Compiled:
    """A function of some arguments that is compiled for them when it is first called."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self._function, self._arguments = jax.jit(function), arguments

    @functools.cached_property
    def _program(self) -> Any:
        return self._function.lower(*self._arguments).compile()

    def __call__(self) -> Any:
        """The function's results."""
        return self._program(*self._arguments)

    def planned(self) -> int | None:
        """Bytes of temporary arrays and results, as the compiler has laid them out; None where it does not tell."""
        found = self._program.memory_analysis()
        return None if found is None else found.temp_size_in_bytes + found.output_size_in_bytes
