"""Surrogates whose hyperparameters equinox trains.

A surrogate is an attribute of an `eqx.Module` like any other. To `eqx.filter_grad` its floats are constants and its
arrays are trained, as everywhere in equinox:

    >>> import equinox as eqx, jax, jax.numpy as jnp, surgrad
    >>> from surgrad.adapters.equinox import trainable
    >>> class Layer(eqx.Module):
    ...     linear: eqx.nn.Linear
    ...     spike: surgrad.Surrogate
    ...     def __call__(self, x):
    ...         return self.spike(self.linear(x) - 1)
    >>> layer = Layer(eqx.nn.Linear(3, 2, key=jax.random.key(0)), trainable(surgrad.Sigmoid(4.0)))
    >>> gradients = eqx.filter_grad(lambda layer: layer(jnp.ones(3)).sum())(layer)
    >>> gradients.spike.alpha.shape
    ()

One hyperparameter alone: `surgrad.GaussianGrad(sigma=jnp.array(0.5))`. An array that is to stay as it is, such as
one value a neuron, has a zero gradient with `parameter_tangent="none"`.
"""

from __future__ import annotations

from typing import TypeVar

from surgrad._frameworks import boxed
from surgrad._surrogate import Surrogate

S = TypeVar("S", bound=Surrogate)


def trainable(surrogate: S) -> S:
    """Return a copy whose hyperparameters are all trained: each is an array, which JAX and Optax train too."""
    return boxed(surrogate, lambda value: value)
