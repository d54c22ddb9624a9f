"""Evaluation of many runs by a function of one: one after the other, or all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import jax

from surgrad._types import PyTree

Mapping = Literal["map", "vmap"]

MAPPINGS = (None, "map", "vmap")
"""What the argument `mapping` may be; None chooses the one that suits the machine."""


def suited() -> Mapping:
    """Return the mapping that suits the machine: `"map"` on a CPU, `"vmap"` on an accelerator.

    On a CPU one run after the other keeps the working set in the cache; an accelerator is filled by all runs at once.
    """
    return "map" if jax.default_backend() == "cpu" else "vmap"


def over_runs(run: Callable[[Any], Any], runs: PyTree, mapping: str | None = None) -> Any:
    """Return the results of `run` for all runs, whose arguments are stacked along the leading axis of every leaf.

    Parameters:
        run: a function of the arguments of one run, one tree.
        runs: the arguments of all runs.
        mapping: `"map"`, `"vmap"`, or None for the one that suits the machine.
    """
    return jax.lax.map(run, runs) if (mapping or suited()) == "map" else jax.vmap(run)(runs)
