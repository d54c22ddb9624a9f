"""The batches of each epoch: drawn from samples or by a function, with a random key for each, spread over a mesh."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from surgrad.train._blocks import can_be_indexed
from surgrad.train._fit import batches
from surgrad.train._given import Batches
from surgrad.train._spread import Spread


def keys_of(key: Array) -> Array:
    """The keys of the order of an epoch, and of its updates, from that of the epoch."""
    return jax.random.split(key)


class Feed:
    """The batches of a run.

    Parameters:
        name: what messages call the data.
        data: samples, which `len(data)` counts and of which `data[indices]` gives some; or `Batches`.
        batch_size: samples of a batch; None: all of them, but `most` at most.
        spread: puts a batch where it is computed.

    Raises:
        TypeError: the data are something else.
        ValueError: there are fewer samples than a batch has, or the mesh does not divide it.
    """

    def __init__(self, name: str, data: Any, batch_size: int | None, spread: Spread, most: int = 1) -> None:
        self.data, self.spread = data, spread
        if isinstance(data, Batches):
            self.batch_size = 1
            return
        _require_samples(name, data)
        self._in_program = spread.mesh is None and can_be_indexed(data)
        if self._in_program:
            self.data = jax.tree.map(jnp.asarray, data)
        count = len(data)
        self.batch_size = min(count, most) if batch_size is None else batch_size
        if not 1 <= self.batch_size <= count:
            what = "batch_size" if count else f"there are no samples in {name}; batch_size"
            raise ValueError(f"fit: {what} must be 1 to {count}, the number of samples, got {self.batch_size}.")
        if batch_size is not None:
            spread.require_divides(self.batch_size)

    def settings(self) -> dict[str, int | None]:
        """What a run that goes on must have in common with the one before."""
        return {"the number of samples": self.samples, "batch_size": self.samples and self.batch_size}

    @property
    def samples(self) -> int | None:
        """The number of samples, None where nobody knows."""
        return None if isinstance(self.data, Batches) else len(self.data)

    @property
    def updates(self) -> int | None:
        """The number of batches of an epoch, None where nobody knows."""
        return None if self.samples is None else self.samples // self.batch_size

    @property
    def order(self) -> Callable[[Array], Array] | None:
        """A function of a key, the indices of the batches of an epoch, if a compiled program can draw them, or None."""
        if isinstance(self.data, Batches) or not self._in_program:
            return None
        return lambda key: batches(len(self.data), self.batch_size, key=key)

    def epoch(self, key: Array, skip: int = 0) -> Iterator[Any]:
        """The batches of an epoch, each with a key; the first ones, which were learned from already, are left out."""
        shuffled, noise = keys_of(key)
        if isinstance(self.data, Batches):
            drawn = itertools.islice(iter(self.data.draw(shuffled)), skip, None)
        else:
            order = np.asarray(batches(len(self.data), self.batch_size, key=shuffled))[skip:]
            drawn = (self.data[indices] for indices in order)
        for index, batch in enumerate(drawn, skip):
            yield self.spread(batch, self.data), self.spread.everywhere(jax.random.fold_in(noise, index))

    def in_order(self, key: Array) -> Iterator[tuple[Any, int]]:
        """All samples in their order, and how many samples each batch has; 1 where nobody knows."""
        if isinstance(self.data, Batches):
            for batch in self.data.draw(key):
                yield self.spread.if_it_divides(batch, self.data), 1
            return
        for start in range(0, len(self.data), self.batch_size):
            indices = np.arange(start, min(start + self.batch_size, len(self.data)))
            yield self.spread.if_it_divides(self.data[indices], self.data), len(indices)


def _require_samples(name: str, data: Any) -> None:
    """Check that samples can be counted and chosen.

    Raises:
        TypeError: they cannot.
    """
    if type(data) in (tuple, list, dict):
        raise TypeError(
            f"fit: {name} is a {type(data).__name__}; write train.Samples((inputs, labels)), with axes=(1, 0) if time "
            f"leads in the inputs."
        )
    if not hasattr(type(data), "__len__") or not hasattr(type(data), "__getitem__"):
        raise TypeError(
            f"fit: {name} must have len(data) and data[indices], as a Dataset has, or be Batches(function of a key), "
            f"got {type(data).__name__}."
        )
