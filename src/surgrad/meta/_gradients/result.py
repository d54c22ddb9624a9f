"""The result of `hypergradient`."""

from __future__ import annotations

from typing import Any, NamedTuple

from jaxtyping import Array, Bool, Float

from surgrad._types import PyTree
from surgrad.meta._gradients.inner_loop import InnerLoop


class HypergradientDiagnosis(NamedTuple):
    """Numbers that tell whether a hypergradient can be trusted. What a method does not know is None.

    Parameters:
        finite: whether value and gradient are finite.
        exploding: whether `growth` is above the limit.
        growth: the largest factor by which `norms` grow while the number of steps doubles, from 4 steps on; 1 for
            fewer. Growth like the p-th power of the steps gives about 2^p, exponential growth any number.
        exponent: ln(growth) per step, over the steps in which the norms grow most; a Lyapunov exponent of training.
        norms: `(steps,)`. Reverse mode: the norm of the gradient of the outer loss by the weights 0, 1, 2 … steps
            before the end. Forward mode: the norm of the derivative of the weights by the hyperparameters after
            1, 2, 3 … steps.
        windows: as the gradient, with a leading axis of steps: the gradient truncated to the last 1, 2, 3 … steps.
        turns: as the gradient: the longest window whose sign changes when it gets one step longer; 0 if there is none.
            A sign that still turns in long windows is uncertain.
        standard_error: as the gradient; of the estimate by an evolution strategy.
    """

    finite: Bool[Array, ""]
    exploding: Bool[Array, ""]
    growth: Float[Array, ""] | None = None
    exponent: Float[Array, ""] | None = None
    norms: Float[Array, " steps"] | None = None
    windows: PyTree = None
    turns: PyTree = None
    standard_error: PyTree = None


class Hypergradient(NamedTuple):
    """The gradient of an outer loss by hyperparameters.

    Parameters:
        value: the outer loss.
        gradient: a tree like the hyperparameters.
        inner: the end of training; None for evolution strategies, which train many times.
        diagnosis: numbers that tell whether the gradient can be trusted.
    """

    value: Float[Array, ""]
    gradient: Any
    inner: InnerLoop | None
    diagnosis: HypergradientDiagnosis
