"""Laws of a surrogate in programs: shapes and dtypes, transformations of JAX, documentation."""

from __future__ import annotations

import functools
import inspect
import re
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._check.comparison import excess, worst
from surgrad._check.law import NotApplicableError, Table, brief
from surgrad._check.surrogate_probe import GRID, SPIKE, Probe
from surgrad._constructors import constructor_parameters
from surgrad._from_function import FromFun, FromGrad
from surgrad._surrogate import Surrogate
from surgrad.forward._exact import mode_of
from surgrad.forward._mode import keeps

PROGRAM_LAWS = Table()
_SHAPES = ((), (0,), (1,), (5,), (2, 3), (2, 0, 3), (4, 1, 2))
_DTYPES = ("float16", "bfloat16", "float32")
Methods = tuple[tuple[str, str], ...]
_FEW = np.array([-2.3, -0.4, -0.03, 0.0, 0.02, 0.7, 1.9], np.float32)


@PROGRAM_LAWS.law("shape and dtype are kept, and entries do not see each other")
def shapes(probe: Probe) -> str | None:
    for name, method in {"spike": SPIKE, **probe.methods}.items():
        cases = [(s, "float32") for s in _SHAPES] + [((5,), d) for d in _DTYPES]
        for shape, dtype in cases:
            given = jax.ShapeDtypeStruct((*shape, *probe.parameter_shape), jnp.dtype(dtype))
            found = jax.eval_shape(getattr(probe.surrogate, method), given)
            if (found.shape, found.dtype) != (given.shape, given.dtype):
                return f"the {name} of x of {_kind(given)} is of {_kind(found)}"
        if method == SPIKE and not _is_elementwise(probe):
            continue
        outside = probe.spread(np.abs(GRID) >= 1)
        together = probe.value(method, "float32")
        alone = probe.at(np.where(outside, probe.x, 1e3), method, "float32")
        if (at := worst(np.where(outside, excess(together, alone), -1.0))) is not None:
            values = f"{together[at]:.4g} to {alone[at]:.4g}"
            return f"the {name} at x = {probe.x[at]:.6g} goes from {values} when other entries change"
    return None


def _is_elementwise(probe: Probe) -> bool:
    """Whether the forward mode promises that entries do not see each other; one that draws for all at once does not."""
    return keeps(mode_of(probe.surrogate), "elementwise")


def _kind(array: Any) -> str:
    return f"{array.dtype}[{','.join(map(str, array.shape))}]"


@PROGRAM_LAWS.law("jit, vmap, grad and scan give what eager evaluation gives")
def transforms(probe: Probe) -> str | None:
    x = jnp.asarray(probe.spread(_FEW))
    methods = ((("spike", SPIKE),) if _is_elementwise(probe) else ()) + tuple(probe.methods.items())
    eager = _values(probe.surrogate, x, methods)
    eager["gradient"] = jax.vjp(lambda v: probe.surrogate(v), x)[1](jnp.ones_like(x))[0]
    transformed = _transformed(probe.surrogate, x, methods)
    for transform in _TRANSFORMS:
        for what, values in transformed[transform].items():
            if what not in eager:  # spikes that are drawn for all entries at once
                continue
            here, wanted = np.asarray(values), np.asarray(eager[what])
            if here.shape != wanted.shape:
                return f"{transform}: {_kind(here)} for the {what}, eagerly {_kind(wanted)}"
            if (at := worst(excess(here, wanted))) is not None:
                return f"{transform}: the {what} is {here[at]:.4g} at x = {x[at]:.6g}, eagerly {wanted[at]:.4g}"
    return None


@functools.partial(jax.jit, static_argnums=2)
def _transformed(surrogate: Surrogate, x: jax.Array, methods: Methods) -> dict[str, dict[str, jax.Array]]:
    """Return the results of all transformations, computed in one program."""
    found = {}
    for name, transform in _TRANSFORMS.items():
        try:
            found[name] = transform(surrogate, x, methods)
        except Exception as error:
            raise RuntimeError(f"{name}: {brief(error)}") from error
    return found


def _values(surrogate: Surrogate, x: jax.Array, methods: Methods) -> dict[str, jax.Array]:
    return {name: getattr(surrogate, method)(x) for name, method in methods}


def _mapped(surrogate: Surrogate, x: jax.Array, methods: Methods) -> dict[str, jax.Array]:
    return jax.vmap(lambda row: _values(surrogate, row, methods))(x)


def _differentiated(surrogate: Surrogate, x: jax.Array, methods: Methods) -> dict[str, jax.Array]:
    return {"gradient": jax.vmap(jax.grad(lambda row: surrogate(row).sum()))(x)}


def _scanned(surrogate: Surrogate, x: jax.Array, methods: Methods) -> dict[str, jax.Array]:
    def total(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        spikes = jax.lax.scan(lambda carry, row: (carry, surrogate(row)), 0.0, x)[1]
        return spikes.sum(), spikes

    gradient, spikes = jax.grad(total, has_aux=True)(x)
    return {"spike": spikes, "gradient": gradient}


_TRANSFORMS = {"jit": _values, "vmap": _mapped, "grad": _differentiated, "scan": _scanned}


@PROGRAM_LAWS.law("a docstring names every hyperparameter", advice=True)
def documented(probe: Probe) -> str | None:
    owner, text, names = _documentation(probe.surrogate)
    if not text:
        return f"{owner} has no docstring"
    missing = [name for name in names if not re.search(rf"\b{re.escape(name)}\b", text)]
    return f"the docstring of {owner} does not name {', '.join(missing)}" if missing else None


def _documentation(surrogate: Surrogate) -> tuple[str, str, list[str]]:
    """Return the name of the documented object, its documentation, and the names of the hyperparameters."""
    cls = type(surrogate)
    if isinstance(surrogate, (FromFun, FromGrad)):
        function = surrogate.function
        name = getattr(function, "__name__", repr(function))
        if name == "<lambda>":
            raise NotApplicableError("made of a lambda, which can have no docstring")
        return name, inspect.getdoc(function) or "", list(surrogate.names)
    text = cls.__doc__ or ""
    if text.startswith(f"{cls.__name__}("):  # what `dataclass` writes where there is none
        text = ""
    if "__init__" in vars(cls):
        text += cls.__init__.__doc__ or ""
    ordinary = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    options = Surrogate.__dataclass_fields__  # type: ignore[attr-defined]
    names = [p.name for p in constructor_parameters(cls) if p.kind in ordinary and p.name not in options]
    return cls.__name__, text, names
