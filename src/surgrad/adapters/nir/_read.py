"""`from_nir`: a graph of NIR as a network."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import nir
import numpy as np

from surgrad._answers import answers_keywords
from surgrad._kinds import require_callable, require_choice, require_kind
from surgrad.adapters.nir._graph import Link, chain, opened
from surgrad.adapters.nir._layout import Layout
from surgrad.adapters.nir._nodes_read import TIMED, Reading, layers_of, layout_after
from surgrad.adapters.nir._notes import note
from surgrad.adapters.nir._scheme import Scheme
from surgrad.nn._contract import start, step
from surgrad.nn._sequential import Sequential


@answers_keywords
def from_nir(
    graph: nir.NIRGraph | str | os.PathLike[str],
    *,
    dt: float | None = None,
    scheme: str | None = None,
    reset: str | None = None,
    surrogate: Any = None,
) -> Sequential:
    """The network that a graph of NIR describes, with its layers one after the other.

    Neurons that lead back to themselves through one matrix become a `Recurrent`; its outputs are inputs of the next
    time step. Membrane potentials are in units in which an input counts as it is, and rest at 0.

    Parameters:
        graph: a graph, or the path of a file.
        dt: length of a time step in seconds, > 0; by default that with which `to_nir` wrote the graph, and 1 ms, with a
            warning, for graphs of other libraries. snnTorch and SpikingJelly write graphs for 0.1 ms.
        scheme: how the differential equations are integrated, `"exponential"` or `"euler"` as of `to_nir`; by default
            that with which `to_nir` wrote the graph, and exponentially. snnTorch, Norse, Spyx and SpikingJelly write
            graphs for Euler's method.
        reset: `"zero"` or `"subtract"`, the reset of all neurons; by default that which `to_nir` noted, and NIR's own,
            a reset to a value.
        surrogate: the spike function of all neurons; by default that which `to_nir` noted, and that of `LIF()`.

    Warns:
        UserWarning: neither the graph nor dt= says how long a time step is.

    Raises:
        FileNotFoundError: there is no such file.
        TypeError: the graph is not one.
        ValueError: a file is not one of NIR, the graph is not a chain, a node has no counterpart here, or its arrays do
            not fit; the message names the nodes. Nothing of the graph is read then.
    """
    if isinstance(graph, (str, os.PathLike)):
        graph = opened(graph)
    require_kind("from_nir: graph", graph, nir.NIRGraph, "a nir.NIRGraph or a path")
    with _named("the graph", graph):
        told = note(graph)
    reading = Reading(_scheme(told, dt, scheme), reset, surrogate)
    if reset is not None:
        require_choice("from_nir", "reset", reset, ("zero", "subtract"))
    if surrogate is not None:
        require_callable("from_nir: surrogate", surrogate, "a surrogate, or a function of x that spikes")
    first, *links, last = chain(graph)
    layout, layers = _input_layout(first, links), []
    for link in links:
        found, layout = _read(link, layout, reading)
        layers += found
    with _named(f"node {last.name!r}", last.node):
        _require_shape(last.node.output_type, "output", layout)
    if dt is None and "dt" not in told and any(type(link.node) in TIMED for link in links):
        warnings.warn(
            f"from_nir: the graph does not say for which time step it was written; dt={reading.scheme.dt:g} s and "
            f"scheme={reading.scheme.name!r} are taken, so give dt=, and scheme= if it is another.",
            UserWarning,
            stacklevel=3,
        )
    return Sequential(*layers)


def _scheme(told: Mapping[str, Any], dt: float | None, scheme: str | None) -> Scheme:
    dt = told.get("dt", 1e-3) if dt is None else dt
    return Scheme.checked("from_nir", dt, told.get("scheme", "exponential") if scheme is None else scheme)


def _read(link: Link, layout: Layout, reading: Reading) -> tuple[list[Any], Layout]:
    """The layers of a node, and the layout of their outputs; they are tried on an input."""
    with _named(f"node {link.name!r}", link.node):
        if type(link.node) not in (nir.Conv1d, nir.Conv2d):  # of which nir does not count groups
            _require_shape(link.node.input_type, "input", layout)
        layers = layers_of(link.node, link.back[1] if link.back else None, layout, reading)
        shape = layout.here
        for layer in layers:
            x = jax.ShapeDtypeStruct(shape, jnp.result_type(float))
            shape = jax.eval_shape(lambda x, layer=layer: step(layer, start(layer, x.shape, x.dtype), x)[1], x).shape
        return layers, layout_after(link.node, layout, shape)


def _input_layout(first: Link, links: list[Link]) -> Layout:
    """The layout of the input of a graph: that of its input node, else of the first node that says.

    Raises:
        ValueError: neither says.
    """
    for types in [first.node.input_type, *(link.node.input_type for link in links[:1])]:
        if (shape := _shape(types)) is not None:
            return Layout.of_nir(shape)
    raise ValueError(f"from_nir: node {first.name!r} has no shape; give it one, nir.Input((features,)).")


def _shape(types: Any) -> tuple[int, ...] | None:
    """The shape that a node says its input or output has."""
    shapes = [value for value in (types or {}).values() if value is not None]
    return tuple(map(int, np.ravel(shapes[0]))) if shapes else None


def _require_shape(types: Any, name: str, layout: Layout) -> None:
    """Check the shape that a node says its input or output has; parameters of one number fit all.

    Raises:
        ValueError: it is another one.
    """
    shape = _shape(types)
    if shape is not None and np.prod(shape) != 1 and shape != layout.there:
        raise ValueError(f"its {name} is {shape}, and what comes to it {layout.there}")


@contextmanager
def _named(what: str, node: Any) -> Iterator[None]:
    """Say which node it was that cannot be read."""
    try:
        yield
    except (TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"from_nir: {what} ({type(node).__name__}): {str(error).rstrip('.')}.") from error
