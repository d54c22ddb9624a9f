"""Mean squared errors of spike counts, firing rates and membrane potentials."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from surgrad._answers import answers_keywords
from surgrad._numbers import require_share
from surgrad._over_time import mean, sequences, total
from surgrad._types import Numbers, Parameter
from surgrad.losses._targets import Reduction, Values, reduced, targets_of, values_of

RATES = "target rates"


def _target_rates(
    where: str, targets: Numbers, like: Values, correct_rate: Parameter, incorrect_rate: Parameter
) -> Values:
    require_share(where, correct_rate=correct_rate, incorrect_rate=incorrect_rate)
    known = targets_of(where, "targets", targets, like.shape, RATES)
    return values_of(known, like.shape, like.dtype, correct_rate, incorrect_rate)


@answers_keywords
def mse_count_loss(
    spikes: Numbers,
    targets: Numbers,
    *,
    correct_rate: Parameter = 1.0,
    incorrect_rate: Parameter = 0.0,
    lengths: Any = None,
    reduction: Reduction = "mean",
) -> Values:
    """Mean squared error of spike counts, 1/(T C) Σ_c (Σ_t s_c[t] - T r_c)², the mean over the batch.

    C is the number of classes, and r the target rate in spikes per time step. In snnTorch it has the same name, with
    target counts that are rounded down.

        >>> import jax.numpy as jnp
        >>> from surgrad import losses
        >>> spikes = jnp.zeros((10, 1, 2)).at[:6, 0, 0].set(1)  # class 0 spikes six times, 2 too few
        >>> print(losses.mse_count_loss(spikes, jnp.array([0]), correct_rate=0.8).round(3))
        0.2

    Parameters:
        spikes: spike trains of the output neurons, `(time, *batch, classes)`.
        targets: labels, whole numbers `(*batch,)`, or the target rates themselves, `(*batch, classes)`.
        correct_rate: target rate of the neuron of the right class, 0 to 1. Below 1 it is reached in spite of a
            refractory period.
        incorrect_rate: that of all others, 0 to 1. Above 0 it keeps them from falling silent, where they have no
            gradient.
        lengths: the number of time steps of each sample, `(batch,)`, where sequences are padded. The loss and its
            gradient are then those of each sample alone; that of a sample of length 0 is 0.
        reduction: `"mean"` over the batch, `"sum"`, or `"none"` for the loss of each sample, `(*batch,)`.

    Raises:
        TypeError: labels or lengths are not whole numbers, or the spikes are complex.
        ValueError: a shape does not fit, a label is no class, a rate or a length is out of range, or there is no such
            reduction.

    Source: Shrestha and Orchard 2018, *SLAYER*, NeurIPS.
    """
    given = sequences("mse_count_loss", "spikes", spikes, lengths, "*batch, classes")
    counts = total(given)
    wanted = given.steps * _target_rates("mse_count_loss", targets, counts, correct_rate, incorrect_rate)
    each = (counts - wanted) ** 2 / jnp.maximum(given.steps, 1)
    return reduced("mse_count_loss", each.mean(-1), reduction)


@answers_keywords
def mse_rate_loss(
    spikes: Numbers,
    targets: Numbers,
    *,
    correct_rate: Parameter = 1.0,
    incorrect_rate: Parameter = 0.0,
    lengths: Any = None,
    reduction: Reduction = "mean",
) -> Values:
    """Mean squared error of firing rates, 1/C Σ_c (1/T Σ_t s_c[t] - r_c)², the mean over the batch.

    It is `mse_count_loss` over the number of time steps, so that it does not grow with that.

    Parameters:
        spikes, targets, correct_rate, incorrect_rate, lengths, reduction: as those of `mse_count_loss`.

    Raises:
        TypeError, ValueError: as `mse_count_loss`.
    """
    given = sequences("mse_rate_loss", "spikes", spikes, lengths, "*batch, classes")
    rates = mean(given)
    wanted = _target_rates("mse_rate_loss", targets, rates, correct_rate, incorrect_rate)
    each = (rates - wanted) ** 2 * jnp.minimum(given.steps, 1)
    return reduced("mse_rate_loss", each.mean(-1), reduction)


@answers_keywords
def mse_membrane_loss(
    membrane: Numbers,
    targets: Numbers,
    *,
    on_target: Parameter = 1.0,
    off_target: Parameter = 0.0,
    lengths: Any = None,
    reduction: Reduction = "mean",
) -> Values:
    """Mean squared error of membrane potentials, 1/(T C) Σ_t Σ_c (v_c[t] - y_c[t])², the mean over the batch.

    Parameters:
        membrane: membrane potentials, or other outputs, `(time, *batch, classes)`.
        targets: labels, whole numbers `(*batch,)`, or the target potentials y themselves, `(*batch, classes)` for all
            time steps or `(time, *batch, classes)`.
        on_target: target potential of the neuron of the right class, for labels.
        off_target: that of all others.
        lengths, reduction: as those of `mse_count_loss`. Target potentials behind the end of a sample do not count.

    Raises:
        TypeError, ValueError: as `mse_count_loss`.
    """
    given = sequences("mse_membrane_loss", "membrane", membrane, lengths, "*batch, classes")
    (time, *rest), dtype = given.values.shape, given.values.dtype
    known = targets_of("mse_membrane_loss", "targets", targets, tuple(rest), "target potentials", time)
    wanted = values_of(known, tuple(rest), dtype, on_target, off_target)
    wanted = given.only(wanted if wanted.ndim > len(rest) else jnp.broadcast_to(wanted[None], given.values.shape))
    each = given._replace(values=given.only((given.values - wanted) ** 2))
    return reduced("mse_membrane_loss", mean(each).mean(-1), reduction)
