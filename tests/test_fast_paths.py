"""Fast paths: chunks by the sizes of weights, one product for the weights of a sequence, products through spikes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad.nn import LIF, Conv2d, LeakyIntegrator, Linear, MeanOverTime, Recurrent, Sequential, unroll
from surgrad.nn._budget import chunk_length

pytestmark = pytest.mark.versions

KEY = jax.random.key(0)
CELL = LIF(surgrad.Arctan(), 10.0)
WINDOW = 0.3


def spikes(shape, rate=0.05, dtype=jnp.float32):
    return (jax.random.uniform(jax.random.key(7), shape) < rate).astype(dtype)


@pytest.mark.parametrize(
    ("parts", "shape", "steps"),
    [
        ((Linear(64, 64, key=KEY), CELL), (500, 16, 64), 1),  # the weights stay in the cache
        ((Linear(512, 512, key=KEY), CELL), (500, 16, 512), 25),  # 400 rows
        ((Linear(512, 256, key=KEY), CELL), (500, 16, 512), 50),  # 800 rows, since the cache has room for them
        ((Linear(512, 512, key=KEY), CELL), (500, 400, 512), 1),  # a step has them
        ((Linear(512, 512, key=KEY), CELL), (7, 1, 512), 7),
        ((Conv2d(1, 2, (3, 3), key=KEY), CELL), (50, 2, 8, 8, 1), 1),  # as fast in a loop, with less memory
        ((Conv2d(1, 2, (3, 3), key=KEY, stride=2), CELL), (50, 2, 8, 8, 1), 50),  # slow in a loop
        ((Sequential(Conv2d(1, 2, (3, 3), key=KEY, stride=2)), CELL), (50, 2, 8, 8, 1), 50),
    ],
)
def test_chunks_are_chosen_by_the_sizes_of_weights_and_batches(parts, shape, steps):
    if jax.default_backend() != "cpu":
        pytest.skip("lengths are those for a CPU")
    assert chunk_length(Sequential(*parts), jax.ShapeDtypeStruct(shape, jnp.float32), shape[0]) == steps


def test_the_gradient_of_a_chunk_is_one_product_for_all_its_steps():
    """In the compiled backward pass of recurrent weights, no product of one step makes a matrix of all weights."""
    net = Sequential(Recurrent(CELL, 6, key=KEY, gain=1.0))

    def gradient(weights, x):
        def f(weights):
            n = Sequential(net.parts[0].with_weight(weights))
            return unroll(n, n.init((3, 6)), x, chunk_size=10)[1].sum()

        return jax.grad(f)(weights)

    text = str(jax.make_jaxpr(gradient)(net.parts[0].weight, jnp.ones((10, 3, 6))))
    made = [line for line in text.splitlines() if "f32[6,6] = dot_general" in line]
    assert len(made) == 1
    assert "f32[10,3,6]" in text


def networks(event_driven, spike, dtype=jnp.float64):
    k = jax.random.split(KEY, 4)
    cell = LIF(spike, 10.0)
    feedforward = Sequential(
        Linear(40, 30, key=k[0], gain=5.0, event_driven=event_driven),
        cell,
        Linear(30, 20, key=k[1], gain=5.0, event_driven=event_driven),
        cell,
    )
    recurrent = Sequential(
        Linear(40, 30, key=k[0], gain=5.0, event_driven=event_driven),
        Recurrent(cell, 30, key=k[2], gain=1.0, event_driven=event_driven),
        Linear(30, 3, key=k[3], event_driven=event_driven),
        LeakyIntegrator(10.0),
        MeanOverTime(),
    )
    return {"feedforward": feedforward, "recurrent": recurrent}


def loss(net, x, **options):
    return (unroll(net, net.init(x.shape[1:], x.dtype), x, **options)[1] ** 2).sum()


def derivatives(net, x, all_of_them, **options):
    """Value and gradient; forward mode and a Hessian-vector product besides."""
    f = functools.partial(loss, **options)
    if not all_of_them:
        return jax.value_and_grad(f, (0, 1))(net, x)
    along = jax.tree.map(lambda w: jnp.cos(jnp.arange(jnp.size(w), dtype=float)).reshape(jnp.shape(w)), net)
    second = jax.jvp(lambda n: jax.grad(f, (0, 1))(n, x), (net,), (along,))
    return jax.value_and_grad(f, (0, 1))(net, x), jax.jvp(lambda n: f(n, x), (net,), (along,)), second


@pytest.mark.slow
@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("name", ["feedforward", "recurrent"])
def test_event_driven_derivatives_are_those_of_a_sparse_surrogate_on_the_dense_path(name):
    pytest.importorskip("numba", reason="event-driven products are compiled by Numba")
    x, spike = spikes((12, 4, 40), dtype=jnp.float64), surgrad.Sparse(surgrad.Sigmoid(3.0), WINDOW)
    dense, events = (networks(on, spike)[name] for on in (False, True))
    run = jax.jit(functools.partial(derivatives, all_of_them=name == "recurrent", chunk_size=5))
    found, expected = jax.tree.leaves(run(events, x)), jax.tree.leaves(run(dense, x))
    assert any(np.any(np.asarray(leaf) != 0) for leaf in expected)
    for a, b in zip(found, expected, strict=True):
        # Sums of 48 rows and 40 inputs in another order, through two derivatives.
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11 * float(jnp.abs(b).max()))


@pytest.mark.parametrize("dtype", [jnp.uint8, bool])
def test_the_backward_pass_keeps_bytes_as_they_are(dtype):
    xs = (jax.random.uniform(jax.random.key(0), (40, 3, 64)) < 0.1).astype(dtype)
    net = Sequential(Linear(64, 2, key=jax.random.key(1)), LIF(), MeanOverTime())

    def outputs(weights):
        return unroll(net.with_connections(weights), xs, chunk_size=10)[1].sum()

    weights = net.connections()
    kept = [leaf for leaf in jax.tree.leaves(jax.vjp(outputs, weights)[1]) if leaf.size > xs.size / 4]
    assert [leaf.dtype for leaf in kept] == [dtype]
    as_floats = xs.astype(jnp.float32)
    expected = jax.grad(lambda w: unroll(net.with_connections(w), as_floats, chunk_size=10)[1].sum())(weights)
    jax.tree.map(np.testing.assert_array_equal, jax.grad(outputs)(weights), expected)
