"""Synaptic operations of a network, and an estimate of their energy."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from surgrad._answers import answers_keywords, missing_attribute
from surgrad._numbers import require_real
from surgrad._types import PyTree, Shape
from surgrad.nn._arguments import UNSET, arranged
from surgrad.nn._contract import Cell, is_cell, promises
from surgrad.nn._records import Record
from surgrad.nn._sequential import flat
from surgrad.nn._unroll import unroll

ACCUMULATE, MULTIPLY_ACCUMULATE = 0.9e-12, 4.6e-12
"""Joules of a 32-bit floating-point addition, and of a multiplication and an addition, in 45 nm: Horowitz (2014)."""


class Operations(NamedTuple):
    """Operations at the synapses of a layer, summed over all time steps and samples.

    Parameters:
        accumulates: additions of a weight, one for each synapse that a spike reaches.
        multiply_accumulates: multiplications of a weight and an input that is not 0, with their additions.
        dense: multiply-accumulates of a layer that uses every synapse in every time step: what a program on full
            matrices computes, and a conventional network with that many time steps.
    """

    accumulates: int
    multiply_accumulates: int
    dense: int

    __getattr__ = missing_attribute


@answers_keywords
def synaptic_operations(
    network: Any, *arguments: PyTree, state: PyTree = UNSET, inputs: PyTree = UNSET, lengths: Any = None
) -> dict[str, Operations]:
    """Synaptic operations by the place of the layer: `synaptic_operations(net, xs)`.

    A non-zero input of a synapse is one operation. If all inputs of a layer are 0, 1 or -1, as spikes are, they are
    accumulates; else they are multiply-accumulates, as those of images or of means of spikes. These are the synaptic
    operations of NeuroBench. The number of synapses that an input reaches is exact: it is smaller at the
    borders of convolutions. Weights that are 0 count. Leak, threshold, reset and biases do not.

    Layers are counted that have weights (`weighted` of the layer contract), or that say how many outputs each input
    reaches by a method `fan_out(shape)`; of `Recurrent` and `DelayedRecurrent` their recurrent weights. Delays are
    routing: a spike is one operation at each synapse of `DelayedLinear` or `DelayedRecurrent`, counted when it enters
    the delay, also where a fractional delay divides it between two time steps. Pools, functions, and delays without
    weights have no entry. It runs the network once, as `unroll`, in memory that does not grow with time.

    Parameters:
        network: a network, or any layer that has weights and is a cell.
        state, inputs: as those of `unroll`.
        lengths: the length of each sample in time steps, `(batch,)`, as of `unroll`. Without it, padding counts too.

    Raises:
        TypeError, ValueError: as `unroll`; no layer has weights, or one has weights that cannot be counted.

    Source: Yik et al. (2025), The NeuroBench framework for benchmarking neuromorphic computing algorithms and systems.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from surgrad import nn
        >>> net = nn.Sequential(nn.Linear(3, 5, key=jax.random.key(0)), nn.LIF())
        >>> nn.synaptic_operations(net, jnp.ones((10, 2, 3)))
        {'0': Operations(accumulates=300, multiply_accumulates=0, dense=300)}
    """
    state, inputs, _ = arranged("synaptic_operations", network, arguments, state, inputs, together=lengths is None)
    layers = {place: layer for place, layer in flat(network) if _counts(place, layer)}
    names = {f"{place}.{_driving(layer)}".lstrip("."): place for place, layer in layers.items()}
    if not names:
        raise ValueError(
            "synaptic_operations: no layer promises weights (weighted), or has a method fan_out(shape); there is "
            "nothing to count."
        )
    record = Record(lambda name: name in names, summary=InputCounts())
    found = unroll(network, state, inputs, keep="last", lengths=lengths, record=record).records
    return {place: _of_layer(layers[place], found[name]) for name, place in names.items()}


@answers_keywords
def energy_estimate(
    operations: dict[str, Operations],
    *,
    accumulate: float = ACCUMULATE,
    multiply_accumulate: float = MULTIPLY_ACCUMULATE,
) -> float:
    """Energy of synaptic operations in joules: accumulates times 0.9 pJ, and multiply-accumulates times 4.6 pJ.

    The defaults are those of 32-bit floating-point numbers in 45 nm at 0.9 V that the field compares networks by. They
    leave out the memory, whose accesses cost more (10 pJ for 64 bits of a cache of 8 KB and 1,300 pJ or more for DRAM,
    in the same source), the neurons, and what hardware spends while nothing happens. So this compares networks, and
    predicts neither the energy of a chip nor that of a program on a CPU or GPU, which does all dense operations.

    Parameters:
        operations: those of `synaptic_operations`, all samples together: divide by their number.
        accumulate, multiply_accumulate: joules of one, >= 0.

    Raises:
        TypeError: an energy is not a number.
        ValueError: an energy is negative.

    Source: Horowitz (2014), Computing's energy problem (and what we can do about it), ISSCC.

    Example:
        >>> from surgrad import nn
        >>> print(f"{1e12 * nn.energy_estimate({'0': nn.Operations(100, 10, 1000)}):.0f} pJ")
        136 pJ
    """
    for name, value in (("accumulate", accumulate), ("multiply_accumulate", multiply_accumulate)):
        require_real("energy_estimate", name, value, at_least=0)
    layers = operations.values()
    return sum(one.accumulates * accumulate + one.multiply_accumulates * multiply_accumulate for one in layers)


class Counts(NamedTuple):
    """How often an input was not zero, time steps so far, and whether an input was none of 0, 1 and -1.

    With lengths, each sample has the last two of its own.
    """

    nonzero: Int[Array, "*shape"]
    steps: Int[Array, "*batch"]
    graded: Bool[Array, "*batch"]


class InputCounts(Cell):
    """What `synaptic_operations` needs to know of the inputs of a layer."""

    def init(self, shape: Shape, dtype: Any = None) -> Counts:
        return Counts(jnp.zeros(shape, jnp.int32), jnp.zeros((), jnp.int32), jnp.zeros((), bool))

    def __call__(self, state: Counts, x: Any) -> tuple[Counts, Any]:
        x = jnp.asarray(x).astype(jnp.float32)
        graded = state.graded | ((x != 0) & (jnp.abs(x) != 1)).any()
        after = Counts(state.nonzero + (x != 0).astype(jnp.int32), state.steps + 1, graded)
        return after, after


def _counts(place: str, layer: Any) -> bool:
    """Whether a layer is counted.

    Raises:
        ValueError: it has weights, and nothing tells what they are multiplied with.
    """
    if "fan_out" in vars(type(layer)):
        return True
    if not promises(layer, "weighted"):
        return False
    if is_cell(layer) and not promises(layer, "feeds_back"):
        kind, where = type(layer).__name__, f"layer {place}" if place else "the cell"
        raise ValueError(
            f"synaptic_operations: {where}, {kind}, promises weights (weighted), and is a cell, so that nothing tells "
            f"how many outputs each input reaches; give {kind} a method fan_out(self, shape) that returns this number, "
            f"or one for each input."
        )
    return True


def _driving(layer: Any) -> str:
    """What the weights of a layer are multiplied with."""
    if promises(layer, "driven_by"):
        return layer.driven_by
    return "fed_back" if promises(layer, "feeds_back") else "inputs"


def _of_layer(layer: Any, found: Counts) -> Operations:
    reached = np.broadcast_to(_fan_out(layer, found.nonzero.shape), found.nonzero.shape).astype(np.int64)
    effective = int((np.asarray(found.nonzero, np.int64) * reached).sum())
    steps = np.asarray(found.steps, np.int64)  # one number, or with lengths one for each sample
    dense = int((steps.reshape(*steps.shape, *[1] * (reached.ndim - steps.ndim)) * reached).sum())
    return Operations(0, effective, dense) if np.any(found.graded) else Operations(effective, 0, dense)


def _fan_out(layer: Any, shape: tuple[int, ...]) -> Any:
    """The number of outputs that each input reaches: the derivative of their sum, where all weights are 1."""
    if "fan_out" in vars(type(layer)):
        return np.asarray(layer.fan_out(shape))
    if promises(layer, "feeds_back"):
        return layer.weight.shape[-1]
    ones = layer.with_weight(jnp.ones(layer.weight.shape, jnp.float32))
    return np.rint(jax.grad(lambda x: ones(x).sum())(jnp.ones(shape, jnp.float32)))
