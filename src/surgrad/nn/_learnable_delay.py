"""A delay for each neuron, which is learned."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from surgrad._dtypes import floating
from surgrad._fields import parameter
from surgrad._keys import takes_key
from surgrad._numbers import require_whole
from surgrad._pytree import static
from surgrad._shapes import require_shapes
from surgrad._types import Numbers, Parameter, Shape
from surgrad.nn._checks import sizes
from surgrad.nn._contract import check_alike, weight_array
from surgrad.nn._lags import Remembering, check_delays, delayed, delays_of, initial_delays, joined, kernel
from surgrad.nn._linear import Initializer

Buffer = Float[Array | np.ndarray, "steps *batch neurons"]


@dataclasses.dataclass(eq=False, repr=False, init=False)
class LearnableDelay(Remembering):
    """A delay line with a fractional delay for each neuron, y[t, i] = Σ_l k_i(l) x[t - l, i], which is trained.

    k_i(l) is the share of lag l, as in `DelayedLinear`: linear interpolation between the two whole numbers of time
    steps next to the delay, or with `sigma` a Gaussian around it. Delays stay from 0 to `max_delay` by reflection.
    Behind a spiking cell it is a delay of axons, behind a connection one of dendrites. `Delay` has whole delays that
    are not trained.

    Parameters:
        features: number of neurons, >= 1.
        max_delay: the largest delay in time steps, an integer >= 1.
        key: random key of the initial delays.
        sigma: width of the Gaussian in time steps, >= 0; 0 rounds the delays, None interpolates linearly.
        delay_init: an initializer of `jax.nn.initializers`, in place of a uniform distribution from 0 to `max_delay`.

    Attributes:
        delay: in time steps, `(features,)`; `delays()` has them within the range.

    Raises:
        ValueError: a number is out of its range, or a delay is negative, above `max_delay`, or NaN.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from surgrad import nn
        >>> layer = nn.LearnableDelay.from_arrays(jnp.array([0.0, 1.5]), max_delay=4)
        >>> state, outputs = nn.unroll(layer, jnp.array([[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]))
        >>> outputs.tolist()
        [[1.0, 0.0], [0.0, 0.5], [0.0, 0.5]]
    """

    keeps_inputs = True

    trainable: ClassVar[tuple[str, ...]] = ("delay",)
    # With delays in bfloat16, the gradient of each time step by a delay is rounded to it, and those of a mean cancel.
    waivers: ClassVar[dict[str, str]] = {
        "half_precision": "gradients by delays are small differences of large sums; keep delays in float32"
    }

    delay: Shaped[Array | np.ndarray, " neurons"] = weight_array("features")
    max_delay: int = static(whole=1)
    sigma: Parameter | None = parameter(default=None, at_least=0, unit="time steps")

    @takes_key
    def __init__(
        self,
        features: int,
        max_delay: int,
        *,
        key: Array,
        sigma: Parameter | None = None,
        delay_init: Initializer | None = None,
    ) -> None:
        require_whole("LearnableDelay", features=features, max_delay=max_delay)
        self.delay = initial_delays("LearnableDelay", key, (features,), (0, max_delay), delay_init)
        self.max_delay, self.sigma = max_delay, sigma
        self.__post_init__()

    @classmethod
    def from_arrays(cls, delay: Numbers, *, max_delay: int, sigma: Parameter | None = None) -> LearnableDelay:
        """A layer with given delays in time steps, `(features,)`, from 0 to `max_delay`.

        Raises:
            TypeError: the delays are not real.
            ValueError: they have another shape, or one is negative, above `max_delay`, or NaN.
        """
        layer = cls.of_fields(delay=delay, max_delay=max_delay, sigma=sigma)
        check_delays("LearnableDelay", delay, (0, max_delay))
        return layer

    def delays(self) -> Float[Array, " neurons"]:
        """The delays in time steps, within the range from 0 to `max_delay`; whole numbers if `sigma` is 0."""
        return delays_of(self.delay, self.sigma, self.max_delay)

    def init(self, shape: Shape, dtype: Any = None) -> Buffer:
        """The state before the first step: the inputs of the last `max_delay` time steps, zeros; the oldest first.

        Raises:
            ValueError: the last axis is not `features` long.
        """
        shape = sizes(shape)
        pattern = f"*batch, {self.delay.shape[0]} neurons"
        require_shapes("LearnableDelay", {"the input": (shape, pattern)}, "; each neuron has a delay of its own")
        return jnp.zeros((self.max_delay, *shape), floating(dtype))

    def over_time(self, state: Buffer, inputs: Numbers) -> tuple[Buffer, Array]:
        """Many time steps at once: the new state, and the delayed inputs, `(time, *batch, features)`.

        Raises:
            TypeError: the state is not an array, or the inputs are complex.
            ValueError: the inputs differ from the state in shape, or the state holds another number of steps.
        """
        known, inputs = joined(self, state, inputs, self.max_delay)
        time, shares = inputs.shape[0], kernel(self.delay, self.sigma, self.max_delay)
        y = delayed(known.astype(shares.dtype), shares.reshape(-1, *[1] * (known.ndim - 1), shares.shape[-1]))
        return known[time:], y.astype(floating(inputs.dtype))

    def connections(self) -> Any:
        """The delays: what is trained."""
        return self.delay

    def with_connections(self, given: Any) -> LearnableDelay:
        """A copy with other delays.

        Raises:
            ValueError: they have another shape.
        """
        check_alike(self, given, self.delay)
        return self.replace(delay=given)
