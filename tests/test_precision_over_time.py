"""Half precision along time: what is summed over steps is float32, so that no result depends on chunk or segment."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from networks import Leak, PlainSum
from surgrad.nn import (
    ALIF,
    LIF,
    Conv1d,
    CuBaLIF,
    LeakyIntegrator,
    Linear,
    MaxOverTime,
    MeanOverTime,
    Recurrent,
    Sequential,
    unroll,
)

pytestmark = pytest.mark.versions
STEPS = 2000
HALF = [jnp.bfloat16, jnp.float16]
OPTIONS = [
    {},
    {"chunk_size": STEPS},
    {"chunk_size": 7},
    {"checkpoint_every": 100},
    {"checkpoint_every": 13, "chunk_size": 5},
    {"chunk_size": 1},
]
in_half_precision = pytest.mark.parametrize("dtype", HALF, ids=["bfloat16", "float16"])


def halved(dtype, tree):
    return jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), tree)


@functools.partial(jax.tree_util.register_dataclass, data_fields=["gain"], meta_fields=[])
class Gain:
    def __init__(self, gain):
        self.gain = gain

    def __call__(self, x):
        return self.gain.astype(x.dtype) * x


ONE = jnp.ones((1, 1))
# A network whose output is 1 at all steps, and whose gradient by each of some numbers is 1 a step.
LINEAR = {
    "Linear": Linear.from_arrays(ONE, jnp.zeros(1)),
    "Conv1d": Conv1d.from_arrays(jnp.ones((1, 1, 1)), jnp.zeros(1)),
    "a connection of a user": Gain(jnp.ones(1)),
}


@in_half_precision
@pytest.mark.parametrize("name", LINEAR)
def test_gradients_of_weights_are_summed_in_single_precision(name, dtype):
    net, shape = halved(dtype, Sequential(LINEAR[name])), (STEPS, 1, 1) if name == "Conv1d" else (STEPS, 1)

    def loss(net, x, **options):
        return unroll(net, net.init(x.shape[1:]), x, **options)[1].astype(jnp.float32).sum()

    for options in OPTIONS:
        gradient = jax.grad(functools.partial(loss, **options))(net, jnp.ones(shape, dtype))
        for leaf in jax.tree.leaves(gradient):
            assert leaf.dtype == dtype
            np.testing.assert_allclose(leaf.astype(float), STEPS, rtol=float(jnp.finfo(dtype).eps))


@in_half_precision
def test_gradients_of_what_a_function_closes_over_are_too(dtype):
    def loss(w):
        return unroll(lambda state, x: (state, w * x), 0.0, jnp.ones(STEPS, dtype))[1].astype(jnp.float32).sum()

    np.testing.assert_allclose(float(jax.grad(loss)(jnp.ones((), dtype))), STEPS, rtol=float(jnp.finfo(dtype).eps))


@in_half_precision
@pytest.mark.promotes("cells of a user, who does not cast")
def test_gradients_of_recurrent_weights_are_too(dtype):
    # An identity: the neuron's input does not come from its weight of zero, so that its gradient counts the steps.
    net = halved(dtype, Recurrent.from_arrays(Leak(0.0), jnp.zeros((1, 1))))

    def loss(net, **options):
        x = jnp.ones((STEPS, 1), dtype)
        return unroll(net, net.init((1,), dtype), x, **options)[1].astype(jnp.float32).sum()

    for options in OPTIONS:
        gradient = jax.grad(functools.partial(loss, **options))(net).weight
        np.testing.assert_allclose(float(gradient[0, 0]), STEPS - 1, rtol=2 * float(jnp.finfo(dtype).eps))


@in_half_precision
@pytest.mark.parametrize("tau", [200.0, 400.0, 1000.0])
def test_a_leak_leaves_as_much_as_its_time_constant_says(tau, dtype):
    steps, spike = 400, surgrad.Arctan()
    x = jnp.zeros((steps + 1, 1), dtype).at[0].set(0.5)
    left = 0.5 * np.exp(-steps / tau)

    def last(cell):
        return unroll(halved(dtype, cell), cell.init((1,), dtype), x, keep="last")

    assert abs(float(last(LeakyIntegrator(tau))[1][0]) - left) < 3e-3
    assert abs(float(last(LIF(spike, tau, 2.0))[0].v[0]) - left) < 3e-3
    assert abs(float(last(CuBaLIF(spike, 1.0, 100.0, tau_syn=tau))[0].current[0]) - left) < 3e-3
    spiking = ALIF(spike, 1.0, 0.25, tau_adaptation=tau)
    assert abs(float(last(spiking)[0].adaptation[0]) - np.exp(-steps / tau)) < 6e-3


@in_half_precision
@pytest.mark.parametrize(
    "cell", [PlainSum(), LeakyIntegrator(jnp.inf), Leak(1.0)], ids=["a cell", "an integrator", "a tree"]
)
@pytest.mark.promotes("cells of a user, who does not cast")
def test_sums_do_not_stop(cell, dtype):
    net = Sequential(cell)
    last, outputs = unroll(net, net.init((1,), dtype), jnp.ones((STEPS, 1), dtype), keep="last")
    assert float(outputs[0]) == STEPS


@in_half_precision
@pytest.mark.parametrize("readout", [MeanOverTime(), MaxOverTime()], ids=repr)
def test_readouts_of_narrow_spikes_are_those_of_wide_ones(readout, dtype):
    spikes = np.random.default_rng(0).random((STEPS, 3)) < 0.3
    found = unroll(readout, readout.init((3,), dtype), jnp.asarray(spikes, dtype), keep="last")[1]
    np.testing.assert_array_equal(
        found, unroll(readout, readout.init((3,)), jnp.asarray(spikes, float), keep="last")[1]
    )


class Weighted:
    """A connection of a user that JAX does not see through, with weights that are traced."""

    def __init__(self, weights):
        self.weights = weights

    def __call__(self, x):
        return x @ self.weights


@in_half_precision
@pytest.mark.parametrize("make", [lambda w: lambda x: x @ w, Weighted], ids=["a function", "an object"])
def test_gradients_of_what_parts_of_a_network_hold_are_too(make, dtype):
    def loss(w, **options):
        net, x = Sequential(make(w)), jnp.ones((STEPS, 1), dtype)
        return unroll(net, net.init((1,), dtype), x, **options)[1].astype(jnp.float32).sum()

    for options in OPTIONS:
        gradient = jax.grad(functools.partial(loss, **options))(jnp.ones((1, 1), dtype))
        np.testing.assert_allclose(float(gradient[0, 0]), STEPS, rtol=float(jnp.finfo(dtype).eps))
