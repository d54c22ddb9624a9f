"""What losses compare with, and how they reduce: labels or target values, and the mean over the batch."""

from __future__ import annotations

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from surgrad._kinds import described, require_choice
from surgrad._over_time import require_classes, sample_named
from surgrad._types import Numbers

Values = Float[Array, "..."]
Reduction = Literal["mean", "sum", "none"]
"""How the losses of all samples become one: their mean, their sum, or each by itself, `(*batch,)`."""


def reduced(where: str, losses: Values, reduction: str) -> Values:
    """The losses of all samples, `(*batch,)`, reduced.

    Raises:
        ValueError: there is no such reduction.
    """
    require_choice(where, "reduction", reduction, ("mean", "sum", "none"))
    return losses if reduction == "none" else losses.mean() if reduction == "mean" else losses.sum()


def targets_of(where: str, name: str, given: Numbers, shape: tuple[int, ...], others: str, time: int = 0) -> Array:
    """Labels of a batch or values of all classes, as an array; which of the two they are is told by the shape.

    Parameters:
        where: the function that was called, for messages.
        name: what it calls the targets.
        given: labels, `(*batch,)`, or an array `(*batch, classes)`.
        shape: `(*batch, classes)`.
        others: what the array is, in words.
        time: the number of time steps, if the array may also be `(time, *batch, classes)`.

    Raises:
        TypeError: labels are not whole numbers.
        ValueError: the shape does not fit, or a label is no class.
    """
    array = given if isinstance(given, jax.Array) else np.asarray(given)
    over_time = (time, *shape)
    if array.shape != shape[:-1] and array.shape != shape and not (time and array.shape == over_time):
        also = f" or {over_time}" if time else ""
        raise ValueError(
            f"{where}: {name} must be labels, whole numbers of shape {shape[:-1]}, or {others} of shape {shape}{also}, "
            f"got {described(array)}; outputs are (time, *batch, classes), time first."
        )
    if array.shape == shape[:-1]:
        if not jnp.issubdtype(array.dtype, jnp.integer):
            raise TypeError(f"{where}: labels, of shape {array.shape}, must be whole numbers, got {array.dtype}.")
        require_classes(where, array, shape[-1])
        return jnp.asarray(array).astype(int)
    return jnp.asarray(array)


def require_probabilities(where: str, given: Any) -> None:
    """Check that probabilities of the classes, `(*batch, classes)`, are >= 0 and sum to 1, up to rounding.

    Those that are traced have no value yet to be checked.

    Raises:
        ValueError: those of a sample are not.
    """
    if isinstance(given, Tracer):
        return
    close = max(1e-3, 4 * float(jnp.finfo(given.dtype).eps)) if jnp.issubdtype(given.dtype, jnp.floating) else 0
    p = np.asarray(given).astype(float)
    wrong = np.argwhere(~((p >= 0).all(-1) & (np.abs(p.sum(-1) - 1) <= close)))  # NaN is wrong
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise ValueError(
            f"{where}: probabilities of the classes must be >= 0 and sum to 1, got numbers from "
            f"{p[place].min():g} with the sum {p[place].sum():g} for {sample_named(place)}."
        )


def is_class(labels: Array, classes: int) -> Array:
    """Whether a class is the label, `(*batch, classes)`."""
    return labels[..., None] == jnp.arange(classes).reshape(*(1,) * labels.ndim, classes)


def values_of(labels: Array, shape: tuple[int, ...], dtype: Any, correct: Any, incorrect: Any) -> Values:
    """The target values of all classes, `(*batch, classes)`, of labels; arrays of values stay.

    Parameters:
        labels: what `targets_of` returned.
        shape: `(*batch, classes)`.
        dtype: of the values.
        correct, incorrect: the values of the class of the label, and of all others.
    """
    if labels.shape != shape[:-1]:
        return labels.astype(dtype)
    of = (jnp.broadcast_to(jnp.asarray(value, dtype), shape) for value in (correct, incorrect))
    return jnp.where(is_class(labels, shape[-1]), *of)
