"""Small networks, cells of no base class, and their evaluation, compiled once."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

import surgrad
from surgrad.nn import LIF, AvgPool2d, Conv2d, Delay, Flatten, LeakyIntegrator, Linear, Sequential, unroll

STEPS, BATCH, INPUTS, HIDDEN, CLASSES = 6, 2, 3, 4, 2
RNG = np.random.default_rng(0)
SPIKE = surgrad.Sigmoid(3.0)
X = RNG.normal(size=(STEPS, BATCH, INPUTS)).astype(np.float32)


def weights(*shape):
    return RNG.normal(size=shape).astype(np.float32)


INTO, BACK, OUT = weights(INPUTS, HIDDEN), weights(HIDDEN, HIDDEN), weights(HIDDEN, CLASSES)
FRAMES = (
    Conv2d.from_arrays(weights(3, 3, 1, 2), weights(2), padding="SAME"),
    LIF(SPIKE, 5.0, 0.5),
    AvgPool2d((2, 2)),
    Flatten(3),
    Linear.from_arrays(weights(8, 5), weights(5)),
)


def network(scale=1.0):
    into, out = (
        Linear.from_arrays(scale * INTO, np.zeros(HIDDEN, np.float32)),
        Linear.from_arrays(OUT, np.ones(CLASSES, np.float32)),
    )
    return Sequential(into, LIF(SPIKE, 5.0), Delay(1), out, LeakyIntegrator(4.0))


class PlainSum:
    """A cell of no base class, which JAX does not see through."""

    def init(self, shape, dtype=None):
        return jnp.zeros(shape, dtype)

    def __call__(self, state, x):
        return state + x, state + x


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Leak:
    """A cell of no base class that is a tree."""

    kept: float
    init = PlainSum.init

    def __call__(self, state, x):
        return self.kept * state + x, self.kept * state + x


def refuses_seven(x):
    if x.shape[-1] == 7:
        raise ValueError("not seven")
    return x


run = jax.jit(lambda net, x: unroll(net, net.init(x.shape[1:], x.dtype), x))
outputs = jax.jit(lambda net, x: net.outputs(x))
loss = jax.jit(jax.value_and_grad(lambda net, x: jnp.mean(net.outputs(x)[-1] ** 2)))


def assert_same(found, expected, rtol=1e-5):
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=rtol, atol=1e-6)
