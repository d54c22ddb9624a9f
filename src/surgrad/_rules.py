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
    """A pure function with a rule, as `jax.custom_jvp(function)`, without arguments that are not differentiated."""

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
        function, shapes = jax.make_jaxpr(self._function, return_shape=True)(*arguments)
        rule = _Flat(self._rule, structure)
        return jax.tree.unflatten(jax.tree.structure(shapes), kept.bind(*leaves, jaxpr=function, rule=rule))


@dataclasses.dataclass(frozen=True)
class _Flat:
    """A rule of flat lists, in which a tangent may be None for zero."""

    rule: Rule
    structure: Any

    def __call__(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        given = [SymbolicZero(_tangent_of(p)) if t is None else t for p, t in zip(primals, tangents, strict=True)]
        values, along = self.rule(*map(self.structure.unflatten, (primals, given)))
        found = zip(jax.tree.leaves(values), jax.tree.leaves(along), strict=True)
        values, along = zip(*found, strict=True) if (found := list(found)) else ((), ())
        return list(values), [None if _is_zero(t) else t for t in along]


@dataclasses.dataclass(frozen=True)
class _Mapped:
    """A rule of flat lists that are mapped over some axes; results are mapped over their first."""

    rule: Callable[..., Any]
    axes: tuple[int | None, ...]

    def __call__(self, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        moving = [i for i, t in enumerate(tangents) if t is not None]
        which: list[int] = []

        def one(primals: Sequence[Any], moved: Sequence[Any]) -> Any:
            known = dict(zip(moving, moved, strict=True))
            values, along = self.rule(primals, [known.get(i) for i in range(len(primals))])
            which[:] = [i for i, t in enumerate(along) if t is not None]
            return values, [along[i] for i in which]

        axes = list(self.axes)
        values, moved = jax.vmap(one, (axes, [axes[i] for i in moving]))(list(primals), [tangents[i] for i in moving])
        known = dict(zip(which, moved, strict=True))
        return values, [known.get(i) for i in range(len(values))]


def _tangent_of(value: Any) -> Any:
    aval = jax.typeof(value)
    real = jnp.issubdtype(aval.dtype, jnp.inexact)
    return aval if real else ShapedArray(aval.shape, jax.dtypes.float0)


def _is_zero(tangent: Any) -> bool:
    return isinstance(tangent, SymbolicZero) or tangent.dtype == jax.dtypes.float0


def _compute(*leaves: Any, jaxpr: ClosedJaxpr, rule: Any) -> list[Any]:
    return jaxpr_as_fun(jaxpr)(*leaves)


def _derive(primals: Sequence[Any], tangents: Sequence[Any], *, jaxpr: ClosedJaxpr, rule: Any) -> Any:
    # Outside `jit` JAX passes numbers of Python's as they are.
    primals = [p if isinstance(p, jax.Array) else jnp.asarray(p, jax.typeof(p).dtype) for p in primals]
    values, along = rule(primals, [None if isinstance(t, ad.Zero) else t for t in tangents])
    return values, [ad.Zero(_tangent_of(v)) if t is None else t for v, t in zip(values, along, strict=True)]


def _batch(leaves: Sequence[Any], axes: Sequence[Any], *, jaxpr: ClosedJaxpr, rule: Any) -> Any:
    mapped = jax.make_jaxpr(jax.vmap(jaxpr_as_fun(jaxpr), in_axes=tuple(axes)))(*leaves)
    values = kept.bind(*leaves, jaxpr=mapped, rule=_Mapped(rule, tuple(axes)))
    return values, [0] * len(values)


kept = Primitive(NAME)
kept.multiple_results = True
kept.def_impl(_compute)
kept.def_abstract_eval(lambda *leaves, jaxpr, rule: jaxpr.out_avals)
ad.primitive_jvps[kept] = _derive
batching.primitive_batchers[kept] = _batch
mlir.register_lowering(kept, mlir.lower_fun(_compute, multiple_results=True))
