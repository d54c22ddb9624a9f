"""Forward mode: one tangent for each hyperparameter along with training."""

from __future__ import annotations

from surgrad.meta._gradients.explosion import by_norms
from surgrad.meta._gradients.inner_loop import InnerLoop
from surgrad.meta._gradients.method import HypergradientMethod
from surgrad.meta._gradients.problem import Problem
from surgrad.meta._gradients.result import Hypergradient
from surgrad.meta._gradients.tangents import Tangents


class Forward(HypergradientMethod):
    """Forward mode, one tangent for each hyperparameter along with training: exact, for few hyperparameters.

    Memory does not grow with the number of updates. Source: Franceschi, Donini, Frasconi and Pontil (2017), Forward and
    reverse gradient-based hyperparameter optimization, ICML.
    """

    def differentiate(self, problem: Problem) -> Hypergradient:
        tangents = Tangents(problem)
        now, (losses, norms) = tangents.advance(tangents.start(), problem.batches)
        value, flat = tangents.outer(now)
        gradient = tangents.unravel(flat)
        return Hypergradient(value, gradient, InnerLoop(*now.state, losses), by_norms(value, gradient, norms))
