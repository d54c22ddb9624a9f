"""What the backward pass stores of spikes, and that nothing else changes: of our cells, and of those of users."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import forward, nn
from surgrad.nn._residuals import zeros_or_ones


def leaky(spike):
    """A user's cell, with a spike function of the distance to the threshold."""

    def step(v, x):
        v = 0.9 * v + x
        fired = spike(v - 1.0)
        return v - fired, fired

    return step


@jax.custom_jvp
def recursive(x):
    """Its rule calls it again, so that its second derivative is that of the slope, and its value moves with x too."""
    return (x >= 0).astype(x.dtype)


recursive.defjvp(lambda primals, tangents: (recursive(*primals), tangents[0] / (1 + primals[0] ** 2)))


@jax.custom_vjp
def reverse_only(x):
    return (x >= 0).astype(x.dtype)


reverse_only.defvjp(lambda x: ((x >= 0).astype(x.dtype), x), lambda x, g: (g / (1 + x**2),))


@jax.custom_jvp
def plain(x):
    return jnp.where(x >= 0, 1.0, 0.0)


plain.defjvp(lambda p, t: (jnp.where(p[0] >= 0, 1.0, 0.0), t[0] / (1 + p[0] ** 2)))


@jax.custom_jvp
def graded(x):
    """Its rule contradicts it, and says that it is a step."""
    return jax.nn.sigmoid(x)


graded.defjvp(lambda p, t: ((p[0] >= 0).astype(p[0].dtype), t[0] / (1 + p[0] ** 2)))


def without_derivatives(x):
    """The host computes it, so JAX cannot differentiate it."""
    host = lambda x: (np.asarray(x) >= 0).astype(np.float32)
    return jax.pure_callback(host, jax.ShapeDtypeStruct(x.shape, x.dtype), x, vmap_method="expand_dims")


def of_many_operations(x):
    fired = (x >= 0).astype(x.dtype)
    for i in range(1500):
        fired = jnp.maximum(fired, (x > i + 1).astype(x.dtype))
    return fired


SPIKES = [
    surgrad.Arctan(),
    surgrad.Sparse(surgrad.Arctan(), 1.0),
    surgrad.Arctan(second_order="surrogate"),
    reverse_only,
    recursive,
    plain,
    lambda x: jnp.where(x >= 0, plain(x), 0.0),
    lambda x: plain(x) * plain(x + 0.1),
    lambda x: jnp.heaviside(x, 1.0) > 0.5,
    of_many_operations,
]
OTHERS = [
    lambda x: x,
    lambda x: 2.0 * plain(x),
    lambda x: plain(x) - plain(-x),
    lambda x: plain(x) + plain(x + 1.0),
    lambda x: jnp.where(x >= 0, 1.0, 0.5),
    lambda x: jnp.where(x >= 0, x, 0.0),
    lambda x: x + jax.lax.stop_gradient(plain(x) - x),
    jax.nn.sigmoid,
    graded,
    without_derivatives,
    surgrad.Arctan(forward_mode=forward.Smooth()),
    surgrad.Arctan(forward_mode=forward.Ternary()),
    surgrad.Arctan(forward_mode=forward.MultiSpike(3)),
]


@pytest.mark.parametrize("spike", SPIKES)
def test_spikes_of_a_step_are_known_to_be_zeros_or_ones(spike):
    floats = lambda x: spike(x).astype(jnp.float32)
    assert zeros_or_ones(leaky(floats), jnp.zeros((2, 3)), jnp.ones((2, 3))) == [True]


@pytest.mark.parametrize("spike", OTHERS)
def test_other_outputs_are_not(spike):
    assert zeros_or_ones(leaky(spike), jnp.zeros((2, 3)), jnp.ones((2, 3))) == [False]


@pytest.mark.parametrize(
    ("cell", "known"),
    [
        (nn.LIF(), True),
        (nn.LIF(refractory=2), True),
        (nn.LIF(reset="zero"), True),
        (nn.CuBaLIF(), True),
        (nn.ALIF(), True),
        (nn.AdEx(), True),
        (nn.Izhikevich(), True),
        (nn.Recurrent(nn.LIF(), 3, key=jax.random.key(0)), True),
        (nn.LeakyIntegrator(), False),
        (nn.LIF(surgrad.Arctan(forward_mode=forward.Smooth())), False),
        (nn.Recurrent(nn.LeakyIntegrator(), 3, key=jax.random.key(0)), False),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_known_of_our_cells(cell, known):
    state = cell.init((2, 3))
    assert zeros_or_ones(cell, state, jnp.ones((2, 3))) == [known]
    strong = 30 * jax.random.normal(jax.random.key(0), (20, 2, 3))
    assert (set(np.unique(nn.unroll(cell, strong).outputs)) <= {0, 1}) == known


def test_of_two_outputs_each_is_told():
    def step(v, x):
        v = 0.9 * v + x
        return v, {"spikes": plain(v - 1), "v": v, "fired": v > 1}

    assert zeros_or_ones(step, jnp.zeros(3), jnp.ones(3)) == [False, True, False]  # booleans stay what they are


class Users(nn.Cell):
    """A cell with a spike function of a user's; it promises nothing."""

    spike: Callable = surgrad.static()

    def __init__(self, spike):
        self.spike = spike

    def init(self, shape, dtype=None):
        return jnp.zeros(shape, dtype)

    def __call__(self, v, x):
        return leaky(self.spike)(v, x)


def network(spike):
    (into, back, out), cell = jax.random.split(jax.random.key(0), 3), Users(spike)
    first, last = (nn.Linear(n, m, key=key, gain=2.0) for n, m, key in ((4, 5, into), (5, 2, out)))
    return nn.Sequential(first, cell, nn.Recurrent(cell, 5, key=back), last)


def by_chunks_and_by_steps(net, xs, state):
    """Two losses of the connections: of `unroll` in chunks, and of a plain scan of the network's own step."""

    def loss(run):
        return lambda weights: jnp.square(run(net.with_connections(weights))).sum()

    chunks = loss(lambda net: nn.unroll(net, state, xs, chunk_size=4).outputs)
    return chunks, loss(lambda net: jax.lax.scan(net, state, xs)[1])


@pytest.mark.parametrize("spike", [surgrad.Sigmoid(), surgrad.Sigmoid(second_order="surrogate"), plain, recursive])
def test_two_derivatives_in_chunks_are_those_of_a_plain_scan(x64, spike):
    net = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), network(spike))
    xs = jax.random.normal(jax.random.key(1), (11, 3, 4))
    chunks, steps = by_chunks_and_by_steps(net, xs, net.init((3, 4), jnp.float64))
    weights = net.connections()
    along = jax.tree.map(lambda leaf: jnp.cos(jnp.arange(leaf.size, dtype=leaf.dtype)).reshape(leaf.shape), weights)
    for derivative in (jax.grad, lambda loss: lambda w: jax.jvp(jax.grad(loss), (w,), (along,))[1]):
        found, expected = (jax.jit(derivative(loss))(weights) for loss in (chunks, steps))
        assert any(jnp.abs(leaf).max() > 1e-3 for leaf in jax.tree.leaves(expected))
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11), found, expected)


@pytest.mark.parametrize("spike", [graded, without_derivatives])
def test_values_are_those_of_the_cell_whatever_its_derivatives_are(spike):
    net = network(spike)
    xs, state = jax.random.normal(jax.random.key(1), (11, 3, 4)), net.init((3, 4))
    found = nn.unroll(net, state, xs, chunk_size=4).outputs
    np.testing.assert_allclose(found, jax.lax.scan(net, state, xs)[1], rtol=1e-5, atol=1e-6)


class Gated(nn.Cell):
    """Spikes of the input, let through by a state that stays as it is."""

    threshold: jax.Array

    def init(self, shape, dtype=None):
        return jnp.full(shape, 0.5, dtype)

    def __call__(self, gate, x):
        return gate, plain(gate) * plain(x - self.threshold)


def test_a_second_derivative_by_what_the_first_holds_constant(x64):
    """In one chunk: in a loop over chunks JAX forgets rules of what the first derivative holds constant."""
    net = nn.Sequential(Gated(threshold=jnp.array(0.3)), nn.Linear(4, 2, key=jax.random.key(0)))
    xs, state = jax.random.normal(jax.random.key(1), (11, 3, 4)), net.init((3, 4), jnp.float64)

    def size(run):
        def loss(net, state):
            return jnp.square(run(net, state)).sum()

        weighted = lambda leaf: (jnp.arange(1.0, leaf.size + 1) * leaf.ravel()).sum()
        return lambda state: sum(map(weighted, jax.tree.leaves(jax.grad(loss)(net, state))))

    found = jax.grad(size(lambda net, state: nn.unroll(net, state, xs, chunk_size=11).outputs))(state)
    expected = jax.grad(size(lambda net, state: jax.lax.scan(net, state, xs)[1]))(state)
    assert jnp.abs(expected[0]).max() > 1
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), found, expected)


def test_a_state_whose_outputs_are_no_spikes_counts_as_it_is(x64):
    layer = nn.Recurrent.from_arrays(nn.LIF(), jax.random.normal(jax.random.key(0), (3, 3)))
    state = layer.init((2, 3), jnp.float64)
    state = state._replace(outputs=jnp.full((2, 3), 0.5))
    xs = jax.random.normal(jax.random.key(1), (9, 2, 3))

    def loss(run):
        return lambda weight: jnp.square(run(layer.with_weight(weight)).cell.v).sum()

    found = jax.grad(loss(lambda layer: nn.unroll(layer, state, xs, chunk_size=3).state))(layer.weight)
    expected = jax.grad(loss(lambda layer: jax.lax.scan(layer, state, xs)[0]))(layer.weight)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
