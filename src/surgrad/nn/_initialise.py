"""Fluctuation-driven initialisation of weights.

Rossbroich, Gygax & Zenke (2022), Fluctuation-driven initialization for spiking neural network training, Neuromorphic
Computing and Engineering 2:044016.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array, Float

from surgrad._answers import answers_keywords
from surgrad._dtypes import floating, like
from surgrad._keys import takes_key
from surgrad._kinds import require_kind
from surgrad._numbers import require_real
from surgrad._shapes import require_shapes
from surgrad._types import Numbers
from surgrad.nn._contract import denies, is_cell, promises
from surgrad.nn._recurrent import Recurrent
from surgrad.nn._sequential import Sequential, flat
from surgrad.nn._unroll import unroll

IMPULSE = 1e-3
"""Height of the test impulse in units of the threshold: no neuron spikes from it."""


class _Aim(NamedTuple):
    """The arguments of `fluctuation_driven`."""

    xi: float
    mean: float
    feedforward: float


class _Target(NamedTuple):
    """The mean and the deviation that membranes are to have, and the sums of their kernel and of its square."""

    mean: Float[Array, "*neurons"]
    deviation: Float[Array, "*neurons"]
    area: Float[Array, "*neurons"]
    energy: Float[Array, "*neurons"]


@answers_keywords
@takes_key
def fluctuation_driven(
    network: Sequential,
    inputs: Numbers,
    *,
    key: Array,
    xi: float = 1.0,
    mean: float = 0.0,
    feedforward: float = 0.9,
) -> Sequential:
    """A copy of the network with new weights, under which membrane potentials fluctuate up to the threshold.

    For n inputs of firing rate ν, membrane potentials have mean μ_U = n ν ε̄ μ_W and variance
    σ_U² = n ν ε̂ (σ_W² + μ_W²), where ε̄ and ε̂ are the sums over time of the response to one spike and of its square.
    Weights are normal, with μ_W and σ_W such that the threshold is ξ standard deviations above the mean,
    ξ = (θ - μ_U)/σ_U. Firing rates are measured on the inputs and responses on the cells, layer by layer. Biases become
    zero. Connections to a readout stay as they are.

    Between a connection and its cell there may be delays (cells that promise `relays`) and connections without weights:
    pools, `Flatten`, functions. Their effect on a constant current and on the variance of the currents scales ε̄ and ε̂,
    which is exact if they are linear. For cells behind `Flatten` whose parameters differ between neurons the mean over
    the neurons is used.

    Parameters:
        network: its connections that promise `weighted` (`Linear`, `Conv2d`) and lead to a cell that promises a
            `linear_response` get new weights, and a `Recurrent` around such a cell that they lead to; also in networks
            inside it. What leads to a readout, a cell that says `spiking = False`, stays as it is.
        key: of the random weights.
        inputs: a batch of typical inputs, `(time, *batch, inputs)`, longer than the membranes remember.
        xi: ξ, > 0; the smaller, the more spikes. The paper finds 1 to 3 good.
        mean: μ_U in units of the threshold, < 1.
        feedforward: share of the variance that inputs have where there are recurrent weights, above 0 to 1.

    Raises:
        TypeError: the network is no `Sequential`.
        ValueError: an argument is out of its range; a layer gets no spikes at all, so that no weights could help, or
            NaN; a connection leads to a cell that does not promise a linear response (AdEx, Izhikevich's, one of
            your own), or to a `Recurrent` around more than one cell. The message names the part.
    """
    require_real("fluctuation_driven", "xi", xi, above=0)
    require_real("fluctuation_driven", "mean", mean, below=1)
    require_real("fluctuation_driven", "feedforward", feedforward, above=0, at_most=1)
    aim, inputs = _Aim(xi, mean, feedforward), _admitted(network, inputs)
    places, parts = [place for place, _ in flat(network)], [part for _, part in flat(network)]
    driven = set()  # recurrent cells whose inputs have got their weights
    for index, (place, part) in enumerate(zip(places, parts, strict=True)):
        key, own = jax.random.split(key)
        if index in driven:
            part = _recurrent(own, part, inputs, aim, place)
        elif promises(part, "weighted") and not is_cell(part):
            between = list(itertools.takewhile(_passes, parts[index + 1 :]))
            ahead = index + 1 + len(between)
            if ahead < len(parts) and _neurons(parts[ahead], place) is not None:
                part = _connected(own, part, between, parts[ahead], inputs, aim, place)
                driven |= {ahead} if _recurs(parts[ahead]) else set()
        parts[index], inputs = part, _run(part, inputs)
    return _rebuilt(network, iter(parts))


def _admitted(network: Any, inputs: Any) -> Array:
    """The inputs as floating numbers, which fit the network."""
    require_kind("fluctuation_driven: network", network, Sequential, "a Sequential", "; put it into one")
    x = jnp.asarray(inputs)
    require_shapes("fluctuation_driven", {"inputs": (x.shape, "time >= 1, *batch >= 1, inputs >= 1")})
    x = x.astype(floating(x.dtype))
    network.init(x.shape[1:], x.dtype)
    if not promises(network, "in_order"):
        kind = type(network).__name__
        raise TypeError(f"fluctuation_driven: the class {kind} must promise in_order, that its parts run in order.")
    return x


def _recurs(part: Any) -> bool:
    """Whether a part promises recurrent weights of its own around a cell, as `Recurrent` does."""
    return promises(part, "feeds_back") and promises(part, "weighted")


def _passes(part: Any) -> bool:
    """Whether a part may stand between a connection and its neurons."""
    return promises(part, "relays") if is_cell(part) else not promises(part, "weighted")


def _rebuilt(network: Sequential, parts: Iterator[Any]) -> Sequential:
    """A network of the same form out of other parts."""
    parts_of_it = [_rebuilt(part, parts) if promises(part, "in_order") else next(parts) for part in network]
    return network.replace(parts=tuple(parts_of_it))


def _run(part: Any, inputs: Array) -> Array:
    """The outputs of a part over time, from rest."""
    return Sequential(part).outputs(inputs)[-1]


def _neurons(part: Any, place: str) -> Any:
    """The cell with a linear response that a part is, or has recurrent weights around; None for a readout."""
    while _recurs(part):
        inside = [part.cell]
        if promises(part.cell, "in_order"):
            inside = [p for _, p in flat(part.cell) if not promises(p, "relays")]
        if len(inside) != 1:
            only = "only one cell and delays can stand there. Draw its weights yourself"
            raise ValueError(f"fluctuation_driven: part {place} leads to a Recurrent around a network; {only}.")
        part = inside[0]
    if promises(part, "linear_response"):
        return part
    if is_cell(part) and not denies(part, "spiking"):
        kind = type(part).__name__
        raise ValueError(
            f"fluctuation_driven: part {place} leads to {kind}, which does not promise a linear response below a "
            f"threshold. Draw its weights yourself; or, if {kind} is yours and has `threshold` and `state.v`, set "
            f"linear_response = True in its class (spiking = False if it is a readout)."
        )
    return None


def _rate(x: Array, place: str) -> Array:
    """Spikes a step, the mean square: what makes a membrane fluctuate, also where inputs are not 0 and 1."""
    rate = jnp.mean(x**2)
    if not isinstance(rate, Tracer) and not (jnp.isfinite(rate) and rate > 0):
        found, advice = ("zero at all steps", "spikes, or a smaller xi") if rate == 0 else (f"{rate}", "finite numbers")
        raise ValueError(f"fluctuation_driven: what comes into part {place} is {found}; give inputs with {advice}.")
    return rate


def _connected(key: Array, part: Any, between: list[Any], after: Any, inputs: Array, aim: _Aim, place: str) -> Any:
    """A connection with weights under which its share of what drives the cell after it is as it should be."""
    rate, share = _rate(inputs, place), aim.feedforward if _recurs(after) else 1.0
    shape = jax.eval_shape(lambda x: _passed(between, _run(part, x)), inputs).shape
    target = _target(_neurons(after, place), shape, aim)
    if shape[-1] != part.weight.shape[-1]:
        target = jax.tree.map(jnp.mean, target)
    drawn = _drawn(key, part, target, rate, share)
    if all(map(is_cell, between)):
        return drawn
    currents = _run(drawn, inputs)
    passed, constant = _passed(between, currents), _passed(between, jnp.ones_like(currents)).mean()
    gain = passed.var(axis=0).mean() / currents.var(axis=0).mean()
    return _drawn(key, part, target._replace(area=target.area * constant, energy=target.energy * gain), rate, share)


def _passed(between: list[Any], currents: Array) -> Array:
    """What comes through the parts between a connection and its cell, but for the delays."""
    for part in between:
        currents = currents if is_cell(part) else _run(part, currents)
    return currents


def _recurrent(key: Array, part: Recurrent, currents: Array, aim: _Aim, place: str) -> Recurrent:
    """Recurrent weights for what the inputs leave of the variance, by the rate without them."""
    spikes = _run(part.replace(weight=jnp.zeros_like(part.weight)), currents)
    target = _target(_neurons(part, place), currents.shape, aim)
    return _drawn(key, part, target, _rate(spikes, place), 1 - aim.feedforward)


def _target(cell: Any, shape: tuple[int, ...], aim: _Aim) -> _Target:
    threshold = jnp.asarray(cell.threshold)
    response = _response(cell, (shape[0], shape[-1]), threshold)
    center = jnp.broadcast_to(aim.mean * threshold, shape[-1:])
    return _Target(center, (threshold - center) / aim.xi, response.sum(axis=0), (response**2).sum(axis=0))


def _response(cell: Any, shape: tuple[int, int], threshold: Array) -> Float[Array, "time neurons"]:
    """The voltage after a spike of unit weight at the first step."""

    def traced(state: Any, current: Array) -> tuple[Any, Array]:
        state, _ = cell(state, current)
        return state, state.v

    height = IMPULSE * threshold
    impulse = jnp.zeros(shape).at[0].set(height)
    return unroll(traced, cell.init(shape[1:]), impulse)[1] / height


def _drawn(key: Array, part: Any, target: _Target, rate: Array, share: float) -> Any:
    """A part with weights that give a share of the mean and of the variance."""
    inputs = part.weight.size / part.weight.shape[-1]
    center = share * target.mean / (inputs * rate * target.area)
    variance = share * target.deviation**2 / (inputs * rate * target.energy) - center**2
    deviation = jnp.sqrt(jnp.maximum(variance, 0))
    drawn = jax.random.normal(key, part.weight.shape)
    weights = like(drawn, center) + like(drawn, deviation) * drawn
    return part.with_weight(weights)
