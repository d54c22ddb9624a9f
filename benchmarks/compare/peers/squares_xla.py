"""Squares in place of neurons, in XLA: products in chunks, and one number a neuron and time step for the backward pass.

There is no loop over time within a chunk and nothing to compute for a neuron but a multiplication, and the outputs are
summed where they are made, not stacked: less than what neurons take.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.compare.problems import Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "squares_xla": {
        "label": "products and squares, XLA",
        "role": "limit",
        "packages": ("jax",),
        "devices": ("cpu",),
        "colour": "#999999",
    },
}

ROWS = 400
"""Rows of the product of a chunk, time steps times batch, as surgrad has them on CPUs."""


def feedforward(problem: Problem) -> Program:
    parameters, xs = jax.tree.map(jnp.asarray, (problem.parameters, problem.inputs))
    steps = min(len(xs), max(1, ROWS // xs.shape[1]))
    chunks = xs[: len(xs) // steps * steps].reshape(-1, steps, *xs.shape[1:])

    def loss(p, chunks):
        def chunk(total, x):
            return total + jnp.square(x @ p["weights"] + p["bias"]).sum(), None

        return jax.lax.scan(chunk, jnp.zeros(()), chunks)[0]

    step = jax.jit(jax.value_and_grad(loss))
    return Program(lambda: jax.block_until_ready(step(parameters, chunks)), list, dict)
