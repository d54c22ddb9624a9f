"""One epoch of batches: an iterator with a length, which says when it is used up."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING

from surgrad._answers import missing_attribute
from surgrad.events._binning import Batch, Grid, in_one_step, warn_of_one_step


class Epoch(Iterator[Batch]):
    """The batches of one epoch, in a loop or by `next`: what `batches` returns.

    `len(epoch)` is the number of its batches, however many are drawn already. A loop that is left early ends the thread
    with `epoch.close()`, or when the epoch is dropped; another loop over it goes on behind the last batch. When all are
    drawn, an epoch with a key is used up, since the next one should have another key, and a loop over it is an error;
    one without a key begins again.

    Raises:
        RuntimeError: a loop over an epoch with a key begins after its end.
    """

    # Made by `batches` alone, from the number of batches, what begins to make them, whether there is a key, and the
    # grid that they are binned to.
    def __init__(
        self, count: int, make: Callable[[], Generator[Batch, None, None]], has_key: bool, chosen: Grid
    ) -> None:
        self._count, self._make, self._has_key, self._chosen = count, make, has_key, chosen
        self._begin()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Epoch:
        if self._ended and self._has_key:
            raise RuntimeError(
                "this epoch of batches is used up; call batches again, with another key for each epoch, such as "
                "key=jax.random.fold_in(key, epoch)."
            )
        if self._ended:
            self._begin()
        return self

    def __next__(self) -> Batch:
        try:
            batch = next(self._made)
        except BaseException as end:
            whole, self._ended = not self._ended and isinstance(end, StopIteration), True
            if whole and self._in_one_step:
                warn_of_one_step(self._chosen, 2)
            raise
        self._in_one_step = self._in_one_step and in_one_step(batch, self._chosen)
        return batch

    def __repr__(self) -> str:
        return f"<Epoch of {self._count} batches>"

    def close(self) -> None:
        """End the epoch, and the thread that makes its batches."""
        self._made.close()
        self._ended = True

    def _begin(self) -> None:
        self._made, self._ended, self._in_one_step = self._make(), False, True

    if not TYPE_CHECKING:  # a checker would find every attribute
        __getattr__ = missing_attribute
