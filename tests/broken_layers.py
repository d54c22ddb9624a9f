"""Layers with the mistakes that people make; `breaks` has the law each was made for, then those that follow."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

import surgrad
from surgrad.nn import LIF, Cell, Connection

SPIKE = surgrad.Arctan(2.0)


class _Leaky(Cell):
    """A right cell to make mistakes in: leaky integrators that spike, and put out spikes."""

    spike: surgrad.Surrogate = SPIKE
    kept: float = 0.9

    def init(self, shape, dtype=None):
        return jnp.zeros(shape, jnp.promote_types(dtype or float, jnp.float32))

    def __call__(self, v, x):
        v = self.kept * v + x.astype(v.dtype)
        spikes = self.spike(v - 1.0)
        return v - spikes, spikes


class InitOfOneBatch(_Leaky):
    """The state is made for two samples, for any input."""

    breaks = ("init_fits",)

    def init(self, shape, dtype=None):
        return super().init((2, shape[-1]), dtype)

    def __call__(self, v, x):
        if v.shape != x.shape:
            raise ValueError(f"a state of {v.shape} and an input of {x.shape}")
        return super().__call__(v, x)


class AsksPython(_Leaky):
    """Asks in Python whether a neuron spikes."""

    breaks = ("init_fits",)

    def __call__(self, v, x):
        return (v * 0, x) if (x > 1).any() else super().__call__(v, x)


class HalfState(_Leaky):
    """The state begins as float16, and is float32 after a step."""

    breaks = ("keeps_state",)

    def init(self, shape, dtype=None):
        return jnp.zeros(shape, jnp.float16)

    def __call__(self, v, x):
        return super().__call__(v.astype(x.dtype), x)


class GrowingState(_Leaky):
    """The state is a list of all inputs."""

    breaks = ("keeps_state",)

    def init(self, shape, dtype=None):
        return []

    def __call__(self, seen, x):
        return [*seen, x], sum(seen, x)


class BytesOfVoltages(_Leaky):
    """Stacks over time as bytes what are voltages: surgrad's own mistake, once."""

    breaks = ("unroll_is_scan",)

    def __call__(self, v, x):
        v, _ = super().__call__(v, x)
        return v, v

    def over_time(self, v, xs):
        v, outputs = jax.lax.scan(lambda v, x: (self(v, x)[0], self(v, x)[1].astype(jnp.int8)), v, xs)
        return v, outputs.astype(xs.dtype)


class ForgetsItsState(_Leaky):
    """Each chunk begins with a state of zeros."""

    breaks = ("unroll_is_scan",)

    def over_time(self, v, xs):
        return jax.lax.scan(self, 0 * v, xs)


class LooksAhead(_Leaky):
    """Over time, inputs are divided by the largest of the chunk."""

    breaks = ("causal", "unroll_is_scan")

    def over_time(self, v, xs):
        return jax.lax.scan(self, v, xs / (1 + jnp.abs(xs).max((0, -1), keepdims=True)))


class NoGradientOverTime(_Leaky):
    """The right values over time, and no gradient of the voltage."""

    breaks = ("reverse_mode", "forward_mode", "second_derivatives")

    def over_time(self, v, xs):
        return jax.lax.scan(self, jax.lax.stop_gradient(v), xs)


@jax.custom_jvp
def _first_order(cell, v, xs):
    return jax.lax.scan(cell, v, xs)


@_first_order.defjvp
def _first_order_jvp(primals, tangents):
    return jax.jvp(lambda *at: jax.lax.scan(at[0], *at[1:]), jax.lax.stop_gradient(primals), tangents)


class FirstOrderOnly(_Leaky):
    """A rule of differentiation over time that forgets that slopes have derivatives."""

    breaks = ("second_derivatives",)

    def over_time(self, v, xs):
        return _first_order(self, v, xs)


@jax.custom_vjp
def _kept(v):
    return 0.5 * v


_kept.defvjp(lambda v: (0.5 * v, None), lambda _, g: (0.5 * g,))


class ReverseModeOnly(_Leaky):
    """A leak that is a `custom_vjp`, which has no forward mode."""

    breaks = ("forward_mode",)

    def __call__(self, v, x):
        return super().__call__(_kept(v), x)


class NormalisesOverTime(Connection):
    """Promises to take time, and divides by the mean over all axes but the last."""

    breaks = ("no_time", "unroll_is_scan", "samples", "transforms", "shard_map", "takes_time")
    takes_time = True

    def __call__(self, x):
        return x / (1 + jnp.abs(x).mean(tuple(range(x.ndim - 1)), keepdims=True))


class Rectifies(Connection):
    """Promises to be linear in its inputs, and is so for those of one sign."""

    breaks = ("linear_in_inputs",)
    linear_in_inputs = True

    def __call__(self, x):
        return jnp.maximum(x, 0) + 1.0


class CumulativeOverTime(Connection):
    """Promises to take time, and sums over it."""

    breaks = ("takes_time", "no_time", "unroll_is_scan")
    takes_time = True

    def __call__(self, x):
        return jnp.cumsum(x, 0) if x.ndim == 3 else x


class Counts(_Leaky):
    """Counts its calls in Python, and takes every other one for noise."""

    breaks = ("pure",)

    def __init__(self):
        self.spike, self.kept, self.calls = SPIKE, 0.9, []

    def __call__(self, v, x):
        self.calls.append(1)
        return super().__call__(v, x)


class Noisy(_Leaky):
    """Draws noise that is no part of its state."""

    breaks = ("pure",)

    def __call__(self, v, x):
        return super().__call__(v, x + np.float32(np.random.default_rng(next(_SEEDS)).normal()))


_SEEDS = itertools.count()


class MixesTheBatch(Connection):
    """Subtracts the mean over the batch."""

    breaks = ("samples", "transforms", "shard_map")

    def __call__(self, x):
        return x - x.mean(0, keepdims=True)


class LoopsFromZeros(_Leaky):
    """Takes two halves of a step in a loop that starts from zeros of a shape."""

    breaks = ("shard_map",)

    def __call__(self, v, x):
        begin = jnp.zeros(x.shape, x.dtype)
        return super().__call__(v, jax.lax.fori_loop(0, 2, lambda _, half: half + 0.5 * x, begin))


class CountsAxes(_Leaky):
    """Leaks another share where there is a batch."""

    breaks = ("transforms",)

    def __call__(self, v, x):
        return super().__call__(0.5 * v if x.ndim == 1 else v, x)


class PromotesTypes(_Leaky):
    """Multiplies booleans with numbers."""

    breaks = ("strict",)

    def __call__(self, v, x):
        v, spikes = super().__call__(v, x)
        return v * (spikes < 2), spikes


class PromotesRanks(_Leaky):
    """One leak a neuron, which meets a voltage with a batch."""

    breaks = ("strict",)

    def __call__(self, v, x):
        return super().__call__(v * jnp.linspace(0.5, 1.0, v.shape[-1], dtype=v.dtype), x)


class NaNInADeadBranch(Connection):
    """The logarithm of zero, which a where drops."""

    breaks = ("finite",)

    def __call__(self, x):
        return jnp.where(x > 1.0, jnp.log(x), 0.0)


class InfiniteStart(_Leaky):
    """The largest input so far, which begins at minus infinity."""

    breaks = ("finite",)

    def init(self, shape, dtype=None):
        return super().init(shape, dtype) - jnp.inf

    def __call__(self, v, x):
        v = jnp.maximum(v, x.astype(v.dtype))
        return v, v


class SumsInBfloat16(_Leaky):
    """Sums in the type of its inputs."""

    breaks = ("half_precision",)

    def init(self, shape, dtype=None):
        return jnp.zeros(shape, dtype)

    def __call__(self, v, x):
        return v + x, v + x


class DecaysInBfloat16(_Leaky):
    """A voltage of float32 whose decay, of 1000 steps, is rounded to 1."""

    breaks = ("half_precision",)

    def __call__(self, v, x):
        v = jnp.exp(-1 / jnp.asarray(1000.0, x.dtype)).astype(v.dtype) * v + x.astype(v.dtype)
        return v, v


class ScaledSpikes(_Leaky):
    """Promises spikes, and puts out spikes of size 0.3."""

    breaks = ("spiking",)
    spiking = True

    def __call__(self, v, x):
        v, spikes = super().__call__(v, x)
        return v, 0.3 * spikes


class WinnerTakesAll(_Leaky):
    """Promises to be elementwise, and lets neurons inhibit each other."""

    breaks = ("elementwise",)
    spiking = elementwise = True

    def __call__(self, v, x):
        v, spikes = super().__call__(v, x)
        return v - 0.1 * spikes.sum(-1, keepdims=True), spikes


class InhibitsWhenAllSpike(_Leaky):
    """Promises to be elementwise, and mixes neurons in a way that runs hardly ever show."""

    breaks = ("elementwise",)
    spiking = elementwise = True

    def __call__(self, v, x):
        v, spikes = super().__call__(v, x)
        return jnp.where(spikes.sum(-1, keepdims=True) > 1e6, 0.0, v), spikes


class QuadraticLIF(LIF):
    """Promises a linear response, and squares its input."""

    breaks = ("linear_response",)
    spiking = elementwise = linear_response = True

    def __call__(self, state, x):
        return super().__call__(state, x * x)


class Amplifier(_Leaky):
    """Promises to relay, and doubles."""

    breaks = ("relays",)
    relays = True

    def __call__(self, v, x):
        return v, 2 * x


class Sums(_Leaky):
    """Promises to keep its inputs, and keeps their sum."""

    breaks = ("keeps_inputs",)
    keeps_inputs = True


class ForgetsToFeedBack(_Leaky):
    """Promises that its outputs come back."""

    breaks = ("feeds_back",)
    feeds_back = True

    def __call__(self, v, x):
        v, _ = super().__call__(v, x)
        return v, jnp.tanh(v)


class WeightsTheWrongWay(Connection):
    """Promises weights whose last axis is that of the outputs, and has the first."""

    breaks = ("weighted",)
    weighted = True

    def __init__(self, weight=None):
        self.weight = jnp.ones((5, 8)) / 8 if weight is None else weight

    def __call__(self, x):
        return x @ self.weight.T

    def with_weight(self, weight):
        return self.replace(weight=weight)


class Backwards(_Leaky):
    """Promises parts in order, and runs them from the last to the first."""

    breaks = ("in_order",)
    in_order = True

    def __init__(self, *parts):
        self.parts = parts or (_Twice(), _Plus())

    def __call__(self, v, x):
        for part in self.parts[::-1]:
            x = part(x)
        return v, x


class _Twice(Connection):
    def __call__(self, x):
        return 2 * x


class _Plus(Connection):
    def __call__(self, x):
        return x + 1


BROKEN = [kind for kind in list(globals().values()) if isinstance(kind, type) and "breaks" in vars(kind)]
