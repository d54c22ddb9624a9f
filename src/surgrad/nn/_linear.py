"""Fully connected layers, and the matrix product that all weighted layers share."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from surgrad._dtypes import like, promoted, wide
from surgrad._fields import check_field
from surgrad._keys import takes_key
from surgrad._kinds import require_callable
from surgrad._numbers import require_whole
from surgrad._shapes import require_shapes
from surgrad._types import Numbers
from surgrad.nn._checks import real_array
from surgrad.nn._contract import Connection, flag, weight_array
from surgrad.nn._events import event_product, pays
from surgrad.nn._loops import automatically_sharded

Initializer = Callable[..., Array]
"""`(key, shape, dtype) -> array`, as in `jax.nn.initializers`; the last two axes of a shape are inputs and outputs."""


@dataclasses.dataclass(eq=False, repr=False, init=False)
class Linear(Connection):
    """Fully connected layer, y = x W + b along the last axis: `(..., in_features)` to `(..., out_features)`.

    Booleans and integers (spikes, bytes) count as numbers of the type of the weights.

    Parameters:
        in_features: number of inputs, >= 1.
        out_features: number of outputs, >= 1.
        key: random key of the initial weights.
        use_bias: whether there is a bias; it starts at zero.
        gain: standard deviation of the initial weights times √in_features, >= 0.
        weight_init: an initializer of `jax.nn.initializers`, in place of normal weights of that deviation.
        event_driven: whether products go through the non-zero inputs only, where at most a fifth of the inputs is not
            zero, judged by some rows in each call. Results and gradients are those of the full product, to rounding;
            but a weight that is infinite or NaN does not count where its input is 0. It applies to CPUs, and needs
            `surgrad[events]`. `"auto"` does so for large products if that is installed; True for products of every
            size, and raises an error if it is not; False never.

    Attributes:
        weight: W, `(in_features, out_features)`.
        bias: b, `(out_features,)`, or None.

    Raises:
        ValueError: a number of features is not an integer >= 1.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> from surgrad import nn
        >>> layer = nn.Linear(3, 5, key=jax.random.key(0))
        >>> layer(jnp.ones((2, 3))).shape
        (2, 5)
    """

    takes_time = weighted = linear_in_inputs = True

    weight: Shaped[Array | np.ndarray, "inputs outputs"] = weight_array("in_features, out_features")
    bias: Shaped[Array | np.ndarray, " outputs"] | None = weight_array("out_features", optional=True)
    event_driven: bool | str = flag(default="auto", also=("auto",))

    @takes_key
    def __init__(
        self,
        in_features: int,
        out_features: int,
        *,
        key: Array,
        use_bias: bool = True,
        gain: float = 1.0,
        weight_init: Initializer | None = None,
        event_driven: bool | str = "auto",
    ) -> None:
        require_whole("Linear", in_features=in_features, out_features=out_features)
        self.weight = initial_weight("Linear", key, (in_features, out_features), gain, weight_init)
        check_field("Linear", "use_bias", use_bias, {"flag": True})
        self.bias = jnp.zeros(out_features) if use_bias else None
        self.event_driven = event_driven
        self.__post_init__()

    @classmethod
    def from_arrays(cls, weight: Numbers, bias: Numbers | None = None, *, event_driven: bool | str = "auto") -> Linear:
        """A layer with given arrays.

        Parameters:
            weight: `(in_features, out_features)`; transpose those of PyTorch and Equinox.
            bias: `(out_features,)`, or None for a layer without.
            event_driven: as of `Linear`.

        Raises:
            TypeError: an array is not real.
            ValueError: the shapes do not fit.
        """
        return cls.of_fields(weight=weight, bias=bias, event_driven=event_driven)

    def __call__(self, x: Numbers) -> Float[Array, "... outputs"]:
        """The outputs, `(..., out_features)`.

        Raises:
            TypeError: x is complex.
            ValueError: the last axis of x is not `in_features` long.
        """
        x = real_array(self, x)
        require_shapes("Linear", {"the input": (x.shape, f"..., {self.weight.shape[0]} features")})
        return with_bias(product(x, self.weight, self.event_driven), self.bias)

    def with_weight(self, weight: Array) -> Linear:
        """A copy with another weight, and a bias of zero."""
        return with_weight(self, weight)


def with_weight(layer: Any, weight: Array) -> Any:
    """A copy of a layer with another weight, and a bias of zero if it has one."""
    bias = None if layer.bias is None else jnp.zeros_like(layer.bias)
    return layer.replace(weight=weight, bias=bias)


def initial_weight(
    kind: str, key: Array, shape: tuple[int, ...], gain: float, initializer: Initializer | None
) -> Array:
    """Weights of a shape `(..., inputs, outputs)`: normal of standard deviation gain/√(all but the last axis)."""
    if initializer is not None:
        require_callable(f"{kind}: weight_init", initializer, "an initializer, such as jax.nn.initializers.he_normal()")
        return gain * initializer(key, shape, jnp.result_type(float))
    return jax.random.normal(key, shape) * (gain / math.prod(shape[:-1]) ** 0.5)


def product(x: Numbers, weight: Numbers, event_driven: bool | str) -> Float[Array, "... outputs"]:
    """The product x W, through the non-zero elements of x only if `event_driven`, see `Linear`."""
    x, weight = jnp.asarray(x), jnp.asarray(weight)
    dtype = promoted(x, weight)
    weight = weight.astype(dtype)
    dense = not event_driven or (event_driven == "auto" and not pays(x.shape[:-1], weight))
    multiply = jnp.matmul if dense else event_product
    if jnp.issubdtype(x.dtype, jnp.inexact):
        return automatically_sharded(multiply, x.astype(dtype), weight)
    return automatically_sharded(_of_bytes(multiply), x, weight)


@functools.cache
def _of_bytes(multiply: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """The product of whole numbers and weights.

    The backward pass converts them again, which costs less than keeping them as floats.
    """
    return jax.checkpoint(lambda x, weight: multiply(x.astype(weight.dtype), weight), prevent_cse=False)


def with_bias(y: Float[Array, "... outputs"], bias: Numbers | None) -> Float[Array, "... outputs"]:
    """The sum y + b in the type of y. The gradient by b is summed in float32 at least."""
    if bias is None:
        return y
    of_sum = wide(y.dtype)
    return (y.astype(of_sum) + like(y.astype(of_sum), jnp.asarray(bias))).astype(y.dtype)
