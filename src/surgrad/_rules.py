"""Functions with a derivative rule of their own, which JAX keeps in loops too.

Before version 0.12 JAX forgets the rule of a `jax.custom_jvp` function inside a loop where the first gradient does not
use it: what does not change in the loop is moved out of it, and what stays is evaluated as if there were no rule. The
next derivative is then that of the plain function, 0 for a spike. The rule of a primitive is never forgotten, so there
the function is one. It must be pure, and close over no values that JAX traces.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.custom_derivatives import SymbolicZero
from jax.extend.core import ClosedJaxpr, Primitive, jaxpr_as_fun
from jax.interpreters import ad, batching, mlir

KEPT_BY_JAX = jax.__version_info__ >= (0, 12)
"""Whether JAX keeps rules in loops by itself."""
NAME = "custom_jvp_kept"
"""The name of the primitive; its parameter `jaxpr` is the function."""

Rule = Callable[[Any, Any], tuple[Any, Any]]


class CustomJVP:
    """A pure function to one array with a rule, as `jax.custom_jvp(function)`; all its arguments are differentiated."""

    def __init__(self, function: Callable[..., Any]):
        functools.update_wrapper(self, function)
        self._function = function
        self._ruled = jax.custom_jvp(function)
        self._rule: Rule | None = None

    def defjvp(self, rule: Rule) -> Rule:
        """Give the function a rule, of primals and tangents; a tangent may be a `SymbolicZero`."""
        self._rule = rule
        self._ruled.defjvp(rule, symbolic_zeros=True)
        return rule

    def __call__(self, *arguments: Any) -> Any:
        return self._ruled(*arguments) if KEPT_BY_JAX else self._kept(*arguments)

    def _kept(self, *arguments: Any) -> Any:
        """The function as a primitive, which knows the rule."""
        assert self._rule is not None
        leaves, structure = jax.tree.flatten(arguments)
        function = jax.make_jaxpr(self._function)(*arguments)
        return kept.bind(*leaves, jaxpr=function, rule=_Flat(self._rule, structure))


@dataclasses.dataclass(frozen=True)
class _Flat:
    """A rule of flat lists, in which a tangent may be None for zero."""

    rule: Rule
    structure: Any

    def __call__(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        given = [SymbolicZero(_tangent_of(p)) if t is None else t for p, t in zip(primals, tangents, strict=True)]
        value, along = self.rule(*map(self.structure.unflatten, (primals, given)))
        return value, jnp.zeros_like(value) if isinstance(along, SymbolicZero) else along


@dataclasses.dataclass(frozen=True)
class _Mapped:
    """A rule of flat lists that are mapped over some axes; the result is mapped over its first."""

    rule: Callable[..., Any]
    axes: tuple[int | None, ...]

    def __call__(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
        moving = [i for i, t in enumerate(tangents) if t is not None]

        def one(primals: Sequence[Any], moved: Sequence[Any]) -> Any:
            known = dict(zip(moving, moved, strict=True))
            return self.rule(primals, [known.get(i) for i in range(len(primals))])

        axes = list(self.axes), [self.axes[i] for i in moving]
        return jax.vmap(one, axes)(list(primals), [tangents[i] for i in moving])


def _tangent_of(value: Any) -> Any:
    aval = jax.typeof(value)
    real = jnp.issubdtype(aval.dtype, jnp.inexact)
    return aval if real else ShapedArray(aval.shape, jax.dtypes.float0)


def _compute(*leaves: Any, jaxpr: ClosedJaxpr, rule: Any) -> Any:
    (value,) = jaxpr_as_fun(jaxpr)(*leaves)
    return value


def _derive(primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: ClosedJaxpr, rule: Any) -> tuple[Any, Any]:
    # Outside `jit` JAX passes numbers of Python's as they are.
    primals = [jnp.asarray(p) for p in primals]
    return rule(primals, [None if isinstance(t, ad.Zero) else t for t in tangents])


def _batch(leaves: Sequence[Any], axes: Sequence[Any], *, jaxpr: ClosedJaxpr, rule: Any) -> tuple[Any, int]:
    function = functools.partial(_compute, jaxpr=jaxpr, rule=rule)
    mapped = jax.make_jaxpr(jax.vmap(function, in_axes=tuple(axes)))(*leaves)
    return kept.bind(*leaves, jaxpr=mapped, rule=_Mapped(rule, tuple(axes))), 0


def _type(*leaves: Any, jaxpr: ClosedJaxpr, rule: Any) -> Any:
    return jaxpr.out_avals[0]


kept = Primitive(NAME)
kept.def_impl(_compute)
kept.def_abstract_eval(_type)
ad.primitive_jvps[kept] = _derive
batching.primitive_batchers[kept] = _batch
mlir.register_lowering(kept, mlir.lower_fun(_compute, multiple_results=False))
