"""Surrogates whose hyperparameters brainstate trains.

A surrogate goes into `brainpy.state` neurons as `spk_fun=`, where its numbers are constants. A number in a
`ParamState`, or in an `nn.Param`, is found by `states()` of every module that holds the surrogate:

    >>> import brainstate, jax.numpy as jnp, surgrad
    >>> from surgrad.adapters.brainstate import trainable
    >>> class Layer(brainstate.nn.Module):
    ...     def __init__(self, spike):
    ...         super().__init__()
    ...         self.spike = spike
    >>> layer = Layer(surgrad.GaussianGrad(sigma=brainstate.ParamState(0.5)))
    >>> list(layer.states(brainstate.ParamState))
    [('spike', 'sigma')]
    >>> layer = Layer(trainable(surgrad.Sigmoid(4.0), positive=True))
    >>> weights = layer.states(brainstate.ParamState)
    >>> list(brainstate.transform.grad(lambda: layer.spike(jnp.array(0.1)), weights)())
    [('spike', 'alpha', 'val')]
"""
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import TypeVar

import numpy as np

from surgrad._extras import missing

try:
    import brainstate
except ImportError as _error:
    raise ImportError(missing("surgrad.adapters.brainstate", "brainstate")) from _error

from surgrad._frameworks import boxed, unboxed
from surgrad._surrogate import Surrogate
from surgrad._trees import named_leaves

S = TypeVar("S", bound=Surrogate)


def trainable(surrogate: S, *, positive: bool = False) -> S:
    """Return a copy whose hyperparameters are all trained: each is a `ParamState`.

    Parameters:
        surrogate: any surrogate; numbers that are in a state already stay in it.
        positive: whether the hyperparameters stay above 0: each is then an `nn.Param` whose logarithm is trained, so
            that the learning rate is one of relative changes.

    Raises:
        ValueError: a hyperparameter is to stay positive and is not.
    """
    if not positive:
        return boxed(surrogate, brainstate.ParamState)
    for name, value in named_leaves(unboxed(surrogate)):
        if not np.all(np.asarray(value) > 0):
            raise ValueError(f"{type(surrogate).__name__}: {name} must be > 0 to stay positive, got {value}.")
    return boxed(surrogate, lambda value: brainstate.nn.Param(value, t=brainstate.nn.PositiveT()))
