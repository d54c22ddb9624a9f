"""Batch normalisation over time."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Shaped

from surgrad._dtypes import like, wide
from surgrad._fields import parameter
from surgrad._numbers import require_real, require_whole
from surgrad._over_time import Sequences
from surgrad._shapes import require_shapes
from surgrad._types import Numbers, Parameter
from surgrad.nn._checks import real_array, returned
from surgrad.nn._contract import Connection, check_alike, weight_array

PerFeature = Shaped[Array | np.ndarray, " features"]


class Statistics(NamedTuple):
    """Mean and variance of each feature of a batch over time, and the number of values that they are of."""

    mean: Float[Array, " features"]
    variance: Float[Array, " features"]
    count: Any


@dataclasses.dataclass(eq=False, repr=False, init=False)
class BatchNorm(Connection):
    """Batch normalisation over time, y = γ (x - μ) / √(σ² + ε) + b, for each feature (the last axis).

    Mean μ and variance σ² are of all time steps, all samples and all places in space together, as of tdBN. They need
    the whole sequence, and a layer sees one time step. So there are two ways to run it, and no mode that is switched:

    - In `unroll` and wherever the layer is called, μ and σ² are its fields `mean` and `variance`: it is an affine
      connection, and no result depends on the batch, on chunks or on segments. This is how a trained network is used.
    - `unroll_in_training` runs a network with the statistics of the batch itself, derivatives by these included, and
      returns the network with running means of them in the fields.

        >>> import jax
        >>> from surgrad import nn
        >>> net = nn.Sequential(nn.Linear(3, 4, key=jax.random.key(0), use_bias=False), nn.BatchNorm(4), nn.LIF())
        >>> xs = jax.random.normal(jax.random.key(1), (20, 8, 3))
        >>> state, outputs, net = nn.unroll_in_training(net, xs)
        >>> nn.unroll(net, xs).outputs.shape
        (20, 8, 4)

    Parameters:
        features: number of features, or of channels after a convolution, >= 1.
        threshold: threshold of the neurons behind it, > 0.
        alpha: factor of the paper, > 0; 1, or 1/√2 where two branches are added.
        eps: ε, > 0.

    Attributes:
        scale: γ, `(features,)`, which starts at `alpha * threshold`, so that inputs reach the threshold; trained.
        bias: b, `(features,)`, which starts at 0; trained.
        mean: μ, `(features,)`, which starts at 0; not trained.
        variance: σ², `(features,)`, which starts at 1; not trained.

    Raises:
        ValueError: a number is out of its range.

    Source: Zheng et al. 2021, *Going deeper with directly-trained larger spiking neural networks*, AAAI (tdBN), after
    Ioffe and Szegedy 2015, *Batch normalization*, ICML.
    """

    takes_time = True
    trainable: ClassVar[tuple[str, ...]] = ("scale", "bias")

    scale: PerFeature = weight_array("features")
    bias: PerFeature = weight_array("features")
    mean: PerFeature = weight_array("features")
    variance: PerFeature = weight_array("features")
    eps: Parameter = parameter(1e-5, above=0)

    def __init__(self, features: int, *, threshold: float = 1.0, alpha: float = 1.0, eps: Parameter = 1e-5) -> None:
        require_whole("BatchNorm", features=features)
        for name, value in (("threshold", threshold), ("alpha", alpha)):
            require_real("BatchNorm", name, value, above=0)
        self.scale = jnp.full(features, alpha * threshold)
        self.bias, self.mean, self.variance = jnp.zeros(features), jnp.zeros(features), jnp.ones(features)
        self.eps = eps
        self.__post_init__()

    @classmethod
    def from_arrays(
        cls, scale: Numbers, bias: Numbers, mean: Numbers, variance: Numbers, *, eps: Parameter = 1e-5
    ) -> BatchNorm:
        """A layer with given arrays, `(features,)` each: in PyTorch weight, bias, running_mean and running_var.

        Raises:
            TypeError: an array is not real.
            ValueError: the shapes differ.
        """
        return cls.of_fields(scale=scale, bias=bias, mean=mean, variance=variance, eps=eps)

    def connections(self) -> tuple[PerFeature, PerFeature]:
        """What is trained: scale and bias."""
        return self.scale, self.bias

    def with_connections(self, given: Any) -> BatchNorm:
        """A layer with another scale and bias.

        Raises:
            ValueError: a shape differs.
        """
        check_alike(self, given, self.connections())
        return self.replace(scale=given[0], bias=given[1])

    def __call__(self, x: Numbers) -> Float[Array, "... features"]:
        """Normalised inputs, `(..., features)`, with the mean and variance of the fields.

        Raises:
            TypeError: x is complex.
            ValueError: the last axis of x is not as long as there are features.
        """
        return self.normalised(x, self.mean, self.variance)

    def normalised(self, x: Numbers, mean: Numbers, variance: Numbers) -> Float[Array, "... features"]:
        """Normalised inputs, `(..., features)`, with a given mean and variance, `(features,)` each.

        Raises:
            TypeError, ValueError: as for a call.
        """
        x = real_array(self, x)
        require_shapes("BatchNorm", {"the input": (x.shape, f"..., {jnp.size(self.scale)} features")})
        values = x.astype(wide(x.dtype))
        scale, bias, mean, variance = (like(values, jnp.asarray(a)) for a in (self.scale, self.bias, mean, variance))
        return returned((values - mean) * (scale / jnp.sqrt(variance + like(values, self.eps))) + bias, x)

    def with_running(self, statistics: Statistics, momentum: Any) -> BatchNorm:
        """A layer whose mean and variance have moved towards those of a batch, the variance without bias.

        The derivatives of statistics end here: they are in the outputs.
        """
        unbiased = statistics.variance * (statistics.count / jnp.maximum(statistics.count - 1, 1))
        found = {"mean": statistics.mean, "variance": unbiased}
        return self.replace(**{name: _moved(getattr(self, name), new, momentum) for name, new in found.items()})


def _moved(old: Numbers, new: Array, momentum: Any) -> Array:
    old = jnp.asarray(old)
    values = (1 - momentum) * old.astype(new.dtype) + momentum * new
    return jax.lax.stop_gradient(values).astype(old.dtype)


def statistics(given: Sequences) -> Statistics:
    """Mean and variance of each feature over time, samples and space, without what lies behind the ends of samples."""
    axes, (time, *batch, _) = tuple(range(given.values.ndim - 1)), given.values.shape
    count: Any = time * math.prod(batch)
    if given.active is not None:
        count = jnp.maximum(given.steps.sum() * math.prod(batch[1:]), 1)
    mean = given.values.sum(axes) / count
    off = given.only(given.values - like(given.values, mean))
    return Statistics(mean, (off**2).sum(axes) / count, count)
