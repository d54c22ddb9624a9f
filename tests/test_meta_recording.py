"""The membranes that are recorded are those of the neurons, and derivatives by them are true."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad as sg
from surgrad.meta._inspection.recording import arrays, record, surrogates, with_arrays, with_surrogates
from surgrad.nn import LIF, CuBaLIF, LeakyIntegrator, Linear, Recurrent, Sequential, unroll

KEY = jax.random.key(0)
SPIKES = jax.random.bernoulli(KEY, 0.3, (12, 3, 5)).astype(float)


def nested(first=None, second=None):
    first, second = first or sg.Sigmoid(2.0), second or sg.Normalized(sg.Arctan(), to="peak")
    inner = Sequential(Linear(6, 4, key=KEY, gain=3.0), Recurrent(CuBaLIF(second), 4, key=KEY))
    return Sequential(Linear(5, 6, key=KEY, gain=3.0), LIF(first), inner, Linear(4, 2, key=KEY), LeakyIntegrator())


def test_surrogates_are_found_by_their_path():
    found = surrogates(nested())
    assert list(found) == ["parts[1].surrogate", "parts[2].parts[1].cell.surrogate"]
    assert [type(s) for s in found.values()] == [sg.Sigmoid, sg.Normalized]


def test_membranes_are_those_of_a_loop_by_hand():
    net = nested()
    weights, bias, decay = np.asarray(net.parts[0].weight), np.asarray(net.parts[0].bias), np.exp(-1 / 10)
    voltage, expected = np.zeros((3, 6)), []
    for x in np.asarray(SPIKES):
        voltage = decay * voltage + x @ weights + bias
        expected.append(voltage - 1)
        voltage = voltage - (voltage >= 1)
    np.testing.assert_allclose(record(net, SPIKES).membranes[0], expected, atol=1e-5)


def test_outputs_are_those_of_the_network():
    net = nested()
    seen = record(net, SPIKES)
    np.testing.assert_allclose(seen.outputs, unroll(net, net.init((3, 5)), SPIKES)[1], atol=1e-6)
    np.testing.assert_array_equal(seen.membranes[1] >= 0, net.outputs(SPIKES)[2] == 1)


@pytest.mark.slow
def test_derivatives_by_offsets_are_finite_differences_of_a_smooth_network(x64):
    net = nested(sg.Sigmoid(2.0).smooth(), sg.Arctan().smooth())
    net = jax.tree.map(lambda leaf: jnp.asarray(leaf, float), net)
    x = SPIKES.astype(float)
    shapes = [m.shape for m in record(net, x).membranes]

    @jax.jit
    def loss(offsets):
        return (record(net, x, offsets).outputs ** 2).sum()

    zeros = tuple(jnp.zeros(shape) for shape in shapes)
    directions = tuple(jax.random.normal(KEY, shape) for shape in shapes)
    along = sum(jnp.vdot(g, d) for g, d in zip(jax.grad(loss)(zeros), directions, strict=True))
    h = 1e-6
    both = [loss(tuple(s * h * d for d in directions)) for s in (1, -1)]
    np.testing.assert_allclose(along, (both[0] - both[1]) / (2 * h), rtol=1e-7)


def test_surrogates_and_arrays_are_replaced_in_their_order():
    net = with_surrogates(nested(), lambda i, s: sg.SoftSign(float(i + 1)))
    assert [s.alpha for s in surrogates(net).values()] == [1.0, 2.0]
    doubled = with_arrays(net, [2 * a for a in arrays(net).values()])
    np.testing.assert_array_equal(doubled.parts[0].weight, 2 * net.parts[0].weight)
    assert list(arrays(net))[:2] == ["parts[0].weight", "parts[0].bias"]


def test_models_without_a_surrogate_and_with_one_called_twice_are_refused():
    with pytest.raises(ValueError, match="no surrogate"):
        record(Sequential(Linear(5, 2, key=KEY), LeakyIntegrator()), SPIKES)

    class Twice(LIF):
        def __call__(self, state, current):
            state, spikes = super().__call__(state, current)
            return state, spikes + self.surrogate(current)

    with pytest.raises(ValueError, match="called 2 times"):
        record(Twice(sg.Sigmoid()), SPIKES)
