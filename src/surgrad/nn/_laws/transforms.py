"""Laws of use: transformations of JAX, devices, strict settings and debugging aids."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec as P

from surgrad._check.law import NotApplicableError, brief
from surgrad._types import PyTree
from surgrad.nn._contract import runs_over_time, start, step
from surgrad.nn._laws.derivatives import INPUTS, NUMBERS, derivatives, function_of, reverse, total
from surgrad.nn._laws.probe import SCAN, LayerProbe, at_rest, is_floating, split
from surgrad.nn._laws.states import eagerly
from surgrad.nn._laws.table import difference, law

_SAFE = "a where() computes and differentiates both branches: make the argument safe, as in log(maximum(x, 1))"


@law("jit, vmap, grad and checkpoint agree")
def transforms(probe: LayerProbe) -> str | None:
    probe.require("pure")
    probe.require("init_fits")
    wanted = probe.values(SCAN)["outputs"]
    with probe.precision():
        eager = eagerly(probe.widened(), np.asarray(probe.at_rest()[1]))["outputs"]
    if (at := difference({"outputs": eager}, {"outputs": wanted[:2]}, "jit")) is not None:
        return f"outside jit: {at}; a time step must not depend on values that Python can read outside jit only"
    outputs, gradients = _mapped(probe)
    if (at := difference({"outputs": outputs}, {"outputs": wanted}, "the whole batch")) is not None:
        return (
            f"vmap over the batch: {at}; a time step and init must not depend on the batch, nor on the number of axes"
        )
    at = difference(gradients, _of_outputs(probe), "the whole batch")
    return None if at is None else f"vmap of grad with checkpoints: the derivative {at}"


def _of_outputs(probe: LayerProbe, path: str = SCAN) -> PyTree:
    """The gradients of the outputs' `total` by numbers and inputs, for one way to run the layer."""
    found = derivatives(probe, reverse, path)["of the outputs"]
    return {name: found[name] for name in (NUMBERS, INPUTS)}


def _mapped(probe: LayerProbe) -> tuple[np.ndarray, PyTree]:
    """The outputs and gradients of each sample under `vmap`; gradients by the layer's numbers are summed."""
    with probe.precision():
        numbers, merged = split(probe.widened())
        x = probe.at_rest()[1]
        batched = x.ndim > 2

        def one(numbers: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
            layer = merged(numbers)
            again = jax.checkpoint(lambda state, now: step(layer, state, now))
            outputs = jax.lax.scan(again, at_rest(layer, x), x)[1]
            return total(split(outputs)[0]), outputs

        def every(numbers: Any, x: jax.Array) -> Any:
            if not is_floating(x):
                outputs = jax.vmap(lambda x: one(numbers, x)[1], 1, 1)(x)
                by_numbers = jax.grad(lambda numbers: jax.vmap(lambda x: one(numbers, x)[0], 1)(x).sum())(numbers)
                return outputs, by_numbers, jnp.zeros(())
            mapped = jax.vmap(jax.grad(one, (0, 1), has_aux=True), (None, 1), ((0, 1), 1))
            (by_numbers, by_inputs), outputs = mapped(numbers, x)
            return outputs, jax.tree.map(lambda g: g.sum(0), by_numbers), by_inputs

        outputs, by_numbers, by_inputs = jax.tree.map(
            np.asarray, probe.compiled("vmap", every)(numbers, x if batched else x[:, None])
        )
    if not batched:
        outputs, by_inputs = outputs[:, 0], by_inputs[:, 0]
    return outputs, {NUMBERS: probe.by_name(by_numbers), INPUTS: by_inputs}


@law("a sample does not depend on the others of its batch")
def samples(probe: LayerProbe) -> str | None:
    if probe.inputs.ndim < 3 or probe.inputs.shape[1] < 2:
        raise NotApplicableError("the inputs have no batch of two or more: (time, batch, ...)")
    other = probe.drawn.copy()
    other[:, 1:] = other[::-1, 1:]
    found, wanted = (probe.values(SCAN, x)["outputs"][:, 0] for x in (other, probe.drawn))
    at = difference({"outputs": found}, {"outputs": wanted}, "the run without")
    if at is None:
        return None
    return (
        f"with other inputs for the other samples, sample 0 changes: {at}; reduce over feature axes only, counted from "
        f"the end"
    )


@law("with the batch over several devices, values and gradients are the same")
def shard_map(probe: LayerProbe) -> str | None:
    devices = _devices(probe)
    probe.require("pure")
    probe.require("init_fits")
    path = probe.chunks if runs_over_time(probe.layer) else SCAN
    wanted, gradients = probe.values(path)["outputs"], _of_outputs(probe, path)
    mesh = jax.sharding.Mesh(np.array(devices), ("devices",))
    split_batch, everywhere = P(None, "devices"), P()
    with probe.precision():
        numbers, merged = split(probe.widened())
        x = probe.at_rest()[1]

        def share(numbers: Any, x: jax.Array) -> tuple[jax.Array, jax.Array]:
            layer = merged(numbers)
            outputs = probe.paths[probe.chunks](layer, at_rest(layer, x), x)[1]
            return jax.lax.psum(total(split(outputs)[0]), "devices"), outputs

        whole = jax.shard_map(share, mesh=mesh, in_specs=(everywhere, split_batch), out_specs=(everywhere, split_batch))
        by = (0, 1) if is_floating(x) else (0,)
        try:
            found, outputs = jax.jit(jax.grad(whole, by, has_aux=True))(numbers, x)
        except Exception as error:
            advice = "make the carry of the loop from the inputs, as in 0 * x: jnp.zeros is the same on all devices"
            return f"over {len(devices)} devices: {brief(error)}; if it is about the carry of a loop, {advice}"
        found, outputs = jax.tree.map(np.asarray, (found, outputs))
    if (at := difference({"outputs": outputs}, {"outputs": wanted}, "one device")) is not None:
        return f"over {len(devices)} devices: {at}; a sample must not depend on the others of its batch"
    named = dict(zip((NUMBERS, INPUTS), (probe.by_name(found[0]), *found[1:]), strict=False))
    at = difference(named, {name: gradients[name] for name in named}, "one device")
    return None if at is None else f"over {len(devices)} devices: the derivative {at}"


def _devices(probe: LayerProbe) -> list[Any]:
    """The largest number of devices that divides the batch."""
    devices, batch = jax.local_devices(), probe.inputs.shape[1] if probe.inputs.ndim > 2 else 1
    count = next(n for n in range(len(devices), 0, -1) if batch % n == 0)
    if count > 1:
        return devices[:count]
    if len(devices) == 1:
        raise NotApplicableError(
            "there is one device; XLA_FLAGS=--xla_force_host_platform_device_count=2 makes two of a CPU"
        )
    raise NotApplicableError(f"a batch of {batch} cannot be split over {len(devices)} devices")


@law("it runs under strict dtype promotion, and with rank promotion as an error")
def strict(probe: LayerProbe) -> str | None:
    probe.require_runs()
    for setting, how, advice in (
        (jax.numpy_dtype_promotion, "strict", "cast one to the other's dtype"),
        (jax.numpy_rank_promotion, "raise", "add the missing axes, as in tau[None]"),
    ):
        for path in (SCAN, probe.chunks):
            with setting(how):
                try:
                    jax.eval_shape(functools.partial(_there_and_back, probe, path), jnp.asarray(probe.inputs))
                except Exception as error:
                    return f"under jax.{setting.__name__}({how!r}), by {path}: {brief(error)}; {advice}"
    return None


def _there_and_back(probe: LayerProbe, path: str, x: jax.Array) -> Any:
    """A run, and its gradient by the layer's numbers and the state."""
    state = start(probe.layer, x.shape[1:], x.dtype)
    numbers, merged = split(probe.layer)
    function = function_of(probe.paths[path], merged, state)
    outputs, pull = jax.vjp(lambda numbers, floats: function(numbers, floats, x), numbers, split(state)[0])
    return pull(outputs)


@law("values and gradients are finite, also for zero inputs, and jax.debug_nans and jax.debug_infs find nothing")
def finite(probe: LayerProbe) -> str | None:
    zeros = np.zeros_like(probe.inputs)
    for what, inputs in (("", probe.drawn), ("inputs of zero: ", zeros)):
        found = {**probe.values(SCAN, inputs)}
        gradients = derivatives(probe, reverse, SCAN, None if inputs is probe.drawn else zeros)
        found |= {f"the derivative {n}": v for n, v in gradients["of outputs and last state"].items()}
        for path, leaf in jax.tree_util.tree_leaves_with_path(found):
            if not np.isfinite(leaf.astype(float)).all():
                name = jax.tree_util.keystr(path, simple=True, separator=".")
                return f"{what}{name} is not finite; {_SAFE}"
        with jax.debug_nans(True), jax.debug_infs(True):
            try:
                eagerly(probe.layer, inputs, 1)
            except FloatingPointError as error:
                return f"{what}under jax.debug_nans and jax.debug_infs: {brief(error)}; {_SAFE}"
    return None
