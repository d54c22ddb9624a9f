"""What the backward pass stores of spikes: whether there was one.

JAX stores the floating-point inputs of a product for its gradient by the weights. Where they are made of booleans, as
spikes are, the booleans are enough: a quarter of the bytes of float32, and less time, since a page of fresh memory
costs as much as the arithmetic on it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from surgrad._types import PyTree
from surgrad.nn._fused.elementwise import UNCHANGED
from surgrad.nn._fused.tape import WITHOUT_RULES, Atom, Constant, Tape

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
        return function(jax.tree.map(_restored, narrow, outputs))

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


@jax.custom_jvp
def _restored(narrow: Array, outputs: Array) -> Array:
    """The outputs that were stored, with the derivatives of the outputs; those of spikes are constant in rules."""
    return narrow.astype(outputs.dtype)


_restored.defjvp(lambda primals, tangents: (primals[0].astype(primals[1].dtype), tangents[1]))


def zeros_or_ones(step: Callable[..., Any], state: PyTree, x: PyTree) -> list[bool]:
    """Of each array that a time step puts out, whether it is 0 or 1 for all states and inputs, and made of booleans.

    It is read off the forward pass that JAX derives from the step, so that it holds for the second derivative too: a
    step made of booleans has none, where a derivative rule of its own could give it one.
    """
    leaves, structure = jax.tree.flatten((state, x))
    moving = [i for i, leaf in enumerate(leaves) if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)]

    def forward(leaves: list[Any]) -> Any:
        def output(values: list[Any]) -> Any:
            merged = dict(zip(moving, values, strict=True))
            return step(*structure.unflatten([merged.get(i, leaf) for i, leaf in enumerate(leaves)]))[1]

        return jax.vjp(output, [leaves[i] for i in moving])[0]

    return known_zeros_or_ones(Tape(forward, leaves, calls=WITHOUT_RULES))


def known_zeros_or_ones(tape: Tape) -> list[bool]:
    """Of each output of a function, whether it is a float that is known to be 0 or 1."""
    makers = {made: operation for operation in tape.operations for made in operation.outputs}

    @functools.cache
    def known(atom: Atom) -> bool:
        if isinstance(atom, Constant):
            return isinstance(atom.value, int | float | np.ndarray | np.generic) and atom.value in (0, 1)
        if tape.types[atom].dtype == jnp.bool_:
            return True
        if (maker := makers.get(atom)) is None:
            return False
        name = maker.primitive.name
        if name in CHOOSING:
            return all(map(known, maker.inputs[name == "select_n" :]))
        return name in SAME and len(maker.inputs) == 1 and known(maker.inputs[0])

    def floats(atom: Atom) -> bool:
        return isinstance(atom, int) and jnp.issubdtype(tape.types[atom].dtype, jnp.inexact)

    return [floats(atom) and known(atom) for atom in tape.outputs]
