"""`StochasticSpikeOperator`, whose slope below the threshold is noise."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from surgrad._catalogue import Functional, functional
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.numerics import bounded
from surgrad._types import Curve, Membrane, Parameter, Slope

_NOISE = "the slope below the threshold is noise around its mean"


class StochasticSpikeOperator(Surrogate):
    """A slope of 1 from the threshold on, and below it uniform noise, (mean + u)·variance with u in -1/2 to 1/2.

    snnTorch's `SSO`, which draws u anew at each call. Here u is a hash of the key and of the bits of x, each neuron by
    itself: the slope is a rough function of x that the key chooses, so that it is the same in `jit`, `vmap` and `scan`,
    in every batch and at each repetition of a step in the backward pass. Two equal x have the same slope; give a new
    key to each batch, or one to each neuron, `jax.random.split(key, neurons)`, where that is not wanted. The curve is
    the integral of the mean slope.

        >>> noisy = surgrad.StochasticSpikeOperator(key=jax.random.key(0))
        >>> x = jnp.linspace(-1.0, 0.0, 1001)[:-1]
        >>> bool(jnp.all(jnp.abs(noisy.surrogate_grad(x)) <= 0.1)), noisy.surrogate_grad(0.0).item()
        (True, 1.0)

    Parameters:
        mean: mean of u, which is added to it.
        variance: factor of the noise, >= 0, as snnTorch calls it; its square divided by 12 is the slope's variance.
        key: key of the noise, or an array of keys that broadcasts to x. Without one, the noise is that of key 0.
    """

    references: ClassVar[tuple[str, ...]] = ("eshraghian2023training",)
    verified: ClassVar[str] = "snnTorch's `SSO`"
    tags: ClassVar[frozenset[str]] = frozenset({"stochastic", "heavy tail", "asymmetric", "not a density"})
    peaks: ClassVar[tuple[float, ...] | None] = (0.0,)
    waivers: ClassVar[dict[str, str]] = {
        "bounded": "a line has no limits",
        "curve_matches_slope": _NOISE,
        "non_negative": _NOISE,
    }

    mean: Parameter = parameter(default=0.0)
    variance: Parameter = parameter(default=0.2, at_least=0)
    key: Array | None = None

    def __post_init__(self) -> None:
        dtype = getattr(self.key, "dtype", None)
        if self.key is not None and not (dtype == jnp.uint32 or _is_typed(self.key)):
            given = repr(self.key) if dtype is None else f"an array of {dtype}"
            raise TypeError(f"StochasticSpikeOperator: key must be a key, such as jax.random.key(0), got {given}.")

    def surrogate_fun(self, x: Membrane) -> Curve:
        slope, end = self.mean * self.variance, jax.lax.stop_gradient(x)
        limit = jnp.where(slope > 0, end, jnp.where(slope < 0, -end, 0 * bounded(end)))
        return 0.5 + jnp.where(x < 0, jnp.where(jnp.isinf(x), limit, slope * bounded(x)), x)

    def surrogate_grad(self, x: Membrane) -> Slope:
        noise = (_uniform(self.key, x) + self.mean) * self.variance
        return jnp.where(jnp.isnan(x), x, jnp.where(x < 0, noise, 1))


def _is_typed(key: Any) -> bool:
    dtype = getattr(key, "dtype", None)
    return dtype is not None and jnp.issubdtype(dtype, jax.dtypes.prng_key)


def _uniform(key: Array | None, x: Membrane) -> Membrane:
    """Noise from -1/2 to 1/2, a hash of each x in single precision with its key."""
    words: Array | np.ndarray = np.zeros(2, np.uint32) if key is None else key  # the bits of jax.random.key(0)
    if key is not None and _is_typed(key):
        words = jax.random.key_data(key)
    single = jax.lax.stop_gradient(x).astype(jnp.float32)
    # What is below the smallest normal number is 0 on some machines and not on others.
    single = jnp.where(jnp.abs(single) < jnp.finfo(jnp.float32).tiny, -0.0, single)
    bits = jax.lax.bitcast_convert_type(single, jnp.uint32)
    for word in range(words.shape[-1]):
        bits = _mixed(bits ^ words[..., word])
    # Of the 24 bits that a float holds the last one keeps both ends off.
    return ((bits >> 9).astype(x.dtype) + 0.5) * 2.0**-23 - 0.5


def _mixed(bits: Array) -> Array:
    """The last step of MurmurHash3, in which each bit of the result depends on all bits."""
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        bits = (bits ^ (bits >> shift)) * np.uint32(factor)
    return bits ^ (bits >> 16)


stochastic_spike_operator: Functional = functional(StochasticSpikeOperator)
