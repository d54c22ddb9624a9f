"""The tasks of the study as problems: how a network is made, what it is trained on, and how it is judged."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array
from recipes import japanese_vowels as vowels

from surgrad import encode, nn, tasks

INSIDE = 1.5
"""Standard deviation of the initial weights between hidden layers times √hidden."""
DELAYS_FASTER = 40.0
"""The learning rate of delays over that of weights, as in `recipes/delays.py`."""


@dataclasses.dataclass(frozen=True)
class Net:
    """An architecture.

    Parameters:
        depth: number of hidden layers.
        recurrent: whether they are recurrent.
    """

    depth: int
    recurrent: bool

    @property
    def name(self) -> str:
        """The architecture in words."""
        return f"{self.depth} layer{'s' * (self.depth > 1)}{', recurrent' if self.recurrent else ''}"


NETS = {net.name: net for net in (Net(depth, back) for depth in (1, 3, 6) for back in (False, True))}


@dataclasses.dataclass(frozen=True)
class Problem:
    """What all problems share. All but the samples decide the design, and are written beside the rows.

    Parameters:
        name: of the task.
        updates: number of updates of Adam.
        batch: samples of an update.
        learning_rate: that of Adam.
        tau: time constant of neurons in time steps.
        gain: standard deviation of the initial hidden weights times √inputs.
        back: that of recurrent weights times √hidden.
        hidden: number of neurons of a hidden layer.
    """

    name: str
    updates: int = 200
    batch: int = 64
    learning_rate: float = 5e-3
    tau: float = 20.0
    gain: float = 3.0
    back: float = 1.0
    hidden: int = 64

    def design(self, net: Net) -> dict[str, Any]:
        """The numbers that decide the results with an architecture, as plain JSON."""
        found = {f.name: v for f in dataclasses.fields(self) if not callable(v := getattr(self, f.name))}
        return found | ({"inside": INSIDE} if net.depth > 1 else {})

    def optimizer(self) -> optax.GradientTransformation:
        """Adam, with a higher rate for delays: it does not see the size of a gradient."""
        faster: dict[Any, Any] = {True: optax.scale(DELAYS_FASTER), False: optax.identity()}
        return optax.chain(optax.adam(self.learning_rate), optax.partition(faster, _delays))

    def layers(self, spike: Any, key: Array, net: Net, first: Callable[[Array], Any]) -> list[Any]:
        """The hidden layers, behind a first connection that a function makes of a key."""
        parts: list[Any] = []
        for layer, each in enumerate(jax.random.split(key, net.depth)):
            into, back = jax.random.split(each)
            connection = nn.Linear(self.hidden, self.hidden, key=into, gain=INSIDE) if layer else first(into)
            cell = nn.LIF(spike, self.tau)
            parts += [connection, nn.Recurrent(cell, self.hidden, key=back, gain=self.back) if net.recurrent else cell]
        return parts


def _delays(weights: Any) -> Any:
    return jax.tree_util.tree_map_with_path(lambda path, _: "delay" in jax.tree_util.keystr(path), weights)


@dataclasses.dataclass(frozen=True)
class Classification(Problem):
    """Classes to be told from spike trains.

    Parameters:
        load: makes the samples.
        readout: makes the layer that reads the membrane potentials of the output.
        max_delay: the largest delay of the learned delays of the first connection; 0 for none.
    """

    load: Callable[[], tasks.Split] = tasks.digits
    readout: Callable[[], Any] = nn.MaxOverTime
    max_delay: int = 0

    def data(self) -> tasks.Split:
        """The samples to train on and to judge by."""
        return self.load()

    def network(self, spike: Any, key: Array, net: Net, data: tasks.Split) -> nn.Sequential:
        """A network at its beginning."""
        inside, out = jax.random.split(key)
        channels, classes = data.train.channels, data.train.classes

        def first(key: Array) -> Any:
            if self.max_delay:
                return nn.DelayedLinear(channels, self.hidden, self.max_delay, key=key, gain=self.gain)
            return nn.Linear(channels, self.hidden, key=key, gain=self.gain)

        hidden = self.layers(spike, inside, net, first)
        if self.readout is nn.MeanOverTime:
            end = [nn.Linear(self.hidden, classes, key=out, gain=float(data.train.steps))]
        else:
            end = [nn.Linear(self.hidden, classes, key=out), nn.LeakyIntegrator(self.tau)]
        return nn.Sequential(*hidden, *end, self.readout())

    def sample(self, network: Any, key: Array, data: tasks.Split) -> tasks.Dataset:
        """Some samples to train on, drawn by chance."""
        return data.train[jax.random.randint(key, (self.batch,), 0, len(data.train))]

    def inputs(self, batch: tasks.Dataset) -> Array:
        """What the network gets, time first."""
        return batch.spikes()

    def loss(self, network: Any, batch: tasks.Dataset) -> Array:
        """The cross-entropy of a batch."""
        return _cross_entropy(nn.unroll(network, batch.spikes(), keep="last").outputs, batch.labels)

    def reached(self, batch: tasks.Dataset) -> Array:
        """Nothing: the samples do not depend on what has been learned."""
        return jnp.zeros(())

    def lacking(self, loss: Array, reached: Array) -> Array:
        """What tuning makes small."""
        return loss

    def score(self, network: Any, key: Array, data: tasks.Split, reached: Array) -> dict[str, Array]:
        """Accuracy and loss on the samples to judge by, and the firing rate there."""
        outputs = network.outputs(data.test.spikes())
        logits, labels = outputs[-1][-1], data.test.labels
        return {
            "test_accuracy": (logits.argmax(-1) == labels).mean(),
            "test_loss": _cross_entropy(logits, labels),
            "firing_rate": firing_rate(network, outputs),
        }


def firing_rate(network: Any, outputs: Any) -> Array:
    """The mean of the spikes of all hidden layers."""
    last = max(i for i, part in enumerate(network.parts) if isinstance(part, (nn.Linear, nn.DelayedLinear)))
    return jnp.mean(jnp.stack([outputs[i].mean() for i in range(1, last, 2)]))


def _cross_entropy(logits: Array, labels: Array) -> Array:
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def pooled_fashion(steps: int = 15, train: int = 6000, test: int = 2000) -> tasks.Split:
    """Fashion-MNIST as latencies of 14 x 14 pixels, each the mean of four."""
    parts = tasks.fashion_mnist(steps=steps, code="intensity", limit=train)

    def pooled(part: tasks.Dataset, count: int) -> tasks.Dataset:
        images = np.asarray(part.events[:count]).reshape(-1, 14, 2, 14, 2).mean(axis=(2, 4)).reshape(-1, 196)
        events = jnp.asarray(encode.latency_steps(images, steps), jnp.uint8)
        return tasks.Dataset(events, part.labels[:count], steps, part.classes)

    return tasks.Split(pooled(parts.train, train), pooled(parts.test, test))


def crossing_vowels(levels: int = 4) -> tasks.Split:
    """JapaneseVowels as level crossings, as in `recipes/japanese_vowels.py`; each `levels`-th level, then silence."""
    parts = vowels.load(0)

    def spikes(part: tasks.SeriesDataset) -> tasks.Dataset:
        raster = np.asarray(vowels.crossings(part.values)) > 0
        raster = raster.reshape(*raster.shape[:2], part.channels, 2, -1)[..., ::levels].reshape(*raster.shape[:2], -1)
        raster &= (np.arange(part.steps)[:, None] < np.asarray(part.lengths))[..., None]
        return tasks.Dataset(jnp.asarray(raster), part.labels, part.steps, part.classes)

    return tasks.Split(*(spikes(part) for part in parts))


@functools.cache
def problems() -> dict[str, Any]:
    """All problems by name."""
    from benchmarks.which_one.cart_pole import CartPole  # which imports this module

    load = functools.partial
    found = (
        Classification("digits", load=load(tasks.digits, steps=20)),
        Classification("Fashion-MNIST", load=pooled_fashion, gain=2.0),
        Classification("JapaneseVowels", load=crossing_vowels, gain=2.0),
        Classification("manifolds", load=load(tasks.manifolds, classes=6, steps=40, samples=400), updates=250),
        Classification(
            "delayed memory",
            load=load(tasks.delayed_memory, classes=8, noise=0.05, steps=30),
            readout=nn.LastStep, updates=250,
        ),
        Classification(
            "coincidences", load=tasks.coincidences, readout=nn.MeanOverTime, max_delay=30,
            tau=2.0, gain=2.0, updates=400, batch=32, hidden=32,
        ),
        CartPole("cart-pole"),
    )  # fmt: skip
    return {one.name: one for one in found}
