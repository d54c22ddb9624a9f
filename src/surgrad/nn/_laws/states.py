"""Laws of a single time step: its state, its outputs, and that it has no side effects."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._check.law import brief
from surgrad._types import PyTree
from surgrad.nn._contract import is_cell, start, step
from surgrad.nn._laws.probe import LayerProbe, cast
from surgrad.nn._laws.table import difference, kinds, law

Shape = tuple[int, ...]


@law("a time step takes the state of init, for any batch, and returns one array, with that batch")
def init_fits(probe: LayerProbe) -> str | None:
    given = probe.inputs.shape[1:]
    wanted = None
    for what, shape in _batches(given).items():
        try:
            output = _step(probe, shape)[1]
        except Exception as error:
            return _refused(probe, what, shape, error)
        if not hasattr(output, "shape"):
            return f"a time step returns {type(output).__name__}; a layer returns one array, (*batch, outputs)"
        batch = shape[: len(shape) - len(given) + 1] if len(given) > 1 else shape[:-1]
        if output.shape[: len(batch)] != batch:
            return f"{what}: inputs of shape {shape} give outputs of {output.shape}, without the batch {batch} in front"
        found = output.shape[len(batch) :]
        wanted = found if wanted is None else wanted
        if found != wanted:
            return f"{what}: outputs are {output.shape} for inputs of {shape}; for {given} they end in {wanted}"
    return None


def _batches(given: Shape) -> dict[str, Shape]:
    """Shapes of the input of a time step: as given, and with other batch axes.

    The first of two or more axes is the batch.
    """
    features = given[1:] if len(given) > 1 else given
    other = given[0] + 1 if len(given) > 1 else 3
    return {
        "as given": given,
        "no batch": features,
        "another batch": (other, *features),
        "two axes of batch": (2, 3, *features),
    }


def _refused(probe: LayerProbe, what: str, shape: Shape, error: Exception) -> str:
    if not is_cell(probe.layer):
        return f"{what}: an input of shape {shape} is refused: {brief(error)}"
    advice = (
        "init must make the state from the shape that it is given, and a time step must not need values, as under jit"
    )
    return f"{what}: init({shape}, dtype) and a step of that shape fail: {brief(error)}; {advice}"


def _step(probe: LayerProbe, shape: Shape, dtype: Any = None, layer: Any = None) -> tuple[PyTree, PyTree, PyTree]:
    """The state before a time step, the output, and the state after it, as shapes and dtypes."""
    layer = probe.layer if layer is None else layer
    dtype = jax.dtypes.canonicalize_dtype(probe.inputs.dtype) if dtype is None else dtype

    def run(x: jax.Array) -> tuple[PyTree, PyTree, PyTree]:
        state = start(layer, x.shape, x.dtype)
        after, output = step(layer, state, x)
        return state, output, after

    return jax.eval_shape(run, jax.ShapeDtypeStruct(shape, dtype))


@law("the state keeps its structure, shapes and dtypes over a time step, also in half precision")
def keeps_state(probe: LayerProbe) -> str | None:
    probe.require_cell()
    halves = [] if not jnp.issubdtype(probe.inputs.dtype, jnp.floating) else ["bfloat16", "float16"]
    for dtype in (None, *halves):
        layer = probe.layer if dtype is None else cast(probe.layer, dtype)
        try:
            before, output, after = _step(probe, probe.inputs.shape[1:], dtype, layer)
        except Exception as error:
            if dtype is None:  # the law init_fits reports it
                probe.require_runs()
            return f"inputs and numbers of {dtype}: {brief(error)}"
        changed = _changed(before, after)
        if changed is None and dtype is None:
            changed = _outputs_changed(probe, output, after)
        if changed is not None:
            where = "" if dtype is None else f"inputs and numbers of {dtype}: "
            return (
                f"{where}{changed}; lax.scan needs the same before and after: change init, or cast it in the time step"
            )
    return None


def _changed(before: PyTree, after: PyTree) -> str | None:
    if jax.tree.structure(before) != jax.tree.structure(after):
        return f"the state is {jax.tree.structure(before)} before a step, and {jax.tree.structure(after)} after it"
    old, new = kinds(before), kinds(after)
    for name, kind in old.items():
        if new[name] != kind:
            return f"{_part(name)} is {kind} before a step, and {new[name]} after it"
    return None


def _part(name: str) -> str:
    return "the state" if name == "it" else f"{name} of the state"


def _outputs_changed(probe: LayerProbe, output: PyTree, state: PyTree) -> str | None:
    """A message if the second output differs from the first one in shape or dtype."""
    x = jax.ShapeDtypeStruct(probe.inputs.shape[1:], jax.dtypes.canonicalize_dtype(probe.inputs.dtype))
    second = jax.eval_shape(lambda state, x: step(probe.layer, state, x)[1], state, x)
    if kinds(output) != kinds(second):
        return f"the first output is {kinds(output)}, and the second one {kinds(second)}"
    return None


@law("the same input gives the same output, and a call does not change the object")
def pure(probe: LayerProbe) -> str | None:
    probe.require_runs()
    before = _attributes(probe.layer)
    first, second = (eagerly(probe.layer, probe.drawn) for _ in range(2))
    if (at := difference(second, first, "the first call")) is not None:
        advice = "a time step must depend only on its state and its input: put counters and random keys into the state"
        return f"called twice, {at}; {advice}"
    if changed := [name for name, value in _attributes(probe.layer).items() if before.get(name) != value]:
        names = ", ".join(changed)
        return (
            f"a call changes {names} of the object; under jit this happens only once, in tracing: put it into the state"
        )
    return None


def _attributes(layer: Any) -> dict[str, Any]:
    """The attributes of an object by identity and size, without the marks of this library."""
    sized = (list, dict, set)
    found = {name: value for name, value in getattr(layer, "__dict__", {}).items() if not name.startswith("_pytree")}
    return {name: (id(value), len(value) if isinstance(value, sized) else 0) for name, value in found.items()}


def eagerly(layer: Any, inputs: np.ndarray, count: int = 2) -> dict[str, PyTree]:
    """The outputs and the last state of some time steps outside `jit`."""
    state, outputs = start(layer, inputs.shape[1:], jax.dtypes.canonicalize_dtype(inputs.dtype)), []
    for x in jnp.asarray(inputs[:count]):
        state, output = step(layer, state, x)
        outputs.append(np.asarray(output))
    return {"outputs": np.stack(outputs), "state": jax.tree.map(np.asarray, state)}
