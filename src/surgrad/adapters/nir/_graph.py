"""Graphs of NIR as chains of nodes, in which neurons may feed back to themselves through one matrix."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import Any, NamedTuple

import h5py
import nir


class Link(NamedTuple):
    """A node of a chain, and the matrix through which its outputs are inputs of the next time step, if there is one."""

    name: str
    node: nir.NIRNode
    back: tuple[str, nir.NIRNode] | None = None


class Flat(NamedTuple):
    """A graph without graphs inside: nodes by name, those inside `a` as `a.b`, and edges."""

    nodes: dict[str, nir.NIRNode]
    edges: list[tuple[str, str]]


_MATRICES = (nir.Linear, nir.Affine)
_NEURONS = (nir.LIF, nir.IF, nir.CubaLIF, nir.LI, nir.I)


def opened(path: str | os.PathLike[str]) -> nir.NIRGraph:
    """The graph in a file.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is no file of NIR, or has a node that the package nir does not know.
    """
    file = os.fspath(path)
    if not os.path.exists(file):
        raise FileNotFoundError(f"from_nir: there is no file {file}.")
    try:
        with h5py.File(file, "r") as content:
            unknown = list(_unknown(content["node"], ""))
        graph = None if unknown else nir.read(file, type_check=False)
    except Exception as error:  # h5py and nir raise what they happen to; all of it means the same
        raise ValueError(f"from_nir: {file} cannot be read as a graph of NIR: {error!r}.") from error
    if graph is None:
        raise ValueError(f"from_nir: {file} has nodes that nir {nir.version} does not know: {', '.join(unknown)}.")
    return graph


def _unknown(group: Any, where: str) -> Iterator[str]:
    """The nodes of an HDF5 group whose type the package nir does not have, as `name (type)`."""
    kind = group["type"][()].decode()
    if not isinstance(getattr(nir, kind, None), type):
        yield f"{where or 'the graph'} ({kind})"
    for name, node in (group["nodes"] if kind == "NIRGraph" else {}).items():
        yield from _unknown(node, f"{where}.{name}" if where else name)


def chain(graph: nir.NIRGraph) -> list[Link]:
    """The nodes of a graph from its input to its output, both included.

    Raises:
        ValueError: the graph has not one input and one output, or branches, or a cycle that is not one of neurons and
            one matrix; the message names the nodes.
    """
    flat = _flattened(graph)
    first, last = (_only(flat, kind) for kind in (nir.Input, nir.Output))
    after, before = _neighbours(flat)
    back = {name: _matrix_back(flat, name, after, before) for name in flat.nodes}
    for name, matrix in back.items():
        if matrix:
            after[name].remove(matrix)
            before[name].remove(matrix)
    matrices = {matrix for matrix in back.values() if matrix}
    _require_no_cycle({name: nodes for name, nodes in before.items() if name not in matrices})
    names = [first]
    while names[-1] != last:
        names.append(_next(names[-1], after, before))
    if left := [name for name in flat.nodes if name not in names and name not in matrices]:
        raise ValueError(f"from_nir: nodes are not on the way from {first!r} to {last!r}: {_listed(left)}.")
    return [Link(name, flat.nodes[name], _pair(flat, back[name])) for name in names]


def _pair(flat: Flat, name: str | None) -> tuple[str, nir.NIRNode] | None:
    return (name, flat.nodes[name]) if name else None


def _require_no_cycle(before: Mapping[str, list[str]]) -> None:
    try:
        TopologicalSorter(before).prepare()
    except CycleError as error:
        cycle = " -> ".join(map(repr, error.args[1]))
        raise ValueError(
            f"from_nir: the graph has the cycle {cycle}; surgrad has cycles of neurons and one Linear or Affine, whose "
            f"only input and output are these neurons."
        ) from error


def _next(name: str, after: Mapping[str, list[str]], before: Mapping[str, list[str]]) -> str:
    """The one node after another in a chain."""
    onward = after[name]
    if not onward:
        raise ValueError(f"from_nir: node {name!r} leads nowhere; a graph must lead from its input to its output.")
    if len(onward) > 1:
        raise ValueError(
            f"from_nir: node {name!r} leads to {_listed(onward)}; surgrad reads chains; convert each branch alone."
        )
    if len(into := before[onward[0]]) > 1:
        raise ValueError(
            f"from_nir: node {onward[0]!r} adds up the outputs of {_listed(into)}; surgrad reads chains, where "
            f"a node has one input besides its own outputs."
        )
    return onward[0]


def _matrix_back(flat: Flat, name: str, after: Mapping[str, list[str]], before: Mapping[str, list[str]]) -> str | None:
    """The matrix from neurons to themselves, which no other node leads to or follows."""
    if type(flat.nodes[name]) not in _NEURONS:
        return None
    found = [
        other
        for other in after[name]
        if type(flat.nodes[other]) in _MATRICES and after[other] == [name] and before[other] == [name]
    ]
    if len(found) > 1:
        raise ValueError(f"from_nir: node {name!r} leads back to itself through {_listed(found)}; surgrad has one.")
    return found[0] if found else None


def _only(flat: Flat, kind: type) -> str:
    """The name of the one node of a kind."""
    found = [name for name, node in flat.nodes.items() if type(node) is kind]
    if len(found) != 1:
        given = _listed(found) if found else "none"
        raise ValueError(f"from_nir: the graph must have one {kind.__name__} node, got {given}.")
    return found[0]


def _neighbours(flat: Flat) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """The nodes after each node, and those before it."""
    after: dict[str, list[str]] = {name: [] for name in flat.nodes}
    before: dict[str, list[str]] = {name: [] for name in flat.nodes}
    for source, target in dict.fromkeys(flat.edges):
        for name in (source, target):
            if name not in flat.nodes:
                raise ValueError(f"from_nir: the edge {source!r} -> {target!r} names {name!r}, which is no node.")
        after[source].append(target)
        before[target].append(source)
    return after, before


def _flattened(graph: nir.NIRGraph) -> Flat:
    """A graph with the nodes of the graphs inside in their place."""
    nodes: dict[str, nir.NIRNode] = {}
    edges = [(str(source), str(target)) for source, target in graph.edges]
    for name, node in graph.nodes.items():
        if type(node) is not nir.NIRGraph:
            nodes[name] = node
            continue
        inside = _flattened(node)
        first, last = (_only(inside, kind) for kind in (nir.Input, nir.Output))
        renamed = {key: f"{name}.{key}" for key in inside.nodes}
        own = [(renamed.get(a, a), renamed.get(b, b)) for a, b in inside.edges]
        enters = [b for a, b in own if a == renamed[first]]
        leaves = [a for a, b in own if b == renamed[last]]
        edges = [(a, inner) for a, b in edges for inner in (enters if b == name else [b])]
        edges = [(inner, b) for a, b in edges for inner in (leaves if a == name else [a])]
        edges += [(a, b) for a, b in own if a != renamed[first] and b != renamed[last]]
        nodes |= {renamed[key]: part for key, part in inside.nodes.items() if key not in (first, last)}
    return Flat(nodes, edges)


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names))
