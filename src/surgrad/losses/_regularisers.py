"""Regularisers: bounds on firing rates and on membrane potentials, which are added to a loss."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from surgrad._answers import answers_keywords
from surgrad._dtypes import like
from surgrad._numbers import require_real, require_share
from surgrad._over_time import mean, sequences
from surgrad._types import Numbers, Parameter
from surgrad.losses._targets import Reduction, Values, reduced


@answers_keywords
def rate_lower_bound(
    spikes: Numbers, minimum: Parameter, *, lengths: Any = None, reduction: Reduction = "mean"
) -> Values:
    """Penalty of neurons that spike too rarely, 1/N Σ_i max(0, θ - r_i)², the mean over the batch.

    r_i is the firing rate of neuron i in a sample, and N the number of neurons. It keeps every neuron alive: a neuron
    that is silent gets a gradient through the slope of its surrogate.

        >>> import jax.numpy as jnp
        >>> from surgrad import losses
        >>> spikes = jnp.zeros((10, 1, 2)).at[:5, 0, 0].set(1)  # neuron 1 is silent
        >>> print(losses.rate_lower_bound(spikes, 0.1).round(4))
        0.005

    Parameters:
        spikes: spike trains of a layer, `(time, *batch, neurons)`. For a bound on the rates that are averaged over the
            batch, so that a neuron may be silent in some samples, give `spikes.mean(1, keepdims=True)`.
        minimum: θ, in spikes per time step, 0 to 1; one number, or one for each neuron.
        lengths: the number of time steps of each sample, `(batch,)`, where sequences are padded; rates are then those
            of each sample alone, and 0 for a sample of length 0, whose penalty is 0 too.
        reduction: `"mean"` over the batch, `"sum"`, or `"none"` for the penalty of each sample, `(*batch,)`.

    Raises:
        TypeError: lengths are not whole numbers, or the spikes are complex.
        ValueError: the spikes have no axis of neurons, the minimum is not 0 to 1, or a length is out of range.

    Source: Cramer et al. 2022, *The Heidelberg spiking data sets for the systematic evaluation of spiking neural
    networks*, IEEE TNNLS 33, which sums over neurons and weighs it by the sizes of batch and layer.
    """
    require_share("rate_lower_bound", minimum=minimum)
    given = sequences("rate_lower_bound", "spikes", spikes, lengths)
    rates = mean(given)
    below = jnp.maximum(like(rates, minimum) - rates, 0) * jnp.minimum(given.steps, 1)
    return reduced("rate_lower_bound", (below**2).mean(-1), reduction)


@answers_keywords
def rate_upper_bound(
    spikes: Numbers, maximum: Parameter, *, lengths: Any = None, reduction: Reduction = "mean"
) -> Values:
    """Penalty of layers that spike too often, max(0, 1/N Σ_i r_i - θ)², the mean over the batch.

    r_i is the firing rate of neuron i in a sample, and N the number of neurons. The bound is on the mean of the layer,
    so that single neurons may spike often where others are quiet.

    Parameters:
        spikes: spike trains of a layer, `(time, *batch, neurons)`. For a bound on each neuron, give
            `spikes[..., None]`.
        maximum: θ, in spikes per time step, 0 to 1.
        lengths, reduction: as those of `rate_lower_bound`.

    Raises:
        TypeError, ValueError: as `rate_lower_bound`.

    Source: as `rate_lower_bound`; there rates are counts, T times those here.
    """
    require_share("rate_upper_bound", maximum=maximum)
    rates = mean(sequences("rate_upper_bound", "spikes", spikes, lengths)).mean(-1)
    above = jnp.maximum(rates - like(rates, maximum), 0)
    return reduced("rate_upper_bound", above**2, reduction)


@answers_keywords
def membrane_bounds(
    membrane: Numbers,
    lower: Parameter = -1.0,
    upper: Parameter = 1.0,
    *,
    lengths: Any = None,
    reduction: Reduction = "mean",
) -> Values:
    """Penalty of membrane potentials outside a range, 1/(T N) Σ_t Σ_i (max(0, v - u)² + max(0, l - v)²).

    It keeps them near the threshold, where the slope of a surrogate is not small: neurons that are far below it get no
    gradient, and those that are far above it spike always. The result is the mean over the batch.

    Parameters:
        membrane: membrane potentials, `(time, *batch, neurons)`, in the unit of the threshold.
        lower: l, below u.
        upper: u; one number, or one for each neuron, as `lower`.
        lengths, reduction: as those of `rate_lower_bound`.

    Raises:
        TypeError: lengths are not whole numbers, or membrane potentials are complex.
        ValueError: they have no axis of neurons, a bound is not finite, or a length is out of range.

    See also Guo et al. 2023, *RMP-Loss*, ICCV, who pull membrane potentials towards 0 and the threshold instead.
    """
    for name, value in (("lower", lower), ("upper", upper)):
        require_real("membrane_bounds", name, value)
    given = sequences("membrane_bounds", "membrane", membrane, lengths)
    v = given.values
    off = jnp.maximum(v - like(v, upper), 0) ** 2 + jnp.maximum(like(v, lower) - v, 0) ** 2
    return reduced("membrane_bounds", mean(given._replace(values=given.only(off))).mean(-1), reduction)
