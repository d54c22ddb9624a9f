"""Surrogates whose hyperparameters flax.nnx trains.

A surrogate is an attribute of an `nnx.Module` like any other. Its numbers are constants, until they are `nnx.Param`:

    >>> import jax.numpy as jnp, surgrad
    >>> from flax import nnx
    >>> from surgrad.adapters.flax import trainable
    >>> class Layer(nnx.Module):
    ...     def __init__(self, spike, rngs):
    ...         self.linear = nnx.Linear(3, 2, rngs=rngs)
    ...         self.spike = spike
    ...     def __call__(self, x):
    ...         return self.spike(self.linear(x) - 1)
    >>> layer = Layer(trainable(surgrad.Sigmoid(4.0)), nnx.Rngs(0))
    >>> gradients = nnx.grad(lambda layer: layer(jnp.ones(3)).sum())(layer)
    >>> list(gradients), list(gradients["spike"])
    (['linear', 'spike'], ['alpha'])

One hyperparameter alone: `surgrad.GaussianGrad(sigma=nnx.Param(jnp.array(0.5)))`. In Flax Linen, a surrogate of
arrays is a parameter as it is: `self.param("spike", lambda key: surgrad.Sigmoid(jnp.array(4.0)))`.

nnx must know a class before it accepts an attribute with an array in it. A class is made known when its first object
is made; importing this module makes all known, for objects that are older than the import of flax.
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import TypeVar

from surgrad._extras import missing

try:
    from flax import nnx
except ImportError as _error:
    raise ImportError(missing("surgrad.adapters.flax", "flax")) from _error

from surgrad._frameworks import boxed, register
from surgrad._pytree import Pytree
from surgrad._surrogate import Surrogate

S = TypeVar("S", bound=Surrogate)


def trainable(surrogate: S) -> S:
    """Return a copy whose hyperparameters are all trained: each is an `nnx.Param`, or the variable that it was."""
    return boxed(surrogate, nnx.Param)


def _register(cls: type) -> None:
    register(cls)
    for subclass in cls.__subclasses__():
        _register(subclass)


_register(Pytree)
