"""Hyperparameters that change with the steps of training."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp

from surgrad._types import PyTree

Schedule = Callable[[Any], Any]
"""The value at a step, as Optax makes them: `optax.exponential_decay(2.0, 1, 0.95)`."""


def schedule(tree: PyTree, schedules: Mapping[str, Schedule], step: Any) -> Any:
    """A surrogate, or a model, with the hyperparameters that it has at a step of training.

    The structure stays as it is, so that a compiled step in which this happens never compiles again. A step of
    temperature annealing, from wide and low slopes to steep ones:

        >>> import optax, surgrad
        >>> soft = surgrad.Temperature(surgrad.Sigmoid(4.0), 2.0)
        >>> f"{schedule(soft, {'temperature': optax.exponential_decay(2.0, 1, 0.95)}, 10).temperature:.3f}"
        '1.197'

    Parameters:
        tree: a tree of numbers.
        schedules: functions of the step by the name of what they set: `"alpha"` stands for every number of that name,
            `"parts[1].surrogate.alpha"` for one, and so does any end of a path that begins with a name.
        step: number of the step, a tracer most often. In a scan, or in `train`, it comes with the batch.

    Raises:
        KeyError: a name stands for nothing in the tree, or two stand for the same; the message tells.
    """
    flat, structure = jax.tree_util.tree_flatten_with_path(tree)
    paths = [jax.tree_util.keystr(path).lstrip(".") for path, _ in flat]
    of = _assigned(schedules, paths)
    return structure.unflatten(
        [_at(of[p], step, leaf) if p in of else leaf for p, (_, leaf) in zip(paths, flat, strict=True)]
    )


def _at(values: Schedule, step: Any, leaf: Any) -> jax.Array:
    """The value at a step, in the shape and the dtype of what it takes the place of."""
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
