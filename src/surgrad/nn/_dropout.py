"""Dropout with one mask for a whole sequence."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, Bool

from surgrad._answers import answers_keywords
from surgrad._dtypes import like, wide
from surgrad._fields import parameter
from surgrad._keys import takes_key
from surgrad._types import Numbers, Parameter, Shape
from surgrad.nn._checks import check_same, check_state, real_array, returned, sizes
from surgrad.nn._contract import Cell

Mask = Bool[Array, "*shape"]


@dataclasses.dataclass(eq=False, repr=False, init=False)
class Dropout(Cell):
    """Dropout with one mask for a whole sequence: y[t] = m x[t] / (1 - rate), with m 0 or 1 for each neuron and sample.

    Without a key nothing is dropped, y = x, as it must be outside training. With a key the mask is drawn when the
    state is made, and stays the same at all time steps: masks that change would be averaged out by the membranes. For
    training, give a network new keys for each batch by `with_dropout`.

        >>> import jax, jax.numpy as jnp
        >>> from surgrad import nn
        >>> layer = nn.Dropout(0.5, key=jax.random.key(0))
        >>> mask, outputs = nn.unroll(layer, jnp.ones((4, 1, 6)))
        >>> bool((outputs == 2.0 * mask).all())
        True

    Parameters:
        rate: probability that an input is dropped, 0 to 1.
        key: random key of the mask; None drops nothing.

    A mask belongs to the whole batch. Where `jax.vmap` or `jax.shard_map` split the batch, every part draws the same
    mask, unless it has a key of its own; so `check` of a layer with a key fails in these two laws.

    Raises:
        TypeError: the key is not one, or the rate not a number.
        ValueError: the rate is not 0 to 1.

    Source: Srivastava et al. 2014, *Dropout*, JMLR 15; with one mask for a sequence, Lee et al. 2020, *Enabling
    spike-based backpropagation for training deep neural network architectures*, Frontiers in Neuroscience 14.
    """

    rate: Parameter = parameter(0.5, at_least=0, at_most=1)
    key: Any = None

    @takes_key
    def __init__(self, rate: Parameter = 0.5, *, key: Array | None = None) -> None:
        self.rate, self.key = rate, key
        self.__post_init__()

    def init(self, shape: Shape, dtype: Any = None) -> Mask | None:
        """The mask, True for what stays, for inputs of a shape `(*batch, features)`; None without a key."""
        if self.key is None:
            return None
        # In single precision, so that the mask is the same with and without 64 bits.
        return jax.random.bernoulli(self.key, 1 - jnp.asarray(self.rate).astype(jnp.float32), sizes(shape))

    def __call__(self, state: Mask | None, x: Numbers) -> tuple[Mask | None, Array]:
        """One time step: the mask, and what it leaves of the input.

        Raises:
            TypeError: the state is not a mask, or the input is complex.
            ValueError: the input differs from the mask in shape.
        """
        state, outputs = self.over_time(state, jnp.asarray(x)[None])
        return state, outputs[0]

    def over_time(self, state: Mask | None, inputs: Numbers) -> tuple[Mask | None, Array]:
        """All time steps: the mask, and what it leaves of the inputs, `(time, *batch, features)`.

        Raises:
            TypeError, ValueError: as for one time step.
        """
        inputs = real_array(self, inputs)
        if state is None:
            return None, inputs
        check_state(self, state)
        check_same(self, state.shape, inputs.shape[1:])
        values = inputs.astype(wide(inputs.dtype))
        kept = jnp.maximum(1 - like(values, self.rate), jnp.finfo(values.dtype).tiny)
        return state, returned(jnp.where(state[None], values / kept, jnp.zeros_like(values)), inputs)


@answers_keywords
@takes_key
def with_dropout(network: Any, *, key: Array) -> Any:
    """The network as in training: each `Dropout` layer in it has a key of its own, drawn from one key.

    Without this networks drop nothing.

        >>> import jax
        >>> from surgrad import nn
        >>> net = nn.Sequential(nn.LIF(), nn.Dropout(0.2))
        >>> nn.with_dropout(net, key=jax.random.key(0))[1].key.shape
        ()

    Parameters:
        network: a network, or any tree of layers; it stays as it is.
        key: a new random key for each batch.

    Raises:
        TypeError: the key is not one.
    """
    layers, structure = jax.tree.flatten(network, is_leaf=_drops)
    keys = iter(jax.random.split(key, max(1, sum(map(_drops, layers)))))
    return structure.unflatten([layer.replace(key=next(keys)) if _drops(layer) else layer for layer in layers])


def without_dropout(network: Any) -> Any:
    """The network with no keys in its `Dropout` layers, so that they drop nothing."""
    return jax.tree.map(lambda part: part.replace(key=None) if _drops(part) else part, network, is_leaf=_drops)


def without_key(network: Any) -> list[Dropout]:
    """The `Dropout` layers that have no key, and whose rate is not known to be 0."""
    layers = [layer for layer in jax.tree.leaves(network, is_leaf=_drops) if _drops(layer) and layer.key is None]
    return [layer for layer in layers if isinstance(layer.rate, Tracer) or np.any(np.asarray(layer.rate) != 0)]


def _drops(part: Any) -> bool:
    return isinstance(part, Dropout)
