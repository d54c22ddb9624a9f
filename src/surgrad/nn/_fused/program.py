"""What a kernel computes: a time step of an elementwise cell, and the step backwards, from the cell alone."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from surgrad._types import PyTree
from surgrad.nn._fused.elementwise import leads, require_elementwise
from surgrad.nn._fused.tape import Split, Tape
from surgrad.nn._loops import scan, summed_wide

Lists = tuple[list[Any], list[Any]]


class Program:
    """A time step of a cell on flat lists of arrays, its derivative, and the loops that they stand for.

    Parameters:
        where: the name of the cell, for errors.
        step: `(parameters, states, inputs) -> (states, outputs)`.
        shape: of the neurons, `(*batch, neurons)`.
        parameters, states, inputs: shapes and types of the lists; inputs are those of one step.
        moving: the positions in the three lists of what derivatives are taken by.
    """

    def __init__(
        self,
        where: str,
        step: Callable[..., Lists],
        shape: tuple[int, ...],
        parameters: Sequence[Any],
        states: Sequence[Any],
        inputs: Sequence[Any],
        moving: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]] = ((), (), ()),
    ):
        self.where, self.step, self.shape, self.moving = where, step, shape, moving
        self.parameters, self.states, self.inputs = map(_shapes, (parameters, states, inputs))
        after, outputs = jax.eval_shape(step, *self._examples())
        self.outputs = _shapes(outputs)
        self.real_states = [i for i, state in enumerate(self.states) if _real(state)]
        self.real_outputs = [i for i, output in enumerate(self.outputs) if _real(output)]
        made = [(leaf.shape, leaf.dtype) for leaf in after]
        if made != [(leaf.shape, leaf.dtype) for leaf in self.states]:
            raise NotImplementedError(f"a step changes shapes or types of the state to {made}")
        if any(leaf.shape != shape for leaf in self.outputs):
            raise NotImplementedError(f"outputs are not one number a neuron, {shape}")
        if not all(leads(leaf.shape, shape) for leaf in (*self.states, *self.inputs)):
            raise NotImplementedError(f"states or inputs are neither one number a neuron, {shape}, nor one for all")

    def _examples(self) -> tuple[list[Any], list[Any], list[Any]]:
        return self.parameters, self.states, self.inputs

    @functools.cached_property
    def forward(self) -> Split:
        """A time step: states and inputs to states and outputs."""
        return self._split(self.step, *self._examples())

    @functools.cached_property
    def backward(self) -> Split:
        """The step backwards: states, inputs, and cotangents of states and outputs, to cotangents."""
        cotangents = [self.states[i] for i in self.real_states], [self.outputs[i] for i in self.real_outputs]
        return self._split(self.pull, *self._examples(), *cotangents)

    def _split(self, function: Callable[..., Any], *arguments: Any) -> Split:
        split = Split(Tape(function, *arguments), len(self.parameters))
        require_elementwise(self.where, split, self.shape)
        return split

    def pull(
        self, parameters: list[Any], states: list[Any], inputs: list[Any], *cotangents: list[Any]
    ) -> tuple[list[Any], list[Any], list[Any]]:
        """Cotangents of one step: by the moving parameters, one a neuron; by real states; and by moving inputs."""
        by = self.moving[0], self.real_states, self.moving[2]
        full = self.spread(parameters)
        given = tuple([values[i] for i in places] for places, values in zip(by, (full, states, inputs), strict=True))

        def along(*moved: list[Any]) -> tuple[list[Any], list[Any]]:
            filled = (_filled(*each) for each in zip((full, states, inputs), by, moved, strict=True))
            after, outputs = self.step(*filled)
            return [after[i] for i in self.real_states], [outputs[i] for i in self.real_outputs]

        return jax.vjp(along, *given)[1](cotangents)

    def spread(self, parameters: list[Any]) -> list[Any]:
        """The parameters, with the moving ones repeated for every neuron."""
        return [
            jnp.broadcast_to(jnp.asarray(value), self.shape) if i in self.moving[0] else value
            for i, value in enumerate(parameters)
        ]

    def mapped(self, size: int, axes: Sequence[int | None]) -> Program:
        """The program under `vmap`: all of it has one more leading axis, but for parameters whose axis is None."""

        def more(leaf: Any) -> jax.ShapeDtypeStruct:
            return jax.ShapeDtypeStruct((size, *leaf.shape), leaf.dtype, weak_type=_weak(leaf))

        parameters = [leaf if axis is None else more(leaf) for leaf, axis in zip(self.parameters, axes, strict=True)]
        states, inputs = [more(leaf) for leaf in self.states], [more(leaf) for leaf in self.inputs]
        inner = _Mapped(self, size, list(axes))
        mapped = Program(self.where, inner.step, (size, *self.shape), parameters, states, inputs, self.moving)
        mapped.spread = inner.spread  # type: ignore[method-assign]
        return mapped

    def loop(self, parameters: list[Any], states: list[Any], inputs: list[Any]) -> Lists:
        """All time steps as a scan: what the kernel must equal, and what takes its place."""
        step = summed_wide(self.step, parameters)
        return scan(lambda states, now: step(states, now), states, inputs)

    def loop_tangent(
        self, parameters: list[Any], states: list[Any], inputs: list[Any], tangents: tuple[list[Any], ...]
    ) -> list[Any]:
        """The tangent of the loop: real states and real outputs."""
        _, (after, outputs) = jax.jvp(*self._along(parameters, states, inputs), tangents)
        return [*after, *outputs]

    def loop_cotangent(
        self, parameters: list[Any], states: list[Any], inputs: list[Any], cotangents: tuple[list[Any], list[Any]]
    ) -> tuple[list[Any], ...]:
        """The cotangents of the loop: by moving parameters, one a neuron, by moving states and moving inputs."""
        along, given = self._along(self.spread(parameters), states, inputs)
        return jax.vjp(along, *given)[1](cotangents)

    def _along(self, *lists: list[Any]) -> tuple[Callable[..., Lists], tuple[list[Any], ...]]:
        def along(*moved: list[Any]) -> Lists:
            after, outputs = self.loop(*(_filled(*each) for each in zip(lists, self.moving, moved, strict=True)))
            return [after[i] for i in self.real_states], [outputs[i] for i in self.real_outputs]

        return along, tuple([values[i] for i in places] for places, values in zip(self.moving, lists, strict=True))


class _Mapped:
    """The functions of a program under `vmap`."""

    def __init__(self, program: Program, size: int, axes: list[int | None]):
        self.program, self.size, self.axes = program, size, axes

    def step(self, parameters: list[Any], states: list[Any], inputs: list[Any]) -> Lists:
        # Parameters that are repeated for every neuron have the mapped axis too.
        full = [
            0 if axis == 0 or jnp.ndim(value) > known.ndim else None
            for value, axis, known in zip(parameters, self.axes, self.program.parameters, strict=True)
        ]
        return jax.vmap(self.program.step, (full, 0, 0), axis_size=self.size)(parameters, states, inputs)

    def spread(self, parameters: list[Any]) -> list[Any]:
        axes = [0 if i in self.program.moving[0] else axis for i, axis in enumerate(self.axes)]
        return jax.vmap(self.program.spread, (self.axes,), axes, axis_size=self.size)(parameters)


def _filled(values: list[Any], places: Sequence[int], moved: list[Any]) -> list[Any]:
    merged = dict(zip(places, moved, strict=True))
    return [merged.get(i, value) for i, value in enumerate(values)]


def _shapes(values: PyTree) -> list[Any]:
    return [jax.ShapeDtypeStruct(value.shape, value.dtype, weak_type=_weak(value)) for value in values]


def _weak(value: Any) -> bool:
    return bool(getattr(value, "weak_type", False))


def _real(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jnp.floating)
