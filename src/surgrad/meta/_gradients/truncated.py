"""Truncated reverse mode: backwards through the last updates."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from surgrad._numbers import require_whole
from surgrad._pytree import static
from surgrad.meta._gradients.inner_loop import Checkpoints, run
from surgrad.meta._gradients.method import HypergradientMethod
from surgrad.meta._gradients.problem import Problem
from surgrad.meta._gradients.result import Hypergradient
from surgrad.meta._gradients.reverse import backwards, require_checkpoints


class Truncated(HypergradientMethod):
    """Reverse mode through the last updates: biased, since the weights before them count as constants.

    Parameters:
        window: number of the last updates, >= 1 and at most all of them.
        checkpoint_every: updates between checkpoints in the window, >= 1, see `inner_loop`.

    Raises:
        ValueError: an option is out of range.
    """

    window: int
    checkpoint_every: Checkpoints = static(default="auto")

    def __post_init__(self) -> None:
        require_whole("Truncated", window=self.window)
        require_checkpoints("Truncated", self.checkpoint_every)

    def require(self, steps: int) -> None:
        require_window("Truncated", self.window, steps)

    def differentiate(self, problem: Problem) -> Hypergradient:
        head = problem.steps - self.window
        if not head:
            return backwards(problem, self.checkpoint_every)
        first, last = (jax.tree.map(lambda x, part=part: x[part], problem.batches) for part in _parts(head))
        before = run(dataclasses.replace(problem, batches=first), problem.hyper)
        rest = dataclasses.replace(problem, weights=before.weights, state=before.state, batches=last)
        result = backwards(rest, self.checkpoint_every)
        losses = jnp.concatenate([before.losses, result.inner.losses])  # type: ignore[union-attr]
        return result._replace(inner=result.inner._replace(losses=losses))  # type: ignore[union-attr]


def _parts(head: int) -> tuple[slice, slice]:
    return slice(None, head), slice(head, None)


def require_window(where: str, window: int, steps: int) -> None:
    """Check a window against the number of updates.

    Raises:
        ValueError: it is longer.
    """
    if window > steps:
        raise ValueError(f"{where}: window must be 1 to {steps}, the number of updates, got {window}.")
