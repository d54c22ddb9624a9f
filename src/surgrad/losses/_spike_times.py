"""Losses of the time of the first spike."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from surgrad._answers import answers_keywords
from surgrad._dtypes import like
from surgrad._numbers import require_real
from surgrad._over_time import first_spike_time, sequences
from surgrad._types import Numbers, Parameter
from surgrad.losses._cross_entropy import classes_of, cross_entropy
from surgrad.losses._targets import Reduction, Values, reduced, targets_of, values_of


@answers_keywords
def ce_temporal_loss(
    spikes: Numbers, labels: Numbers, *, tau: Parameter = 1.0, lengths: Any = None, reduction: Reduction = "mean"
) -> Values:
    """Cross-entropy of first spike times, -log softmax(-t / τ)_label, the mean over the batch.

    The neuron of the right class must spike first. t is the time step of the first spike of a neuron, from 0, and the
    number of time steps where there was none, with the derivative of `nn.FirstSpikeTime`: Σ_t Π_{u <= t} (1 - s[u]). So
    a neuron that was silent is driven towards spiking. In snnTorch it has the same name; there a silent neuron has the
    time of the last step, and every derivative of t is -1 at the first spike.

        >>> import jax.numpy as jnp
        >>> from surgrad import losses
        >>> spikes = jnp.zeros((20, 1, 2)).at[3, 0, 0].set(1).at[5, 0, 1].set(1)
        >>> print(losses.ce_temporal_loss(spikes, jnp.array([0])).round(3))
        0.127

    Parameters:
        spikes: spike trains of the output neurons, `(time, *batch, classes)`.
        labels: whole numbers, `(*batch,)`, or probabilities of the classes, `(*batch, classes)`, which sum to 1.
        tau: the time by which one neuron must be earlier for odds of e, in time steps, > 0.
        lengths, reduction: as those of `ce_count_loss`; a neuron without a spike has the length of its sample.

    Raises:
        TypeError, ValueError: as `ce_count_loss`; tau is not > 0.

    Source: Mostafa 2017, *Supervised learning based on temporal coding in spiking neural networks*, IEEE TNNLS 29; with
    τ, Göltz et al. 2021, *Fast and energy-efficient neuromorphic deep learning with first-spike times*, Nature Machine
    Intelligence 3.
    """
    require_real("ce_temporal_loss", "tau", tau, above=0)
    times = first_spike_time(sequences("ce_temporal_loss", "spikes", spikes, lengths, "*batch, classes"))
    known = classes_of("ce_temporal_loss", labels, times.shape)
    return reduced("ce_temporal_loss", cross_entropy(-times / like(times, tau), known), reduction)


@answers_keywords
def mse_temporal_loss(
    spikes: Numbers,
    targets: Numbers,
    *,
    on_target: Parameter = 0.0,
    off_target: Parameter | None = None,
    tolerance: Parameter = 0.0,
    lengths: Any = None,
    reduction: Reduction = "mean",
) -> Values:
    """Mean squared error of first spike times, 1/C Σ_c ((t_c - y_c) / T)², the mean over the batch.

    t is the time step of the first spike, as in `ce_temporal_loss`, with the same derivative. In snnTorch it has the
    same name.

    Parameters:
        spikes: spike trains of the output neurons, `(time, *batch, classes)`.
        targets: labels, whole numbers `(*batch,)`, or the target times y themselves, `(*batch, classes)`.
        on_target: target time of the neuron of the right class, in time steps, for labels.
        off_target: that of all others; None for the number of time steps, the time of a neuron that never spikes.
        tolerance: times that are at most this far from their target have no loss, in time steps, >= 0.
        lengths, reduction: as those of `mse_count_loss`; T is the length of each sample.

    Raises:
        TypeError, ValueError: as `mse_count_loss`; the tolerance is below 0.

    Source: Eshraghian et al. 2023, *Training spiking neural networks using lessons from deep learning*, Proc. IEEE 111.
    """
    require_real("mse_temporal_loss", "tolerance", tolerance, at_least=0)
    given = sequences("mse_temporal_loss", "spikes", spikes, lengths, "*batch, classes")
    times = first_spike_time(given)
    known = targets_of("mse_temporal_loss", "targets", targets, times.shape, "target times")
    wanted = values_of(known, times.shape, times.dtype, on_target, given.steps if off_target is None else off_target)
    off = times - wanted
    off = jnp.where(jnp.abs(off) > like(off, tolerance), off, jnp.zeros_like(off))
    return reduced("mse_temporal_loss", ((off / jnp.maximum(given.steps, 1)) ** 2).mean(-1), reduction)
