"""Laws of promises: a layer does what its class promises."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from surgrad._check.law import NotApplicableError
from surgrad._check.surrogate_probe import Probe
from surgrad._surrogate import Surrogate
from surgrad.forward._exact import mode_of
from surgrad.forward._mode import keeps
from surgrad.nn._contract import over_time, promises, start
from surgrad.nn._fused.elementwise import MixedNeuronsError
from surgrad.nn._laws.probe import SCAN, LayerProbe, cast, split
from surgrad.nn._laws.table import difference, kind, law

_OF_CELLS = (
    *("spiking", "elementwise", "linear_response", "relays"),
    *("keeps_inputs", "feeds_back", "over_time", "in_order"),
)
PROMISES = (*_OF_CELLS, "takes_time", "linear_in_inputs", "whole_sequence", "weighted")
"""The promises that a class may make; the contract of layers explains them."""


def _require(probe: LayerProbe, promise: str) -> None:
    if not promises(probe.layer, promise):
        raise NotApplicableError(f"{probe.name} does not promise {promise}")


def _take_back(probe: LayerProbe, promise: str) -> str:
    return f"correct {probe.name}, or take the promise back: {promise} = False"


@law("promises are made by the class itself; inherited promises do not count", advice=True)
def own_promises(probe: LayerProbe) -> str | None:
    cls = type(probe.layer)
    inherited: dict[str, list[str]] = {}
    for owner in cls.__mro__[1:]:
        for promise in PROMISES:
            known = [name for names in inherited.values() for name in names]
            if promise in vars(owner) and promise not in (*vars(cls), *known) and getattr(probe.layer, promise):
                inherited.setdefault(owner.__name__, []).append(promise)
    if not inherited:
        return None
    listed = "; ".join(f"{', '.join(names)} of {owner}" for owner, names in inherited.items())
    first = next(iter(inherited.values()))[0]
    return (
        f"promises are not inherited, since {cls.__name__} may do something else: {listed}. The layer works, but more "
        f"slowly, and its spikes are not counted: repeat in {cls.__name__} the promises that hold, as in {first} = True"
    )


@law("promised: outputs are 0 or 1")
def spiking(probe: LayerProbe) -> str | None:
    _require(probe, "spiking")
    _require_steps(probe.layer)
    for inputs in (probe.inputs, probe.drawn):
        outputs = probe.values(SCAN, inputs)["outputs"].astype(float)
        others = np.argwhere((outputs != 0) & (outputs != 1))
        if len(others):
            at = tuple(others[0])
            return f"the output at step {at[0]} is {outputs[at]:.6g}, which is no spike; {_take_back(probe, 'spiking')}"
    if not outputs.any():
        raise NotApplicableError("no neuron spikes on these inputs; give stronger ones")
    return None


def _require_steps(layer: Any) -> None:
    """Skip the law if a surrogate of the layer returns other values than 0 and 1, as smoothed ones do."""
    for part in jax.tree.leaves(layer, is_leaf=lambda part: isinstance(part, Surrogate)):
        if isinstance(part, Surrogate):
            mode = mode_of(part)
            if not keeps(mode, "spiking"):
                raise NotApplicableError(
                    f"its spike function, {type(part).__name__}, has the forward mode {type(mode).__name__}, which "
                    f"returns other values than 0 and 1"
                )
            x = Probe(part).spread(np.array([-1.5, -0.1, 0.0, 0.2, 2.0], np.float32))
            if not np.isin(np.asarray(part(jnp.asarray(x))), (0, 1)).all():
                raise NotApplicableError(
                    f"its spike function, {type(part).__name__}, returns other values than 0 and 1"
                )


@law("promised: outputs and states of a neuron depend only on its own inputs and states")
def elementwise(probe: LayerProbe) -> str | None:
    _require(probe, "elementwise")
    advice = _take_back(probe, "elementwise")
    wanted, neurons = probe.values(SCAN), probe.inputs.shape[-1]
    if wanted["outputs"].shape != probe.inputs.shape:
        return f"outputs are {kind(wanted['outputs'])} for inputs of {kind(probe.inputs)}; {advice}"
    if neurons < 2:
        raise NotApplicableError("the inputs have one neuron, the last axis; give two or more")
    other = probe.drawn.copy()
    other[..., 0] = 2 * probe.drawn[::-1, ..., 0] + 1 if other.dtype != bool else ~other[..., 0]
    with probe.precision():
        floats, merged = split(probe.at_rest()[0])
        first = jnp.arange(neurons) == 0
        moved = merged([jnp.where(first, 1.3 * v + 0.1, v) if _neurons(v, neurons) else v for v in floats])
    for what, found in {
        "another input of neuron 0": probe.values(SCAN, other),
        "another state of neuron 0": probe.values(SCAN, None, moved),
    }.items():
        rest = [jax.tree.map(lambda a: a[..., 1:] if _neurons(a, neurons) else a, tree) for tree in (found, wanted)]
        if (at := difference(rest[0], rest[1], "the run without")) is not None:
            return f"with {what}, the neurons from 1 on change: {at}; {advice}"
    return _mixing_operation(probe)


def _mixing_operation(probe: LayerProbe) -> str | None:
    """The error with which a kernel refuses the step: runs show only neurons that mix on these inputs."""
    from surgrad.nn._fused.build import fused  # Pallas takes a while to import

    with probe.precision():
        layer, (state, x) = probe.widened(), probe.at_rest()
        try:
            jax.eval_shape(lambda state, x: fused(layer, state, x, interpret=True), state, x)
        except MixedNeuronsError as error:
            return str(error)
        except NotImplementedError:  # a kernel cannot compute it, and the loop is a scan
            return None
    return None


def _neurons(array: Any, neurons: int) -> bool:
    return array.ndim > 0 and array.shape[-1] == neurons


@law("promised: below the threshold, state.v is linear in the inputs")
def linear_response(probe: LayerProbe) -> str | None:
    _require(probe, "linear_response")
    if not hasattr(probe.values(SCAN)["state"], "v"):
        return f"its state has no field v; {_take_back(probe, 'linear_response')}"
    if not jnp.issubdtype(probe.inputs.dtype, jnp.floating):
        raise NotApplicableError(f"inputs of {probe.inputs.dtype} cannot be made small")
    for scale in (1e-2, 1e-4, 1e-6):
        first, second = (scale * x / np.abs(x).max() for x in (probe.drawn, probe.drawn[::-1]))
        runs = [probe.values(SCAN, x) for x in (first + second, first, second, 0 * first)]
        if not any(run["outputs"].any() for run in runs):
            break
    else:
        raise NotApplicableError(
            "its outputs are not zero even for a millionth of the inputs: it is never below a threshold"
        )
    both, one, other, none = (run["state"].v for run in runs)
    at = difference({"v": both - one - other + 2 * none}, {"v": none}, "a sum")
    size = np.abs(one - none).max()
    if at is None or np.abs(both - one - other + none).max() <= 1e-6 * size:
        return None
    advice = _take_back(probe, "linear_response")
    return f"the last v under a sum of inputs is not the sum of those under each: {at}; {advice}"


@law("promised: outputs are inputs of the same or an earlier time step")
def relays(probe: LayerProbe) -> str | None:
    _require(probe, "relays")
    advice = _take_back(probe, "relays")
    inputs, outputs = probe.drawn.astype(float), probe.values(SCAN)["outputs"].astype(float)
    if outputs.shape != inputs.shape:
        return f"outputs are {kind(outputs)} for inputs of {kind(inputs)}; {advice}"
    time = len(inputs)
    for neuron in range(inputs.shape[-1]):
        x, y = inputs[..., neuron], outputs[..., neuron]
        lags = [d for d in range(time) if np.allclose(y[d:], x[: time - d], rtol=1e-6)]
        if not lags and y.any():
            return f"the outputs of neuron {neuron} are not its inputs, for any delay; {advice}"
    return None


@law("promised: the state is one array, the inputs of the last time steps, the oldest first")
def keeps_inputs(probe: LayerProbe) -> str | None:
    _require(probe, "keeps_inputs")
    advice = _take_back(probe, "keeps_inputs")
    leaves = jax.tree.leaves(probe.values(SCAN)["state"])
    if len(leaves) != 1:
        return f"the state has {len(leaves)} arrays; {advice}"
    inputs = probe.drawn.astype(float)
    found, steps = leaves[0].astype(float), len(leaves[0])
    wanted = np.concatenate([np.zeros((steps, *inputs.shape[1:])), inputs])[len(inputs) :]
    if found.shape == wanted.shape and np.allclose(found, wanted, rtol=1e-6):
        return None
    return f"the state at the end is not the inputs of the last {steps} time steps; {advice}"


@law("promised: outputs are inputs of the next time step, and so a part of the state")
def feeds_back(probe: LayerProbe) -> str | None:
    _require(probe, "feeds_back")
    found = probe.values(SCAN)
    last = found["outputs"][-1]
    kept = [np.array_equal(leaf, last) for leaf in jax.tree.leaves(found["state"]) if np.shape(leaf) == last.shape]
    if any(kept):
        return None
    return f"no part of the state after a step is its output; {_take_back(probe, 'feeds_back')}"


@law("promised: called with all time steps at once, it returns what it returns one by one")
def takes_time(probe: LayerProbe) -> str | None:
    _require(probe, "takes_time")
    wanted = probe.values(SCAN)["outputs"]
    with probe.precision():
        numbers, merged = split(probe.widened())
        run = probe.compiled("takes time", lambda numbers, x: merged(numbers)(x))
        found = np.asarray(run(numbers, probe.at_rest()[1]))
    at = difference({"outputs": found}, {"outputs": wanted}, "steps one by one")
    return None if at is None else f"called on (time, *batch, features): {at}; {_take_back(probe, 'takes_time')}"


@law("promised: outputs are linear in the inputs, but for a constant")
def linear_in_inputs(probe: LayerProbe) -> str | None:
    _require(probe, "linear_in_inputs")
    if not jnp.issubdtype(probe.inputs.dtype, jnp.floating):
        raise NotApplicableError(f"inputs of {probe.inputs.dtype} cannot be added")
    first = np.round(8 * probe.drawn) / 8  # numbers whose sums are not rounded
    second = -first[::-1]
    both, one, other, none = (probe.values(SCAN, x)["outputs"] for x in (first + second, first, second, 0 * first))
    at = difference({"outputs": both - none}, {"outputs": (one - none) + (other - none)}, "the sum of those of each")
    if at is None:
        return None
    return f"under a sum of inputs, beyond those of no input: {at}; {_take_back(probe, 'linear_in_inputs')}"


@law("promised: the last axis of weight is that of the outputs, and with_weight returns a copy with another weight")
def weighted(probe: LayerProbe) -> str | None:
    _require(probe, "weighted")
    advice = _take_back(probe, "weighted")
    weights: Any = getattr(probe.layer, "weight", ())
    outputs = probe.values(SCAN)["outputs"]
    if not np.ndim(weights) or np.shape(weights)[-1] != outputs.shape[-1]:
        return f"weights are {np.shape(weights)} and outputs end in {outputs.shape[-1]}; {advice}"
    others = 2.0 * jnp.asarray(weights) + 1.0
    copy = probe.layer.with_weight(others)
    if type(copy) is not type(probe.layer) or not np.array_equal(copy.weight, others):
        return f"with_weight(w) gives {type(copy).__name__}, whose weight is not w; {advice}"
    if np.array_equal(probe.layer.weight, others):
        return f"with_weight(w) changes the object itself; return a copy, or {advice}"
    return None


@law("promised: parts run one after the other")
def in_order(probe: LayerProbe) -> str | None:
    _require(probe, "in_order")
    advice = _take_back(probe, "in_order")
    wanted = probe.values(SCAN)["outputs"]
    with probe.precision():
        x = probe.at_rest()[1]
        for part in cast(probe.layer, probe.wide).parts:
            x = over_time(part, start(part, x.shape[1:], x.dtype), x)[1]
        found = np.asarray(x)
    at = difference({"outputs": found}, {"outputs": wanted}, "the whole")
    return None if at is None else f"its parts one by one: {at}; {advice}"
