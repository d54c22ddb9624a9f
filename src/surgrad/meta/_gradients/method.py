"""The contract of a method that computes hypergradients."""

from __future__ import annotations

import abc

from surgrad._pytree import Pytree
from surgrad.meta._gradients.problem import Problem
from surgrad.meta._gradients.result import Hypergradient


class HypergradientMethod(Pytree, abc.ABC):
    """Base class of the methods of `hypergradient`: a method is its options, and one function of a `Problem`.

    A subclass declares its options as fields and checks them in `__post_init__`. Fields annotated `int`, `bool` or
    `str`, and those declared with `surgrad.static()`, are structure: another value is another program. Other numbers
    and arrays, such as keys, are leaves, and may be traced. `differentiate` is compiled once for each structure, inside
    of the exact convention (`exact`). `hypergradient` then judges the result by its limit. A method that shifts the
    gradient of another one:

        >>> import jax, jax.numpy as jnp, optax
        >>> from surgrad import meta
        >>> class Shifted(meta.HypergradientMethod):
        ...     by: float = 1.0
        ...     def differentiate(self, problem):
        ...         found = meta.Reverse().differentiate(problem)
        ...         return found._replace(gradient=jax.tree.map(lambda g: g + self.by, found.gradient))
        >>> loss, outer = lambda w, h, batch: (w - h) ** 2 / 2, lambda w, h: w
        >>> run = loss, outer, 0.0, 1.0, jnp.zeros(1), optax.sgd(0.25)
        >>> float(meta.hypergradient(*run).gradient), float(meta.hypergradient(*run, method=Shifted(0.5)).gradient)
        (0.25, 0.75)
    """

    def require(self, steps: int) -> None:
        """Check the options against the number of updates; by default every number will do.

        Raises:
            ValueError: they do not fit.
        """
        del steps

    @abc.abstractmethod
    def differentiate(self, problem: Problem) -> Hypergradient:
        """The outer loss after training, its gradient by the hyperparameters, and a diagnosis."""
