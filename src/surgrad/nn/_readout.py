"""Readouts: cells without spikes whose last output summarises the whole sequence.

`unroll(network, xs, keep="last")` returns that output, and stacks none over time. States and outputs are float32 at
least.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from surgrad._dtypes import wide
from surgrad._pytree import static
from surgrad._types import Numbers, Shape
from surgrad.nn._checks import check_same, check_state, entered, real_array, sizes
from surgrad.nn._contract import Cell

Values = Float[Array, "*shape"]


class MeanState(NamedTuple):
    """The sum of the inputs so far, and the number of time steps."""

    total: Values
    steps: Int[Array, ""]


class MeanOverTime(Cell):
    """Mean of the inputs so far; of spikes, the firing rate in spikes per time step."""

    spiking = False
    elementwise = True

    def init(self, shape: Shape, dtype: Any = None) -> MeanState:
        """The state before the first step, for inputs of a shape `(*batch, features)`."""
        return MeanState(jnp.zeros(shape, wide(dtype)), jnp.zeros((), int))

    def __call__(self, state: MeanState, x: Numbers) -> tuple[MeanState, Values]:
        """One time step: the new state, and the mean so far.

        Raises:
            TypeError: the state is not one that `init` makes, or the input is complex.
            ValueError: the input differs from the state in shape.
        """
        check_state(self, state, MeanState)
        total, steps = state.total + entered(self, state.total, x), state.steps + 1
        return MeanState(total, steps), total / steps.astype(total.dtype)


class MaxState(NamedTuple):
    """The running maximum, and whether there was any input."""

    value: Values
    begun: Bool[Array, ""]


class MaxOverTime(Cell):
    """Maximum of the inputs so far. Its derivative is that of the earliest of equal maxima."""

    spiking = False
    elementwise = True

    def init(self, shape: Shape, dtype: Any = None) -> MaxState:
        """The state before the first step, for inputs of a shape `(*batch, features)`."""
        # Zeros, as minus infinity would look like an error to `jax.debug_infs`.
        return MaxState(jnp.zeros(shape, wide(dtype)), jnp.zeros((), bool))

    def __call__(self, state: MaxState, x: Numbers) -> tuple[MaxState, Values]:
        """One time step: the new state, and the maximum so far. NaN stays.

        Raises:
            TypeError: the state is not one that `init` makes, or the input is complex.
            ValueError: the input differs from the state in shape.
        """
        check_state(self, state, MaxState)
        x = entered(self, state.value, x)
        # A comparison, as `jnp.maximum` would share the derivative among equal values.
        stays = state.begun & ((state.value >= x) | jnp.isnan(state.value))
        value = jnp.where(stays, state.value, x)
        return MaxState(value, state.begun | True), value


class MinOverTime(Cell):
    """Minimum of the inputs so far. Its derivative is that of the earliest of equal minima."""

    spiking = False
    elementwise = True

    def init(self, shape: Shape, dtype: Any = None) -> MaxState:
        """The state before the first step, for inputs of a shape `(*batch, features)`."""
        return MaxOverTime().init(shape, dtype)

    def __call__(self, state: MaxState, x: Numbers) -> tuple[MaxState, Values]:
        """One time step: the new state, which holds the maximum of -x, and the minimum so far. NaN stays.

        Raises:
            TypeError: the state is not one that `init` makes, or the input is complex.
            ValueError: the input differs from the state in shape.
        """
        check_state(self, state, MaxState)
        state, most = MaxOverTime()(state, -entered(self, state.value, x))
        return state, -most


class HistogramOverTime(Cell):
    """Histogram of each neuron's inputs so far, such as membrane potentials: counts `(*batch, features, bins)`.

    Bins are half open, as those of `numpy.histogram`: a bin has its left edge and not its right one, but for the last,
    which has both. What is in no bin, or NaN, is not counted. Counts are floating numbers, exact up to 2^24 in float32.
    The derivative is zero.

    Parameters:
        edges: the edges of the bins, one more than there are bins, each above the one before.

    Raises:
        ValueError: there are fewer than two edges, or they do not rise.
    """

    spiking = False

    edges: Any = static()

    def __post_init__(self) -> None:
        edges = np.asarray(self.edges, float)
        if edges.ndim != 1 or edges.size < 2 or not (np.diff(edges) > 0).all():
            raise ValueError(f"HistogramOverTime: edges must be two numbers or more, each above the last, got {edges}.")
        self.edges = tuple(edges.tolist())
        super().__post_init__()

    def init(self, shape: Shape, dtype: Any = None) -> Float[Array, "*shape bins"]:
        """Counts of zero, for inputs of a shape `(*batch, features)`."""
        return jnp.zeros((*sizes(shape), len(self.edges) - 1), wide(dtype))

    def __call__(self, state: Float[Array, "*shape bins"], x: Numbers) -> tuple[Array, Array]:
        """One time step: the counts, as state and as output.

        Raises:
            TypeError: the state is not an array, or the input is complex.
            ValueError: the input differs from the state in shape.
        """
        check_state(self, state)
        x = real_array(self, x)
        check_same(self, state.shape[:-1], x.shape)
        x = x.astype(wide(x.dtype))[..., None]
        edges = jnp.asarray(self.edges, x.dtype).reshape(*(1,) * (x.ndim - 1), -1)
        below = jnp.concatenate([x < edges[..., 1:-1], x <= edges[..., -1:]], axis=-1)
        counts = state + ((x >= edges[..., :-1]) & below).astype(state.dtype)
        return counts, counts


class LastStep(Cell):
    """The latest input: after the last time step, the input of that step."""

    spiking = False
    elementwise = relays = True

    def init(self, shape: Shape, dtype: Any = None) -> None:
        """None: there is no state."""

    def __call__(self, state: None, x: Numbers) -> tuple[None, Any]:
        """One time step: None, and the input."""
        return None, x

    def over_time(self, state: None, inputs: Numbers) -> tuple[None, Any]:
        """All time steps: None, and the inputs."""
        return None, inputs


class FirstSpikeState(NamedTuple):
    """The number of time steps before the first spike, and 1 for each neuron that has not spiked yet, else 0."""

    steps: Values
    silent: Values


class FirstSpikeTime(Cell):
    """Time step of the first spike of each neuron, from 0; the number of time steps so far if there was none.

    It is Σ_t Π_{u <= t} (1 - s[u]), the number of time steps before the first spike, and has that derivative: a spike
    changes it only where there was none before.
    """

    spiking = False
    elementwise = True

    def init(self, shape: Shape, dtype: Any = None) -> FirstSpikeState:
        """The state before the first step, for spikes of a shape `(*batch, features)`."""
        return FirstSpikeState(jnp.zeros(shape, wide(dtype)), jnp.ones(shape, wide(dtype)))

    def __call__(self, state: FirstSpikeState, spikes: Numbers) -> tuple[FirstSpikeState, Values]:
        """One time step: the new state, and the time of the first spike so far.

        Raises:
            TypeError: the state is not one that `init` makes, or the spikes are complex.
            ValueError: the spikes differ from the state in shape.
        """
        check_state(self, state, FirstSpikeState)
        silent = state.silent * (1 - entered(self, state.silent, spikes))
        steps = state.steps + silent
        return FirstSpikeState(steps, silent), steps
