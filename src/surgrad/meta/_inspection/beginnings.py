"""Published rules for how training begins: initial weights that know the surrogate, and initial membrane potentials."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._kinds import require_choice
from surgrad._numbers import require_share
from surgrad._surrogate import Surrogate
from surgrad._types import Parameter, Spikes

_POINTS = 1000
"""As many as in the authors' code."""


def ikun(surrogate: Surrogate, fan: str = "in") -> Callable[..., Array]:
    """An initializer of weights, `(key, shape, dtype) -> array`, whose variance is 1/(mean slope · fan).

    IKUN (Chang et al. 2024, IKUN: initialization to keep SNN training and generalization great with surrogate-stable
    variance, arXiv 2411.18250). The mean is that of the slope for x from -1 to 1, at 1000 points. The rule was checked
    against train_csnn.py of github.com/MaeChd/SurrogateVarStabe, the authors' code, whose networks have other slopes
    than the 1/(1 + x²) that it averages; here the average is that of the surrogate that is given.

        >>> import jax, surgrad
        >>> weights = ikun(surrogate=surgrad.Sigmoid(4.0))(jax.random.key(0), (400, 300), "float32")
        >>> mean_slope = 0.964 / 2  # the rise of the curve from -1 to 1, over the length 2
        >>> abs(float(weights.var()) * 400 * mean_slope - 1) < 0.02
        True

    Parameters:
        surrogate: the surrogate of the neurons behind the weights, with one value for each hyperparameter.
        fan: `"in"`: the number of inputs of a neuron (version 1 of the rule); `"both"`: that of inputs and outputs
            (version 2).

    Raises:
        TypeError: the surrogate is not a `Surrogate`.
        ValueError: `fan` is not one of the two, or the slope is 0 for all x from -1 to 1.
    """
    if not isinstance(surrogate, Surrogate):
        raise TypeError(f"ikun: expected a Surrogate object, got {surrogate!r}.")
    require_choice("ikun", "fan", fan, ("in", "both"))
    mean = float(jnp.mean(jnp.abs(surrogate.surrogate_grad(jnp.linspace(-1.0, 1.0, _POINTS)))))
    if not mean > 0:
        raise ValueError(f"ikun: the slope of {surrogate!r} is 0 for all x from -1 to 1, so no weights make up for it.")

    def initializer(key: Array, shape: tuple[int, ...], dtype: jax.typing.DTypeLike = float) -> Array:
        inputs = math.prod(shape[:-1])
        terms = inputs if fan == "in" else inputs + shape[-1]
        return jax.random.normal(key, shape, dtype) / math.sqrt(mean * terms)

    return initializer


def initial_membrane(mean: Parameter, v: Array, spikes: Spikes, rate: Parameter = 0.1) -> Float[Array, ""]:
    """The running mean of last membrane potentials, from which the membranes of the next batch begin.

    MP-Init (Kook et al. 2025, Stabilizing direct training of spiking neural networks, arXiv 2511.08708): m becomes
    (1 - rate) m + rate · (mean of v over the neurons that spiked at least once), or (1 - rate) m if none did. The rule
    was checked against `update_running_stats` in trlif.py of github.com/kookhh0827/SNN-MP-Init-TRSG, the authors' code.
    Derivatives take it for a constant.

        >>> import jax.numpy as jnp
        >>> from surgrad import nn
        >>> cell, mean, inputs = nn.LIF(tau=10.0), 0.0, jnp.full((50, 2, 3), 0.3)
        >>> for batch in range(3):
        ...     begin = cell.init((2, 3))._replace(v=jnp.full((2, 3), mean))
        ...     state, spikes = nn.unroll(cell, begin, inputs)
        ...     mean = initial_membrane(mean, state.v, spikes)
        >>> 0.0 < float(mean) < 1.0
        True

    Parameters:
        mean: the running mean m so far; 0 at first.
        v: membrane potentials after the last time step, `(*batch, neurons)`, after the reset.
        spikes: all spikes, `(time, *batch, neurons)`.
        rate: weight of the new mean, 0 to 1.

    Raises:
        TypeError, ValueError: the rate is not a number from 0 to 1.
    """
    require_share("initial_membrane", rate=rate)
    active = jnp.any(spikes != 0, axis=0)
    now = jnp.sum(jnp.where(active, v, 0)) / jnp.maximum(jnp.sum(active), 1).astype(v.dtype)
    return jax.lax.stop_gradient((1 - rate) * mean + rate * now)
