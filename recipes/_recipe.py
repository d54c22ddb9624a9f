"""What a recipe is, and the logits that several share."""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from surgrad import nn, train

Logits = Callable[[Any, Any, Array | None], Float[Array, "samples classes"]]


@dataclasses.dataclass(frozen=True)
class Recipe:
    """A network, its data and its training.

    Parameters:
        title: what the table calls it.
        about: data, network and training, in Markdown.
        load: makes the samples to train on and those to test by, from a seed; `data[indices]` are some of them.
        network: makes the network, from a key and the samples to train on.
        logits: what the network says of a batch; with a key in training, which augments or draws samples.
        rate: the learning rate at its peak: it rises for a tenth of the updates, and falls along a cosine to zero.
        weight_decay: that of AdamW.
        delays_faster: learning rate of delays over that of weights.
        draw: makes a batch, with `labels`, of the samples of some indices.
        epochs: passes through the samples to train on.
        batch: samples of an update.
        seeds: number of runs, each with another seed for weights, batches and, where they are made up, samples.
        goal: the least mean test accuracy that is asked for, 0 to 1, or None.
        needs: data that nothing installs, and where it is to be had; empty if there are none.
    """

    title: str
    about: str
    load: Callable[[int], tuple[Any, ...]]
    network: Callable[[Array, Any], nn.Sequential]
    logits: Logits
    rate: float
    epochs: int
    batch: int
    weight_decay: float = 0.0
    delays_faster: float = 1.0
    draw: Callable[[Any, np.ndarray], Any] = operator.getitem
    seeds: int = 5
    goal: float | None = None
    needs: str = ""

    def optimizer(self, updates: int) -> optax.GradientTransformation:
        """AdamW with the learning rates of so many updates."""
        rates = optax.warmup_cosine_decay_schedule(0.0, self.rate, max(1, updates // 10), max(2, updates))
        # Adam does not see the size of a gradient, so that a factor of its updates is one of the learning rate.
        faster: dict[Any, Any] = {True: optax.scale(self.delays_faster), False: optax.identity()}
        return optax.chain(optax.adamw(rates, weight_decay=self.weight_decay), optax.partition(faster, _delays))

    def training(self, seed: int) -> dict[str, Any]:
        """What `surgrad train` takes for `function = "recipes.NAME:RECIPE.training"`, with the recipe's own epochs."""
        from recipes import _run  # which imports this module

        learn, test = self.load(seed)
        return {
            "network": self.network(jax.random.split(jax.random.key(seed))[1], learn),
            "data": Drawn(learn, self.draw),
            "optimizer": self.optimizer(self.epochs * (len(learn) // self.batch)),
            "loss": train.Objective(self.loss, takes_key=True),
            "batch_size": self.batch,
            "test": lambda network: {"test_accuracy": _run.accuracy_of(network, test, self)},
        }

    def loss(self, network: nn.Sequential, batch: Any, key: Array) -> Float[Array, ""]:
        """The cross-entropy of a batch in training."""
        logits = self.logits(network, batch, key)
        return optax.softmax_cross_entropy_with_integer_labels(logits, batch.labels).mean()


@dataclasses.dataclass(frozen=True)
class Drawn:
    """Samples of which `draw` makes batches."""

    samples: Any
    draw: Callable[[Any, np.ndarray], Any]

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, indices: np.ndarray) -> Any:
        return self.draw(self.samples, indices)


def _delays(weights: Any) -> Any:
    """Whether a leaf is an array of delays, for each leaf."""
    return jax.tree_util.tree_map_with_path(lambda path, _: "delay" in jax.tree_util.keystr(path), weights)


def of_spikes(network: nn.Sequential, batch: Any, key: Array | None) -> Float[Array, "samples classes"]:
    """The last output of a network that is given the spikes of a batch."""
    return nn.unroll(network, batch.spikes(), keep="last").outputs


def of_constant_currents(network: nn.Sequential, current: Array, steps: int) -> Float[Array, "samples classes"]:
    """The last output of a network whose first cells get the same current at each of some time steps."""
    return nn.unroll(network, jnp.broadcast_to(current, (steps, *current.shape)), keep="last").outputs
