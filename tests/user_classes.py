"""Surrogates as users write them: a constructor, attributes, and hand-typed formulas that know nothing of JAX's traps.

They mirror the customising tutorial that surgrad stands in for: same names, arguments and mathematics.
"""

import jax
import jax.numpy as jnp

import surgrad as surrogate


def logistic(z):
    return 1.0 / (1.0 + jnp.exp(-z))


class TriangularSurrogate(surrogate.Surrogate):
    """A triangle for the slope, with a curve that is a straight ramp."""

    def __init__(self, alpha=1.0):
        super().__init__()
        self.alpha = alpha

    def surrogate_fun(self, x):
        return jnp.clip(0.5 + self.alpha * x / 2, 0.0, 1.0)

    def surrogate_grad(self, x):
        return jnp.maximum(0.0, self.alpha * (1.0 - jnp.abs(self.alpha * x)))


class AsymmetricSurrogate(surrogate.Surrogate):
    """A logistic step, steeper on one side."""

    def __init__(self, alpha_pos=4.0, alpha_neg=2.0):
        super().__init__()
        self.alpha_pos = alpha_pos
        self.alpha_neg = alpha_neg

    def _alpha(self, x):
        return jnp.where(x >= 0, self.alpha_pos, self.alpha_neg)

    def surrogate_fun(self, x):
        return logistic(self._alpha(x) * x)

    def surrogate_grad(self, x):
        s = self.surrogate_fun(x)
        return self._alpha(x) * s * (1.0 - s)


class MultiScaleSurrogate(surrogate.Surrogate):
    """A narrow and a wide logistic step."""

    def __init__(self, alpha_narrow=8.0, alpha_wide=2.0, weight_narrow=0.7):
        super().__init__()
        self.alpha_narrow = alpha_narrow
        self.alpha_wide = alpha_wide
        self.weight_narrow = weight_narrow
        self.weight_wide = 1.0 - weight_narrow

    def surrogate_fun(self, x):
        narrow, wide = logistic(self.alpha_narrow * x), logistic(self.alpha_wide * x)
        return self.weight_narrow * narrow + self.weight_wide * wide

    def surrogate_grad(self, x):
        narrow, wide = logistic(self.alpha_narrow * x), logistic(self.alpha_wide * x)
        narrow, wide = self.alpha_narrow * narrow * (1.0 - narrow), self.alpha_wide * wide * (1.0 - wide)
        return self.weight_narrow * narrow + self.weight_wide * wide


class TemperatureScaledSurrogate(surrogate.Surrogate):
    """A logistic step whose temperature is lowered while training."""

    def __init__(self, alpha=4.0, temperature=1.0):
        super().__init__()
        self.alpha = alpha
        self.temperature = temperature

    def surrogate_fun(self, x):
        return logistic(self.alpha * x / self.temperature)

    def surrogate_grad(self, x):
        s = self.surrogate_fun(x)
        return self.alpha / self.temperature * s * (1.0 - s)

    def set_temperature(self, temp):
        self.temperature = temp


class SparsitySurrogate(surrogate.Surrogate):
    """A logistic step moved by a bias."""

    def __init__(self, alpha=4.0, bias=-0.5):
        super().__init__()
        self.alpha = alpha
        self.bias = bias

    def surrogate_fun(self, x):
        return logistic(self.alpha * (x + self.bias))

    def surrogate_grad(self, x):
        s = self.surrogate_fun(x)
        return self.alpha * s * (1.0 - s)


class EventCameraSurrogate(surrogate.Surrogate):
    """A logistic step at the brightness change of an ON event; one of its attributes is never read."""

    def __init__(self, alpha=4.0, on_threshold=0.0, off_threshold=0.0):
        super().__init__()
        self.alpha = alpha
        self.on_threshold = on_threshold
        self.off_threshold = off_threshold

    def surrogate_fun(self, x):
        return logistic(self.alpha * (x - self.on_threshold))

    def surrogate_grad(self, x):
        s = self.surrogate_fun(x)
        return self.alpha * s * (1.0 - s)


class MySurrogate(surrogate.Surrogate):
    """The template: a hyperbolic tangent."""

    def __init__(self, alpha=1.0):
        super().__init__()
        self.alpha = alpha

    def surrogate_fun(self, x):
        return jnp.tanh(self.alpha * x) / 2 + 0.5

    def surrogate_grad(self, x):
        return self.alpha * (1 - jnp.tanh(self.alpha * x) ** 2) / 2


CLASSES = (
    TriangularSurrogate,
    AsymmetricSurrogate,
    MultiScaleSurrogate,
    TemperatureScaledSurrogate,
    SparsitySurrogate,
    EventCameraSurrogate,
    MySurrogate,
)


def create_custom_surrogate(grad_fn):
    """A spike function by `jax.custom_vjp`, without a class."""

    @jax.custom_vjp
    def spike_fn(x):
        return jnp.where(x >= 0, 1.0, 0.0)

    spike_fn.defvjp(lambda x: (spike_fn(x), x), lambda x, g: (g * grad_fn(x),))
    return spike_fn


def cosine_grad(x, width=1.0):
    return jnp.where(jnp.abs(x) < width, (jnp.cos(jnp.pi * x / width) + 1.0) / 2.0, 0.0)
