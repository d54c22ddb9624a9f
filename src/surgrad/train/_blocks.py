"""Blocks of updates in one compiled program, for data that take traced indices: less Python between small updates.

The number of updates of a block is no structure of the program, so that the program is the same one, and so is the last
bit of its results, wherever checkpoints divide an epoch.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array

from surgrad.nn._contract import promises
from surgrad.train._compiled import compiled
from surgrad.train._update import Carry, Method, update

LENGTH = 32
"""Updates of a block, at most; between two of them a run can be interrupted, and its progress is shown."""


def can_be_indexed(data: Any) -> bool:
    """Whether samples can be chosen inside a compiled program: the class of the data promises it."""
    return promises(data, "traced_indices")


@compiled(last=1)
def updates(
    carry: Carry, data: Any, order: Array, noise: Array, start: Any, stop: Any, method: Method
) -> tuple[Carry, Array]:
    """The updates `start` to before `stop` of an epoch, at most `LENGTH`, and their losses in front of an array.

    Parameters:
        carry: what goes into the first of them.
        data: all samples.
        order: indices of the samples of each batch of the epoch.
        noise: the key of the epoch from which each update has its own.
        start, stop: indices of batches.
        method: how the network is trained.
    """

    def one(carry: Carry, index: Any) -> tuple[Carry, Array]:
        done = update(carry, data[order[index]], jax.random.fold_in(noise, index), method)
        return done.carry, done.loss

    def next_one(index: Any, now: tuple[Carry, Array]) -> tuple[Carry, Array]:
        carry, loss = one(now[0], index)
        return carry, now[1].at[index - start].set(loss)

    losses = jnp.zeros(LENGTH, jax.eval_shape(one, carry, start)[1].dtype)
    return jax.lax.fori_loop(start, stop, next_one, (carry, losses))
