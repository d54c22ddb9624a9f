"""Hyperparameters that follow a schedule over the steps of training."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from surgrad._trees import by_path
from surgrad._types import PyTree

Schedule = Callable[[Any], Any]
"""The value at a step of training, as Optax makes them: `optax.exponential_decay(2.0, 1, 0.95)`."""


def schedule(tree: PyTree, schedules: Mapping[str, Schedule], step: Any) -> Any:
    """A surrogate, or a model, with the hyperparameters that it has at a step of training.

    The structure stays as it is, so that a compiled training step in which this happens never compiles again. A step of
    temperature annealing, from wide and low slopes to steep ones:

        >>> import optax, surgrad
        >>> soft = surgrad.Temperature(surgrad.Sigmoid(4.0), 2.0)
        >>> f"{schedule(soft, {'temperature': optax.exponential_decay(2.0, 1, 0.95)}, 10).temperature:.3f}"
        '1.197'

    Parameters:
        tree: a tree of numbers.
        schedules: functions of the step, by the name of what they set: `"alpha"` means every number of that name,
            `"parts[1].surrogate.alpha"` the one at this path, and so does any end of a path that begins with a name.
        step: number of the step, usually traced. In a scan, or in `inner_loop`, it is a part of the batch.

    Raises:
        KeyError: a name is not in the tree, or two names mean the same number; the message tells which.
    """
    leaves, structure = by_path(tree), jax.tree.structure(tree)
    chosen = _assigned(schedules, list(leaves))
    return structure.unflatten(
        [_at(chosen[path], step, leaf) if path in chosen else leaf for path, leaf in leaves.items()]
    )


def _at(values: Schedule, step: Any, leaf: Any) -> jax.Array:
    """The value at a step, in the shape and dtype of the leaf that it replaces."""
    return jnp.broadcast_to(jnp.asarray(values(step), jnp.result_type(leaf)), jnp.shape(leaf))


def _assigned(schedules: Mapping[str, Schedule], paths: list[str]) -> dict[str, Schedule]:
    """Schedules by the whole path of what they set."""
    assigned: dict[str, str] = {}
    for name in schedules:
        meant = [path for path in paths if path == name or path.endswith((f".{name}", f"['{name}']"))]
        if not meant:
            near = difflib.get_close_matches(name, {p.rsplit(".", 1)[-1] for p in paths}, n=3, cutoff=0.0)
            raise KeyError(f"schedule: there is no {name!r}; the nearest are {', '.join(near) or 'none'}.")
        for path in meant:
            if path in assigned:
                raise KeyError(f"schedule: {name!r} and {assigned[path]!r} both set {path}; give only one of the two.")
            assigned[path] = name
    return {path: schedules[name] for path, name in assigned.items()}
