"""Fitting a spiking network to labelled spikes, with the optimisers of Optax."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AxisType
from jaxtyping import Array, Float, Int

from surgrad._keys import takes_key
from surgrad._types import PyTree
from surgrad.nn import Sequential, combine, partition
from surgrad.nn._contract import promises
from surgrad.nn._sequential import flat
from surgrad.tasks import Dataset


class Fit(NamedTuple):
    """A network in training, and the state of its optimiser."""

    network: Sequential
    optimizer: PyTree


class Score(NamedTuple):
    """Accuracy (0 to 1), cross-entropy in nats, and firing rate in spikes per neuron and time step, on a data set."""

    accuracy: Float[Array, ""]
    loss: Float[Array, ""]
    firing_rate: Float[Array, ""]

    @property
    def spike_rate(self) -> Float[Array, ""]:
        """The firing rate, under its name from before the first release."""
        return self.firing_rate


def start(network: Sequential, optimizer: optax.GradientTransformation) -> Fit:
    """A fit before its first update. Weights are trained; numbers of cells and surrogates are not, see `nn.partition`.

    Raises:
        TypeError: the optimiser is not one of Optax.
    """
    if not isinstance(optimizer, optax.GradientTransformation):
        raise TypeError(f"start: optimizer must be one of Optax, optax.adam(1e-3) say, got {optimizer!r}.")
    return Fit(network, optimizer.init(partition(network)[0]))


def score(network: Sequential, data: Dataset) -> Score:
    """Accuracy, cross-entropy and firing rate; the logits are the maxima over time of the network's outputs.

    The firing rate is the mean over all layers that promise spikes (`spiking`), also in networks inside the network;
    NaN if there are none. Inside `jax.shard_map` all three are of the whole batch, if its parts are of equal size.
    """
    parts = [part for _, part in flat(network)]
    outputs = Sequential(*parts).outputs(data.spikes())
    logits = outputs[-1].max(axis=0)
    loss = optax.softmax_cross_entropy_with_integer_labels(logits, data.labels).mean()
    rates = [jnp.mean(o, dtype=jnp.float32) for p, o in zip(parts, outputs, strict=True) if promises(p, "spiking")]
    firing_rate = jnp.stack(rates).mean() if rates else jnp.full((), jnp.nan)
    accuracy = jnp.mean(logits.argmax(axis=-1) == data.labels, dtype=loss.dtype)
    return Score(*map(_over_devices, (accuracy, loss, firing_rate)))


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
    """The fit after one update of the weights, and the loss before it."""

    def loss(trained: PyTree) -> Float[Array, ""]:
        return score(combine(trained, rest), batch).loss

    trained, rest = partition(fit.network)
    value, gradient = jax.value_and_grad(loss)(trained)
    with jax.numpy_dtype_promotion("standard"):  # Optax promotes within
        updates, state = optimizer.update(gradient, fit.optimizer, trained)
        learned: Any = optax.apply_updates(trained, updates)
    return Fit(combine(learned, rest), state), value


@takes_key
def batches(samples: int, batch: int, *, key: Array) -> Int[Array, "batches batch"]:
    """Indices of all samples, shuffled, in batches; samples that do not fill the last batch are left out.

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
    """The fit after one update with each of the batches, and the mean of their losses."""
    fit, losses = jax.lax.scan(lambda fit, samples: step(fit, optimizer, data[samples]), fit, order)
    return fit, losses.mean()
