"""Unrolling: the same numbers and derivatives for all chunks and segments, in the memory that was asked for."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from marks import parameters
from surgrad.nn import (
    ALIF,
    LIF,
    Delay,
    LeakyIntegrator,
    Linear,
    MaxOverTime,
    MeanOverTime,
    Recurrent,
    Sequential,
    unroll,
)
from surgrad.nn._budget import near_divisor

pytestmark = pytest.mark.versions

TIME, BATCH, INPUTS, HIDDEN = 23, 2, 5, 7
ROUNDING = 1e-12  # relative, of sums over 23 steps in float64 in another order, amplified by two derivatives
OPTIONS = {
    "chunks that divide nothing": {"chunk_size": 6},
    "one chunk": {"chunk_size": 23},
    "a chunk longer than time": {"chunk_size": 100},
    "segments of one step": {"checkpoint_every": 1, "chunk_size": 1},
    "segments that time does not divide": {"checkpoint_every": 10, "chunk_size": 4},
    "a segment longer than time": {"checkpoint_every": 40},
    "segments of least memory": {"checkpoint_every": "auto"},
    "a budget": {"memory_bytes": 20_000},
}


def network():
    k = jax.random.split(jax.random.key(0), 4)
    spike = surgrad.Sigmoid(2.0, parameter_tangent="none")
    return Sequential(
        Linear(INPUTS, HIDDEN, key=k[0], gain=2.0),
        Recurrent(LIF(spike, 4.0), HIDDEN, key=k[1], gain=1.5),
        Linear(HIDDEN, HIDDEN, key=k[2], gain=2.0),
        ALIF(spike, 5.0, 1.0, 8.0, reset="zero"),
        Delay((0, 1, 2, 3, 0, 1, 2)),
        Linear(HIDDEN, 3, key=k[3]),
        LeakyIntegrator(5.0),
        MeanOverTime(),
    )


def small():
    """What is special about derivatives: a product outside, a product and a reset inside the scan."""
    net = network()
    return Sequential(*net.parts[:2], LeakyIntegrator(5.0))


def spiking():
    """A network that puts out spikes; integers in its states."""
    net = network()
    cell = net.parts[1].cell.replace(refractory=2)
    return Sequential(net.parts[0], net.parts[1].replace(cell=cell))


def inputs(time=TIME):
    return 1.5 * jax.random.normal(jax.random.key(3), (time, BATCH, INPUTS))


def loss(net, x, **options):
    state = net.init(x.shape[1:], x.dtype)
    return (unroll(net, state, x, **options)[1] ** 2).sum()


def norm2(tree):
    return sum(jnp.sum(leaf**2) for leaf in jax.tree.leaves(tree))


def direction(net):
    leaves, structure = jax.tree.flatten(net)
    return structure.unflatten(
        [jnp.sin(1.0 + jnp.arange(jnp.size(a), dtype=float)).reshape(jnp.shape(a)) for a in leaves]
    )


DERIVATIVES = {
    "gradient": lambda f, net: jax.grad(f)(net),
    "forward mode": lambda f, net: jax.jvp(f, (net,), (direction(net),)),
    "forward over reverse": lambda f, net: jax.jvp(jax.grad(f), (net,), (direction(net),))[1],
    "reverse over reverse": lambda f, net: jax.grad(lambda n: norm2(jax.grad(f)(n)))(net),
    "gradient of a population": lambda f, net: jax.vmap(jax.grad(f))(
        jax.tree.map(lambda a: jnp.stack([a, 1.1 * a]), net)
    ),
}


@functools.cache
def derivative(name, **options):
    net = jax.tree.map(jnp.asarray, network() if name == "gradient" else small())
    return jax.jit(lambda net, x: DERIVATIVES[name](lambda n: loss(n, x, **options), net))(net, inputs())


def assert_same(found, expected):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=ROUNDING, atol=ROUNDING * float(jnp.abs(b).max()))


# Ten seconds each, to compile: those that others come close to.
LONG_OPTIONS = (
    "one chunk",
    "a chunk longer than time",
    "segments that time does not divide",
    "a segment longer than time",
)
LONG_DERIVATIVES = ("reverse over reverse", "gradient of a population")
OTHERS = parameters(sorted(DERIVATIVES.keys() - {"gradient"}), slow=LONG_DERIVATIVES)


@pytest.mark.usefixtures("x64")
class TestDerivatives:
    @pytest.mark.parametrize("name", parameters(OPTIONS, slow=LONG_OPTIONS))
    def test_the_gradient_is_that_of_one_scan_over_the_steps(self, name):
        assert_same(derivative("gradient", **OPTIONS[name]), derivative("gradient", chunk_size=1))

    @pytest.mark.parametrize("name", OTHERS)
    def test_all_other_derivatives_are_too(self, name):
        assert_same(derivative(name, checkpoint_every=10, chunk_size=4), derivative(name, chunk_size=1))

    def test_outputs_and_states_are_those_of_one_scan(self):
        net, x = network(), inputs()
        state = net.init((BATCH, INPUTS), x.dtype)
        last, outputs = jax.jit(lambda x: jax.lax.scan(lambda s, now: net(s, now), state, x))(x)
        for options in ({"chunk_size": 6}, {"checkpoint_every": 10, "chunk_size": 4}):
            run = jax.jit(lambda x, o=options: [unroll(net, state, x, keep=keep, **o) for keep in ("all", "last")])
            assert_same(run(x), [(last, outputs), (last, outputs[-1])])

    @pytest.mark.slow
    @pytest.mark.promotes("weights of neurons times outputs over time")
    def test_derivatives_of_a_network_that_puts_out_spikes_are_those_of_one_scan(self):
        net, x = jax.tree.map(jnp.asarray, spiking()), inputs()
        state, weights = net.init((BATCH, INPUTS), x.dtype), jnp.arange(1.0, HIDDEN + 1)

        def all_of(run):
            f = lambda n: ((weights * run(n)[1] - 0.3) ** 3).sum()
            second = jax.jvp(jax.grad(f), (net,), (direction(net),))
            return (
                run(net),
                jax.jvp(f, (net,), (direction(net),)),
                second,
                jax.grad(lambda n: norm2(jax.grad(f)(n)))(net),
            )

        plain = lambda n: jax.lax.scan(lambda s, now: n(s, now), state, x)
        found = jax.jit(lambda: all_of(lambda n: unroll(n, state, x, chunk_size=4, checkpoint_every=10)))()
        assert_same(found, jax.jit(lambda: all_of(plain))())

    def test_a_sequence_may_be_cut_and_the_state_passed_on(self):
        net, x = network(), inputs()
        state = net.init((BATCH, INPUTS), x.dtype)
        middle, first = unroll(net, state, x[:9], chunk_size=4)
        last, second = unroll(net, middle, x[9:], chunk_size=5)
        assert_same((last, jnp.concatenate([first, second])), unroll(net, state, x))

    @pytest.mark.slow
    def test_the_second_derivative_of_a_trained_loss_is_that_of_differences_of_its_gradient(self):
        # A smooth network has no steps, so that differences see what the derivative says.
        first, recurrent, readout = small().parts
        cell = recurrent.cell.replace(surrogate=recurrent.cell.surrogate.smooth())
        smooth = Sequential(first, recurrent.replace(cell=cell), readout)
        along, x = direction(smooth), inputs()

        @jax.jit
        def slope(h):
            moved = jax.tree.map(lambda a, d: a + h * d, smooth, along)
            return jax.jvp(lambda n: loss(n, x, chunk_size=4, checkpoint_every=8), (moved,), (along,))[1]

        h = 1e-5  # an error of the order h² of the third derivative, and of 1e-16/h by rounding
        np.testing.assert_allclose(jax.grad(slope)(0.0), (slope(h) - slope(-h)) / (2 * h), rtol=1e-6)


def temporary_bytes(time, **options):
    """What the compiled gradient by all weights needs besides its inputs and outputs."""
    net = Sequential(Linear(64, 64, key=jax.random.key(0), gain=3.0), LIF(surgrad.Arctan(), 10.0), MeanOverTime())
    x = jax.ShapeDtypeStruct((time, 4, 64), jnp.float32)

    def gradient(connections, x):
        def f(connections):
            n = net.with_connections(connections)
            return unroll(n, n.init((4, 64)), x, keep="last", **options)[1].sum()

        return jax.grad(f)(connections)

    return jax.jit(gradient).lower(net.connections(), x).compile().memory_analysis().temp_size_in_bytes


def test_memory_grows_like_the_root_of_time_with_segments_and_like_time_without():
    short, long = 1000, 16_000
    plain = [temporary_bytes(t) for t in (short, long)]
    rooted = [temporary_bytes(t, checkpoint_every="auto") for t in (short, long)]
    assert 14 < plain[1] / plain[0] < 18
    assert rooted[1] / rooted[0] < 5.5  # the root of 16 is 4; lengths are rounded to divisors
    assert rooted[1] / (long * 4 * 64) < 0.25  # bytes per neuron and step


def test_a_budget_is_kept():
    step = 4 * 64 * 4 * 10  # what a step keeps, at most: ten numbers a neuron
    for budget in (3e6, 1e6):
        assert temporary_bytes(4000, memory_bytes=budget) < budget + 20 * step
    assert temporary_bytes(200, memory_bytes=1e8) == temporary_bytes(200)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_least_memory_counts_the_buffer_of_a_delay(place):
    parts = [Linear(64, 64, key=jax.random.key(0), gain=3.0), LIF(surgrad.Arctan(), 10.0)]
    net, x = Sequential(*parts[:place], Delay(50), *parts[place:]), jax.ShapeDtypeStruct((4000, 4, 64), jnp.float32)
    state, weights = net.init((4, 64)), 2 * 64 * 64 * 4
    with pytest.raises(ValueError, match="not enough") as caught:
        jax.eval_shape(lambda x: unroll(net, state, x, memory_bytes=1), x)
    least = float(re.search(r"need the least, (\d+) bytes", str(caught.value))[1])

    def f(net, state, x):
        return (unroll(net, state, x, keep="last", memory_bytes=least)[1] ** 2).sum()

    used = jax.jit(jax.grad(f, (0, 1, 2))).lower(net, state, x).compile().memory_analysis().temp_size_in_bytes
    assert used - weights < least


@pytest.mark.slow
def test_sixteen_thousand_steps_of_512_neurons_train_in_less_than_a_gibibyte():
    net = Sequential(Linear(512, 512, key=jax.random.key(0), gain=3.0), LIF(surgrad.Arctan(), 10.0), MeanOverTime())
    x = (jax.random.uniform(jax.random.key(1), (16_000, 16, 512)) < 0.05).astype(jnp.float32)

    @jax.jit
    def step(connections, x):
        def f(connections):
            n = net.with_connections(connections)
            return ((unroll(n, n.init((16, 512)), x, keep="last", memory_bytes=2**29)[1] - 0.1) ** 2).mean()

        value, slope = jax.value_and_grad(f)(connections)
        return jax.tree.map(lambda w, g: w - 100.0 * g, connections, slope), value

    compiled = step.lower(net.connections(), x).compile()
    assert compiled.memory_analysis().temp_size_in_bytes < 2**30
    connections, first = compiled(net.connections(), x)
    assert compiled(connections, x)[1] < first


class TestEdges:
    NET = Sequential(Linear.from_arrays(jnp.eye(3), jnp.zeros(3)), LIF(surgrad.Arctan(), 10.0), MaxOverTime())

    def test_no_steps_give_no_outputs_and_the_same_state(self):
        for options in (
            {},
            {"checkpoint_every": 3},
            {"checkpoint_every": "auto"},
            {"memory_bytes": 1e6},
            {"chunk_size": 2},
        ):
            state, outputs = unroll(self.NET, self.NET.init((2, 3)), jnp.zeros((0, 2, 3)), **options)
            assert outputs.shape == (0, 2, 3)
            assert_same(state, self.NET.init((2, 3)))

    @pytest.mark.parametrize("shape", [(1, 3), (3,)], ids=["a batch of one", "no batch"])
    def test_batches_are_alike(self, shape):
        x = jax.random.uniform(jax.random.key(0), (9, 1, 3))
        expected = unroll(self.NET, self.NET.init((1, 3)), x, chunk_size=4)[1]
        found = unroll(self.NET, self.NET.init(shape), x.reshape(9, *shape), chunk_size=4)[1]
        np.testing.assert_array_equal(found.reshape(expected.shape), expected)


@pytest.mark.parametrize(
    ("time", "length", "expected"), [(500, 25, 25), (500, 24, 25), (499, 25, 25), (16_000, 126, 125)]
)
def test_lengths_divide_time_where_a_divisor_is_near(time, length, expected):
    assert near_divisor(time, length) == expected
