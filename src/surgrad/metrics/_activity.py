"""How much a layer spikes."""

from __future__ import annotations

from typing import Any

from jaxtyping import Array, Float

from surgrad._answers import answers_keywords
from surgrad._over_time import mean, sequences, total
from surgrad._types import Numbers


@answers_keywords
def firing_rate(spikes: Numbers, *, lengths: Any = None) -> Float[Array, ...]:
    """Firing rates in spikes per time step, 1/T Σ_t s[t], of each neuron in each sample, `(*batch, neurons)`.

    Their mean, `firing_rate(spikes).mean()`, is the firing rate of the layer.

        >>> import jax.numpy as jnp
        >>> from surgrad import metrics
        >>> print(metrics.firing_rate(jnp.zeros((10, 1, 2)).at[:4, 0, 1].set(1)))
        [[0.  0.4]]

    Parameters:
        spikes: spike trains, `(time, *batch, neurons)`.
        lengths: the number of time steps of each sample, `(batch,)`, where sequences are padded. The rates of a sample
            of length 0 are 0.

    Raises:
        TypeError: lengths are not whole numbers, or the spikes are complex.
        ValueError: the spikes have no axes of time and neurons, or a length is out of range.
    """
    return mean(sequences("firing_rate", "spikes", spikes, lengths))


@answers_keywords
def silent_fraction(spikes: Numbers, *, lengths: Any = None) -> Float[Array, ""]:
    """Share of the neurons that spike in no sample, 0 to 1.

        >>> import jax.numpy as jnp
        >>> from surgrad import metrics
        >>> print(metrics.silent_fraction(jnp.zeros((10, 3, 4)).at[2, 1, 0].set(1)))
        0.75

    Parameters:
        spikes, lengths: as those of `firing_rate`.

    Raises:
        TypeError, ValueError: as `firing_rate`.
    """
    counts = total(sequences("silent_fraction", "spikes", spikes, lengths))
    return (counts == 0).reshape(-1, counts.shape[-1]).all(0).mean(dtype=counts.dtype)
