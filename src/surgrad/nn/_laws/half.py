"""The law of half precision: over a long sequence a layer computes in bfloat16 nearly what it computes in float32.

Spike trains of two precisions differ after some time, since a membrane potential near the threshold is rounded to
either side. The law therefore compares means over time and whole gradients. A layer may differ by more if it does so in
float32 too when its inputs change by as much as bfloat16 rounds them.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._check.law import NotApplicableError, brief
from surgrad._dtypes import HALF
from surgrad._types import PyTree
from surgrad.nn._contract import Cell, runs_over_time, start, step
from surgrad.nn._laws.probe import LayerProbe, Run, cast, split, unrolled
from surgrad.nn._laws.table import law
from surgrad.nn._loops import scan as loop
from surgrad.nn._loops import summed_wide

_STEPS = 2000
"""Long enough to detect sums in bfloat16, which stop at 256, and the decay of a long time constant in bfloat16."""
_OFF, _CHAOS = 0.15, 4.0
"""The relative error that is allowed, and the factor on the error of rounded inputs, which is added to it.

After 2000 time steps, products in bfloat16 are off by some percent, and sums and decays in bfloat16 by a third or more.
"""
_ROUNDING = 2.0**-8
_CHUNK = 500


@law("over 2000 time steps in bfloat16, means and gradients are near those of float32, in every chunk")
def half_precision(probe: LayerProbe) -> str | None:
    probe.require("pure")
    probe.require_runs()
    if not jnp.issubdtype(probe.inputs.dtype, jnp.floating):
        raise NotApplicableError(f"inputs of {probe.inputs.dtype} have no half precision")
    if (narrow := _narrow_state(probe)) is not None:
        return narrow
    inputs = _long(probe.drawn)
    rounded = jnp.asarray(inputs, "bfloat16").astype("float32")
    noise = np.random.default_rng(1).uniform(-_ROUNDING, _ROUNDING, inputs.shape).astype(np.float32)
    reference = _summary(probe, _watched, rounded)
    shaken = _summary(probe, _watched, rounded * (1 + noise))
    allowed = {what: _OFF + _CHAOS * _relative(shaken[what], value) for what, value in reference.items()}
    paths = {"in steps": _watched, f"unroll(chunk_size={_CHUNK})": _chunked}
    for path, run in list(paths.items())[: 2 if _chunks_too(probe) else 1]:
        try:
            found = _summary(probe, run, rounded.astype("bfloat16"))
        except Exception as error:
            return f"{path}, inputs and numbers of bfloat16: {brief(error)}"
        for what, value in found.items():
            if (off := _relative(value, reference[what])) > allowed[what]:
                return f"{path}: {_far(what, value, reference[what], off)}"
    return None


def _narrow_state(probe: LayerProbe) -> str | None:
    """A message if the state of a user's cell is in half precision although `init` got float32."""
    if isinstance(probe.layer, Cell):
        return None
    state = start(probe.layer, probe.inputs.shape[1:], jnp.bfloat16)
    halves = {str(leaf.dtype) for leaf in jax.tree.leaves(state) if isinstance(leaf, jax.Array) and leaf.dtype in HALF}
    if not halves:
        return None
    return f"init got float32 and returned a state of {', '.join(sorted(halves))}: make the state in the given dtype"


def _chunks_too(probe: LayerProbe) -> bool:
    """Whether chunks are another way to run the layer that agrees with its time steps in float64."""
    try:
        probe.require("unroll_is_scan")
    except NotApplicableError:
        return False
    return runs_over_time(probe.layer)


def _far(what: str, found: np.ndarray, wanted: np.ndarray, off: float) -> str:
    sizes = f"{np.abs(found).mean():.4g}, in float32 {np.abs(wanted).mean():.4g}"
    return (
        f"{what} over {_STEPS} time steps in bfloat16 are {sizes} (mean sizes; {off:.0%} off): states, decays and all "
        f"sums over time must be float32, the dtype that init gets for half-precision inputs"
    )


def _long(inputs: np.ndarray) -> np.ndarray:
    """The inputs of a few samples, repeated over time."""
    few = inputs[:, :4] if inputs.ndim > 2 else inputs
    return np.tile(few, (-(-_STEPS // len(few)), *[1] * (few.ndim - 1)))[:_STEPS].astype(np.float32)


def _summary(probe: LayerProbe, run: Run, inputs: jax.Array) -> dict[str, np.ndarray]:
    """Means over time of outputs and states, and the gradient of the mean output by the layer's numbers, in float32."""
    merged = split(cast(probe.layer, "bfloat16"))[1]

    def mean(numbers: Any, inputs: jax.Array) -> tuple[jax.Array, PyTree]:
        layer = merged(numbers)
        states, outputs = run(layer, start(layer, inputs.shape[1:], inputs.dtype), inputs)
        found = {"means of outputs": split(outputs)[0], "means of states": split(states)[0]}
        means = jax.tree.map(lambda y: y.astype("float32").mean(0), found)
        whole = jnp.stack([y.sum() for y in means["means of outputs"]]).sum()
        return whole, means

    numbers = split(cast(cast(probe.layer, "bfloat16"), inputs.dtype))[0]
    gradient, means = probe.compiled(run.__name__, jax.grad(mean, has_aux=True))(numbers, inputs)
    found = {**means, "gradients by its numbers": gradient}
    return {
        f"{what} ({index})" if len(parts) > 1 else what: np.asarray(part).astype(np.float32)
        for what, parts in found.items()
        for index, part in enumerate(parts)
    }


def _watched(layer: Any, state: PyTree, inputs: jax.Array) -> tuple[PyTree, PyTree]:
    """All states and all outputs, one time step after the other."""

    def watched(layer: Any, state: PyTree, x: jax.Array) -> tuple[PyTree, PyTree]:
        state, output = step(layer, state, x)
        return state, (state, output)

    return loop(summed_wide(watched, layer), state, inputs)[1]


def _chunked(layer: Any, state: PyTree, inputs: jax.Array) -> tuple[PyTree, PyTree]:
    """All outputs, in chunks; a run in chunks has only the last state, which is left out."""
    return (), unrolled(layer, state, inputs, chunk_size=_CHUNK)[1]


def _relative(found: np.ndarray, wanted: np.ndarray) -> float:
    """The mean absolute difference of numbers, relative to their mean size plus 1e-6."""
    with np.errstate(invalid="ignore", over="ignore"):
        return float(np.mean(np.abs(found - wanted)) / (np.mean(np.abs(wanted)) + 1e-6))
