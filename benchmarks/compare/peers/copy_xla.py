"""A copy of the bytes that a loop over neurons moves, in XLA: what no kernel for it can do without.

Forwards, currents are read, spikes and one membrane potential a step, in float32, are written; backwards, the membrane
potentials and the gradient by spikes are read, and that by currents is written. Half of these bytes are copied.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.compare.problems import Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "copy_xla": {
        "label": "copy of the same bytes, XLA",
        "role": "limit",
        "packages": ("jax",),
        "devices": ("gpu",),
        "colour": "#777777",
    },
}


def neurons(problem: Problem) -> Program:
    currents = problem.parameters["currents"]
    moved = 4 * currents.nbytes + 2 * currents.size * 4
    source = jnp.ones(moved // 2 // 4, jnp.float32)
    copy = jax.jit(lambda x: x + 1)
    return Program(lambda: jax.block_until_ready(copy(source)), list, dict)
