"""Recurrent layers in which each synapse has a delay of its own, which is learned."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from surgrad._dtypes import floating, promoted
from surgrad._fields import parameter
from surgrad._keys import takes_key
from surgrad._numbers import require_whole
from surgrad._pytree import static
from surgrad._types import Numbers, Parameter, PyTree, Shape
from surgrad.nn._checks import check_same, check_state, real_array
from surgrad.nn._contract import Cell, cell_field, check_alike, flag, promises, weight_array
from surgrad.nn._lags import check_delays, delayed_product, delays_of, initial_delays, kernel, placed
from surgrad.nn._linear import Initializer, initial_weight
from surgrad.nn._loops import carried
from surgrad.nn._recurrent import fed_back_over_time, observed_inside, recurrent_cell, require_cell_first, resting


class DelayedRecurrentState(NamedTuple):
    """The state of the cell, and its outputs at the last time steps, the oldest first."""

    cell: PyTree
    outputs: Float[Array, "steps *batch features"]


class _Fed(Cell):
    """A cell whose outputs come back through weights of each lag, `(lags, features, features)`."""

    cell: Any
    weight: Any
    event_driven: bool | str = static()

    def __call__(self, state: DelayedRecurrentState, current: Array) -> tuple[DelayedRecurrentState, Array]:
        held = state.outputs
        cell, outputs = self.cell(state.cell, self.entering(state, current))
        return DelayedRecurrentState(cell, jnp.concatenate([held[1:], outputs[None].astype(held.dtype)])), outputs

    def entering(self, state: DelayedRecurrentState, current: Array) -> Array:
        """The input of the cell."""
        fed_back = delayed_product(state.outputs.astype(self.weight.dtype), self.weight, self.event_driven)[0]
        meeting = promoted(current, fed_back)
        return current.astype(meeting) + fed_back.astype(meeting)

    def came_back(self, state: DelayedRecurrentState, outputs: Array, weight: Array) -> Array:
        """What comes back through weights of each lag at all time steps."""
        known = jnp.concatenate([state.outputs, outputs[:-1].astype(state.outputs.dtype)])
        return delayed_product(known.astype(weight.dtype), weight, self.event_driven)


@dataclasses.dataclass(eq=False, repr=False, init=False)
class DelayedRecurrent(Cell):
    """A cell with recurrent weights and a delay for each: its input is x_j[t] + Σ_i W_ij Σ_l k_ij(l) s_i[t - l].

    k_ij(l) is the share of lag l in the delay d_ij, as in `DelayedLinear`; lags are 1 to `max_delay`, so that with all
    delays 1 it is `Recurrent`. Delays stay within that range by reflection, and are trained with the weights.

    Parameters:
        cell: the neurons, a cell whose outputs s have the shape of its inputs.
        features: number of neurons, >= 1.
        max_delay: the largest delay in time steps, an integer >= 2.
        key: random key of the initial weights and delays.
        sigma: width of the Gaussian in time steps, >= 0; 0 rounds the delays, None interpolates linearly.
        gain: standard deviation of the initial weights times √features, >= 0.
        weight_init: an initializer of `jax.nn.initializers`, in place of normal weights of that deviation.
        delay_init: an initializer of the delays, in place of a uniform distribution from 1 to `max_delay`.
        event_driven: whether products go through the non-zero outputs only: True, False or `"auto"`, see `Linear`.

    Attributes:
        cell: the neurons.
        weight: W, `(features, features)`; element (i, j) leads from neuron i to neuron j.
        delay: d in time steps, `(features, features)`; `delays()` has them within the range.

    Raises:
        TypeError: the cell is not a cell.
        ValueError: a number is out of its range, or a delay is below 1, above `max_delay`, or NaN.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from surgrad import nn
        >>> layer = nn.DelayedRecurrent(nn.LIF(), 5, max_delay=3, key=jax.random.key(0))
        >>> state, spikes = nn.unroll(layer, jnp.ones((7, 2, 5)))
        >>> spikes.shape, state.outputs.shape
        ((7, 2, 5), (3, 2, 5))
    """

    trainable: ClassVar[tuple[str, ...]] = ("cell", "weight", "delay")
    weighted = True
    driven_by: ClassVar[str] = "fed_back"
    """The value of `observables` that the weights are multiplied with: its outputs before the delays."""

    cell: Any = cell_field()
    weight: Shaped[Array | np.ndarray, "features features"] = weight_array("features, features")
    delay: Shaped[Array | np.ndarray, "features features"] = weight_array("features, features")
    max_delay: int = static(whole=2)
    sigma: Parameter | None = parameter(default=None, at_least=0, unit="time steps")
    event_driven: bool | str = flag(default="auto", also=("auto",))

    @takes_key
    def __init__(
        self,
        cell: Any,
        features: int,
        max_delay: int,
        *,
        key: Array,
        sigma: Parameter | None = None,
        gain: float = 1.0,
        weight_init: Initializer | None = None,
        delay_init: Initializer | None = None,
        event_driven: bool | str = "auto",
    ) -> None:
        require_cell_first("DelayedRecurrent", cell, features)
        require_whole("DelayedRecurrent", features=features)
        require_whole("DelayedRecurrent", 2, max_delay=max_delay)
        of_weight, of_delay = jax.random.split(key)
        shape = features, features
        self.weight = initial_weight("DelayedRecurrent", of_weight, shape, gain, weight_init)
        self.delay = initial_delays("DelayedRecurrent", of_delay, shape, (1, max_delay), delay_init)
        self.cell, self.max_delay, self.sigma, self.event_driven = cell, max_delay, sigma, event_driven
        self.__post_init__()

    @classmethod
    def from_arrays(
        cls,
        cell: Any,
        weight: Numbers,
        delay: Numbers,
        *,
        max_delay: int,
        sigma: Parameter | None = None,
        event_driven: bool | str = "auto",
    ) -> DelayedRecurrent:
        """A layer with given weights and delays, both `(features, features)`; delays are from 1 to `max_delay`.

        Raises:
            TypeError: the cell is not a cell, or an array not real.
            ValueError: an array is not square, or a delay is below 1, above `max_delay`, or NaN.
        """
        options = {"max_delay": max_delay, "sigma": sigma, "event_driven": event_driven}
        layer = cls.of_fields(cell=cell, weight=weight, delay=delay, **options)
        check_delays("DelayedRecurrent", delay, (1, max_delay))
        return layer

    @property
    def spiking(self) -> bool:
        """Whether its neurons are."""
        return promises(self.cell, "spiking")

    def __post_init__(self) -> None:
        super().__post_init__()
        self.cell = recurrent_cell("DelayedRecurrent", self.cell)

    def delays(self) -> Float[Array, "features features"]:
        """The delays in time steps, within the range from 1 to `max_delay`; whole numbers if `sigma` is 0."""
        return delays_of(self.delay, self.sigma, self.max_delay, 1)

    def init(self, shape: Shape, dtype: Any = None) -> DelayedRecurrentState:
        """The resting state of the cell, and no spikes in the last `max_delay` time steps.

        Raises:
            ValueError: the last axis of the shape is not as long as the weights are high, or the cell puts out another
                shape than it takes in.
        """
        state, outputs = resting(self, shape, dtype)
        return DelayedRecurrentState(state, jnp.zeros((self.max_delay, *outputs.shape), outputs.dtype))

    def __call__(self, state: DelayedRecurrentState, current: Numbers) -> tuple[DelayedRecurrentState, Array]:
        """One step: the state, and the outputs of the cell.

        Raises:
            TypeError: the state is not what `init` makes.
            ValueError: the input does not fit the weights or the state; time leads in sequences, which `unroll` takes.
        """
        check_state(self, state, DelayedRecurrentState)
        current = real_array(self, current)
        check_same(self, jnp.shape(state.outputs)[1:], current.shape)
        return self._fed()(self._placed(state, current[None]), current)

    def observables(
        self, before: DelayedRecurrentState, x: Numbers, after: DelayedRecurrentState, output: Array
    ) -> dict[str, Any]:
        """What can be recorded of a time step: that of the cell, as `cell.v`, and `fed_back`, its previous outputs.

        Those enter the delays now, and come back after them.
        """
        entering = self._fed().entering(before, jnp.asarray(x))
        return observed_inside(self.cell, before.outputs[-1], before.cell, entering, after.cell, output)

    def fan_out(self, shape: Shape) -> Any:
        """The number of neurons that each output reaches: all of them, at any delay."""
        return self.weight.shape[-1]

    def over_time(self, state: DelayedRecurrentState, currents: Numbers) -> tuple[DelayedRecurrentState, Array]:
        """Many time steps. The weights of all lags are computed once, and their gradient is that of one convolution.

        Raises:
            TypeError, ValueError: as for one time step.
        """
        check_state(self, state, DelayedRecurrentState)
        currents = real_array(self, currents)
        check_same(self, jnp.shape(state.outputs)[1:], currents.shape[1:])
        fed, state = self._fed(), self._placed(state, currents)
        currents = currents.astype(promoted(floating(currents.dtype), fed.weight))
        return fed_back_over_time(fed, carried(fed, state, currents), currents)

    @staticmethod
    def _placed(state: DelayedRecurrentState, currents: Array) -> DelayedRecurrentState:
        currents = currents.astype(floating(currents.dtype))
        return DelayedRecurrentState(state.cell, placed(jnp.asarray(state.outputs), currents))

    def _fed(self) -> _Fed:
        shares = kernel(self.delay, self.sigma, self.max_delay, 1)
        weights = (shares * jnp.asarray(self.weight).astype(shares.dtype)[None]).astype(promoted(self.weight))
        return _Fed(self.cell, weights, self.event_driven)

    def connections(self) -> dict[str, Any]:
        """What is trained if the cell stays as it is: weights and delays."""
        return {"weight": self.weight, "delay": self.delay}

    def with_connections(self, given: Any) -> DelayedRecurrent:
        """A copy with others.

        Raises:
            ValueError: they have other shapes.
        """
        check_alike(self, given, self.connections())
        return self.replace(**given)

    def with_weight(self, weight: Array) -> DelayedRecurrent:
        """A copy with another weight."""
        return self.replace(weight=weight)
