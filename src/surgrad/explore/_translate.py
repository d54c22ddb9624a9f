"""Translation of traced programs into JavaScript functions of numbers.

Every value of the program is an array of scalars, each of which is a number or the name of a JavaScript variable. What
depends on numbers alone is computed by JAX while translating; what is left becomes one statement for each scalar, and
equal statements become one. `_operations` says how each primitive is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from surgrad.explore._operations import CALLS, ELEMENTWISE, STRUCTURAL, TranslationError
from surgrad.explore._statements import Name, Statements, literal

_LONGEST = 4000
"""Statements of one function. What is longer comes from a search over a grid, which is no formula to draw."""


def javascript(function: Callable[..., Any], *shapes: Any) -> str:
    """Return a JavaScript function with the value of a function of scalars.

    The arguments of the translation are those of the function in order; a tree of scalars becomes an array. If the
    function returns one scalar, so does the translation; else it returns an array of all scalars.

        >>> javascript(lambda x, p: x * p["k"] + 1.0, 1.0, {"k": 2.0})  # doctest: +ELLIPSIS
        '(a,[b])=>{...=a*b,d=c+1;return d}'

    Parameters:
        function: the function; all arguments and results are trees of floating scalars.
        shapes: arguments of the same structure as those that the function will get; their values do not matter.

    Raises:
        TranslationError: a primitive has no translation, the program is too long, or a result is not scalar.
    """
    with jax.enable_x64(True):
        abstract = jax.tree.map(lambda _: jax.ShapeDtypeStruct((), np.float64), shapes)
        program = jax.make_jaxpr(function)(*abstract)
        statements, arguments, names = Statements(), [], []
        for shape in shapes:
            own = [statements.fresh() for _ in jax.tree.leaves(shape)]
            names += own
            single = jax.tree.structure(shape) == jax.tree.structure(0.0)
            arguments.append(own[0] if single else f"[{','.join(own)}]")
        results = _evaluate(program, [_scalar(name) for name in names], statements)
    for result in results:
        if result.shape != ():
            raise TranslationError(f"the result has shape {result.shape}; it must be one number for one x")
    scalars = [result.item() for result in results]
    body = statements.leading_to(scalars)
    shown = literal(scalars[0]) if len(scalars) == 1 else f"[{','.join(map(literal, scalars))}]"
    return f"({','.join(arguments)})=>{{{body}return {shown}}}"


def _scalar(value: Any) -> np.ndarray:
    found = np.empty((), object)
    found[()] = value
    return found


def _objects(value: Any) -> np.ndarray:
    """Return an array of numbers, or the words of a key, as an array of Python objects."""
    key = isinstance(value, jax.Array) and jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key)
    return np.asarray(jax.random.key_data(value) if key else value).astype(object)


def _evaluate(program: ClosedJaxpr, inputs: Sequence[np.ndarray], statements: Statements) -> list[np.ndarray]:
    """Return the results of a program, and add the statements that compute them."""
    jaxpr: Jaxpr = program.jaxpr
    values: dict[Any, np.ndarray] = dict(zip(jaxpr.constvars, map(_objects, program.consts), strict=True))
    values |= dict(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Any) -> np.ndarray:
        return _objects(atom.val) if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        results = _apply(equation, [read(atom) for atom in equation.invars], statements)
        values |= dict(zip(equation.outvars, results, strict=True))
        if len(statements) > _LONGEST:
            raise TranslationError(f"the program takes more than {_LONGEST} statements")
    return [read(atom) for atom in jaxpr.outvars]


def _apply(equation: Any, inputs: list[np.ndarray], statements: Statements) -> list[np.ndarray]:
    """Return the results of one equation."""
    name, parameters = equation.primitive.name, equation.params
    if name in CALLS:
        inner = parameters[CALLS[name]]
        closed = inner if isinstance(inner, ClosedJaxpr) else ClosedJaxpr(inner, ())
        return _evaluate(closed, inputs, statements)
    if name == "random_unwrap":  # a key is held as its words
        return inputs
    if name == "scan" and parameters["length"] <= _LONGEST:
        return _unrolled(parameters, inputs, statements)
    if not any(isinstance(one, Name) for value in inputs for one in value.flat):
        return _folded(equation, inputs)
    if name in STRUCTURAL:
        return [STRUCTURAL[name](statements, parameters, *inputs)]
    if name not in ELEMENTWISE:
        raise TranslationError(f"the primitive {name!r} of JAX has no translation to JavaScript")
    write = ELEMENTWISE[name](parameters, [atom.aval.dtype for atom in equation.invars])
    shape = np.broadcast_shapes(*(value.shape for value in inputs))
    result = np.empty(shape, object)
    spread = [np.broadcast_to(value, shape) for value in inputs]
    for place in np.ndindex(shape):
        result[place] = statements.add(write, [value[place] for value in spread])
    return [result]


def _unrolled(parameters: Any, inputs: list[np.ndarray], statements: Statements) -> list[np.ndarray]:
    """Return the results of a loop of known length, all of whose rounds are written out."""
    consts, carries = parameters["num_consts"], parameters["num_carry"]
    fixed, carry, rows = inputs[:consts], inputs[consts : consts + carries], inputs[consts + carries :]
    rounds = range(parameters["length"])
    stacked: list[list[np.ndarray]] = []
    for i in reversed(rounds) if parameters["reverse"] else rounds:
        row = [one[i : i + 1].reshape(one.shape[1:]) for one in rows]
        results = _evaluate(parameters["jaxpr"], [*fixed, *carry, *row], statements)
        carry = results[:carries]
        stacked.append(results[carries:])
    stacked = stacked[::-1] if parameters["reverse"] else stacked
    return [*carry, *(np.stack(column) for column in zip(*stacked, strict=True))]


def _folded(equation: Any, inputs: list[np.ndarray]) -> list[np.ndarray]:
    """Return the results of an equation whose inputs are numbers, as JAX computes them."""
    arrays = [np.asarray(v, atom.aval.dtype) for v, atom in zip(inputs, equation.invars, strict=True)]
    with jax.ensure_compile_time_eval():
        found = equation.primitive.bind(*arrays, **equation.params)
    return [_objects(one) for one in (found if equation.primitive.multiple_results else [found])]
