"""A step of a cell as a list of operations, and which of them depend on parameters alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import ShapedArray
from jax.extend.core import ClosedJaxpr, Literal

from surgrad import _rules as rules
from surgrad.nn._loops import varying_alike

CALLS = {
    name: params
    for params, names in {
        "jaxpr": ("jit", "pjit", "remat", "remat2", "checkpoint", rules.NAME),
        "call_jaxpr": ("closed_call", "core_call", "custom_jvp_call", "custom_vjp_call"),
        "fun_jaxpr": ("custom_vjp_call_jaxpr",),
    }.items()
    for name in names
}
"""Operations that call a function, and where the function stands. They are replaced by what the function does."""

RESHAPES = ("broadcast_in_dim", "reshape", "squeeze", "expand_dims")
"""Operations that give one number another shape."""


@dataclasses.dataclass(frozen=True, eq=False)
class Constant:
    """A number or an array that stands in the step itself."""

    value: Any


Atom = int | Constant
"""The number of a value on the tape, or a constant."""


class Operation(NamedTuple):
    """An operation of JAX on values of a tape."""

    primitive: Any
    params: dict[str, Any]
    inputs: tuple[Atom, ...]
    outputs: tuple[int, ...]


class Tape:
    """The operations of a function, with all calls of inner functions replaced by what they do.

    Derivative rules are replaced too, so a tape is evaluated and never differentiated.

    Attributes:
        inputs: the numbers of the flat arguments.
        outputs: the flat results.
        operations: in order.
        types: shape and dtype of the values.
        constants: arrays that stand in the function itself, by their numbers.
    """

    def __init__(self, function: Callable[..., Any], *arguments: Any):
        self._closed = closed = jax.make_jaxpr(function)(*arguments)
        self.types: list[ShapedArray] = []
        self.operations: list[Operation] = []
        self.constants: dict[int, Any] = {}
        self.inputs = self._numbered(closed.jaxpr.invars)
        self.outputs = self._record(closed, self.inputs)

    @property
    def shown(self) -> str:
        """The function as JAX shows it."""
        return str(self._closed)

    def _numbered(self, variables: Iterable[Any]) -> tuple[int, ...]:
        first = len(self.types)
        self.types += [variable.aval for variable in variables]
        return tuple(range(first, len(self.types)))

    def _constant(self, value: Any) -> Atom:
        if np.size(value) == 1:
            return Constant(value)
        self.types.append(ShapedArray(np.shape(value), jnp.result_type(value)))
        number = len(self.types) - 1
        self.constants[number] = value
        return number

    def _record(self, closed: ClosedJaxpr, inputs: Sequence[Atom]) -> list[Atom]:
        jaxpr = closed.jaxpr
        known: dict[Any, Atom] = dict(zip(jaxpr.constvars, map(self._constant, closed.consts), strict=True))
        known |= dict(zip(jaxpr.invars, inputs, strict=True))

        def read(variable: Any) -> Atom:
            return Constant(variable.val) if isinstance(variable, Literal) else known[variable]

        for eqn in jaxpr.eqns:
            read_here = [read(variable) for variable in eqn.invars]
            if (place := CALLS.get(eqn.primitive.name)) in eqn.params:
                inner = eqn.params[place]
                inner = inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
                made: Sequence[Atom] = self._record(inner, read_here)
            else:
                made = numbers = self._numbered(eqn.outvars)
                self.operations.append(Operation(eqn.primitive, eqn.params, tuple(read_here), numbers))
            known |= dict(zip(eqn.outvars, made, strict=True))
        return [read(variable) for variable in jaxpr.outvars]

    def moved_by(self, inputs: Iterable[int]) -> set[int]:
        """The values that depend on some inputs."""
        moved = set(inputs)
        for operation in self.operations:
            if moved.intersection(atom for atom in operation.inputs if isinstance(atom, int)):
                moved.update(operation.outputs)
        return moved

    def needed(self, wanted: Iterable[Atom], among: Callable[[Operation], bool]) -> list[Operation]:
        """The operations, of those that a function chooses, whose results some values need; in order."""
        needed = {atom for atom in wanted if isinstance(atom, int)}
        found = []
        for operation in reversed(self.operations):
            if among(operation) and needed.intersection(operation.outputs):
                needed.update(atom for atom in operation.inputs if isinstance(atom, int))
                found.append(operation)
        return found[::-1]


def evaluate(operations: Iterable[Operation], values: dict[int, Any]) -> None:
    """Evaluate operations as JAX does, and add their results to the values."""
    for operation in operations:
        inputs = [atom.value if isinstance(atom, Constant) else values[atom] for atom in operation.inputs]
        made = operation.primitive.bind(*varying_alike(*map(jnp.asarray, inputs)), **operation.params)
        values |= dict(zip(operation.outputs, made if operation.primitive.multiple_results else [made], strict=True))


class Split:
    """A tape in two: what depends on parameters alone, once, and what every time step does.

    Numbers that one time step needs of the parameters, such as the decay of a time constant or the peak of a slope,
    are computed before the loop and passed to it.

    Attributes:
        derived: the values that the loop takes, each one number or one a neuron.
        operations: of a time step.
        outputs: of a time step.
        shown: the function as JAX shows it.
    """

    def __init__(self, tape: Tape, parameters: int):
        """Split a tape whose first inputs are parameters; the others change from step to step."""
        self.tape = tape
        self.parameters, self.inputs = tape.inputs[:parameters], tape.inputs[parameters:]
        moved = tape.moved_by(self.inputs)
        self._makers = {made: op for op in tape.operations for made in op.outputs if made not in moved}
        self.operations = tape.needed(tape.outputs, lambda op: not moved.isdisjoint(op.outputs))
        one = {
            atom: self._one_number(atom)
            for atom in [*tape.outputs, *(atom for op in self.operations for atom in op.inputs)]
            if atom not in moved and isinstance(atom, int)
        }
        self.operations = [op._replace(inputs=tuple(_swapped(one, op.inputs))) for op in self.operations]
        self.outputs = _swapped(one, tape.outputs)
        self.derived = list(dict.fromkeys(atom for atom in one.values() if isinstance(atom, int)))
        self.shown = tape.shown
        self._before = tape.needed(self.derived, lambda op: moved.isdisjoint(op.outputs))

    def _one_number(self, atom: Atom) -> Atom:
        """The one number that a value repeats in another shape, or else the value."""
        found = atom
        while isinstance(found, int) and (maker := self._makers.get(found)) and maker.primitive.name in RESHAPES:
            found = maker.inputs[0]
        size = getattr(found.value, "size", 1) if isinstance(found, Constant) else self.tape.types[found].size
        return found if size == 1 else atom

    def derive(self, parameters: Sequence[Any], shape: tuple[int, ...]) -> list[Any]:
        """The values that the loop takes, from the parameters: of one number each, or of a shape."""
        values = self.tape.constants | dict(zip(self.parameters, parameters, strict=True))
        evaluate(self._before, values)
        found = [jnp.asarray(values[number]) for number in self.derived]
        return [value.reshape(()) if value.size == 1 else jnp.broadcast_to(value, shape) for value in found]


def _swapped(by: dict[int, Atom], atoms: Iterable[Atom]) -> list[Atom]:
    return [by.get(atom, atom) if isinstance(atom, int) else atom for atom in atoms]
