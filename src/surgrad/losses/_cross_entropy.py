"""Cross-entropy of classes, by outputs that are reduced over time."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.core import Tracer
from jaxtyping import Array

from surgrad._answers import answers_keywords
from surgrad._over_time import last, mean, peak, sequences, total
from surgrad._types import Numbers
from surgrad.losses._targets import Reduction, Values, is_class, reduced, require_probabilities, targets_of

OF_CLASSES = "probabilities of the classes, such as one-hot labels,"


def classes_of(where: str, labels: Numbers, shape: tuple[int, ...]) -> Array:
    """Labels of a batch, or probabilities, `(*batch, classes)`, as an array."""
    known = targets_of(where, "labels", labels, shape, OF_CLASSES)
    if known.shape == shape:
        require_probabilities(where, known)
    return known


def cross_entropy(logits: Values, labels: Array) -> Values:
    """-Σ_c p_c log softmax(logits)_c, with labels or probabilities p as `targets_of` returns them."""
    log_probabilities = jax.nn.log_softmax(logits)
    if labels.shape == logits.shape:
        return -(labels.astype(logits.dtype) * log_probabilities).sum(-1)
    chosen = jnp.where(is_class(labels, logits.shape[-1]), log_probabilities, jnp.zeros_like(logits)).sum(-1)
    if not isinstance(labels, Tracer):
        return -chosen
    # A traced label has no value yet that could be refused; one that is no class must not pass for no loss.
    known = (labels >= 0) & (labels < logits.shape[-1])
    return -jnp.where(known, chosen, jnp.full_like(chosen, jnp.nan))


def _of_readout(
    where: str, what: str, readout: Any, outputs: Numbers, labels: Numbers, lengths: Any, reduction: str
) -> Values:
    """The cross-entropy of outputs that a readout reduces over time."""
    logits = readout(sequences(where, what, outputs, lengths, "*batch, classes"))
    return reduced(where, cross_entropy(logits, classes_of(where, labels, logits.shape)), reduction)


@answers_keywords
def ce_count_loss(spikes: Numbers, labels: Numbers, *, lengths: Any = None, reduction: Reduction = "mean") -> Values:
    """Cross-entropy of spike counts, -log softmax(Σ_t s[t])_label, the mean over the batch.

    The neuron of the right class must spike more often than the others. In snnTorch it has the same name.

        >>> import jax.numpy as jnp
        >>> from surgrad import losses
        >>> spikes = jnp.zeros((25, 2, 3)).at[:4, 0, 1].set(1)  # class 1 of sample 0 spikes four times
        >>> print(losses.ce_count_loss(spikes, jnp.array([1, 0])).round(2))
        0.57

    Parameters:
        spikes: spike trains of the output neurons, `(time, *batch, classes)`.
        labels: whole numbers, `(*batch,)`, or probabilities of the classes, `(*batch, classes)`, which sum to 1.
        lengths: the number of time steps of each sample, `(batch,)`, where sequences are padded. The loss and its
            gradient are then those of each sample alone; a sample of length 0 has logits 0.
        reduction: `"mean"` over the batch, `"sum"`, or `"none"` for the loss of each sample, `(*batch,)`.

    Raises:
        TypeError: labels or lengths are not whole numbers, or the spikes are complex.
        ValueError: a shape does not fit, a label is no class, probabilities are below 0 or do not sum to 1, a length is
            out of range, or there is no such reduction. Values that are traced cannot be refused: a label that is no
            class makes the loss NaN.

    Source: Eshraghian et al. 2023, *Training spiking neural networks using lessons from deep learning*, Proc. IEEE 111.
    """
    return _of_readout("ce_count_loss", "spikes", total, spikes, labels, lengths, reduction)


@answers_keywords
def ce_max_membrane_loss(
    membrane: Numbers, labels: Numbers, *, lengths: Any = None, reduction: Reduction = "mean"
) -> Values:
    """Cross-entropy of the maximum over time, -log softmax(max_t v[t])_label, the mean over the batch.

    It is made for readouts that do not spike, such as `nn.LeakyIntegrator`. Only the time step of the maximum has a
    gradient, the earliest of equal ones. In snnTorch it has the same name.

    Parameters:
        membrane: membrane potentials of the output neurons, `(time, *batch, classes)`.
        labels, lengths, reduction: as those of `ce_count_loss`.

    Raises:
        TypeError, ValueError: as `ce_count_loss`.

    Source: Cramer et al. 2022, *The Heidelberg spiking data sets*, IEEE TNNLS 33.
    """
    return _of_readout("ce_max_membrane_loss", "membrane", peak, membrane, labels, lengths, reduction)


@answers_keywords
def ce_mean_membrane_loss(
    membrane: Numbers, labels: Numbers, *, lengths: Any = None, reduction: Reduction = "mean"
) -> Values:
    """Cross-entropy of the mean over time, -log softmax(1/T Σ_t v[t])_label, the mean over the batch.

    Parameters:
        membrane: membrane potentials, or other outputs, `(time, *batch, classes)`.
        labels, lengths, reduction: as those of `ce_count_loss`.

    Raises:
        TypeError, ValueError: as `ce_count_loss`.

    Source: the loss of the temporal average, as Deng et al. 2022 call it, see `ce_rate_loss`.
    """
    return _of_readout("ce_mean_membrane_loss", "membrane", mean, membrane, labels, lengths, reduction)


@answers_keywords
def ce_last_membrane_loss(
    membrane: Numbers, labels: Numbers, *, lengths: Any = None, reduction: Reduction = "mean"
) -> Values:
    """Cross-entropy of the last time step, -log softmax(v[T])_label, the mean over the batch.

    With lengths it is the last time step of each sample.

    Parameters:
        membrane: membrane potentials, or other outputs, `(time, *batch, classes)`.
        labels, lengths, reduction: as those of `ce_count_loss`.

    Raises:
        TypeError, ValueError: as `ce_count_loss`.
    """
    return _of_readout("ce_last_membrane_loss", "membrane", last, membrane, labels, lengths, reduction)


@answers_keywords
def ce_rate_loss(outputs: Numbers, labels: Numbers, *, lengths: Any = None, reduction: Reduction = "mean") -> Values:
    """Cross-entropy at every time step, -1/T Σ_t log softmax(x[t])_label, the mean over the batch.

    Every time step must tell the class by itself. In snnTorch it has the same name; in SpikingJelly it is
    `temporal_efficient_training_cross_entropy`.

    Parameters:
        outputs: spikes or membrane potentials, `(time, *batch, classes)`.
        labels, lengths, reduction: as those of `ce_count_loss`; the loss of a sample of length 0 is 0.

    Raises:
        TypeError, ValueError: as `ce_count_loss`.

    Source: Deng et al. 2022, *Temporal efficient training of spiking neural network via gradient re-weighting*, ICLR.
    """
    given = sequences("ce_rate_loss", "outputs", outputs, lengths, "*batch, classes")
    values = given.values
    labels = classes_of("ce_rate_loss", labels, values.shape[1:])
    each = cross_entropy(values, jnp.broadcast_to(labels[None], (len(values), *labels.shape)))[..., None]
    return reduced("ce_rate_loss", mean(given._replace(values=given.only(each)))[..., 0], reduction)
