"""Compiled functions that forget the programs of optimisers and losses that are long gone."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import jax

KEPT = 16
"""The newest programs of a function that are kept: JAX would keep those of 4096 losses, at about 5 MB each."""


def compiled(last: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator as `jax.jit`, with the last positional arguments as structure.

    Parameters:
        last: how many of them are structure; they can be hashed.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.lru_cache(KEPT)
        def program(*structure: Any) -> Callable[..., Any]:
            return jax.jit(lambda *numbers: function(*numbers, *structure))

        @functools.wraps(function)
        def call(*args: Any) -> Any:
            return program(*args[-last:])(*args[:-last])

        return call

    return decorate
