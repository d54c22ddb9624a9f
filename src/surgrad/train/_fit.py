"""Fitting a spiking network to labelled spikes, with the optimisers of Optax."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import AxisType
from jaxtyping import Array, Float, Int

from surgrad._keys import takes_key
from surgrad._optimizers import require_optimizer, updated
from surgrad._types import PyTree
from surgrad.nn import Sequential, combine, partition
from surgrad.nn._contract import promises
from surgrad.nn._sequential import flat
from surgrad.tasks import Dataset

Loss = Callable[[Any, Any], Float[Array, ""]]


class Fit(NamedTuple):
    """A network in training, and the state of its optimiser.

    Parameters:
        network: with the weights after the last update.
        optimizer: the state of the optimiser.
    """

    network: Any
    optimizer: PyTree


class Score(NamedTuple):
    """How well a network classifies a data set.

    Parameters:
        accuracy: share of the samples that are classified correctly, 0 to 1.
        loss: mean cross-entropy, in nats.
        firing_rate: mean number of spikes for each neuron and time step, 0 to 1; NaN without spiking layers.
    """

    accuracy: Float[Array, ""]
    loss: Float[Array, ""]
    firing_rate: Float[Array, ""]

    @property
    def spike_rate(self) -> Float[Array, ""]:
        """The firing rate, under its name from before the first release."""
        return self.firing_rate


def start(network: Any, optimizer: optax.GradientTransformation) -> Fit:
    """A fit before its first update. Weights are trained; numbers of cells and surrogates are not, see `nn.partition`.

        >>> import jax, jax.numpy as jnp, optax, surgrad
        >>> from surgrad import tasks, train
        >>> key, data = jax.random.key(0), tasks.load("temporal_xor").train
        >>> network = train.classifier(surrogate=surgrad.Sigmoid(), data=data, key=key, hidden=32, tau=20.0, gain=3.0)
        >>> adam = optax.adam(1e-3)
        >>> fit, loss = train.step(train.start(network, adam), adam, data[jnp.arange(64)])
        >>> loss.shape
        ()

    Parameters:
        network: with its initial weights.
        optimizer: an optimiser of Optax.

    Raises:
        TypeError: the optimiser is not one of Optax.
    """
    return Fit(network, require_optimizer("start", optimizer, function=False).init(partition(network)[0]))


def score(network: Sequential, data: Dataset) -> Score:
    """Accuracy, cross-entropy and firing rate of a network on a data set.

    The logits are the maxima over time of the network's outputs, `(time, samples, classes)`. The firing rate is the
    mean over all layers that promise spikes (`spiking`), including those of networks inside the network. Inside
    `jax.shard_map` all three numbers are those of the whole batch, if its parts are of equal size.
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
    """The mean over the devices among which `jax.shard_map` has split a batch; outside `jax.shard_map` the value."""
    mesh = jax.sharding.get_abstract_mesh()
    axes = [name for name, kind in zip(mesh.axis_names, mesh.axis_types, strict=True) if kind == AxisType.Manual]
    if not axes:
        return value
    # `pmean` takes values that vary over the mesh only; adding a zero that varies makes any value vary.
    zeros = [jnp.zeros_like(jax.lax.axis_index(axis), dtype=value.dtype) for axis in axes]
    return jax.lax.pmean(sum(zeros, value), axes)


def cross_entropy(network: Sequential, batch: Dataset) -> Float[Array, ""]:
    """The loss of `score`."""
    return score(network, batch).loss


def step(
    fit: Fit, optimizer: optax.GradientTransformation, batch: Any, *, loss: Loss = cross_entropy
) -> tuple[Fit, Float[Array, ""]]:
    """The fit after one update of the weights, and the loss on the batch before it.

    Parameters:
        fit: the network, and the state of its optimiser.
        optimizer: the optimiser that `start` was given.
        batch: samples to learn from, a `Dataset`; with a loss of your own anything that it takes.
        loss: what to minimise, a function of the network and the batch; the cross-entropy of `score`, in nats, if it is
            left out.
    """
    trained, rest = partition(fit.network)
    value, gradient = jax.value_and_grad(lambda trained: loss(combine(trained, rest), batch))(trained)
    learned, state = updated(optimizer, gradient, fit.optimizer, trained)
    return Fit(combine(learned, rest), state), value


@takes_key
def batches(samples: int, batch: int, *, key: Array) -> Int[Array, "batches batch"]:
    """Indices of all samples in random order, in batches; samples that do not fill the last batch are left out.

    Parameters:
        samples: number of samples.
        batch: number of samples in a batch, 1 to `samples`.
        key: random key of the order.

    Raises:
        TypeError: `key` is not a random key.
        ValueError: there are fewer samples than a batch holds.
    """
    if not 1 <= batch <= samples:
        raise ValueError(f"batches: batch must be 1 to {samples}, the number of samples, got {batch}.")
    count = samples // batch
    return jax.random.permutation(key, samples)[: count * batch].reshape(count, batch)


def epoch(
    fit: Fit,
    optimizer: optax.GradientTransformation,
    data: Any,
    order: Int[Array, "batches batch"],
    *,
    loss: Loss = cross_entropy,
) -> tuple[Fit, Float[Array, ""]]:
    """The fit after one update with each batch, and the mean of their losses.

    Parameters:
        fit: the network, and the state of its optimiser.
        optimizer: the optimiser that `start` was given.
        data: samples to learn from, `data[indices]` those of a batch.
        order: indices of the samples of each batch, see `batches`.
        loss: as of `step`.
    """
    fit, losses = jax.lax.scan(lambda fit, samples: step(fit, optimizer, data[samples], loss=loss), fit, order)
    return fit, losses.mean()
