"""Predicted classes of a network, and how often they are right."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from surgrad._answers import answers_keywords
from surgrad._kinds import require_choice
from surgrad._over_time import first_spike_time, last, mean, peak, require_classes, sequences, total
from surgrad._types import Numbers

Readout = Literal["count", "mean", "max", "last", "first_spike"]
"""What is compared between classes: a reduction of the outputs over time."""
READOUTS: dict[str, Any] = {
    "count": total,
    "mean": mean,
    "max": peak,
    "last": last,
    "first_spike": lambda spikes: -first_spike_time(spikes),
}


class _Predicted(NamedTuple):
    """Predicted classes, whether each is one, and the outputs after the reduction, `(*batch, classes)`."""

    classes: Int[Array, ...]
    valid: Bool[Array, ...]
    reduced: Float[Array, ...]


def _predicted(where: str, outputs: Numbers, by: str, lengths: Any) -> _Predicted:
    require_choice(where, "by", by, tuple(READOUTS))
    given = sequences(where, "outputs", outputs, lengths, "*batch, classes")
    reduced = READOUTS[by](given)
    valid = (given.steps[..., 0] > 0) & ~jnp.isnan(reduced).any(-1)
    return _Predicted(jnp.argmax(reduced, axis=-1), valid, reduced)


@answers_keywords
def predictions(outputs: Numbers, *, by: Readout = "count", lengths: Any = None) -> Int[Array, ...]:
    """Predicted classes, `(*batch,)`: the class of the largest output after a reduction over time.

    A confusion matrix is `sklearn.metrics.confusion_matrix(labels, predictions(outputs))`.

        >>> import jax.numpy as jnp
        >>> from surgrad import metrics
        >>> spikes = jnp.zeros((9, 2, 3)).at[:4, 0, 1].set(1).at[5, 1, 2].set(1)
        >>> print(metrics.predictions(spikes))
        [1 2]

    Parameters:
        outputs: spikes or membrane potentials, `(time, *batch, classes)`.
        by: the reduction: `"count"`, the sum over time; the `"mean"`; the `"max"`; the `"last"` time step of each
            sample; or `"first_spike"`, the class whose neuron spikes first. Choose that of the loss. Of equal classes
            the first is predicted, and of classes whose output is NaN the first of these.
        lengths: the number of time steps of each sample, `(batch,)`, where sequences are padded.

    Raises:
        TypeError: lengths are not whole numbers, or the outputs are complex.
        ValueError: the outputs have no axis of classes, a length is out of range, or there is no such reduction.
    """
    return _predicted("predictions", outputs, by, lengths).classes


@answers_keywords
def accuracy(outputs: Numbers, labels: Any, *, by: Readout = "count", lengths: Any = None) -> Float[Array, ""]:
    """Share of samples whose predicted class is the label, 0 to 1.

        >>> import jax.numpy as jnp
        >>> from surgrad import metrics
        >>> spikes = jnp.zeros((9, 2, 3)).at[:4, 0, 1].set(1).at[5, 1, 2].set(1)
        >>> print(metrics.accuracy(spikes, jnp.array([1, 0])))
        0.5

    Parameters:
        outputs, by, lengths: as those of `predictions`. A sample of length 0 has no prediction, and counts as wrong. So
            does a sample with a NaN in its reduced outputs: a network that has diverged has the accuracy 0.
        labels: whole numbers from 0 to below the number of classes, `(*batch,)`.

    Raises:
        TypeError, ValueError: as `predictions`; there is not one label for each sample, or a label is no class. A
            traced label that is no class counts as wrong.
    """
    predicted = _predicted("accuracy", outputs, by, lengths)
    classes = predicted.classes
    labels = labels if isinstance(labels, jax.Array) else np.asarray(labels)
    if not jnp.issubdtype(labels.dtype, jnp.integer):
        raise TypeError(f"accuracy: labels must be whole numbers, got {labels.dtype}.")
    if labels.shape != classes.shape:
        raise ValueError(
            f"accuracy: labels must have the shape of the batch, {classes.shape}, got {labels.shape}; outputs are "
            f"(time, *batch, classes), time first."
        )
    require_classes("accuracy", labels, predicted.reduced.shape[-1])
    right = (classes == jnp.asarray(labels)) & predicted.valid
    return right.mean(dtype=predicted.reduced.dtype)
