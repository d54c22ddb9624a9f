"""Input validation for `calibrate` and `diagnose`: the inputs and targets of a batch."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from surgrad.tasks import Dataset, Split


def inputs_and_targets(where: str, batch: Any, forms: str) -> tuple[Array, Any]:
    """The inputs of a batch, and its targets; None if there are none.

    Parameters:
        where: the function that the batch is given to.
        batch: a `Dataset`, a pair of inputs and targets, or inputs alone.
        forms: the forms that a batch may have, for error messages.

    Raises:
        TypeError: it is none of those.
        ValueError: the inputs are empty.
    """
    if isinstance(batch, Split):
        raise TypeError(f"{where}: batch is a whole split; give some of its samples, data.train[:64] say.")
    if isinstance(batch, Dataset):
        batch = batch.spikes(), batch.labels
    inputs: Any
    inputs, targets = batch if isinstance(batch, tuple) and len(batch) == 2 else (batch, None)
    if not hasattr(inputs, "dtype"):
        raise TypeError(f"{where}: batch must be {forms}, got {type(batch).__name__}.")
    if 0 in inputs.shape:
        raise ValueError(f"{where}: the inputs are empty, of shape {inputs.shape}; give a step and a sample at least.")
    return jnp.asarray(inputs), targets


def require_time_first(where: str, inputs: Array, labels: Any) -> None:
    """Check that time leads: inputs with as many time steps as labels, and another number of samples, are swapped.

    Targets that are not labels, an axis of whole numbers, may have any shape that the loss takes.

    Raises:
        ValueError: the axes of time and batch are swapped.
    """
    dtype = getattr(labels, "dtype", np.asarray(labels).dtype if isinstance(labels, (list, tuple)) else None)
    if dtype is None or not jnp.issubdtype(dtype, jnp.integer) or np.ndim(labels) != 1 or inputs.ndim < 3:
        return
    count = len(labels)
    if inputs.shape[0] == count != inputs.shape[1]:
        raise ValueError(
            f"{where}: {count} targets go with {count} samples, but inputs of shape {inputs.shape} have {count} steps "
            f"and {inputs.shape[1]} samples: time leads, (time, *batch, features); give jnp.swapaxes(inputs, 0, 1)."
        )


def labels_of(where: str, inputs: Array, labels: Any) -> Array:
    """The labels of a batch, one whole number for each sample, as the loss that is used without another takes them.

    Raises:
        TypeError: they are not whole numbers; the message knows those that are one-hot.
        ValueError: there are more or fewer than samples.
    """
    found, samples = jnp.asarray(labels), inputs.shape[1:-1] if inputs.ndim < 4 else inputs.shape[1:2]
    own = "; for other targets give a loss, loss=lambda outputs, targets: ..."
    if not jnp.issubdtype(found.dtype, jnp.integer):
        one_hot = "; one-hot targets become labels by targets.argmax(axis=-1)" if found.ndim == 2 else own
        raise TypeError(f"{where}: labels must be whole numbers, got {found.dtype} of shape {found.shape}{one_hot}.")
    if found.shape != samples:
        demand = f"one for each sample, shape {samples}, since the inputs are {inputs.shape}"
        raise ValueError(f"{where}: labels must be {demand}, got shape {found.shape}{own}.")
    return found
