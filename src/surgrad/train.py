"""Fitting a spiking network to labelled spikes, with the optimisers of Optax."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from surgrad._numbers import require_real, require_whole
from surgrad._surrogate import Surrogate
from surgrad._types import PyTree
from surgrad.nn import LI, LIF, Dense, Recurrent, Sequential
from surgrad.tasks import Dataset

try:
    import optax
except ModuleNotFoundError as missing:
    raise ImportError('surgrad.train needs Optax: pip install "surgrad[train]"') from missing


class Fit(NamedTuple):
    """A network and the state of its optimiser."""

    network: Sequential
    optimizer: PyTree


class Score(NamedTuple):
    """What a network does on a data set: share of right answers, cross-entropy, spikes per hidden neuron and step."""

    accuracy: Float[Array, ""]
    loss: Float[Array, ""]
    spike_rate: Float[Array, ""]


def classifier(
    key: Array,
    spike: Any,
    data: Dataset,
    *,
    hidden: int,
    tau: float,
    gain: float,
    depth: int = 1,
    recurrent: float = 0.0,
) -> Sequential:
    """Hidden layers of LIF neurons, and one leaky integrator a class.

    Parameters:
        key: of the initial weights.
        spike: surrogate of the hidden neurons, or a sequence of them, one a layer.
        data: what the network is for; it gives the numbers of inputs and classes.
        hidden: number of neurons of a hidden layer.
        tau: time constant of all neurons, in steps, > 0.
        gain: standard deviation of the hidden weights times the square root of the number of inputs, > 0.
        depth: number of hidden layers, >= 1.
        recurrent: the same of the weights within a layer, >= 0; 0 for layers without.

    Raises:
        ValueError: a number is out of range, or there are more or fewer surrogates than layers.
    """
    require_whole("classifier", hidden=hidden, depth=depth)
    for name, value in (("tau", tau), ("gain", gain)):
        require_real("classifier", name, value, above=0)
    require_real("classifier", "recurrent", recurrent, at_least=0)
    spikes = spike if isinstance(spike, (list, tuple)) else (spike,) * depth
    if len(spikes) != depth:
        raise ValueError(f"classifier: {depth} layers need as many surrogates, or one for all, got {len(spikes)}.")
    first, second = jax.random.split(key)
    parts, channels = [], data.channels
    for layer, each in zip(range(depth), spikes, strict=True):
        into, back = (first, key) if not layer else jax.random.split(jax.random.fold_in(first, layer))
        cell = LIF(each, tau)
        cell = Recurrent.random(back, cell, hidden, recurrent) if recurrent else cell
        parts += [Dense.random(into, channels, hidden, gain), cell]
        channels = hidden
    return Sequential(*parts, Dense.random(second, hidden, data.classes), LI(tau))


def start(network: Sequential, optimizer: optax.GradientTransformation) -> Fit:
    """A fit at its beginning. Weights are learned; cells, surrogates among them, stay as they are."""
    return Fit(network, optimizer.init(network.connections()))


def score(network: Sequential, data: Dataset) -> Score:
    """Accuracy, cross-entropy and spike rate; the answer is the readout of the highest voltage at any step."""
    outputs = network.outputs(data.spikes())
    logits = outputs[-1].max(axis=0)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, data.labels).mean()
    rates = [spikes.mean() for part, spikes in zip(network.parts, outputs, strict=True) if _spikes(part)]
    spike_rate = jnp.stack(rates).mean() if rates else jnp.full((), jnp.nan)
    return Score((logits.argmax(axis=-1) == data.labels).mean(), loss, spike_rate)


def _spikes(part: Any) -> bool:
    """Whether a part has a surrogate."""
    return any(map(_is_surrogate, jax.tree.leaves(part, is_leaf=_is_surrogate)))


def _is_surrogate(leaf: Any) -> bool:
    return isinstance(leaf, Surrogate)


def step(fit: Fit, optimizer: optax.GradientTransformation, batch: Dataset) -> tuple[Fit, Float[Array, ""]]:
    """One update of the weights, and the loss before it."""

    def loss(connections: PyTree) -> Float[Array, ""]:
        return score(fit.network.with_connections(connections), batch).loss

    connections = fit.network.connections()
    value, slope = jax.value_and_grad(loss)(connections)
    updates, state = optimizer.update(slope, fit.optimizer, connections)
    learned: Any = optax.apply_updates(connections, updates)
    return Fit(fit.network.with_connections(learned), state), value


def batches(key: Array, samples: int, batch: int) -> Int[Array, "batches batch"]:
    """All samples in the order of the key, in batches; what does not fill the last batch is left out.

    Raises:
        ValueError: there are fewer samples than a batch holds.
    """
    if not 1 <= batch <= samples:
        raise ValueError(f"batches: batch must be 1 to {samples}, the number of samples, got {batch}.")
    count = samples // batch
    return jax.random.permutation(key, samples)[: count * batch].reshape(count, batch)


def epoch(
    fit: Fit, optimizer: optax.GradientTransformation, data: Dataset, order: Int[Array, "batches batch"]
) -> tuple[Fit, Float[Array, ""]]:
    """An update with each of the batches, and the mean of their losses."""
    fit, losses = jax.lax.scan(lambda fit, samples: step(fit, optimizer, data[samples]), fit, order)
    return fit, losses.mean()
