"""Elementwise layers that only graphs of NIR need."""

from __future__ import annotations

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from surgrad._dtypes import like, promoted
from surgrad._fields import parameter
from surgrad._shapes import require_broadcast
from surgrad._types import Membrane, Numbers, Parameter, Spikes
from surgrad.nn._checks import real_array
from surgrad.nn._contract import Connection, spike_function
from surgrad.nn._membrane import fire


class Scale(Connection):
    """Elementwise product and sum, y = s x + b: the node `Scale` of NIR, which has no b.

    Parameters:
        scale: factor s: one number, or one for each feature.
        bias: summand b: one number, or one for each feature; None for none.
    """

    takes_time = True

    scale: Parameter = parameter()
    bias: Parameter | None = parameter(default=None)

    def __call__(self, x: Numbers) -> Float[Array, ...]:
        """The outputs, in the shape of x.

        Raises:
            TypeError: x is complex.
            ValueError: scale or bias do not broadcast to the shape of x.
        """
        x = _entered(self, x, "scale", "bias")
        y = x * like(x, self.scale)
        return y if self.bias is None else y + like(x, self.bias)


class Threshold(Connection):
    """Spikes where the input reaches a threshold, s = H(x - θ), without a state: the node `Threshold` of NIR.

    Parameters:
        surrogate: the spike function: a surrogate, or any function of x that spikes.
        threshold: threshold θ: one number, or one for each feature.
    """

    spiking = takes_time = True

    surrogate: Callable[[Membrane], Spikes] = spike_function()
    threshold: Parameter = parameter(default=1.0)

    def __call__(self, x: Numbers) -> Spikes:
        """The spikes, in the shape of x.

        Raises:
            TypeError: x is complex.
            ValueError: the threshold does not broadcast to the shape of x.
        """
        x = _entered(self, x, "threshold")
        return fire(self.surrogate, x - like(x, self.threshold))


def _entered(layer: Connection, x: Numbers, *names: str) -> Float[Array, ...]:
    """The input of a layer in the type of products with its parameters, to which these must broadcast."""
    x = real_array(layer, x)
    given = {name: getattr(layer, name) for name in names if getattr(layer, name) is not None}
    for name, value in given.items():
        require_broadcast(type(layer).__name__, name, jnp.shape(value), x.shape, "the input")
    return x.astype(promoted(x, *given.values()))
