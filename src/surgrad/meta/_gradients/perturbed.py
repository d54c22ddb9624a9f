"""Pairs of runs with perturbed hyperparameters: what evolution strategies are made of."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from surgrad._numbers import require_real, require_whole
from surgrad._types import Parameter, PyTree
from surgrad.meta._gradients.explosion import finite
from surgrad.meta._gradients.result import Hypergradient, HypergradientDiagnosis

Estimates = Float[Array, "samples hyper"]
"""One unbiased estimate of the gradient for each pair of runs."""


def require_pairs(where: str, samples: int, sigma: Parameter) -> None:
    """Check the number of pairs and the size of their perturbations.

    Raises:
        ValueError: `samples` is no integer >= 2, or `sigma` is not > 0 and finite.
    """
    require_whole(where, 2, samples=samples)
    require_real(where, "sigma", sigma, above=0)


def perturbations(key: Array, samples: int, flat: Float[Array, " hyper"]) -> Estimates:
    """Standard normal directions, one for each pair."""
    return jax.random.normal(key, (samples, flat.size), flat.dtype)


def both_sides(flat: Float[Array, " hyper"], directions: Estimates, sigma: Parameter) -> Float[Array, "runs hyper"]:
    """The hyperparameters of all runs: the upper side of each pair in the first half, the lower in the second."""
    return jnp.concatenate([flat[None] + sigma * directions, flat[None] - sigma * directions])


def paired(values: Float[Array, " runs"], directions: Estimates, sigma: Parameter) -> Estimates:
    """The estimates from the outer losses of all runs, in the order of `both_sides`."""
    above, below = jnp.split(values, 2)
    return ((above - below) / (2 * sigma))[:, None] * directions


def estimated(value: Array, each: Estimates, hyper: PyTree) -> Hypergradient:
    """The hypergradient that is the mean of the estimates, with its standard error."""
    _, unravel = ravel_pytree(hyper)
    mean, error = jnp.mean(each, axis=0), standard_error(each)
    diagnosis: Any = HypergradientDiagnosis(finite(value, mean), jnp.array(False), standard_error=unravel(error))
    return Hypergradient(value, unravel(mean), None, diagnosis)


def standard_error(each: Estimates) -> Float[Array, " hyper"]:
    """The standard error of the mean of the estimates."""
    return jnp.std(each, axis=0, ddof=1) / jnp.sqrt(len(each))
