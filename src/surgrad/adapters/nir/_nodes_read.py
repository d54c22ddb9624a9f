"""Layers of this library for nodes of NIR, one function a node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import nir
import numpy as np

from surgrad.adapters.nir._layers import Scale, Threshold
from surgrad.adapters.nir._layout import Layout
from surgrad.adapters.nir._neurons_read import (
    CLOSE,
    Layers,
    Reading,
    cuba_integrator,
    cuba_lif,
    finite,
    integrator,
    lif,
    recurrent,
    surrogate_of,
)
from surgrad.adapters.nir._notes import note
from surgrad.nn._conv import Conv1d, Conv2d
from surgrad.nn._delay import Delay
from surgrad.nn._flatten import Flatten
from surgrad.nn._linear import Linear
from surgrad.nn._pool import AvgPool2d, SumPool2d


def layers_of(node: nir.NIRNode, back: nir.NIRNode | None, layout: Layout, reading: Reading) -> Layers:
    """The layers of a node, and of a matrix from it back to it, for inputs of a layout.

    Raises:
        ValueError: there are none.
    """
    read = _NODES.get(type(node))
    if read is None:
        known = ", ".join(sorted(kind.__name__ for kind in _NODES))
        raise ValueError(f"surgrad has no layer for it; it has layers for {known}")
    layers = read(node, layout, reading)
    if back is None:
        return layers
    if len(layers) > 1 and type(node) not in _SPIKING:
        raise ValueError("surgrad has no recurrence of integrators with a gain or a rest of their own; r must fit tau")
    return recurrent(layers, back, layout)


def layout_after(node: nir.NIRNode, layout: Layout, shape: tuple[int, ...]) -> Layout:
    """The layout of the outputs of a node, whose layers put out a shape."""
    if type(node) is nir.Flatten:
        return layout.flattened()
    return Layout.of(shape) if type(node) in _WEIGHTED else layout


def _linear(node: Any, layout: Layout, reading: Reading) -> Layers:
    weight = finite(node, "weight")
    if weight.ndim != 2 or layout.here != weight.shape[1:]:
        raise ValueError(f"its weight must be (outputs, {', '.join(map(str, layout.there))}), got {weight.shape}")
    bias = jnp.asarray(finite(node, "bias")) if type(node) is nir.Affine else None
    options = {"event_driven": note(node).get("event_driven", "auto")}
    return [Linear.from_arrays(jnp.asarray(weight.T[layout.index]), bias, **options)]


def _conv(kind: Any) -> Callable[..., Layers]:
    def read(node: Any, layout: Layout, reading: Reading) -> Layers:
        weight, told, axes = finite(node, "weight"), note(node), kind.spatial
        if weight.ndim != axes + 2:
            raise ValueError(f"its weight must have {axes + 2} axes, got shape {weight.shape}")
        without = node.bias is None or told.get("without_bias", False)
        layer = kind.from_arrays(
            jnp.asarray(np.moveaxis(weight, (0, 1), (-1, -2))),
            None if without else jnp.asarray(finite(node, "bias")),
            stride=_each(node.stride, axes),
            dilation=_each(node.dilation, axes),
            padding=told.get("padding") or _padding(node, axes),
            groups=int(node.groups),
            event_driven=told.get("event_driven", "auto"),
        )
        return [layer]

    return read


def _each(numbers: Any, axes: int) -> tuple[int, ...]:
    """One number for each axis of space."""
    found = np.ravel(np.asarray(numbers)).tolist()
    return tuple(map(int, found * axes if len(found) == 1 else found))


def _padding(node: Any, axes: int) -> Any:
    given = node.padding.decode() if isinstance(node.padding, bytes) else node.padding
    if not isinstance(given, str):
        return _each(given, axes)
    if given == "same" and {*_each(node.stride, axes)} != {1}:
        raise ValueError("padding 'same' has no meaning with a stride; give numbers")
    return given.upper()


def _pool(kind: Any) -> Callable[..., Layers]:
    def read(node: Any, layout: Layout, reading: Reading) -> Layers:
        if np.any(np.asarray(node.padding)):
            raise ValueError(
                f"surgrad pools without padding, got padding={np.ravel(np.asarray(node.padding)).tolist()}"
            )
        return [kind(_each(node.kernel_size, 2), _each(node.stride, 2))]

    return read


def _flatten(node: Any, layout: Layout, reading: Reading) -> Layers:
    axes = len(layout.here)
    start, end = int(node.start_dim) % axes, int(node.end_dim) % axes
    if (start, end) != (0, axes - 1):
        raise ValueError(
            f"it must flatten all {axes} axes of its input, got start_dim={int(node.start_dim)} and "
            f"end_dim={int(node.end_dim)}; axes are counted without that of a batch"
        )
    return [Flatten(axes)]


def _delay(node: Any, layout: Layout, reading: Reading) -> Layers:
    steps = layout.to_here(finite(node, "delay").astype(float)) / reading.scheme.dt
    whole = np.rint(steps)
    if np.any(steps < -CLOSE) or not np.allclose(steps, whole, rtol=CLOSE, atol=CLOSE):
        odd = float(steps.flat[np.argmax(np.abs(steps - whole))]) * reading.scheme.dt
        raise ValueError(f"its delays must be whole time steps of dt={reading.scheme.dt:g} s, >= 0, got {odd:g} s")
    per_neuron = whole.reshape(-1, whole.shape[-1])
    if not np.all(per_neuron == per_neuron[0]):
        raise ValueError("its delays must be equal at all places of a channel")
    several = note(node).get("per_neuron", False) or not np.all(whole == whole.flat[0])
    return [Delay(tuple(map(int, per_neuron[0])) if several else int(whole.flat[0]))]


def _scale(node: Any, layout: Layout, reading: Reading) -> Layers:
    return [Scale(jnp.asarray(layout.to_here(finite(node, "scale"))))]


def _threshold(node: Any, layout: Layout, reading: Reading) -> Layers:
    return [Threshold(surrogate_of(note(node), reading), jnp.asarray(layout.to_here(finite(node, "threshold"))))]


_NODES: dict[type, Callable[..., Layers]] = {
    nir.Linear: _linear,
    nir.Affine: _linear,
    nir.Conv1d: _conv(Conv1d),
    nir.Conv2d: _conv(Conv2d),
    nir.AvgPool2d: _pool(AvgPool2d),
    nir.SumPool2d: _pool(SumPool2d),
    nir.Flatten: _flatten,
    nir.Delay: _delay,
    nir.Scale: _scale,
    nir.Threshold: _threshold,
    nir.LI: integrator,
    nir.I: integrator,
    nir.CubaLI: cuba_integrator,
    nir.LIF: lif,
    nir.IF: lif,
    nir.CubaLIF: cuba_lif,
}
TIMED = (nir.Delay, nir.LI, nir.I, nir.CubaLI, nir.LIF, nir.IF, nir.CubaLIF)
"""Nodes whose layers depend on the length of a time step."""
_WEIGHTED = (nir.Linear, nir.Affine, nir.Conv1d, nir.Conv2d, nir.AvgPool2d, nir.SumPool2d)
"""Nodes whose outputs are other features than their inputs."""
_SPIKING = (nir.LIF, nir.IF, nir.CubaLIF)
"""Nodes whose units are absorbed by a threshold."""
