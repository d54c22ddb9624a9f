"""What can be recorded of a layer in a time step, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from surgrad._kinds import require_kind
from surgrad._types import PyTree
from surgrad.nn._contract import is_cell, promises, step

Observed = dict[str, Any]
"""Values by their full names: the place of a layer in the network, and what it is, `"1.v"`."""
Evaluate = Callable[[Any, str, PyTree, Any], tuple[PyTree, Any, Observed]]
"""`(layer, place, state, x) -> (state, output, observed)`, for one time step or for many."""


def observed(layer: Any, before: PyTree, x: Any, after: PyTree, output: Any) -> Observed:
    """All that can be recorded of one time step of a layer, by its name within the layer.

    Of every layer these are `inputs` and `outputs`; of cells, `state`; of layers that promise to be spiking, `spikes`;
    and what its class promises by a method `observables`.

    Parameters:
        layer: the layer.
        before: its state before the step; None for connections.
        x: the input of the step.
        after: the state after the step.
        output: the output of the step.

    Raises:
        TypeError: `observables` returns something else than values by their names.
    """
    own: Mapping[str, Any] = {}
    if promises(layer, "observables"):
        own = layer.observables(before, x, after, output)
        require_kind(f"{type(layer).__name__}: what observables returns", own, Mapping, "a dict, {name: values}")
    state = {"state": after} if is_cell(layer) else {}
    return {**own, **state, **in_sequences(layer, x, output)}


def in_sequences(layer: Any, x: Any, output: Any) -> Observed:
    """What of `observed` is known from inputs and outputs alone, so that it needs no loop over time of its own."""
    spikes = {"spikes": output} if promises(layer, "spiking") else {}
    return {**spikes, "inputs": x, "outputs": output}


def full_name(place: str, name: str) -> str:
    """The name with the place of the layer in front; the place of a cell that is no network is empty."""
    return f"{place}.{name}" if place else name


def each_layer(evaluate: Evaluate, layer: Any, place: str, state: PyTree, x: Any) -> tuple[PyTree, Any, Observed]:
    """The layers of a network, also of networks inside, one after the other; any other layer alone."""
    if not promises(layer, "in_order"):
        return evaluate(layer, place, state, x)

    def part(part: Any, old: tuple[str, PyTree], x: Any) -> tuple[tuple[PyTree, Observed], Any]:
        after, output, found = each_layer(evaluate, part, *old, x)
        return (after, found), output

    places = [full_name(place, str(index)) for index in range(len(layer.parts))]
    pairs, outputs = layer.through(part, tuple(zip(places, state, strict=True)), x)
    found = {name: value for _, some in pairs for name, value in some.items()}
    return tuple(after for after, _ in pairs), outputs[-1] if outputs else x, found


def observed_step(wanted: Callable[[str, str], bool]) -> Evaluate:
    """One time step of a layer, with those of its values whose place and name are wanted."""

    def evaluate(layer: Any, place: str, state: PyTree, x: Any) -> tuple[PyTree, Any, Observed]:
        after, output = step(layer, state, x)
        all_of_it = observed(layer, state, x, after, output)
        return after, output, {full_name(place, name): v for name, v in all_of_it.items() if wanted(place, name)}

    return evaluate
