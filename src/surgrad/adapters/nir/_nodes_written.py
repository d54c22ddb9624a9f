"""Nodes of NIR for the layers of this library, one function a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import nir
import numpy as np

from surgrad._dtypes import wide
from surgrad.adapters.nir._layers import Scale, Threshold
from surgrad.adapters.nir._layout import Layout
from surgrad.adapters.nir._neurons_written import Writing, cuba_lif, leaky_integrator, lif
from surgrad.adapters.nir._notes import noted, surrogate_noted
from surgrad.nn._cells import LIF, CuBaLIF, LeakyIntegrator
from surgrad.nn._conv import Conv1d, Conv2d
from surgrad.nn._delay import Delay
from surgrad.nn._flatten import Flatten
from surgrad.nn._linear import Linear
from surgrad.nn._pool import AvgPool2d, SumPool2d
from surgrad.nn._recurrent import Recurrent


def node_of(layer: Any, layout: Layout, writing: Writing) -> nir.NIRNode:
    """The node of a layer for inputs of a layout.

    Raises:
        ValueError: NIR has no node for the layer, or for one of its options.
    """
    write = _NODES.get(type(layer))
    if write is None:
        known = ", ".join(sorted(cls.__name__ for cls in _NODES))
        raise ValueError(_REFUSED.get(type(layer).__name__, f"NIR has no node for it; there are nodes for {known}"))
    return write(layer, layout, writing)


def layout_after(layer: Any, layout: Layout, shape: tuple[int, ...]) -> Layout:
    """The layout of the outputs of a layer, of a shape."""
    if type(layer) is Flatten:
        return layout.flattened()
    return Layout.of(shape) if type(layer) in _WEIGHTED else layout


_WINDOWS = "NIR pools along two axes of space, by mean or sum: take AvgPool2d or SumPool2d"
_TRANSPOSED = "NIR has no transposed convolution; take Conv1d or Conv2d"
_READOUT = "NIR has no readout over time: leave it out, to_nir(net[:-1], ...), and apply it to the outputs"
_NEURONS = "NIR has no such neurons; take LIF or CuBaLIF"
_REFUSED = {
    **dict.fromkeys(("MaxPool1d", "MaxPool2d", "MaxPool3d", "AvgPool1d", "AvgPool3d", "SumPool1d"), _WINDOWS),
    **dict.fromkeys(("ConvTranspose1d", "ConvTranspose2d", "ConvTranspose3d"), _TRANSPOSED),
    **dict.fromkeys(("MeanOverTime", "MaxOverTime", "LastStep", "FirstSpikeTime"), _READOUT),
    **dict.fromkeys(("MinOverTime", "HistogramOverTime"), _READOUT),
    **dict.fromkeys(("ALIF", "AdEx", "Izhikevich", "ParallelLIF"), _NEURONS),
    **dict.fromkeys(("DelayedLinear", "DelayedRecurrent"), "NIR has delays of neurons, and none of synapses"),
    "LearnableDelay": "round its delays: Delay(np.rint(layer.delays()).astype(int))",
    "BatchNorm": "NIR has no normalisation: multiply it into the weight and bias of the connection before it",
    "Dropout": "it does nothing after training: leave it out",
    "SumPool3d": _WINDOWS,
    "Conv3d": "NIR has convolutions along one and two axes of space; take Conv1d or Conv2d",
    "Lambda": "NIR has no node for a function; leave it out, and apply it to the inputs or outputs",
}


def _flat(layout: Layout) -> int:
    """The number of features, which must lie along one axis.

    Raises:
        ValueError: they do not.
    """
    if len(layout.here) != 1:
        raise ValueError(f"NIR's matrices take one axis of features, got {layout.here}; put Flatten before it")
    return layout.here[0]


def _array(values: Any) -> np.ndarray:
    """Weights for NIR, whose files have no bfloat16: half precision becomes float32, which holds it exactly."""
    return np.asarray(values).astype(wide(values.dtype))


def _auto(event_driven: Any) -> Any:
    return None if event_driven == "auto" else event_driven


def _linear(layer: Linear, layout: Layout, writing: Writing) -> nir.NIRNode:
    _flat(layout)
    weight = _array(layer.weight)
    turned = np.empty_like(weight.T)
    turned[:, layout.index] = weight.T
    note = noted(event_driven=_auto(layer.event_driven))
    if layer.bias is None:
        return nir.Linear(turned, metadata=note)
    return nir.Affine(turned, _array(layer.bias), metadata=note)


def _conv(layer: Any, layout: Layout, writing: Writing) -> nir.NIRNode:
    space = layout.here[:-1]
    weight = np.moveaxis(_array(layer.weight), (-1, -2), (0, 1))
    without = layer.bias is None
    options: dict[str, Any] = {
        "weight": weight,
        "bias": np.zeros(len(weight), weight.dtype) if without else _array(layer.bias),
        "groups": layer.groups,
        "metadata": noted(event_driven=_auto(layer.event_driven), without_bias=without or None, padding=_same(layer)),
    }
    padding = _padding(layer, space)
    if layer.spatial == 1:
        one = {"stride": layer.stride[0], "dilation": layer.dilation[0]}
        padding = padding if isinstance(padding, str) else padding[0]
        return nir.Conv1d(input_shape=space[0], padding=padding, **one, **options)
    two: dict[str, Any] = {"input_shape": space, "stride": layer.stride, "dilation": layer.dilation}
    return nir.Conv2d(padding=padding, **two, **options)


def _same(layer: Any) -> Any:
    return "SAME" if layer.padding == "SAME" else None


def _padding(layer: Any, space: tuple[int, ...]) -> Any:
    """NIR's padding: "same", which it has without strides, or as many zeros on both sides of an axis.

    Raises:
        ValueError: the sides differ.
    """
    pairs = layer.padding
    if pairs == "SAME":
        if {*layer.stride} == {1}:
            return "same"
        reach = [(k - 1) * d for k, d in zip(layer.weight.shape, layer.dilation, strict=False)]
        axes = zip(space, layer.stride, reach, strict=True)
        totals = [max(0, ((n - 1) // s) * s + r + 1 - n) for n, s, r in axes]
        pairs = [(total // 2, total - total // 2) for total in totals]
    if any(low != high for low, high in pairs):
        raise ValueError(f"NIR pads both sides of an axis alike, got padding={[*map(tuple, pairs)]}")
    return tuple(low for low, _ in pairs)


def _pool(kind: type) -> Callable[..., nir.NIRNode]:
    def write(layer: Any, layout: Layout, writing: Writing) -> nir.NIRNode:
        return kind(np.array(layer.kernel_size), np.array(layer.stride), np.zeros(2, int))

    return write


def _flatten(layer: Flatten, layout: Layout, writing: Writing) -> nir.NIRNode:
    if layer.axes != len(layout.here):
        raise ValueError(f"it must flatten all axes of its input, {layout.here}, got axes={layer.axes}")
    return nir.Flatten({"input": np.array(layout.there)}, 0, -1)


def _delay(layer: Delay, layout: Layout, writing: Writing) -> nir.NIRNode:
    steps = layout.to_nir(np.asarray(layer.steps, float))
    per_neuron = isinstance(layer.steps, tuple) or None
    return nir.Delay(steps * writing.scheme.dt, metadata=noted(per_neuron=per_neuron))


def _scale(layer: Scale, layout: Layout, writing: Writing) -> nir.NIRNode:
    if layer.bias is None:
        return nir.Scale(layout.to_nir(layer.scale))
    _flat(layout)
    return nir.Affine(np.diag(layout.to_nir(layer.scale)), layout.to_nir(layer.bias))


def _threshold(layer: Threshold, layout: Layout, writing: Writing) -> nir.NIRNode:
    note = noted(surrogate=surrogate_noted(layer.surrogate))
    return nir.Threshold(layout.to_nir(layer.threshold), metadata=note)


def _recurrent(layer: Recurrent, layout: Layout, writing: Writing) -> nir.NIRNode:
    """A graph of its own: input → neurons → output, and neurons → weight → neurons."""
    size = _flat(layout)
    neurons = node_of(layer.cell, layout, writing)
    weight = _array(layer.weight)
    turned = np.empty_like(weight.T)
    turned[np.ix_(layout.index, layout.index)] = weight.T
    name = type(neurons).__name__.lower()
    nodes = {
        "input": nir.Input({"input": np.array([size])}),
        name: neurons,
        "w_rec": nir.Linear(turned, metadata=noted(event_driven=_auto(layer.event_driven))),
        "output": nir.Output({"output": np.array([size])}),
    }
    edges = [("input", name), (name, "w_rec"), ("w_rec", name), (name, "output")]
    return nir.NIRGraph(nodes, edges)


_NODES: dict[type, Callable[..., nir.NIRNode]] = {
    Linear: _linear,
    Conv1d: _conv,
    Conv2d: _conv,
    AvgPool2d: _pool(nir.AvgPool2d),
    SumPool2d: _pool(nir.SumPool2d),
    Flatten: _flatten,
    Delay: _delay,
    Scale: _scale,
    Threshold: _threshold,
    LeakyIntegrator: leaky_integrator,
    LIF: lif,
    CuBaLIF: cuba_lif,
    Recurrent: _recurrent,
}
_WEIGHTED = (Linear, Conv1d, Conv2d, AvgPool2d, SumPool2d)
"""Layers whose outputs are other features than their inputs."""
