"""What the neurons of one surrogate do over a batch."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from surgrad._surrogate import Surrogate

FLAT = 0.01
"""A slope below this share of its peak is as good as none."""


class Layer(NamedTuple):
    """What the neurons of one surrogate do over a batch, from the initial state.

    Parameters:
        where: path of the surrogate in the model.
        firing_rate: spikes for each neuron and time step, 0 to 1.
        silent: share of the neurons that never spike.
        saturated: share of the neurons that spike at more than half of the steps.
        slope: mean of the slope, as a share of its peak.
        flat: share of the entries (step, sample, neuron) whose slope is below a hundredth of its peak.
        spread: standard deviation of x over all entries.
        error: norm of the gradient of the loss by x, over all entries.
        early: that norm in the first quarter of the steps, divided by that in the last quarter.
        finite: whether all x are.
    """

    where: str
    firing_rate: float
    silent: float
    saturated: float
    slope: float
    flat: float
    spread: float
    error: float
    early: float
    finite: bool


def statistics(surrogate: Surrogate, x: Array, error: Array) -> dict[str, Array]:
    """The numbers of a `Layer`, and `errors`, the norm of the error at each step.

    Parameters:
        surrogate: of the layer.
        x: what it is called with, `(time, *batch, neurons)`.
        error: the gradient of the loss by x, in the same shape.
    """
    x = x.reshape(len(x), -1, x.shape[-1])
    spikes, slopes = x >= 0, surrogate.surrogate_grad(x) / surrogate.peak()
    firing_rates = spikes.mean(axis=(0, 1))
    errors = jnp.sqrt(jnp.sum(error.reshape(len(x), -1) ** 2, axis=1))
    quarter = max(1, len(x) // 4)
    early, late = jnp.linalg.norm(errors[:quarter]), jnp.linalg.norm(errors[-quarter:])
    return {
        "firing_rate": firing_rates.mean(),
        "silent": (firing_rates == 0).mean(),
        "saturated": (firing_rates > 0.5).mean(),
        "slope": slopes.mean(),
        "flat": (slopes < FLAT).mean(),
        "spread": jnp.std(x),
        "error": jnp.linalg.norm(errors),
        "early": early / late,
        "finite": jnp.isfinite(x).all(),
        "errors": errors,
    }


def layer_of(where: str, values: dict[str, Any]) -> Layer:
    """A `Layer` from statistics on the host."""
    return Layer(where, *(np.asarray(values[field]).item() for field in Layer._fields[1:]))
