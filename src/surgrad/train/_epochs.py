"""The epochs of `fit`: updates, checkpoints, evaluation, and what is told of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array

from surgrad._answers import missing_attribute
from surgrad.train._blocks import LENGTH, updates
from surgrad.train._checkpoints import Checkpoints
from surgrad.train._feed import Feed, keys_of
from surgrad.train._fit import Fit
from surgrad.train._not_finite import CAUSES, NotFiniteError, locate
from surgrad.train._progress import Advance
from surgrad.train._spread import Spread
from surgrad.train._state import Row, Saved, State
from surgrad.train._update import Carry, Method, Updated, update
from surgrad.train._validation import Metric, evaluated


class AfterEpoch(NamedTuple):
    """What callbacks of `fit` are called with.

    Parameters:
        epoch: number of epochs that are over.
        step: number of updates so far.
        values: the numbers of this epoch, a row of the history.
        fit: the network, and the state of the optimiser.
    """

    epoch: int
    step: int
    values: Row
    fit: Fit

    __getattr__ = missing_attribute


class Run(NamedTuple):
    """A run of `fit`: its arguments, checked and opened.

    Parameters:
        method: how the network is trained.
        feed: the batches to learn from.
        judges: those of the validation data, or None.
        metrics, key, patience, callbacks, trackers: arguments of `fit`.
        epochs: how many there are.
        checkpoints: when checkpoints are written, or None.
        saved: the checkpoints, or None.
    """

    method: Method
    feed: Feed
    judges: Feed | None
    metrics: Mapping[str, Metric]
    key: Array
    epochs: int
    patience: int | None
    checkpoints: Checkpoints | None
    saved: Saved | None
    trackers: Sequence[Any]
    callbacks: Sequence[Any]

    @property
    def spread(self) -> Spread:
        """Where batches and weights are."""
        return self.feed.spread

    def epoch(self, state: State, advance: Advance) -> None:
        """The rest of an epoch, or all of it."""
        key = jax.random.fold_in(self.key, state.epoch)
        draw = self.feed.order
        if draw is None or self.method.check:
            self._one_by_one(state, key, advance)
        else:
            shuffled, noise = keys_of(key)
            self._in_blocks(state, draw(shuffled), noise, advance)
        if not state.batch:
            raise ValueError("fit: data have no batches; Batches must return at least one for each key.")
        self._finish(state)

    def _in_blocks(self, state: State, order: Array, noise: Array, advance: Advance) -> None:
        """Updates, many in one call."""
        while state.batch < len(order):
            self._save_within(state)
            stop = min(len(order), state.batch + LENGTH, state.batch + self._until_checkpoint(state))
            block = self.feed.data, order, noise, state.batch, stop
            state.carry, losses = updates(state.carry, *block, self.method)
            state.losses += np.asarray(losses).tolist()[: stop - state.batch]
            state.step, state.batch = state.step + stop - state.batch, stop
            advance(state.step, f"epoch {state.epoch + 1} of {self.epochs}")

    def _until_checkpoint(self, state: State) -> int:
        """The number of updates until a checkpoint within the epoch is due."""
        every = None if self.checkpoints is None else self.checkpoints.every_steps
        return LENGTH if every is None else every - state.step % every

    def _one_by_one(self, state: State, key: Array, advance: Advance) -> None:
        """Updates, one in a call."""
        for batch, noise in self.feed.epoch(key, state.batch):
            self._save_within(state)
            before = state.carry
            done = update(before, batch, noise, self.method)
            if done.finite is not None and not done.finite:
                raise self._not_finite(before, batch, noise, done, state)
            state.carry, state.batch, state.step = done.carry, state.batch + 1, state.step + 1
            state.losses.append(done.loss)
            advance(state.step, f"epoch {state.epoch + 1} of {self.epochs}")

    def _finish(self, state: State) -> None:
        """What follows the last update of an epoch. Rows are written before the checkpoint that counts on them."""
        state.epoch += 1
        losses = [float(loss) for loss in jax.device_get(state.losses)]
        row = {"epoch": state.epoch, "step": state.step, "loss": float(np.mean(losses))}
        if self.judges is not None:
            network = state.carry.fit.network
            row |= evaluated(network, self.judges, self.method.objective, self.metrics, self._validation_key())
        row = self.spread.agreed(row)
        if self.judges is not None:
            self._compare(state, row["validation_loss"])
        state.batch, state.losses = 0, []
        state.history.append(row)
        for tracker in self.trackers:
            tracker.log(state.step, {name: value for name, value in row.items() if name != "step"})
        event = AfterEpoch(state.epoch, state.step, dict(row), self.spread.here(state.carry.fit))
        for callback in self.callbacks:
            state.stopped |= callback(event) is True
        state.stopped = self.spread.any(state.stopped)
        if self.checkpoints is not None:
            last = state.epoch == self.epochs or state.stopped
            if last or state.epoch % self.checkpoints.every == 0:
                self._save(state)

    def _validation_key(self) -> Array:
        """The key of the validation data, the same after each epoch, and none of an epoch's."""
        return jax.random.fold_in(self.key, 2**32 - 1)

    def _compare(self, state: State, loss: float) -> None:
        """Keep the network if it is the best so far, and stop if none was for long. NaN is never the best."""
        if loss < state.best_loss:
            state.best_loss, state.best_epoch = loss, state.epoch
            state.best = jax.tree.leaves(state.carry.fit.network) if self.patience is not None else []
        if self.patience is not None and state.epoch - state.best_epoch >= self.patience:
            state.stopped = True

    def _save_within(self, state: State) -> None:
        """Write a checkpoint between two batches of an epoch, if it is time for one."""
        every = None if self.checkpoints is None else self.checkpoints.every_steps
        if every is not None and state.batch and state.step % every == 0:
            self._save(state)

    def _save(self, state: State) -> None:
        if (saved := self.saved) is not None:
            self.spread.once(lambda: saved.save(state), f"write the checkpoint of step {state.step}")

    def _not_finite(self, before: Carry, batch: Any, key: Array, done: Updated, state: State) -> NotFiniteError:
        before, key, done = self.spread.here((before, key, done))  # from here on each process works alone
        found = locate(before, self.spread.joined(batch), key, self.method, done, first=not state.step)
        kept = "The error has the network of before as error.network."
        if self.saved is not None and (newest := self.saved.store.latest()) is not None:
            kept += f" The checkpoint of step {newest} in {self.saved.store.path} is kept."
        epoch, step = state.epoch + 1, state.step + 1
        text = f"fit: in epoch {epoch}, update {step}, {found}. {CAUSES[found.cause]} {kept}"
        return NotFiniteError(text, found, epoch, step, before.fit.network)
