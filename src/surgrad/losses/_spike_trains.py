"""Losses that compare whole spike trains."""

from __future__ import annotations

from typing import Any

from surgrad._answers import answers_keywords
from surgrad._over_time import van_rossum_squared
from surgrad._types import Numbers, Parameter
from surgrad.losses._targets import Reduction, Values, reduced


@answers_keywords
def van_rossum_loss(
    spikes: Numbers, targets: Numbers, *, tau: Parameter = 10.0, lengths: Any = None, reduction: Reduction = "mean"
) -> Values:
    """Squared distance of van Rossum between spike trains, the mean over neurons and over the batch.

    D² = 1/τ ∫ (f(t) - g(t))² dt, where f and g are the spike trains filtered with exp(-t/τ). The integral is exact, and
    goes on behind the last time step: D² = ½ Σ_t Σ_u d[t] d[u] exp(-|t - u|/τ), where d is the difference of the spike
    trains. So a spike too many costs ½, and one that is moved by δ time steps 1 - exp(-|δ|/τ).

        >>> import jax.numpy as jnp
        >>> from surgrad import losses
        >>> first, second = jnp.zeros((2, 50, 1)).at[0, 10].set(1).at[1, 12].set(1)
        >>> print(losses.van_rossum_loss(first, second, tau=5.0).round(3))
        0.33

    Parameters:
        spikes: spike trains, `(time, *batch, neurons)`.
        targets: those that they should be, of the same shape.
        tau: time constant of the filter in time steps, > 0; one number, or one for each neuron. Short ones compare
            which spikes coincide, long ones spike counts.
        lengths: the number of time steps of each sample, `(batch,)`, where sequences are padded. The loss and its
            gradient are then those of each sample alone.
        reduction: `"mean"` over the batch, `"sum"`, or `"none"` for the loss of each sample, `(*batch,)`.

    Raises:
        TypeError: lengths are not whole numbers, or spikes are complex.
        ValueError: the shapes differ, tau is not > 0, or a length is out of range.

    Source: van Rossum 2001, *A novel spike distance*, Neural Computation 13.
    """
    squared = van_rossum_squared("van_rossum_loss", {"spikes": spikes, "targets": targets}, tau, lengths)
    return reduced("van_rossum_loss", squared.mean(-1), reduction)
