"""Laws of time: all ways to run a layer agree with `lax.scan`, and no output depends on later inputs."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np

from surgrad._check.law import NotApplicableError, brief
from surgrad._types import PyTree
from surgrad.nn._contract import is_cell, over_time, promises, runs_over_time
from surgrad.nn._laws.probe import SCAN, LayerProbe, split, unrolled
from surgrad.nn._laws.table import difference, law


@law("unroll agrees with lax.scan of the time steps, in every chunk and segment, alone and in a network")
def unroll_is_scan(probe: LayerProbe) -> str | None:
    probe.require("pure")
    others = [] if runs_over_time(probe.layer) else [probe.whole_chunks, probe.chunks]  # the same as in a network
    paths = [path for path in probe.paths if path not in (SCAN, probe.whole_segments, *others)]
    for inputs in (probe.inputs, probe.drawn):
        wanted = probe.values(SCAN, inputs)
        for path in paths:
            try:
                found = probe.values(path, inputs)
            except Exception as error:
                return f"{path} fails where lax.scan does not: {brief(error)}"
            if (at := difference(found, wanted, SCAN)) is not None:
                return f"{path}: {at}; {_culprit(probe)}"
    found = _last(probe)
    wanted = {"outputs": wanted["outputs"][-1:], "state": wanted["state"]}
    at = difference(found, wanted, "the last step of lax.scan")
    return None if at is None else f"unroll(keep='last'): {at}; {_culprit(probe)}"


def _last(probe: LayerProbe) -> dict[str, PyTree]:
    """The last output, with a time axis, and the last state of a run that keeps no others."""
    chunk = probe.lengths[1]
    with probe.precision():
        numbers, merged = split(probe.widened())
        options = {"keep": "last", "chunk_size": chunk}
        run = probe.compiled("last", lambda numbers, state, x: unrolled(merged(numbers), state, x, **options))
        last, output = run(numbers, *probe.at_rest())
        return jax.tree.map(np.asarray, {"outputs": output[None], "state": last})


def _culprit(probe: LayerProbe) -> str:
    """What to correct if a run over time differs from single time steps."""
    name = probe.name
    if is_cell(probe.layer):
        if runs_over_time(probe.layer):
            return f"correct {name}.over_time, or remove it: unroll then runs the time steps"
        return f"a time step of {name} must depend only on its state and its input"
    if promises(probe.layer, "takes_time"):
        return f"correct {name}, or set takes_time = False: it then sees one time step at a time"
    return f"{name} must depend only on its input"


@law("outputs of a cell do not depend on later inputs")
def causal(probe: LayerProbe) -> str | None:
    probe.require_cell()
    path, step = list(probe.paths)[-1], probe.lengths[1] - 1
    later = _moved(probe.drawn, slice(step, None))
    found, wanted = (probe.values(path, x)["outputs"][:step] for x in (later, probe.drawn))
    at = difference({"outputs": found}, {"outputs": wanted}, "the run without")
    return None if at is None else f"{path}, with other inputs from step {step} on: {at}; {_culprit(probe)}"


@law("a connection does not look across time: an output depends only on the input of its time step")
def no_time(probe: LayerProbe) -> str | None:
    if is_cell(probe.layer):
        raise NotApplicableError("a cell has a state: see causal")
    middle = len(probe.drawn) // 2
    other = _moved(probe.drawn, slice(middle, middle + 1))
    with probe.precision():
        numbers, merged = split(probe.widened())
        run = probe.compiled("no time", lambda numbers, x: over_time(merged(numbers), None, x)[1])
        outputs = [np.asarray(run(numbers, probe.at_rest(x)[1])) for x in (other, probe.drawn)]
    rest = np.arange(len(outputs[0])) != middle
    kept = [np.where(rest.reshape(-1, *[1] * (y.ndim - 1)), y, 0) for y in outputs]
    at = difference({"outputs": kept[0]}, {"outputs": kept[1]}, "the run without")
    return None if at is None else f"with another input at step {middle} alone: {at}; {_culprit(probe)}"


def _moved(inputs: np.ndarray, where: Any) -> np.ndarray:
    """The inputs, changed in some places."""
    other = inputs.copy()
    other[where] = ~inputs[where] if inputs.dtype == bool else 2 * inputs[where] + 1
    return other
