"""Fitting a spiking network to labelled spikes, with the optimisers of Optax."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import AxisType
from jaxtyping import Array, Float, Int

from surgrad._extras import missing
from surgrad._numbers import require_real, require_whole
from surgrad._types import PyTree
from surgrad.nn import LI, LIF, Dense, Recurrent, Sequential, combine, partition
from surgrad.nn.contract import promises
from surgrad.nn.sequential import flat
from surgrad.tasks import Dataset

try:
    import optax
except ModuleNotFoundError as error:
    raise ImportError(missing("surgrad.train", "optax")) from error


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
    """A fit at its beginning. Weights are trained; the numbers of cells and surrogates are not, see `nn.partition`."""
    if not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(f"start: optimizer must be one of Optax, optax.adam(1e-3) say, got {optimizer!r}.")
    return Fit(network, optimizer.init(partition(network)[0]))


def score(network: Sequential, data: Dataset) -> Score:
    """Accuracy, cross-entropy and firing rate; the answer is the readout of the highest voltage at any step.

    The firing rate is the mean over the layers that promise spikes (`spiking`), also of networks inside the network;
    NaN where there is none. Inside `jax.shard_map` all are of the whole batch, if its parts are of equal size.
    """
    parts = [part for _, part in flat(network)]
    outputs = Sequential(*parts).outputs(data.spikes())
    logits = outputs[-1].max(axis=0)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, data.labels).mean()
    spikes = [jnp.mean(o, dtype=jnp.float32) for p, o in zip(parts, outputs, strict=True) if promises(p, "spiking")]
    spike_rate = jnp.stack(spikes).mean() if spikes else jnp.full((), jnp.nan)
    accuracy = jnp.mean(logits.argmax(axis=-1) == data.labels, dtype=loss.dtype)
    return Score(*map(_over_devices, (accuracy, loss, spike_rate)))


def _over_devices(value: Float[Array, ""]) -> Float[Array, ""]:
    """The mean over the devices among which `jax.shard_map` has split a batch; the value itself outside it."""
    mesh = jax.sharding.get_abstract_mesh()
    axes = [name for name, kind in zip(mesh.axis_names, mesh.axis_types, strict=True) if kind == AxisType.Manual]
    if not axes:
        return value
    # A mean is of what varies; adding a zero that does makes it so, whether it did or not.
    zeros = [jnp.zeros_like(jax.lax.axis_index(axis), dtype=value.dtype) for axis in axes]
    return jax.lax.pmean(sum(zeros, value), axes)


def step(fit: Fit, optimizer: optax.GradientTransformation, batch: Dataset) -> tuple[Fit, Float[Array, ""]]:
    """One update of the weights, and the loss before it."""

    def loss(trained: PyTree) -> Float[Array, ""]:
        return score(combine(trained, rest), batch).loss

    trained, rest = partition(fit.network)
    value, gradient = jax.value_and_grad(loss)(trained)
    with jax.numpy_dtype_promotion("standard"):  # Optax promotes within
        updates, state = optimizer.update(gradient, fit.optimizer, trained)
        learned: Any = optax.apply_updates(trained, updates)
    return Fit(combine(learned, rest), state), value


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
