"""Fully connected layers in which each synapse has a delay of its own, which is learned."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from surgrad._dtypes import floating, promoted
from surgrad._fields import check_field, parameter
from surgrad._keys import takes_key
from surgrad._numbers import require_whole
from surgrad._pytree import static
from surgrad._shapes import require_shapes
from surgrad._types import Numbers, Parameter, Shape
from surgrad.nn._checks import sizes
from surgrad.nn._contract import check_alike, flag, weight_array
from surgrad.nn._lags import Remembering, check_delays, delayed_product, delays_of, initial_delays, joined, kernel
from surgrad.nn._linear import Initializer, initial_weight, with_bias, with_weight

Buffer = Float[Array | np.ndarray, "steps *batch inputs"]


@dataclasses.dataclass(eq=False, repr=False, init=False)
class DelayedLinear(Remembering):
    """Fully connected layer with a delay for each synapse, y[t, j] = b_j + Σ_i W_ij Σ_l k_ij(l) x[t - l, i].

    The delays d_ij are fractional and trained with the weights. k_ij(l) is the share of lag l, a whole number of time
    steps from 0 to `max_delay`, and sums to 1: linear interpolation between the two lags next to d_ij, or with `sigma`
    a Gaussian around it, k(l) ∝ exp(-(l - d_ij)² / 2σ²). Derivatives are those of this formula.

    With linear interpolation, the gradient of a delay sees the inputs one step earlier or later. With a Gaussian it
    sees those of about σ steps around, so that σ starts wide and narrows in training, exponentially from half of
    `max_delay` to 0.5 in Hammouamri et al. (2024), Learning delays in spiking neural networks using dilated
    convolutions with learnable spacings, ICLR. `surgrad.meta.schedule(net, {"sigma": schedule}, step)` sets it, and
    `sigma=0` rounds the delays: the network to use afterwards.

    A delay stays from 0 to `max_delay` by reflection: what an optimiser moves d steps beyond an end counts as d steps
    before it. Inside, the derivative is not changed.

    Parameters:
        in_features: number of inputs, >= 1.
        out_features: number of outputs, >= 1.
        max_delay: the largest delay in time steps, an integer >= 1. Time and memory of a step grow with it.
        key: random key of the initial weights and delays.
        sigma: width σ of the Gaussian in time steps, >= 0; 0 rounds the delays, None interpolates linearly.
        use_bias: whether there is a bias; it starts at zero, and has no delay.
        gain: standard deviation of the initial weights times √in_features, >= 0.
        weight_init: an initializer of `jax.nn.initializers`, in place of normal weights of that deviation.
        delay_init: an initializer of the delays, in place of a uniform distribution from 0 to `max_delay`.
        event_driven: whether products go through the non-zero inputs only: True, False or `"auto"`, see `Linear`.

    Attributes:
        weight: W, `(in_features, out_features)`.
        delay: d in time steps, `(in_features, out_features)`; `delays()` has them within the range.
        bias: b, `(out_features,)`, or None.

    Raises:
        ValueError: a number is out of its range, or a delay is negative, above `max_delay`, or NaN.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from surgrad import nn
        >>> layer = nn.DelayedLinear.from_arrays(jnp.ones((1, 1)), jnp.array([[1.25]]), max_delay=3)
        >>> state, outputs = nn.unroll(layer, jnp.array([[1.0], [0.0], [0.0], [0.0]]))
        >>> outputs[:, 0].tolist()
        [0.0, 0.75, 0.25, 0.0]
    """

    trainable: ClassVar[tuple[str, ...]] = ("weight", "delay", "bias")
    weighted = whole_sequence = keeps_inputs = True
    # With delays in bfloat16, the gradient of each time step by a delay is rounded to it, and those of a mean cancel.
    waivers: ClassVar[dict[str, str]] = {
        "half_precision": "gradients by delays are small differences of large sums; keep delays in float32"
    }

    weight: Shaped[Array | np.ndarray, "inputs outputs"] = weight_array("in_features, out_features")
    delay: Shaped[Array | np.ndarray, "inputs outputs"] = weight_array("in_features, out_features")
    bias: Shaped[Array | np.ndarray, " outputs"] | None = weight_array("out_features", optional=True)
    max_delay: int = static(whole=1)
    sigma: Parameter | None = parameter(default=None, at_least=0, unit="time steps")
    event_driven: bool | str = flag(default="auto", also=("auto",))

    @takes_key
    def __init__(
        self,
        in_features: int,
        out_features: int,
        max_delay: int,
        *,
        key: Array,
        sigma: Parameter | None = None,
        use_bias: bool = True,
        gain: float = 1.0,
        weight_init: Initializer | None = None,
        delay_init: Initializer | None = None,
        event_driven: bool | str = "auto",
    ) -> None:
        require_whole("DelayedLinear", in_features=in_features, out_features=out_features, max_delay=max_delay)
        of_weight, of_delay = jax.random.split(key)
        shape = in_features, out_features
        self.weight = initial_weight("DelayedLinear", of_weight, shape, gain, weight_init)
        self.delay = initial_delays("DelayedLinear", of_delay, shape, (0, max_delay), delay_init)
        check_field("DelayedLinear", "use_bias", use_bias, {"flag": True})
        self.bias = jnp.zeros(out_features) if use_bias else None
        self.max_delay, self.sigma, self.event_driven = max_delay, sigma, event_driven
        self.__post_init__()

    @classmethod
    def from_arrays(
        cls,
        weight: Numbers,
        delay: Numbers,
        bias: Numbers | None = None,
        *,
        max_delay: int,
        sigma: Parameter | None = None,
        event_driven: bool | str = "auto",
    ) -> DelayedLinear:
        """A layer with given arrays.

        Parameters:
            weight: `(in_features, out_features)`.
            delay: in time steps, `(in_features, out_features)`, from 0 to `max_delay`.
            bias: `(out_features,)`, or None for a layer without.
            max_delay, sigma, event_driven: as of `DelayedLinear`.

        Raises:
            TypeError: an array is not real.
            ValueError: the shapes do not fit, or a delay is negative, above `max_delay`, or NaN.
        """
        options = {"max_delay": max_delay, "sigma": sigma, "event_driven": event_driven}
        layer = cls.of_fields(weight=weight, delay=delay, bias=bias, **options)
        check_delays("DelayedLinear", delay, (0, max_delay))
        return layer

    def delays(self) -> Float[Array, "inputs outputs"]:
        """The delays in time steps, within the range from 0 to `max_delay`; whole numbers if `sigma` is 0."""
        return delays_of(self.delay, self.sigma, self.max_delay)

    def init(self, shape: Shape, dtype: Any = None) -> Buffer:
        """The state before the first step: the inputs of the last `max_delay` time steps, zeros; the oldest first.

        Raises:
            ValueError: the last axis is not `in_features` long.
        """
        shape = sizes(shape)
        require_shapes("DelayedLinear", {"the input": (shape, f"..., {self.weight.shape[0]} features")})
        return jnp.zeros((self.max_delay, *shape), floating(dtype))

    def over_time(self, state: Buffer, inputs: Numbers) -> tuple[Buffer, Array]:
        """Many time steps at once: the new state, and the outputs, `(time, *batch, out_features)`.

        Raises:
            TypeError: the state is not an array, or the inputs are complex.
            ValueError: the inputs differ from the state in shape, or the state holds another number of steps.
        """
        known, inputs = joined(self, state, inputs, self.max_delay)
        dtype = promoted(inputs, self.weight)
        shares = kernel(self.delay, self.sigma, self.max_delay)
        weights = (shares * jnp.asarray(self.weight).astype(shares.dtype)[None]).astype(dtype)
        y = delayed_product(known.astype(dtype), weights, self.event_driven)
        return known[inputs.shape[0] :], with_bias(y, self.bias)

    def fan_out(self, shape: Shape) -> Any:
        """The number of outputs that each input reaches: all of them, at any delay."""
        return self.weight.shape[-1]

    def connections(self) -> dict[str, Any]:
        """What is trained: weights, delays and biases."""
        return {name: getattr(self, name) for name in self.trainable}

    def with_connections(self, given: Any) -> DelayedLinear:
        """A copy with others.

        Raises:
            ValueError: they have other shapes.
        """
        check_alike(self, given, self.connections())
        return self.replace(**given)

    def with_weight(self, weight: Array) -> DelayedLinear:
        """A copy with another weight, and a bias of zero."""
        return with_weight(self, weight)
