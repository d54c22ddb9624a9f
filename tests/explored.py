"""Surrogates of a user's own, for tests of the explorer."""

import jax.numpy as jnp

import surgrad


class Laplace(surgrad.Surrogate):
    """A two-sided exponential."""

    scale: float = surgrad.parameter(0.5, above=0)

    def surrogate_grad(self, x):
        return jnp.exp(-jnp.abs(x) / self.scale) / (2 * self.scale)

    def surrogate_fun(self, x):
        half = jnp.exp(-jnp.abs(x) / self.scale) / 2
        return jnp.where(x < 0, half, 1 - half)


def boxcar(x, width=1.0):
    return jnp.where(jnp.abs(x) < width / 2, 1 / width, 0.0)


def bump(x, width=0.5):
    return jnp.exp(-((x / width) ** 2))


def sorted_rates(x, low=2.0, high=1.0):
    """The page has no `sort`, so that the hyperparameters are fixed in it."""
    return jnp.exp(-jnp.sort(jnp.stack([jnp.asarray(low), jnp.asarray(high)]))[0] * jnp.abs(x))


OWN = {
    "laplace": Laplace(),
    "boxcar": surgrad.from_grad(boxcar),
    "bump": surgrad.from_grad(bump, width=0.75),
    "temperature_of_sigmoid": surgrad.Temperature(surgrad.Sigmoid(4.0), 2.0),
    "mixture_of_sigmoid_and_arctan": surgrad.Mixture([surgrad.Sigmoid(4.0), surgrad.Arctan()], [0.25, 0.75]),
    "asymmetric_of_laplace_and_sigmoid": surgrad.Asymmetric(Laplace(), surgrad.Sigmoid()),
    "normalized_of_gaussian_grad": surgrad.Normalized(surgrad.GaussianGrad(), to="peak"),
    "sorted_rates": surgrad.from_grad(sorted_rates),
}
"""By the identifier that the page gives them."""
