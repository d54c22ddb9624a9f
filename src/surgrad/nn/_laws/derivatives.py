"""Laws of derivatives: all ways to run a layer have the derivatives of `lax.scan`, of first and second order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._check.law import brief
from surgrad._types import PyTree
from surgrad.nn._contract import is_cell, runs_over_time
from surgrad.nn._laws.probe import SCAN, LayerProbe, is_floating, split
from surgrad.nn._laws.table import difference, law

NUMBERS, INPUTS = "by its numbers", "by the inputs"
Modes = Callable[[Callable[..., Any], Any], Any]


def function_of(run: Callable[..., Any], merged: Any, state: PyTree) -> Callable[..., Any]:
    """The floating outputs and states of a run, as a function of the layer's numbers, the state and the inputs."""
    rest = split(state)[1]

    def function(numbers: Any, floats: Any, inputs: Any) -> tuple[list[jax.Array], list[jax.Array]]:
        last, outputs = run(merged(numbers), rest(floats), inputs)
        return split(outputs)[0], split(last)[0]

    return function


def total(outputs: Any, last: Any = ()) -> jax.Array:
    """A loss that depends on all outputs, with another weight at each time step, and on the last state."""
    whole = jnp.zeros((), jnp.result_type(float))
    for y in outputs:
        when = jnp.sin(1.0 + jnp.arange(len(y), dtype=y.dtype)).reshape(-1, *[1] * (y.ndim - 1))
        whole = whole + jnp.sum(y * (when + 0.5 * y)).astype(whole.dtype)
    for value in last:
        whole = whole + jnp.sum(value * (0.3 + 0.5 * value)).astype(whole.dtype)
    return whole


def reverse(function: Callable[..., Any], at: Any) -> PyTree:
    """Gradients of `total` by numbers, state and inputs: of the outputs alone, and with the last state."""
    (outputs, last), pull = jax.vjp(function, *at)
    by_outputs, by_all = jax.grad(total)(outputs), jax.grad(total, (0, 1))(outputs, last)
    return {
        "of the outputs": _named(pull((by_outputs, jax.tree.map(jnp.zeros_like, last)))),
        "of outputs and last state": _named(pull(by_all)),
    }


def forward(function: Callable[..., Any], at: Any) -> PyTree:
    """The derivative of outputs and last state in one direction of numbers, state and inputs."""
    outputs, last = jax.jvp(function, at, _direction(at))[1]
    return {"outputs": outputs, "last state": last}


def forward_over_reverse(function: Callable[..., Any], at: Any) -> PyTree:
    """The derivative of the gradient of `total` in one direction."""
    gradient = jax.grad(lambda at: total(*function(*at)))
    return _named(jax.jvp(gradient, (at,), (_direction(at),))[1])


def reverse_over_reverse(function: Callable[..., Any], at: Any) -> PyTree:
    """The gradient of the squared norm of the gradient of `total`."""
    gradient = jax.grad(lambda at: total(*function(*at)))
    return _named(jax.grad(lambda at: sum(jnp.sum(g**2) for g in jax.tree.leaves(gradient(at))))(at))


def _named(derivatives: Any) -> dict[str, Any]:
    return dict(zip((NUMBERS, "by the state", INPUTS), derivatives, strict=True))


def _direction(at: Any) -> Any:
    return jax.tree.map(lambda a: jnp.sin(1.0 + jnp.arange(a.size, dtype=a.dtype)).reshape(a.shape), at)


def _by_name(probe: LayerProbe, found: PyTree) -> PyTree:
    """The derivatives with those by the layer's numbers named."""
    if not isinstance(found, dict):
        return found
    return {key: probe.by_name(value) if key == NUMBERS else _by_name(probe, value) for key, value in found.items()}


def derivatives(probe: LayerProbe, mode: Modes, path: str, inputs: np.ndarray | None = None) -> PyTree:
    """Derivatives of a run from rest; None means the drawn inputs."""

    def compute() -> PyTree:
        with probe.precision():
            state, x = probe.at_rest(inputs)
            numbers, merged = split(probe.widened())

            def all_of(numbers: Any, state: PyTree, x: jax.Array) -> PyTree:
                function = function_of(probe.paths[path], merged, state)
                if is_floating(x):
                    return mode(function, (numbers, split(state)[0], x))
                return mode(lambda *at: function(*at[:2], x), (numbers, split(state)[0], jnp.zeros(())))

            run = probe.compiled(f"{mode.__name__}, {path}", all_of)
            return _by_name(probe, jax.tree.map(np.asarray, run(numbers, state, x)))

    return probe.cached((mode.__name__, f"{path} {inputs is None}"), compute)


def _as_scan(probe: LayerProbe, mode: Modes, *paths: str) -> str | None:
    """A message if the derivatives of a run are not those of `lax.scan`; skipped if the values differ already."""
    probe.require("pure")
    probe.require("unroll_is_scan")
    wanted = derivatives(probe, mode, SCAN)
    for path in paths:
        try:
            found = derivatives(probe, mode, path)
        except Exception as error:
            return f"{path} fails where lax.scan does not: {brief(error)}"
        if (at := difference(found, wanted, SCAN)) is not None:
            where = f"{probe.name}.over_time" if is_cell(probe.layer) else probe.name
            return f"{path}: the derivative {at}; look for stop_gradient and for custom derivatives in {where}"
    return None


@law("the gradient by numbers, state and inputs is that of lax.scan, in every chunk and segment")
def reverse_mode(probe: LayerProbe) -> str | None:
    chunks = [probe.chunks] if runs_over_time(probe.layer) else []
    return _as_scan(probe, reverse, *chunks, probe.segments)


@law("forward-mode derivatives are those of lax.scan")
def forward_mode(probe: LayerProbe) -> str | None:
    probe.require("pure")
    try:
        derivatives(probe, forward, SCAN)
    except TypeError as error:
        return f"{brief(error)} Use jax.custom_jvp, from which JAX derives reverse mode too"
    return _as_scan(probe, forward, probe.chunks if runs_over_time(probe.layer) else probe.whole_segments)


@law("second derivatives are those of lax.scan: forward over reverse, and reverse over reverse")
def second_derivatives(probe: LayerProbe) -> str | None:
    broken = _as_scan(probe, forward_over_reverse, probe.whole_segments)
    if broken is not None or not runs_over_time(probe.layer):
        return broken
    return _as_scan(probe, reverse_over_reverse, probe.whole_chunks)
