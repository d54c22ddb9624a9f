"""Initial weights that keep neurons firing.

Rossbroich, Gygax & Zenke (2022), Fluctuation-driven initialization for spiking neural network training, Neuromorphic
Computing and Engineering 2:044016.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from surgrad.nn.connections import Conv, Dense
from surgrad.nn.recurrent import Recurrent
from surgrad.nn.sequential import Sequential, is_cell
from surgrad.nn.unroll import unroll

IMPULSE = 1e-3
"""Of the threshold: an input that no neuron spikes from."""


class _Target(NamedTuple):
    """The mean and the deviation that membranes shall have, and the sums of their kernel and of its square."""

    mean: Float[Array, " neurons"]
    deviation: Float[Array, " neurons"]
    area: Float[Array, " neurons"]
    energy: Float[Array, " neurons"]


def fluctuation_driven(
    network: Sequential,
    key: Array,
    inputs: Float[Array, "time *batch inputs"],
    *,
    xi: float = 1.0,
    mean: float = 0.0,
    feedforward: float = 0.9,
) -> Sequential:
    """The network with new weights, under which membranes fluctuate about a mean and now and then reach the threshold.

    Of n inputs of rate ν, membranes have mean μ_U = n ν ε̄ μ_W and variance σ_U² = n ν ε̂ (σ_W² + μ_W²), where ε̄ and
    ε̂ are the sums over time of the response to one spike and of its square. Weights are normal, with μ_W and σ_W such
    that the threshold lies ξ deviations above the mean, ξ = (θ - μ_U)/σ_U. Layer after layer the rates are measured
    on the inputs and the responses on the cells. Biases become zero. What does not lead to a cell with a threshold
    (a readout) stays as it is.

    Parameters:
        network: its `Dense` and `Conv`, each right before a cell, and its `Recurrent` get new weights.
        key: of the random weights.
        inputs: a batch of typical inputs, time first.
        xi: ξ, > 0; the smaller, the more spikes. The paper finds 1 to 3 good.
        mean: μ_U in units of the threshold, < 1.
        feedforward: share of the variance that inputs have where there are recurrent weights, above 0 to 1.

    Raises:
        ValueError: an argument is out of its range; a layer gets no spikes at all, so that no weights could help.
    """
    _require(xi=(xi, xi > 0, "> 0"), mean=(mean, mean < 1, "< 1"))
    _require(feedforward=(feedforward, 0 < feedforward <= 1, "above 0 to 1"))
    parts = list(network.parts)
    state: tuple[Any, ...] = network.init(inputs.shape[1:], inputs.dtype)
    for index, part in enumerate(parts):
        after = parts[index + 1] if index + 1 < len(parts) else None
        if isinstance(part, Dense | Conv) and _threshold(after) is not None:
            key, first, second = jax.random.split(key, 3)
            target = _target(after, part(inputs).shape, xi, mean)
            share = feedforward if isinstance(after, Recurrent) else 1.0
            parts[index] = _drawn(first, part, target, _rate(inputs, index), share)
            if isinstance(after, Recurrent):
                silent = after.replace(weights=jnp.zeros_like(after.weights))
                _, spikes = unroll(silent, state[index + 1], parts[index](inputs))
                drawn = _drawn(second, after, target, _rate(spikes, index + 1), 1 - feedforward)
                parts[index + 1] = drawn
        part = parts[index]
        inputs = unroll(part, state[index], inputs)[1] if is_cell(part) else part(inputs)
    return Sequential(*parts)


def _require(**arguments: tuple[float, bool, str]) -> None:
    for name, (value, fits, allowed) in arguments.items():
        if not fits:
            raise ValueError(f"fluctuation_driven: {name} must be {allowed}, got {value}.")


def _threshold(cell: Any) -> Any:
    """The threshold of a cell, or of the cell inside of `Recurrent`; None where there is none."""
    return getattr(cell.cell if isinstance(cell, Recurrent) else cell, "threshold", None)


def _rate(x: Array, index: int) -> Array:
    """Spikes a step, the mean square: what makes a membrane fluctuate, also where inputs are not 0 and 1."""
    rate = jnp.mean(x**2)
    if not isinstance(rate, Tracer) and rate == 0:
        raise ValueError(
            f"fluctuation_driven: what comes into part {index} is zero at all steps; give inputs with spikes, or a "
            f"smaller xi."
        )
    return rate


def _target(cell: Any, shape: tuple[int, ...], xi: float, mean: float) -> _Target:
    cell = cell.cell if isinstance(cell, Recurrent) else cell
    threshold = jnp.asarray(cell.threshold)
    response = _response(cell, (shape[0], shape[-1]), threshold)
    center = jnp.broadcast_to(mean * threshold, shape[-1:])
    return _Target(center, (threshold - center) / xi, response.sum(axis=0), (response**2).sum(axis=0))


def _response(cell: Any, shape: tuple[int, int], threshold: Array) -> Float[Array, "time neurons"]:
    """The voltage after a spike of unit weight at the first step."""

    def traced(state: Any, current: Array) -> tuple[Any, Array]:
        state, _ = cell(state, current)
        return state, state.voltage

    height = IMPULSE * threshold
    impulse = jnp.zeros(shape).at[0].set(height)
    return unroll(traced, cell.init(shape[1:]), impulse)[1] / height


def _drawn(key: Array, part: Any, target: _Target, rate: Array, share: float) -> Any:
    """A part with weights that give a share of the mean and of the variance."""
    inputs = part.weights.size / part.weights.shape[-1]
    center = share * target.mean / (inputs * rate * target.area)
    variance = share * target.deviation**2 / (inputs * rate * target.energy) - center**2
    deviation = jnp.sqrt(jnp.maximum(variance, 0))
    weights = center + deviation * jax.random.normal(key, part.weights.shape)
    if isinstance(part, Recurrent):
        return part.replace(weights=weights)
    return part.replace(weights=weights, bias=jnp.zeros_like(part.bias))
