"""The state of a run of `fit`: all that a checkpoint holds, and how it goes into one and comes out again."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from surgrad.train._checkpoints import Store
from surgrad.train._outline import fingerprints, outline
from surgrad.train._update import Carry

Row = dict[str, float]


@dataclasses.dataclass
class State:
    """Where a run is.

    Parameters:
        carry: the network, the states of the optimiser and of the loss scale.
        epoch: number of epochs that are over.
        batch: number of batches of this epoch that are learned from.
        step: number of updates so far.
        losses: the losses of this epoch so far.
        history: the numbers of each epoch.
        best: leaves of the best network on validation data, empty if nobody asked.
        best_loss: its loss.
        best_epoch: its epoch, from 1; 0 if there is none.
        stopped: whether the run ended before its last epoch.
    """

    carry: Carry
    epoch: int = 0
    batch: int = 0
    step: int = 0
    losses: list[Any] = dataclasses.field(default_factory=list)
    history: list[Row] = dataclasses.field(default_factory=list)
    best: list[Array] = dataclasses.field(default_factory=list)
    best_loss: float = float("inf")
    best_epoch: int = 0
    stopped: bool = False


_NUMBERS = ("epoch", "batch", "step", "history", "best_loss", "best_epoch", "stopped")


def likeness(carry: Carry, settings: dict[str, Any]) -> dict[str, Any]:
    """What must be equal for one run to go on from another, or to be shared by processes, as plain JSON.

    Parameters:
        carry: the numbers before the first update.
        settings: further things, by what messages call them.
    """
    return {
        "settings": settings,
        "network": outline(carry.fit.network),
        "optimizer": outline(carry.fit.optimizer),
        "loss_scale": outline(carry.scale),
        "begin": fingerprints(carry.fit.network),
    }


class Saved:
    """The checkpoints of a run, and what it must share with the run that wrote them.

    Parameters:
        store: the open folder.
        carry: the numbers before the first update.
        same: the `likeness` of this run.
    """

    def __init__(self, store: Store, carry: Carry, same: dict[str, Any]) -> None:
        self.store, self.structure, self.written = store, jax.tree.structure(carry), -1
        self.same = same

    def save(self, state: State) -> None:
        """Write a checkpoint, unless the newest one is of this step."""
        if state.step == self.written:
            return
        losses = np.array([float(loss) for loss in jax.device_get(state.losses)])
        tree = {"carry": jax.tree.leaves(state.carry), "best": state.best, "losses": losses}
        numbers = {name: getattr(state, name) for name in _NUMBERS}
        self.store.save(state.step, tree, self.same | {"state": numbers})
        self.written = state.step

    def newest(self) -> State | None:
        """The state of the newest checkpoint, None if there is none.

        Raises:
            ValueError: it is damaged, or of another run; the message says what differs.
        """
        if (found := self.store.newest(self.same)) is None:
            return None
        self.written, tree = found.step, found.tree
        losses = [float(loss) for loss in tree["losses"]]
        return State(self.structure.unflatten(tree["carry"]), losses=losses, best=tree["best"], **found.report["state"])
