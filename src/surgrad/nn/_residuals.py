"""What the backward pass stores of spikes: whether there was one.

JAX stores the floating-point inputs of a product for its gradient by the weights. Where they are made of booleans, as
spikes are, the booleans are enough: a quarter of the bytes of float32, and less time, since a page of fresh memory
costs as much as the arithmetic on it. JAX keeps the floats too, for derivatives of the backward pass; the compiler
leaves them out of a program that has none.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from surgrad._rules import CustomJVP
from surgrad._types import PyTree
from surgrad.nn._fused.elementwise import UNCHANGED
from surgrad.nn._fused.tape import Atom, Constant, Tape

SAME = frozenset(("convert_element_type", "copy", "copy_p", "transpose", *UNCHANGED))
"""Operations of one operand that leave 0 and 1 as they are."""
CHOOSING = frozenset(("and", "max", "min", "mul", "or", "select_n"))
"""Operations that make 0 or 1 of operands that are."""


class Made(NamedTuple):
    """The outputs of many time steps of a cell, `(time, ...)`, with what made them: the step, its state and inputs."""

    step: Callable[..., Any]
    state: PyTree
    inputs: PyTree
    outputs: PyTree


def through(function: Callable[[PyTree], PyTree], made: Made) -> PyTree:
    """A linear function of the outputs of a cell; the backward pass stores whether there were spikes where it can.

    It computes again what else it needs of the function: nothing, if that is one product.
    """
    narrow = stored(made)
    if narrow is made.outputs:
        return function(made.outputs)

    def again(narrow: PyTree, outputs: PyTree) -> PyTree:
        return function(jax.tree.map(restored, narrow, outputs))

    return jax.checkpoint(again, prevent_cse=False)(narrow, made.outputs)


def stored(made: Made) -> PyTree:
    """What is enough to know the outputs: booleans in place of floats that each step makes of booleans."""
    leaves, structure = jax.tree.flatten(made.outputs)
    if not leaves or not all(map(len, jax.tree.leaves(made.inputs))):
        return made.outputs

    def first(state: PyTree, inputs: PyTree) -> tuple[PyTree, PyTree]:
        return made.step(state, jax.tree.map(lambda x: x[0], inputs))

    known = zeros_or_ones(first, made.state, made.inputs)
    if not any(known):
        return made.outputs
    pairs = zip(leaves, known, strict=True)
    return structure.unflatten([leaf != 0 if spikes else leaf for leaf, spikes in pairs])


@CustomJVP
def restored(narrow: Array, outputs: Array) -> Array:
    """The outputs as they were stored, with all derivatives of the outputs themselves."""
    return narrow.astype(outputs.dtype)


@restored.defjvp
def _restored_jvp(primals: Any, tangents: Any) -> tuple[Array, Any]:
    return restored(*primals), tangents[1]


def zeros_or_ones(step: Callable[..., Any], state: PyTree, x: PyTree) -> list[bool]:
    """Of each array that a time step puts out, whether it is a float that is 0 or 1 for all states and inputs.

    It is read off the operations that JAX traces.
    """
    tape = Tape(lambda state, x: step(state, x)[1], state, x)
    known = {number for number in tape.inputs if tape.types[number].dtype == jnp.bool_}

    def is_known(atom: Atom) -> bool:
        if not isinstance(atom, Constant):
            return atom in known
        return isinstance(atom.value, int | float | np.ndarray | np.generic) and atom.value in (0, 1)

    for primitive, _, inputs, outputs in tape.operations:
        operands = inputs[primitive.name == "select_n" :]
        keeps = primitive.name in CHOOSING or (primitive.name in SAME and len(inputs) == 1)
        kept = keeps and all(map(is_known, operands))
        known.update(number for number in outputs if kept or tape.types[number].dtype == jnp.bool_)

    def is_float(atom: Atom) -> bool:
        return isinstance(atom, int) and jnp.issubdtype(tape.types[atom].dtype, jnp.inexact)

    return [is_float(atom) and is_known(atom) for atom in tape.outputs]
