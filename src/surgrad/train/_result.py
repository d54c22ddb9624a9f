"""What `fit` returns."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax

from surgrad._answers import missing_attribute
from surgrad.nn._partition import Start
from surgrad.train._fit import Fit
from surgrad.train._state import Row, State
from surgrad.train._update import Method


class FitResult(NamedTuple):
    """What `fit` returns.

    Parameters:
        network: the network after the last epoch; with `patience`, that of the epoch with the least validation loss.
        fit: the network after the last epoch, and the state of the optimiser.
        history: the numbers of each epoch by their names, also those of epochs before a run was resumed: `epoch`,
            from 1; `step`, the number of updates so far; `loss`, the mean over the batches; `validation_loss`; metrics.
        best_epoch: the epoch with the least validation loss, from 1; None without validation.
        stopped: whether `patience` or a callback ended the run before its last epoch.
    """

    network: Any
    fit: Fit
    history: list[Row]
    best_epoch: int | None
    stopped: bool

    __getattr__ = missing_attribute


def result(given: Any, state: State, method: Method, best: bool) -> FitResult:
    """The result of a run that is over.

    Parameters:
        given: the network before the first update.
        state: that of the run, after the last one.
        method: how it was trained.
        best: whether the network is that of the best epoch.
    """
    last, chosen = state.carry.fit.network, state.carry.fit.network
    if best and state.best:
        chosen = jax.tree.unflatten(jax.tree.structure(last), state.best)
    if not method.objective.returns_network:
        last, chosen = (_with_given(network, given, method) for network in (last, chosen))
    done = Fit(last, state.carry.fit.optimizer)
    return FitResult(chosen, done, state.history, state.best_epoch or None, state.stopped)


def _with_given(network: Any, given: Any, method: Method) -> Any:
    """The network with the numbers that are not trained as they were given, Python's floats among them."""
    rest = method.partition(given)[1]
    return jax.tree.map(lambda old, new: new if _is_trained(old) else old, rest, network, is_leaf=_is_trained)


def _is_trained(rest: Any) -> bool:
    """Whether a number is trained, of which the rest has nothing, or where it started."""
    return rest is None or isinstance(rest, Start)
