"""Forward modes that draw spikes at random: Bernoulli spikes of the curve, escape noise, and Poisson counts."""

from __future__ import annotations

from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.scipy.special import gammainc, gammaln
from jaxtyping import Array

from surgrad._fields import parameter
from surgrad._keys import is_key
from surgrad._pytree import static
from surgrad._types import Curve, Membrane, Parameter, Slope, Spikes
from surgrad.forward._mode import Mode

_SMALLEST, _LARGEST = -80.0, 20.0
"""Logarithms of means are kept between: at e^(-80) there is no spike, and at e^20 the chance of none is 0."""


def key_of(key: Array, x: Membrane) -> Array:
    """Return the key of a draw for all of x: another one whenever a bit of any entry of x is another.

    A cell does not pass the index of the time step; the bits of the membrane potentials give each step its key.
    """
    bits = jax.lax.bitcast_convert_type(x.astype(jnp.float32), jnp.uint32)
    return jax.random.fold_in(key, jnp.sum(bits, dtype=jnp.uint32))


class _Drawn(Mode):
    """A mode with a key."""

    key: Array
    reads_x: bool = static(default=True, kw_only=True, flag=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not is_key(self.key):
            raise TypeError(f"{type(self).__name__}: key must be one key, such as jax.random.key(0), got {self.key!r}.")

    def at_step(self, step: Any) -> Mode:
        return self.replace(key=jax.random.fold_in(self.key, step), reads_x=False)

    def _uniform(self, x: Membrane) -> Array:
        """Return numbers of 0 to 1, one for each entry of x."""
        x = jax.lax.stop_gradient(x)
        return jax.random.uniform(key_of(self.key, x) if self.reads_x else self.key, x.shape)


class Bernoulli(_Drawn):
    """Spikes, 0 or 1, with the curve as their probability; a curve outside 0 to 1 is a certain answer.

    The slope is that of the surrogate: the derivative of the probability, which is what gives surrogate gradients
    their theory in stochastic networks.

        >>> import jax, jax.numpy as jnp, surgrad
        >>> spike = surgrad.Sigmoid(4.0).with_forward(surgrad.forward.Bernoulli(jax.random.key(0)))
        >>> abs(float(spike(jnp.zeros(10_000)).mean()) - 0.5) < 0.02
        True

    Draws depend on the key and on the bits of all entries of x, since a cell has no index of the time step. Neurons
    draw independently; so do time steps, as soon as the membrane potential of one neuron of the array has changed.
    Where none has, as in a silent network at rest, the same draws are repeated. `surgrad.nn.FreshDraws` gives a cell
    a new key for each time step, in which case nothing of this applies. Parts of a batch that `jax.vmap` or
    `jax.shard_map` separate draw the same where they hold the same numbers.

    Parameters:
        key: random key; give each batch its own.
        reads_x: whether draws depend on x as well as on the key; False for a key that is new in each time step.

    Source: Gygax and Zenke (2025), Elucidating the theoretical underpinnings of surrogate gradient learning in spiking
    neural networks, Neural Computation 37(5), arXiv 2404.14964 (the abstract and the introduction were read).
    """

    references: ClassVar[tuple[str, ...]] = ("gygax2025elucidating",)
    spiking = True

    def value(self, x: Membrane, surrogate: Any) -> Spikes:
        return (self._uniform(x) < surrogate.surrogate_fun(x)).astype(x.dtype)


class _Escape(_Drawn):
    """A mode whose number of spikes in a time step is Poisson, of the mean λ = rate · e^(steepness · x), and limited.

    Subclasses give the limit.
    """

    rate: Parameter = parameter(1.0, above=0)
    steepness: Parameter = parameter(5.0, above=0)

    def _most(self) -> int:
        raise NotImplementedError

    def _log_mean(self, x: Membrane) -> Membrane:
        return jnp.clip(jnp.log(self.rate) + self.steepness * x, _SMALLEST, _LARGEST)

    def _chances(self, x: Membrane) -> tuple[Membrane, Array]:
        """Return the mean λ, and the chances of 0, 1, … spikes below the limit along a new first axis."""
        log_mean = self._log_mean(x)
        counts = jnp.arange(self._most(), dtype=x.dtype).reshape(-1, *(1 for _ in x.shape))
        return jnp.exp(log_mean), jnp.exp(counts * log_mean - jnp.exp(log_mean) - gammaln(counts + 1))

    def value(self, x: Membrane, surrogate: Any) -> Spikes:
        at_most = jnp.cumsum(self._chances(x)[1], axis=0)
        # NaN as a membrane potential never spikes: both sides of the comparison would be NaN.
        return jnp.sum(self._uniform(x) >= at_most, axis=0).astype(x.dtype)

    def slope(self, x: Membrane, surrogate: Any) -> Slope:
        mean, chances = self._chances(x)
        return self.steepness * mean * jnp.sum(chances, axis=0)

    def curve(self, x: Membrane, surrogate: Any) -> Curve:
        # The chance of more than k spikes is an incomplete gamma function of k + 1.
        mean = jnp.exp(self._log_mean(x))
        return jnp.sum(jnp.stack([gammainc(jnp.full_like(x, k + 1), mean) for k in range(self._most())]), axis=0)


class EscapeNoise(_Escape):
    """Exponential escape noise: a spike with the probability 1 - e^(-λ), where λ = rate · e^(steepness · x).

    λ is the hazard of a spike, integrated over a time step. The slope is the derivative of the probability,
    steepness · λ · e^(-λ), and not that of the surrogate, whose curve and slope take no part.

        >>> import jax, jax.numpy as jnp, surgrad
        >>> spike = surgrad.Sigmoid().with_forward(surgrad.forward.EscapeNoise(jax.random.key(0), steepness=2.0))
        >>> round(float(jax.grad(spike)(0.0)), 4) == round(2 / 2.718281828, 4)
        True

    Parameters:
        key, reads_x: as of `Bernoulli`, which says what draws depend on.
        rate: hazard at the threshold, in spikes for each time step, > 0.
        steepness: rise of the logarithm of the hazard with x, > 0.

    Source: Gygax and Zenke (2025), Neural Computation 37(5), arXiv 2404.14964: the surrogate derivative is the
    derivative of the escape noise function (abstract read).
    """

    references: ClassVar[tuple[str, ...]] = ("gygax2025elucidating",)
    spiking = True

    def _most(self) -> int:
        return 1


class Poisson(_Escape):
    """A Poisson number of spikes in each time step, of the mean λ = rate · e^(steepness · x), and at most `maximum`.

    The slope is the derivative of the expected number, steepness · λ · P(fewer than `maximum` spikes), and not that of
    the surrogate. With a maximum of 1 this is `EscapeNoise`.

        >>> import jax, jax.numpy as jnp, surgrad
        >>> spike = surgrad.Sigmoid().with_forward(surgrad.forward.Poisson(jax.random.key(0), rate=2.0))
        >>> abs(float(spike(jnp.zeros(10_000)).mean()) - 2) < 0.1
        True

    Parameters:
        key, rate, steepness, reads_x: as of `EscapeNoise`.
        maximum: largest number of spikes in a time step, >= 1; time and memory of a draw grow with it.
    """

    references: ClassVar[tuple[str, ...]] = ("gygax2025elucidating",)
    counts = True

    maximum: int = static(default=8, kw_only=True, whole=1)

    def _most(self) -> int:
        return self.maximum
