"""`to_nir`: a network as a graph of NIR."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import nir
import numpy as np

from surgrad._answers import answers_keywords
from surgrad._numbers import whole_each
from surgrad._types import Shape
from surgrad.adapters.nir._layout import Layout
from surgrad.adapters.nir._nodes_written import Writing, layout_after, node_of
from surgrad.adapters.nir._notes import noted
from surgrad.adapters.nir._scheme import Scheme
from surgrad.nn._contract import start, step
from surgrad.nn._foreign import as_layer
from surgrad.nn._sequential import flat


@answers_keywords
def to_nir(
    network: Any,
    input_shape: Shape,
    *,
    dt: float = 1e-3,
    scheme: str = "exponential",
    unit_resistance: bool = False,
    lossy: bool = False,
) -> nir.NIRGraph:
    """The graph of NIR that has the dynamics of a network; `nir.write(path, graph)` writes it into a file.

    Parameters:
        network: a layer, or a `Sequential` of layers. Networks in it are written as their layers, one after the other.
        input_shape: shape of the input of one time step without axes of a batch, `(features,)` or
            `(*space, channels)`; NIR's input is `(channels, *space)`. A number is the length of the only axis.
        dt: length of a time step in seconds, > 0. Time constants are written in seconds.
        scheme: how a reader is to integrate NIR's differential equations for the same spikes: `"exponential"`
            (exactly, for an input that is constant over a time step) or `"euler"` (Euler's forward method).
        unit_resistance: whether neurons have the resistance R = 1 and thresholds in its units, for readers that ignore
            or refuse others, in place of thresholds as they are and R = 1/(1 - e^(-dt/τ)).
        lossy: whether a reset by subtraction and a refractory period, for which NIR has no place, are noted as
            metadata, which this library alone reads. Without it they are refused.

    Raises:
        TypeError: the network is not a layer.
        ValueError: NIR has no node for a layer, or for one of its options; the message names the layer and what to do.
    """
    writing = Writing(Scheme.checked("to_nir", dt, scheme), unit_resistance, lossy)
    shape = whole_each("to_nir", "input_shape", input_shape, 1, "the axes of the input")
    layout = Layout.of(shape)
    nodes: dict[str, Any] = {"input": nir.Input({"input": np.array(layout.there)})}
    for path, layer in flat(as_layer("to_nir: network", network)):
        with _named(path, layer):
            shape = _output_shape(layer, shape)
            node, before = node_of(layer, layout, writing), layout
            layout = layout_after(layer, layout, shape)
        node.input_type, node.output_type = {"input": np.array(before.there)}, {"output": np.array(layout.there)}
        nodes["_".join([type(layer).__name__.lower(), *path.split(".")]).rstrip("_")] = node
    nodes["output"] = nir.Output({"output": np.array(layout.there)})
    names = list(nodes)
    return nir.NIRGraph(nodes, [*itertools.pairwise(names)], noted(dt=writing.scheme.dt, scheme=scheme))


def _output_shape(layer: Any, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the outputs of a layer, whose inputs are checked by that."""
    x = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
    return jax.eval_shape(lambda x: step(layer, start(layer, shape, x.dtype), x)[1], x).shape


@contextmanager
def _named(path: str, layer: Any) -> Iterator[None]:
    """Say which layer it was that NIR does not have."""
    try:
        yield
    except (TypeError, ValueError) as error:
        where = f"part {path} ({type(layer).__name__})" if path else type(layer).__name__
        raise ValueError(f"to_nir: {where}: {str(error).rstrip('.')}.") from error
