"""Evaluation over time as in training: with the statistics of the batch, and with dropout."""

from __future__ import annotations

import functools
import operator
from collections.abc import Mapping
from typing import Any, NamedTuple, overload

import jax
import jax.numpy as jnp
from jaxtyping import Array

from surgrad._answers import answers_keywords
from surgrad._fields import check_field
from surgrad._keys import takes_key
from surgrad._numbers import require_share
from surgrad._over_time import sequences
from surgrad._types import Numbers, PyTree
from surgrad.nn._batch_norm import BatchNorm, statistics
from surgrad.nn._contract import at_rest, is_cell, over_time, promises
from surgrad.nn._dropout import with_dropout, without_dropout, without_key
from surgrad.nn._observables import Observed, full_name, observed
from surgrad.nn._records import Entry, Record, Recorded, planned, visible
from surgrad.nn._results import TrainingPass, TrainingPassRecords
from surgrad.nn._unroll import unroll
from surgrad.nn._watch import thinned


@overload
def unroll_in_training(
    network: Any,
    inputs: Numbers,
    *,
    key: Array | None = None,
    dropout: bool = True,
    momentum: float = 0.1,
    lengths: Any = None,
    checkpoint_every: int | str | None = None,
) -> TrainingPass: ...


@overload
def unroll_in_training(
    network: Any,
    inputs: Numbers,
    *,
    record: Recorded,
    key: Array | None = None,
    dropout: bool = True,
    momentum: float = 0.1,
    lengths: Any = None,
    checkpoint_every: int | str | None = None,
) -> TrainingPassRecords: ...


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
    record: Recorded | None = None,
) -> TrainingPass | TrainingPassRecords:
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
        record: values of layers that are returned too, as `records`, as of `unroll`: of this run, with the statistics
            of the batch and with dropout. They have derivatives, so that firing rates can be part of a loss.

    Raises:
        TypeError: as `unroll`; the key is not one, or dropout is neither True nor False.
        ValueError: as `unroll`; a `Dropout` has no key; the momentum is not 0 to 1, or a `BatchNorm` is inside a layer
            that is no `Sequential`, where the statistics of its inputs are out of reach.
    """
    require_share("unroll_in_training", momentum=momentum)
    if not is_cell(network):
        raise TypeError(f"unroll_in_training: the network must be a cell, such as Sequential(...), got {network!r}.")
    xs = jnp.asarray(inputs)
    masked = _masked(network, key, dropout)
    rest = at_rest("unroll_in_training", masked, xs)
    asked = ((), {}) if record is None else planned(record, visible(masked, rest, xs))
    run = _Run(momentum, lengths, checkpoint_every, *asked)
    state, outputs, norms, records = run.part(masked, "", rest, run.cleaned(xs))
    found = TrainingPass(state, run.cleaned(outputs), _replaced(network, norms))
    if record is None:
        return found
    return TrainingPassRecords(*found, {entry.name: records[entry.name] for entry in run.entries})


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
    """How the layers of a network run: the options of `unroll_in_training`, and what is recorded, as `planned`."""

    momentum: Any
    lengths: Any
    checkpoint_every: Any
    entries: tuple[Entry, ...]
    summaries: Mapping[str, Any]

    def cleaned(self, xs: Array) -> Array:
        """Inputs or outputs, and zeros behind the ends of samples."""
        active = sequences("unroll_in_training", "inputs", xs, self.lengths).active
        return xs if active is None else jnp.where(active, xs, jnp.zeros_like(xs))

    def part(self, layer: Any, place: str, state: PyTree, xs: Any) -> tuple[PyTree, Any, list[BatchNorm], Observed]:
        """The state of a layer after all time steps, its outputs, its new `BatchNorm` layers in order, and records."""
        if isinstance(layer, BatchNorm):
            found = statistics(sequences("BatchNorm", "the input", xs, self.lengths))
            outputs = layer.normalised(xs, found.mean, found.variance)
            new = layer.with_running(found, self.momentum)
            return None, outputs, [new], self._of_connection(layer, place, xs, outputs)
        if promises(layer, "in_order"):
            return self._network(layer, place, state, xs)
        if norms := _norms(layer):
            raise ValueError(
                f"unroll_in_training: {norms[0]!r} stands inside a {type(layer).__name__}, where the statistics of its "
                f"inputs over time are out of reach; make it a part of a Sequential."
            )
        if is_cell(layer):
            return self._cell(layer, place, state, xs)
        outputs = over_time(layer, None, xs)[1]
        return None, outputs, [], self._of_connection(layer, place, xs, outputs)

    def _cell(self, cell: Any, place: str, state: PyTree, xs: Any) -> tuple[PyTree, Any, list[BatchNorm], Observed]:
        options = {"lengths": self.lengths, "checkpoint_every": self.checkpoint_every}
        mine = [entry for entry in self.entries if entry.place == place]
        if not mine:
            return *unroll(cell, state, xs, **options), [], {}
        asked = [Record(functools.partial(operator.eq, e.value), e.every, self.summaries.get(e.name)) for e in mine]
        after, outputs, found = unroll(cell, state, xs, record=asked, **options)
        return after, outputs, [], {entry.name: found[entry.value] for entry in mine}

    def _network(
        self, network: Any, place: str, state: PyTree, xs: Any
    ) -> tuple[PyTree, Any, list[BatchNorm], Observed]:
        norms: list[BatchNorm] = []
        records: Observed = {}

        def evaluate(part: Any, old: tuple[str, PyTree], xs: Any) -> tuple[PyTree, Any]:
            after, outputs, new, found = self.part(part, *old, xs)
            norms.extend(new)
            records.update(found)
            return after, outputs

        places = [full_name(place, str(index)) for index in range(len(network.parts))]
        states, outputs = network.through(evaluate, tuple(zip(places, state, strict=True)), xs)
        return states, outputs[-1] if outputs else xs, norms, records

    def _of_connection(self, layer: Any, place: str, xs: Any, outputs: Any) -> Observed:
        """What is recorded of a connection."""
        mine = [entry for entry in self.entries if entry.place == place]
        look = jax.vmap(lambda x, y: observed(layer, None, x, None, y))
        return {e.name: self._kept(e, look(xs, outputs)[e.value]) for e in mine}

    def _kept(self, entry: Entry, values: Any) -> Any:
        """The recorded steps of values over time, and zeros where a sample is over; or what summaries make of them."""
        values = thinned(jax.tree.map(self.cleaned, values), entry.every)
        if not entry.summarised:
            return values
        lengths = None if self.lengths is None else -(-jnp.asarray(self.lengths) // entry.every)
        summaries = self.summaries[entry.name].items()
        results = {label: unroll(cell, values, keep="last", lengths=lengths).outputs for label, cell in summaries}
        return results.get("", results)


def _norms(layer: Any) -> list[BatchNorm]:
    return [part for part in jax.tree.leaves(layer, is_leaf=_is_norm) if _is_norm(part)]


def _replaced(network: Any, norms: list[BatchNorm]) -> Any:
    """The network with other `BatchNorm` layers in the places of its own, in order."""
    new = iter(norms)
    return jax.tree.map(lambda part: next(new) if _is_norm(part) else part, network, is_leaf=_is_norm)


def _is_norm(part: Any) -> bool:
    return isinstance(part, BatchNorm)
