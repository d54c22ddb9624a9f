"""The fused loop as a function of JAX: kernels for values and first derivatives in reverse mode, a scan for all others.

There are three primitives. `forward` gives the last states, the outputs, and the states at the start of every segment.
`tangent` is linear; its transpose is `backward`, the kernel, and forward mode evaluates it as the derivative of the
scan. Derivatives of the three are those of the scan. Under `vmap` a step is mapped, and stays one kernel.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from itertools import chain
from typing import Any

import jax
import numpy as np
from jax.custom_derivatives import SymbolicZero

from surgrad.nn._fused.kernels import Kernels
from surgrad.nn._fused.loop import Loop
from surgrad.nn._fused.primitives import forward, tangent
from surgrad.nn._fused.program import Program


def run(program: Program, kernels: Callable[[Program], Kernels], lists: tuple[list[Any], ...], time: int) -> Any:
    """Last states and outputs over time, of lists of parameters, first states and inputs over time."""
    loop = Loop(program, kernels, time)

    @jax.custom_jvp
    def fused(*lists: list[Any]) -> tuple[list[Any], list[Any]]:
        made = forward.bind(*chain(*lists), loop=loop, keep=False)
        return made[: len(program.states)], made[len(program.states) :]

    @functools.partial(fused.defjvp, symbolic_zeros=True)
    def rule(primals: Any, tangents: Any) -> Any:
        moving = tuple(
            tuple(i for i, t in enumerate(each) if not isinstance(t, SymbolicZero) and t.dtype != jax.dtypes.float0)
            for each in tangents
        )
        along = loop.moved_by(moving)
        moved = tuple([each[i] for i in places] for each, places in zip(tangents, moving, strict=True))
        made = forward.bind(*chain(*primals), loop=along, keep=along.has_backward)
        states, outputs = len(program.states), len(program.outputs)
        after, ys, kept = made[:states], made[states : states + outputs], made[states + outputs :]
        if along.has_backward:
            found = tangent.bind(*chain(*primals), *kept, *chain(*moved), loop=along)
        else:
            parameters, first, inputs = primals
            found = along.program.loop_tangent(parameters, first, inputs, moved)
        real = len(program.real_states)
        return (after, ys), (
            _with_zeros(after, program.real_states, found[:real]),
            _with_zeros(ys, program.real_outputs, found[real:]),
        )

    return fused(*lists)


def _with_zeros(values: list[Any], real: list[int], found: list[Any]) -> list[Any]:
    """Tangents of values, with the zeros of JAX for whole numbers."""
    known = dict(zip(real, found, strict=True))
    return [known.get(i, np.zeros(value.shape, jax.dtypes.float0)) for i, value in enumerate(values)]
