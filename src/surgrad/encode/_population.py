"""The population code: several neurons with Gaussian tuning curves for each feature."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Float

from surgrad._answers import answers_keywords
from surgrad._numbers import require_real, require_whole
from surgrad._types import Numbers
from surgrad.encode._intensity import require_finite
from surgrad.encode._latency import latency

CUTOFF = 0.05
"""Responses below it do not spike: with 11 time steps, those that Bohte et al. round to the last one."""


@answers_keywords
def tuning_curves(
    x: Numbers, num_neurons: int, *, low: float = 0.0, high: float = 1.0, beta: float = 1.5
) -> Float[Array, "... neurons"]:
    """Responses of neurons with Gaussian tuning curves, e^(-(x - μ)²/(2σ²)), from above 0 to 1.

    Of m neurons for a feature the i-th, from 1, has its center at μ = low + (2i - 3)/2 (high - low)/(m - 2), and all
    have the width σ = (high - low)/(m - 2)/β. The outermost centers lie half a distance beyond the range.

    Parameters:
        x: the features, `(*batch, features)`.
        num_neurons: neurons m for each feature, >= 3.
        low, high: the range of the features.
        beta: sharpness β of the curves, > 0; Bohte et al. used 1 to 2, and mostly 1.5.

    Returns:
        responses, `(*batch, features m)`: the m neurons of the first feature, then those of the next. As intensities
        they can be given to `rate` and `latency`.

    Raises:
        TypeError: x is not floating.
        ValueError: a known value of x is NaN or infinite, num_neurons is not an integer >= 3, high is not above low, or
            beta is not > 0.

    Source: Bohte, Kok & La Poutré (2002), Error-backpropagation in temporally encoded networks of spiking neurons.

    >>> tuning_curves(jnp.array([0.5]), 3, beta=1.0)
    Array([0.60653067, 1.        , 0.60653067], dtype=float32)
    """
    centers, distance = _centers("tuning_curves", num_neurons, low, high)
    require_real("tuning_curves", "beta", beta, above=0)
    x = x if isinstance(x, jax.Array) else np.asarray(x)
    dtype = jnp.result_type(x)
    if not jnp.issubdtype(dtype, jnp.floating):
        raise TypeError(f"tuning_curves: features must be floating numbers, got {dtype}.")
    require_finite("tuning_curves", "features", x)
    x = jnp.asarray(x)[..., None]
    scaled = (x - jnp.asarray(centers, x.dtype).reshape(*(1,) * (x.ndim - 1), -1)) * (beta / distance)
    return jnp.exp(-(scaled**2) / 2).reshape(*x.shape[:-2], -1)


@answers_keywords
def population(
    x: Numbers, num_neurons: int, num_steps: int, *, low: float = 0.0, high: float = 1.0, beta: float = 1.5
) -> Float[Array, "time ... neurons"]:
    """Spike trains of the population code: neurons with Gaussian tuning curves spike the earlier, the closer x is.

    A neuron spikes once, at the time step that `latency` gives its response of `tuning_curves`; below a response of
    0.05 it does not. For spikes at random, give the responses to `rate`.

    Parameters:
        x: the features, `(*batch, features)`, from low to high. A little out of this range fewer neurons spike.
        num_neurons: neurons m for each feature, >= 3.
        num_steps: number of time steps, >= 1.
        low, high, beta: as those of `tuning_curves`.

    Returns:
        0 or 1 in the dtype of x, `(time, *batch, features m)`.

    Raises:
        TypeError, ValueError: as `tuning_curves`; num_steps is not an integer >= 1, or a known feature is so far out of
            the range that none of its neurons spikes, as an image of bytes is out of 0 to 1.

    Source: as of `tuning_curves`; there with 11 time steps.

    >>> population(jnp.array([0.5]), 3, 3)
    Array([[0., 1., 0.],
           [1., 0., 1.],
           [0., 0., 0.]], dtype=float32)
    """
    responses = tuning_curves(x, num_neurons, low=low, high=high, beta=beta)
    _require_responses(x, responses, num_neurons, low, high)
    return latency(jnp.where(responses < CUTOFF, 0, responses), num_steps)


def _require_responses(x: Numbers, responses: Array, num_neurons: int, low: float, high: float) -> None:
    """Check that a neuron spikes for each feature that is out of the range; traced ones have no value yet.

    Raises:
        ValueError: none does.
    """
    if isinstance(responses, Tracer):
        return
    known, most = np.asarray(x), np.asarray(responses).reshape(*responses.shape[:-1], -1, num_neurons).max(-1)
    silent = ((known < low) | (known > high)) & (most.reshape(known.shape) < CUTOFF)
    if silent.any():
        raise ValueError(
            f"population: features must be {low} to {high}, got {known[silent][0]}, for which no neuron spikes; give "
            f"the range by low= and high=, or jnp.clip(x, {low}, {high})."
        )


@answers_keywords
def population_decode(
    responses: Numbers, num_neurons: int, *, low: float = 0.0, high: float = 1.0
) -> Float[Array, "... features"]:
    """The features that a population stands for: the mean of the centers, weighted by the responses.

    It is exact in the middle of the range, up to what the responses were rounded to; near its ends, where the curves
    of neurons are missing on one side, it is too far inside.

    Parameters:
        responses: those of `tuning_curves`, or what is known of them: `latency_decode(spikes)` of one spike a neuron,
            or `spikes.mean(axis=0)` of spikes at random; `(*batch, features m)`.
        num_neurons: neurons m for each feature, >= 3.
        low, high: as those of the code.

    Returns:
        features, `(*batch, features)`; the middle of the range where all responses are 0.

    Raises:
        ValueError: the number of responses is no multiple of m; further as `tuning_curves`.

    >>> population_decode(tuning_curves(jnp.array([0.25, 0.5]), 12), 12).round(3)
    Array([0.25, 0.5 ], dtype=float32)
    """
    centers, _ = _centers("population_decode", num_neurons, low, high)
    r = jnp.asarray(responses)
    r = r if jnp.issubdtype(r.dtype, jnp.inexact) else r.astype(float)
    if not r.ndim or r.shape[-1] % num_neurons:
        raise ValueError(
            f"population_decode: there must be {num_neurons} responses for each feature, got the shape {r.shape}."
        )
    r = r.reshape(*r.shape[:-1], -1, num_neurons)
    total = r.sum(axis=-1)
    mean = (r @ jnp.asarray(centers, r.dtype)) / jnp.where(total > 0, total, 1)
    return jnp.where(total > 0, mean, (low + high) / 2)


def _centers(code: str, num_neurons: int, low: float, high: float) -> tuple[Float[np.ndarray, " neurons"], float]:
    """The centers, and the distance from one to the next."""
    require_whole(code, 3, num_neurons=num_neurons)
    require_real(code, "low", low)
    require_real(code, "high", high, above=low)
    distance = (high - low) / (num_neurons - 2)
    return low + (np.arange(num_neurons) - 0.5) * distance, distance
