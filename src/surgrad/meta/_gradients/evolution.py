"""The antithetic evolution strategy: the gradient of a smoothed outer loss from its values, which cannot explode."""

from __future__ import annotations

import dataclasses

import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array

from surgrad._mapping import over_runs
from surgrad._types import Parameter
from surgrad.meta._gradients.inner_loop import run
from surgrad.meta._gradients.method import HypergradientMethod
from surgrad.meta._gradients.perturbed import both_sides, estimated, paired, perturbations, require_pairs
from surgrad.meta._gradients.problem import Problem
from surgrad.meta._gradients.result import Hypergradient


class Evolution(HypergradientMethod):
    """The gradient of E[F(h + σε)], ε normal, from pairs of runs with h ± σε: the mean of (F(h+σε) - F(h-σε)) ε / 2σ.

    Positive hyperparameters are best given unconstrained, see `unconstrained`, so that σ is relative.

    Parameters:
        samples: pairs of runs, >= 2.
        sigma: standard deviation σ of the perturbations, > 0, in units of the hyperparameters.
        key: of the perturbations.

    Raises:
        ValueError: an option is out of range.
    """

    samples: int = 16
    sigma: Parameter = 0.1
    key: Array = dataclasses.field(kw_only=True)

    def __post_init__(self) -> None:
        require_pairs("Evolution", self.samples, self.sigma)

    def differentiate(self, problem: Problem) -> Hypergradient:
        flat, unravel = ravel_pytree(problem.hyper)
        directions = perturbations(self.key, self.samples, flat)

        def outer_after(point: Array) -> Array:
            hyper = unravel(point)
            return problem.outer(run(problem, hyper).weights, hyper)

        values = over_runs(outer_after, both_sides(flat, directions, self.sigma))
        return estimated(jnp.mean(values), paired(values, directions, self.sigma), problem.hyper)
