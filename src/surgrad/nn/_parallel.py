"""Leaky neurons without a reset, whose membrane potentials are linear in time and computed in parallel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array

from surgrad._answers import missing_attribute
from surgrad._dtypes import like
from surgrad._fields import parameter
from surgrad._pytree import static
from surgrad._types import Membrane, Numbers, Parameter, Shape, Spikes
from surgrad.nn._checks import returned
from surgrad.nn._contract import Cell, spike_function
from surgrad.nn._membrane import (
    Current,
    Voltage,
    admitted,
    at_rest,
    decay,
    decayed,
    fire,
    of_single_neurons,
    takes_beta,
)


class ParallelLIFState(NamedTuple):
    """State of parallel LIF neurons: the membrane potential."""

    v: Voltage

    __getattr__ = missing_attribute


@takes_beta
class ParallelLIF(Cell):
    """Leaky neurons without a reset, v ← e^(-dt/τ) v + I, that spike where v >= θ.

    Without a reset the membrane potential is a linear function of all inputs so far, and many time steps are one
    associative scan (`jax.lax.associative_scan`): as many sums one after the other as the logarithm of the time, where
    `LIF` needs as many as there are time steps. That is for devices that compute many numbers at once; on CPUs it is
    slower than the loop of `LIF`, as `benchmarks/parallel.md` tells beside what the missing reset costs in accuracy: a
    neuron spikes in each time step in which it is above the threshold. After Fang et al. (2023), Parallel spiking
    neurons with high efficiency and ability to learn long-term dependencies, NeurIPS, whose weights over time are free.

    Parameters:
        surrogate: the spike function: a surrogate, or any function of x = (v - θ)/θ that spikes.
        tau: time constant τ in units of `dt`, > 0, infinite for no leak; one number, or one for each neuron.
        threshold: membrane potential θ of a spike, > 0; one number, or one for each neuron.
        dt: length of a time step, > 0.
        beta: decay of a time step, above 0 to 1, in place of `tau`.

    Example:
        >>> import jax.numpy as jnp
        >>> from surgrad import nn
        >>> state, spikes = nn.unroll(nn.ParallelLIF(beta=0.5), jnp.array([[1.0], [0.5], [0.0]]))
        >>> spikes[:, 0].tolist(), state.v.round(4).tolist()
        ([1.0, 1.0, 0.0], [0.5])
    """

    spiking = linear_response = True

    @property
    def elementwise(self) -> bool:
        """Whether its spike function is."""
        return of_single_neurons(self.surrogate)

    surrogate: Callable[[Membrane], Spikes] = spike_function()
    tau: Parameter = parameter(default=10.0, above=0, finite=False, unit="of dt")
    threshold: Parameter = parameter(default=1.0, above=0)
    dt: float = static(default=1.0, kw_only=True, above=0)

    @property
    def beta(self) -> Array:
        """The decay of the membrane potential in a time step, e^(-dt/τ)."""
        return decay(self.tau, self.dt)

    def init(self, shape: Shape, dtype: Any = None) -> ParallelLIFState:
        """The state at rest, v = 0, for inputs of a shape `(*batch, neurons)`. Raises as `LIF.init`."""
        return ParallelLIFState(at_rest(self, shape, dtype))

    def __call__(self, state: ParallelLIFState, current: Numbers) -> tuple[ParallelLIFState, Spikes]:
        """One time step: the new state, and the spikes. Raises as `LIF` does."""
        x, current = current, admitted(self, state, ParallelLIFState, current)
        v = decayed(state.v, self.tau, self.dt) + current
        return ParallelLIFState(v), returned(self._spikes(v), x)

    def over_time(self, state: ParallelLIFState, currents: Numbers) -> tuple[ParallelLIFState, Spikes]:
        """Many time steps in parallel: the new state, and the spikes. Raises as `LIF` does."""
        xs = jnp.asarray(currents)
        if not xs.shape[0]:
            return state, returned(jnp.zeros_like(xs), xs)
        first = admitted(self, state, ParallelLIFState, xs[0]) + decayed(state.v, self.tau, self.dt)
        v = leaky_sums(like(first, self.beta), jnp.concatenate([first[None], xs[1:].astype(first.dtype)]))
        spikes = self._spikes if self.elementwise else jax.vmap(self._spikes)  # each step must be drawn by itself
        return ParallelLIFState(v[-1]), returned(spikes(v), xs)

    def observables(
        self, before: ParallelLIFState, x: Numbers, after: ParallelLIFState, output: Spikes
    ) -> dict[str, Array]:
        """What can be recorded of a time step: `v`, the membrane potential. There is no reset."""
        return {"v": after.v}

    def _spikes(self, v: Voltage) -> Spikes:
        threshold = like(v, self.threshold)
        return fire(self.surrogate, (v - threshold) / threshold)


def leaky_sums(beta: Array, currents: Current) -> Voltage:
    """The sums v[t] = β v[t - 1] + I[t] over time, which leads, by an associative scan."""

    def joined(early: tuple[Array, Array], late: tuple[Array, Array]) -> tuple[Array, Array]:
        (decay, v), (further, more) = early, late
        return decay * further, further * v + more

    decays = jnp.broadcast_to(beta, (currents.shape[0], *[1] * (currents.ndim - 1 - beta.ndim), *beta.shape))
    return jax.lax.associative_scan(joined, (decays, currents))[1]
