"""A search that goes on from a checkpoint: what it had asked for is answered from the record, and not trained again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from surgrad.meta._search.method import SearchMethod
from surgrad.meta._search.population import Population
from surgrad.meta._search.space import Candidates, Space
from surgrad.meta._search.training import Hyper, Training
from surgrad.train._checkpoints import Checkpoints, Store
from surgrad.train._outline import fingerprints, outline


class ResumedPopulation(Population):
    """A population that writes checkpoints, and goes on from the newest one.

    A method of search asks for updates of runs, one time after the other, and what it asks for follows from the losses
    that it got. So a checkpoint holds all requests with their losses, and the states of all runs. Started again, the
    method asks for the same; it gets the losses of the record, up to the newest checkpoint, and then the states are
    those of the checkpoint.

    Parameters:
        training, resolve, candidates, mapping: as of `Population`.
        checkpoints: how often they are written.
        store: the open folder.
        settings: what must be as it was, by what messages call it.

    Raises:
        ValueError: the newest checkpoint is of another search, or damaged.
    """

    def __init__(
        self,
        training: Training,
        resolve: Callable[[Hyper], Hyper],
        candidates: Candidates,
        mapping: str | None,
        checkpoints: Checkpoints,
        store: Store,
        settings: Mapping[str, Any],
    ):
        super().__init__(training, resolve, candidates, mapping)
        self.checkpoints, self.store, self.begun = checkpoints, store, time.perf_counter()
        self.seconds, self.updates, self.written = 0.0, 0, 0
        self._requests: list[list[Any]] = []
        self._sums: list[Array] = []
        self._made, self._done = 0, 0
        """Requests that the method has made; updates of the last one of the record that are done."""
        self._same = {"settings": {**settings, "mapping": self.mapping}, "states": outline(self.states)}
        self._same |= {"begin": fingerprints(self.states)}
        self._newest = self._read()

    def _read(self) -> dict[str, Any] | None:
        """The numbers of the newest checkpoint, None if there is none."""
        if (found := self.store.newest(self._same)) is None:
            return None
        search = found.report["search"]
        self._requests, self._done, self.seconds = (search[name] for name in ("requests", "done", "seconds"))
        self._sums = [jnp.asarray(sums) for sums in found.tree["sums"]]
        self.updates = self.written = found.step
        return found.tree

    def advance(self, indices: Int[np.ndarray, " runs"], first: int, count: int) -> Float[Array, " runs"]:
        request, number = [np.asarray(indices).tolist(), int(first), int(count)], self._made
        self._made += 1
        if number == len(self._requests):
            self._requests.append(request)
            self._sums.append(jnp.zeros(len(indices)))
            self._done = 0
        elif self._requests[number] != request:
            raise self._other(f"asks for updates of runs {request[0]} here, and of {self._requests[number][0]} before")
        if number == len(self._requests) - 1:
            self._go_on(indices, first, count)
        return self._sums[number] / count

    def _go_on(self, indices: Int[np.ndarray, " runs"], first: int, count: int) -> None:
        """What is left of the last request of the record."""
        self._restore()
        every = self.checkpoints.every_steps or count
        while self._done < count:
            some = min(every - self._done % every, count - self._done)
            self._sums[-1] = self._onward(indices, first + self._done, some, self._sums[-1])
            self._done, self.updates = self._done + some, self.updates + some * len(indices)
            whole = self._done == count
            if (len(self._requests) % self.checkpoints.every == 0) if whole else self.checkpoints.every_steps:
                self.save()

    def _restore(self) -> None:
        """Take the states of the checkpoint, once the method has asked again for all that led to them."""
        if (newest := self._newest) is None:
            return
        for name, values in self.candidates.items():
            if np.asarray(values).tobytes() != np.asarray(newest["candidates"][name]).tobytes():
                raise self._other(f"tries other values of {name!r} here")
        self.states = jax.tree.unflatten(jax.tree.structure(self.states), map(jnp.asarray, newest["states"]))
        self._newest = None

    def save(self) -> None:
        """Write a checkpoint, unless the newest one is of this moment.

        Raises:
            OSError: it cannot be written; earlier ones are as they were.
        """
        if self.updates == self.written:
            return
        now = time.perf_counter()
        self.seconds, self.begun = self.seconds + now - self.begun, now
        tree = {"states": jax.tree.leaves(self.states), "candidates": self.candidates, "sums": self._sums}
        search = {"requests": self._requests, "done": self._done, "seconds": self.seconds}
        self.store.save(self.updates, tree, self._same | {"search": search})
        self.written = self.updates

    def _other(self, what: str) -> ValueError:
        return ValueError(
            f"tune: the search does not go on from the checkpoints in {self.store.path}: the method {what}. The same "
            f"method must ask for the same after the same losses; give another folder to start anew."
        )


def settings_of(training: Training, space: Space, method: SearchMethod, seed: int, known: Any) -> dict[str, Any]:
    """What two searches must have in common for one to go on from the other, by what messages call it."""
    dimensions = {f"the dimension {name}": _shown(one) for name, one in space.items()}
    given = [{name: np.asarray(value).tolist() for name, value in one.items()} for one in known]
    numbers = {"the number of updates": training.steps, "seed": seed, "initial_candidates": given}
    return {"the method": _shown(method), **dimensions, **numbers}


def _shown(value: Any) -> str:
    """An object in a message; one whose class does not say how it is shown is known by its class alone."""
    kind = type(value)
    return kind.__qualname__ if kind.__repr__ is object.__repr__ else repr(value)
