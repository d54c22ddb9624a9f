"""The kernels of a time loop, in Pallas: a program of the grid runs all time steps of a block of neurons.

What a block carries from step to step stays in registers; inputs are read and outputs written once. The backward kernel
goes from segment to segment: it reads the states at the start of a segment, which the forward kernel left, computes the
states inside again, and pulls the cotangents back through the steps. Sums of cotangents stay in registers too.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from surgrad._dtypes import wide
from surgrad.nn._fused.elementwise import on_block
from surgrad.nn._fused.program import Program
from surgrad.nn._fused.targets import Block, Kernel, Target

_tried: set[tuple[str, int]] = set()
"""Steps whose kernels were compiled before."""


class Kernels:
    """The forward and the backward kernel of a program.

    Parameters:
        program: what they compute.
        segment: number of time steps between states that are kept.
        target: how blocks of neurons are read and written on a kind of device.
        interpret: whether Pallas interprets them, on any device, in place of a compilation.
        try_out: whether `require` compiles them for a short time first.
    """

    def __init__(
        self, program: Program, segment: int, target: Target, *, interpret: bool = False, try_out: bool = False
    ):
        self.program, self.segment, self.target = program, segment, target
        self.interpret, self.try_out = interpret, try_out

    def require(self, backward: bool = False) -> None:
        """Refuse a kernel that this device's compiler does not take.

        Raises:
            NotImplementedError: it does not; with the first line of its message.
        """
        program, time = self.program, self.segment + 1
        split = program.backward if backward else program.forward
        if not self.try_out or (key := (split.shown, self.segment)) in _tried:
            return
        inputs, outputs = (_like(leaves, (time,)) for leaves in (program.inputs, program.outputs))
        try:
            if backward:
                kept = _like([jax.ShapeDtypeStruct(program.shape, state.dtype) for state in program.states], (2,))
                cotangents = (
                    [program.states[i] for i in program.real_states],
                    [outputs[i] for i in program.real_outputs],
                )
                jax.jit(self.backward).lower(program.parameters, inputs, kept, cotangents).compile()
            else:
                shapes = program.parameters, program.states, inputs
                jax.jit(functools.partial(self.forward, keep=True)).lower(*shapes).compile()
        except Exception as error:  # compilers raise errors of many kinds
            raise NotImplementedError(str(error).splitlines()[0]) from error
        _tried.add(key)

    def forward(
        self, parameters: list[Any], states: list[Any], inputs: list[Any], keep: bool
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Last states, outputs over time, and the states at the start of every segment if they are to be kept."""
        program, time = self.program, len(inputs[0])
        split, neurons = program.forward, _count(program.shape)
        count = -(-time // self.segment) if keep else 0
        derived = split.derive(parameters, program.shape)

        def kernel(block: Block, given: list[Any], made: list[Any]) -> None:
            values, first, xs = parted(given, len(derived), len(states))
            last, ys, kept = parted(made, len(states), len(program.outputs))
            numbers = [block.load(ref) for ref in values]

            def steps(number: Any, length: int, states: list[Any]) -> list[Any]:
                start = number * self.segment
                for ref, state in zip(kept, states, strict=True) if keep else ():
                    block.store(ref, state, number)
                for now in range(length):
                    x = [block.load(ref, start + now) for ref in xs]
                    states, outputs = parted(on_block(split, numbers, [*states, *x]), len(states))
                    for ref, y in zip(ys, outputs, strict=True):
                        block.store(ref, y, start + now)
                return states

            carry = [block.load(ref) for ref in first]
            whole, rest = divmod(time, self.segment)
            carry = lax.fori_loop(0, whole, lambda i, carry: steps(i, self.segment, carry), carry)
            if rest:
                carry = steps(whole, rest, carry)
            for ref, state in zip(last, carry, strict=True):
                block.store(ref, state)

        full = [jax.ShapeDtypeStruct(program.shape, state.dtype) for state in program.states]
        made = [*_like(full, ()), *_like(program.outputs, (time,)), *(_like(full, (count,)) if keep else ())]
        first, inputs = [self._each(state) for state in states], [self._each(x, 1) for x in inputs]
        results = self._call(kernel, neurons, [*derived, *first, *inputs], made, len(derived))
        last, outputs, kept = parted(results, len(states), len(program.outputs))
        return [_of_all(value, leaf.shape) for value, leaf in zip(last, program.states, strict=True)], outputs, kept

    def _each(self, value: Any, leading: int = 0) -> Any:
        """A number for all neurons, such as that of the steps so far, repeated for each of them."""
        shape = self.program.shape
        missing = len(shape) + leading - value.ndim
        return jnp.broadcast_to(value.reshape(*value.shape, *[1] * missing), (*value.shape[:leading], *shape))

    def backward(
        self,
        parameters: list[Any],
        inputs: list[Any],
        kept: list[Any],
        cotangents: tuple[list[Any], list[Any]],
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Cotangents by moving parameters, one a neuron; by moving states; and by moving inputs, over time."""
        program, time = self.program, len(inputs[0])
        forward, backward = program.forward, program.backward
        again, pulled = forward.derive(parameters, program.shape), backward.derive(parameters, program.shape)
        moving, real = program.moving, program.real_states
        sums = [jax.ShapeDtypeStruct((), wide(program.parameters[i].dtype)) for i in moving[0]]

        def kernel(block: Block, given: list[Any], made: list[Any]) -> None:
            steps_again, steps_back, xs, starts, ct_last, ct_ys = parted(
                given, len(again), len(pulled), len(inputs), len(kept), len(real)
            )
            ct_parameters, ct_first, ct_xs = parted(made, len(moving[0]), len(moving[1]))
            numbers, back = [block.load(ref) for ref in steps_again], [block.load(ref) for ref in steps_back]

            def step_back(now: Any, states: list[Any], x: list[Any], carry: tuple[list[Any], list[Any]]) -> Any:
                totals, cotangents = carry
                ct = [block.load(ref, now) for ref in ct_ys]
                by, cotangents, ct_x = parted(
                    on_block(backward, back, [*states, *x, *cotangents, *ct]), len(totals), len(cotangents)
                )
                for ref, value in zip(ct_xs, ct_x, strict=True):
                    block.store(ref, value, now)
                totals = [total + value.astype(total.dtype) for total, value in zip(totals, by, strict=True)]
                return totals, cotangents

            def segment(number: Any, length: int, carry: Any) -> Any:
                start = number * self.segment
                passed: list[tuple[list[Any], list[Any]]] = []
                states = [block.load(ref, number) for ref in starts]
                for now in range(length):
                    x = [block.load(ref, start + now) for ref in xs]
                    passed.append((states, x))
                    if now < length - 1:
                        states = on_block(forward, numbers, [*states, *x])[: len(states)]
                for now in reversed(range(length)):
                    before, x = passed[now]
                    carry = step_back(start + now, before, x, carry)
                return carry

            carry = [block.zeros(total.dtype) for total in sums], [block.load(ref) for ref in ct_last]
            whole, rest = divmod(time, self.segment)
            if rest:
                carry = segment(whole, rest, carry)
            carry = lax.fori_loop(0, whole, lambda i, carry: segment(whole - 1 - i, self.segment, carry), carry)
            totals, cotangents = carry
            found = [cotangents[real.index(i)] for i in moving[1]]
            for ref, value in zip([*ct_parameters, *ct_first], [*totals, *found], strict=True):
                block.store(ref, value)

        inputs = [self._each(x, 1) for x in inputs]
        made = [
            *_like(sums, program.shape),
            *_like([program.states[i] for i in moving[1]], ()),
            *_like([program.inputs[i] for i in moving[2]], (time,)),
        ]
        operands = [*again, *pulled, *inputs, *kept, *cotangents[0], *cotangents[1]]
        results = self._call(kernel, _count(program.shape), operands, made, len(again) + len(pulled))
        return parted(results, len(moving[0]), len(moving[1]))

    def _call(self, kernel: Kernel, neurons: int, operands: list[Any], made: list[Any], derived: int) -> list[Any]:
        """Run a kernel on operands, of which the first are derived numbers; all neurons lie in one axis there."""
        rank, store = len(self.program.shape), self.target.storage
        operands = [jnp.asarray(value) for value in operands]
        one = [i < derived and value.size == 1 for i, value in enumerate(operands)]
        flat = [
            value.astype(store(value.dtype)).reshape(1 if single else (*value.shape[: value.ndim - rank], neurons))
            for value, single in zip(operands, one, strict=True)
        ]
        shapes = [
            _result((*leaf.shape[: len(leaf.shape) - rank], neurons), store(leaf.dtype), flat[-1]) for leaf in made
        ]
        types = [value.dtype for value in operands], [leaf.dtype for leaf in made]
        results = self.target.call(kernel, flat, shapes, types, one, neurons, self.interpret)
        return [value.reshape(leaf.shape).astype(leaf.dtype) for value, leaf in zip(results, made, strict=True)]


def _result(shape: tuple[int, ...], dtype: Any, like: Any) -> Any:
    """Shape and type of a result; over a mesh it varies as another array does."""
    return jax.eval_shape(lambda like: jnp.broadcast_to(like.ravel()[0].astype(dtype), shape), like)


def _count(shape: Sequence[int]) -> int:
    return functools.reduce(int.__mul__, shape, 1)


def _of_all(value: Any, shape: tuple[int, ...]) -> Any:
    """The number for all neurons, of which each has a copy."""
    return value[(slice(None),) * len(shape) + (0,) * (value.ndim - len(shape))]


def _like(leaves: Sequence[Any], leading: tuple[int, ...]) -> list[Any]:
    return [jax.ShapeDtypeStruct((*leading, *leaf.shape), leaf.dtype) for leaf in leaves]


def parted(values: Sequence[Any], *lengths: int) -> Any:
    """The values in parts of some lengths; the last part is the rest."""
    parts, values = [], list(values)
    for length in lengths:
        parts.append(values[:length])
        values = values[length:]
    return (*parts, values)
