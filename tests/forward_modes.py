"""Forward modes for tests: one of each kind and a user's own, with closed forms of their slopes in NumPy."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import scipy.stats

from surgrad import forward

KEY = jax.random.key(3)
GAP, SPACING, MOST, RATE, STEEPNESS = 1.3, 0.8, 3, 0.7, 2.5


class Graded(forward.Mode):
    """A user's own mode: 1 + gain · x from the threshold on, with the slope of the surrogate twice."""

    elementwise = True

    gain: float = 0.5

    def value(self, x, surrogate):
        return jnp.where(x >= 0, 1 + self.gain * x, 0)

    def slope(self, x, surrogate):
        return (1 + self.gain) * surrogate.surrogate_grad(x)

    def curve(self, x, surrogate):
        return (1 + self.gain) * surrogate.surrogate_fun(x)


class Sharpened(forward.Hard):
    """A user's subclass of a mode of the library, which repeats no promise."""

    def value(self, x, surrogate):
        return jnp.where(x >= 0.1, 1.0, 0.0)


MODES = {
    "Hard": forward.Hard(),
    "Ternary": forward.Ternary(GAP),
    "MultiSpike": forward.MultiSpike(MOST, spacing=SPACING),
    "MultiSpike, no limit": forward.MultiSpike(spacing=SPACING),
    "Bernoulli": forward.Bernoulli(KEY),
    "EscapeNoise": forward.EscapeNoise(KEY, RATE, STEEPNESS),
    "Poisson": forward.Poisson(KEY, RATE, STEEPNESS, maximum=MOST),
    "a user's own": Graded(),
    "a user's subclass": Sharpened(),
}


def _mean(x):
    return RATE * np.exp(STEEPNESS * x)


def _nearest(x, most):
    return x - SPACING * np.clip(np.round(x / SPACING), 0, most - 1)


SLOPES = {
    "Ternary": lambda g, x: g(x) + g(-GAP - x),
    "MultiSpike": lambda g, x: g(_nearest(x, MOST)),
    "MultiSpike, no limit": lambda g, x: g(_nearest(x, np.inf)),
    "EscapeNoise": lambda g, x: STEEPNESS * _mean(x) * np.exp(-_mean(x)),
    "Poisson": lambda g, x: STEEPNESS * _mean(x) * scipy.stats.poisson.cdf(MOST - 1, _mean(x)),
    "a user's own": lambda g, x: 1.5 * g(x),
}
"""The derivative of a spike by x, from the slope g of a surrogate; that slope itself for the others."""

DRAWN = ("Bernoulli", "EscapeNoise", "Poisson")


def slope_of(name, surrogate, x):
    """The closed form of the derivative of a spike by x."""
    return np.asarray(SLOPES.get(name, lambda g, x: g(x))(lambda v: np.asarray(surrogate.surrogate_grad(v)), x))
