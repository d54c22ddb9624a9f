"""A program, its kernels and the length of time."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from surgrad.nn._fused.kernels import Kernels
from surgrad.nn._fused.program import Program
from surgrad.nn._fused.warning import warn_of_scan


class Loop:
    """A program, its kernels and the length of time: the parameter of the primitives."""

    def __init__(self, program: Program, kernels: Callable[[Program], Kernels], time: int):
        self.program, self.kernels, self.time = program, kernels, time
        self.compiled = kernels(program)
        self.compiled.require()
        self.lengths = len(program.parameters), len(program.states), len(program.inputs)
        self.segments = -(-time // self.compiled.segment)

    def moved_by(self, moving: Any) -> Loop:
        """The loop whose derivatives are taken by other numbers."""
        known = self.program
        program = Program(known.where, known.step, known.shape, *known._examples(), moving)
        return Loop(program, self.kernels, self.time)

    @functools.cached_property
    def has_backward(self) -> bool:
        """Whether the step backwards can be a kernel too; a warning says why it cannot."""
        try:
            self.compiled.require(backward=True)
            return True
        except (NotImplementedError, TypeError, ValueError) as reason:
            warn_of_scan(self.program.where, "the derivative of ", reason)
            return False

    def mapped(self, size: int, axes: Sequence[int | None]) -> Loop:
        """The loop under `vmap`."""
        return Loop(self.program.mapped(size, axes), self.kernels, self.time)

    def parted(self, values: Sequence[Any], *further: int) -> Any:
        """Flat operands as parameters, states, inputs and further lists."""
        parts, values = [], list(values)
        for length in (*self.lengths, *further):
            parts.append(values[:length])
            values = values[length:]
        assert not values
        return parts
