"""What `fit` is given besides networks and samples: losses that need more than a batch, and data that are drawn."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

from jaxtyping import Array

from surgrad._kinds import require_callable, require_kind


@dataclasses.dataclass(frozen=True)
class Objective:
    """A loss that takes a random key, or returns a new network, or has another form for evaluation.

    A plain function of a network and a batch needs none of this: give it to `fit` as it is.

        >>> from surgrad import nn, train
        >>> def loss(network, batch, key):
        ...     inputs, target = batch
        ...     outputs = nn.unroll(nn.with_dropout(network, key=key), inputs).outputs
        ...     return ((outputs.mean(axis=0) - target) ** 2).mean()
        >>> objective = train.Objective(loss, takes_key=True)

    Parameters:
        loss: a function of the network and the batch, of a random key too if `takes_key` is True. It returns one
            number, or the pair of it and a network if `returns_network` is True.
        takes_key: whether the third argument of the loss is a random key, a new one for each update: for dropout, for
            encoders that draw spikes, for augmentation.
        returns_network: whether the loss also returns the network with what it has changed besides the weights, as
            `nn.unroll_in_training` moves the running means of `BatchNorm`. Weights are changed by the optimiser alone.
        evaluate: a function of a network and a batch, the loss on validation data. None: the loss itself, with a key
            that is the same in each epoch.

    Raises:
        TypeError: a function is not one, or an option is neither True nor False.
    """

    loss: Callable[..., Any]
    takes_key: bool = False
    returns_network: bool = False
    evaluate: Callable[[Any, Any], Any] | None = None

    def __post_init__(self) -> None:
        for name in ("takes_key", "returns_network"):
            require_kind(f"Objective: {name}", getattr(self, name), bool, "True or False")
        takes = ("the network", "the batch", "a key")[: 3 if self.takes_key else 2]
        require_callable("Objective: loss", self.loss, "a function of a network and a batch", takes)
        if self.evaluate is not None:
            takes = "the network", "the batch"
            require_callable("Objective: evaluate", self.evaluate, "a function of a network and a batch", takes)

    def value(self, network: Any, batch: Any, key: Array) -> tuple[Any, Any]:
        """The loss, and the network that it returns, or the given one."""
        found = self.loss(network, batch, key) if self.takes_key else self.loss(network, batch)
        return found if self.returns_network else (found, network)

    def judged(self, network: Any, batch: Any, key: Array) -> Any:
        """The loss on validation data."""
        return self.value(network, batch, key)[0] if self.evaluate is None else self.evaluate(network, batch)


@dataclasses.dataclass(frozen=True)
class Batches:
    """Data that come as batches: for events, for sequences of different lengths, and for a loader of your own.

        >>> import jax
        >>> from surgrad import events, train
        >>> recordings = events.from_arrays([[0.1], [0.2], [0.3]], [[0], [1], [0]], labels=[0, 1, 0])
        >>> data = train.Batches(lambda key: events.batches(recordings, 2, key=key, bin_width=0.1))
        >>> [spikes.shape for spikes, labels, lengths in data.draw(jax.random.key(0))]
        [(4, 2, 2), (3, 1, 2)]

    Parameters:
        draw: a function of a random key that returns the batches of one epoch, any iterable. The same key must give the
            same batches, or a run that is resumed differs from one that never stopped.

    Raises:
        TypeError: it is no function of one argument.
    """

    draw: Callable[[Array], Iterable[Any]]

    def __post_init__(self) -> None:
        require_callable("Batches: draw", self.draw, "a function of a random key", ("a key",))
