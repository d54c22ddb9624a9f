"""Evaluation over time as in training: with the statistics of the batch, and with dropout."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from surgrad._answers import answers_keywords, missing_attribute
from surgrad._fields import check_field
from surgrad._keys import takes_key
from surgrad._numbers import require_share
from surgrad._over_time import sequences
from surgrad._types import Numbers, PyTree
from surgrad.nn._batch_norm import BatchNorm, statistics
from surgrad.nn._contract import at_rest, is_cell, over_time, promises
from surgrad.nn._dropout import with_dropout, without_dropout, without_key
from surgrad.nn._unroll import unroll


class TrainingPass(NamedTuple):
    """The result of `unroll_in_training`.

    Parameters:
        state: the state after the last time step.
        outputs: the outputs, `(time, *batch, features)`.
        network: the network with new running means in its `BatchNorm` layers, and otherwise as it was given.
    """

    state: Any
    outputs: Any
    network: Any

    __getattr__ = missing_attribute


@answers_keywords
@takes_key
def unroll_in_training(
    network: Any,
    inputs: Numbers,
    *,
    key: Array | None = None,
    dropout: bool = True,
    momentum: float = 0.1,
    lengths: Any = None,
    checkpoint_every: int | str | None = None,
) -> TrainingPass:
    """Run a network from rest as in training: `BatchNorm` normalises with the statistics of the batch over time.

    Returns `(state, outputs, network)`, also as fields. The outputs have derivatives by the statistics too. The network
    is the given one, whose `BatchNorm` layers have moved their running `mean` and `variance`, of which nothing has a
    derivative: return it beside the loss, and evaluate it with `unroll`. Layers run one after the other over the whole
    sequence, since the next needs the statistics of all of it.

        >>> import jax, jax.numpy as jnp
        >>> from surgrad import nn
        >>> net = nn.Sequential(nn.Linear(3, 4, key=jax.random.key(0)), nn.BatchNorm(4), nn.LeakyIntegrator())
        >>> trained, rest = nn.partition(net)
        >>> def loss(trained, xs):
        ...     _, outputs, new = nn.unroll_in_training(nn.combine(trained, rest), xs)
        ...     return (outputs**2).mean(), nn.partition(new)[1]
        >>> xs = jax.random.normal(jax.random.key(1), (20, 8, 3))
        >>> gradient, rest = jax.grad(loss, has_aux=True)(trained, xs)
        >>> gradient[1].mean is None, rest[1].mean.shape
        (True, (4,))

    Parameters:
        network: a `Sequential`, also of others; or another cell, without `BatchNorm` inside.
        inputs: `(time, *batch, features)`.
        key: random key of the masks of all `Dropout` layers, a new one for each batch; needed if there is one whose
            rate is not 0 and that has no key of its own.
        dropout: False drops nothing, with a key or without.
        momentum: share of the statistics of this batch in the running ones, 0 to 1.
        lengths: the length of each sample in time steps, `(batch,)`, as of `unroll`. What lies behind the end of a
            sample is in no statistics.
        checkpoint_every: as of `unroll`, for each cell by itself.

    Raises:
        TypeError: as `unroll`; the key is not one, or dropout is neither True nor False.
        ValueError: as `unroll`; a `Dropout` has no key; the momentum is not 0 to 1, or a `BatchNorm` is inside a layer
            that is no `Sequential`, where the statistics of its inputs are out of reach.
    """
    require_share("unroll_in_training", momentum=momentum)
    if not is_cell(network):
        raise TypeError(f"unroll_in_training: the network must be a cell, such as Sequential(...), got {network!r}.")
    xs = jnp.asarray(inputs)
    run = _Run(momentum, lengths, checkpoint_every)
    masked = _masked(network, key, dropout)
    state, outputs, norms = run.part(masked, at_rest("unroll_in_training", masked, xs), run.cleaned(xs))
    return TrainingPass(state, run.cleaned(outputs), _replaced(network, norms))


def _masked(network: Any, key: Array | None, dropout: bool) -> Any:
    """The network with a key for each `Dropout` layer, or with none.

    Raises:
        TypeError, ValueError: as `unroll_in_training`.
    """
    check_field("unroll_in_training", "dropout", dropout, {"flag": True})
    if not dropout:
        return without_dropout(network)
    if key is not None:
        return with_dropout(network, key=key)
    if layers := without_key(network):
        raise ValueError(
            f"unroll_in_training: {layers[0]!r} has no key to draw its mask from; give key=key, a new one for each "
            f"batch, or dropout=False to drop nothing on purpose."
        )
    return network


class _Run(NamedTuple):
    """How the layers of a network run: the options of `unroll_in_training`."""

    momentum: Any
    lengths: Any
    checkpoint_every: Any

    def cleaned(self, xs: Array) -> Array:
        """Inputs or outputs, and zeros behind the ends of samples."""
        active = sequences("unroll_in_training", "inputs", xs, self.lengths).active
        return xs if active is None else jnp.where(active, xs, jnp.zeros_like(xs))

    def part(self, layer: Any, state: PyTree, xs: Any) -> tuple[PyTree, Any, list[BatchNorm]]:
        """The state of a layer after all time steps, its outputs, and its new `BatchNorm` layers in order."""
        if isinstance(layer, BatchNorm):
            found = statistics(sequences("BatchNorm", "the input", xs, self.lengths))
            return None, layer.normalised(xs, found.mean, found.variance), [layer.with_running(found, self.momentum)]
        if promises(layer, "in_order"):
            return self._network(layer, state, xs)
        if norms := _norms(layer):
            raise ValueError(
                f"unroll_in_training: {norms[0]!r} stands inside a {type(layer).__name__}, where the statistics of its "
                f"inputs over time are out of reach; make it a part of a Sequential."
            )
        if not is_cell(layer):
            return None, over_time(layer, None, xs)[1], []
        options = {"lengths": self.lengths, "checkpoint_every": self.checkpoint_every}
        return *unroll(layer, state, xs, **options), []

    def _network(self, network: Any, state: PyTree, xs: Any) -> tuple[PyTree, Any, list[BatchNorm]]:
        norms: list[BatchNorm] = []

        def evaluate(part: Any, old: PyTree, xs: Any) -> tuple[PyTree, Any]:
            after, outputs, found = self.part(part, old, xs)
            norms.extend(found)
            return after, outputs

        states, outputs = network.through(evaluate, state, xs)
        return states, outputs[-1] if outputs else xs, norms


def _norms(layer: Any) -> list[BatchNorm]:
    return [part for part in jax.tree.leaves(layer, is_leaf=_is_norm) if _is_norm(part)]


def _replaced(network: Any, norms: list[BatchNorm]) -> Any:
    """The network with other `BatchNorm` layers in the places of its own, in order."""
    new = iter(norms)
    return jax.tree.map(lambda part: next(new) if _is_norm(part) else part, network, is_leaf=_is_norm)


def _is_norm(part: Any) -> bool:
    return isinstance(part, BatchNorm)
