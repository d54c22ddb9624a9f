"""The logistic function: its derivatives by their formulas, in NumPy, and a surrogate of few operations."""

import jax
import numpy as np

import surgrad


class Logistic(surgrad.Surrogate):
    """A sigmoid as a user would write it: fewer operations than `Sigmoid`, so that a program compiles in half the time."""

    alpha: float = 4.0

    def surrogate_fun(self, x):
        return jax.nn.sigmoid(self.alpha * x)

    def surrogate_grad(self, x):
        return self.alpha * jax.nn.sigmoid(self.alpha * x) * jax.nn.sigmoid(-self.alpha * x)


def derivatives(z):
    """s, s', s'', s''' and s'''' of the logistic function s at z, from p = s(z) and q = s(-z)."""
    p, q = 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(z))
    first = p * q
    second, third = first * (q - p), first * (1 - 6 * first)
    return p, first, second, third, second * (1 - 12 * first)


def step(x):
    return np.where(x >= 0, 1.0, 0.0)
