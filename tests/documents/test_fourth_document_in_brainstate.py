"""Blocks 2, 10 and 13 of the fourth document: layers, neurons and networks of brainstate.

Blocks 2 and 13 decorate a loss with `grad(states)`, which brainstate 0.5.4 refuses for every loss. They are run
in the form that works, `grad(loss, states)`. Block 10 uses a name that it does not import.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from surgrad import GaussianGrad, Sigmoid

EPS = float(np.finfo(np.float32).eps)


def sech2(z):
    return 1 / np.cosh(z) ** 2


def test_block_02_gradients_reach_the_weights_of_a_layer(brainstate):
    class LIFLayer(brainstate.nn.Module):
        def __init__(self, in_features, out_features):
            super().__init__()
            self.linear = brainstate.nn.Linear(in_features, out_features)
            self.v = brainstate.State(jnp.zeros(out_features))
            self.spike_fn = Sigmoid(alpha=4.0)

        def __call__(self, x):
            self.v.value = 0.9 * self.v.value + self.linear(x)
            spikes = self.spike_fn(self.v.value - 1.0)
            self.v.value = jnp.where(spikes > 0, 0.0, self.v.value)
            return spikes

    brainstate.random.seed(0)
    layer, x = LIFLayer(100, 50), jnp.ones(100)
    voltage = np.asarray(layer.linear(x), np.float64)
    spikes = layer(x)
    np.testing.assert_array_equal(spikes, voltage >= 1)
    assert spikes.any()

    def loss_fn(x, target):
        return jnp.mean((layer(x) - target) ** 2)

    voltage = 0.9 * np.asarray(layer.v.value, np.float64) + voltage
    by_weights = brainstate.transform.grad(loss_fn, layer.states(brainstate.ParamState))(x, jnp.zeros(50))
    by_voltage = 2 / 50 * (voltage >= 1) * sech2(2 * (voltage - 1))
    ((_, gradient),) = by_weights.items()
    # The products of 100 inputs are summed in single precision before a slope of at most 4 is looked up.
    tolerance = 4 * 100 * EPS * np.abs(by_voltage).max()
    np.testing.assert_allclose(gradient["weight"], np.broadcast_to(by_voltage, (100, 50)), atol=tolerance)
    np.testing.assert_allclose(gradient["bias"], by_voltage, atol=tolerance)


@pytest.mark.parametrize("keywords", [{}, {"return_value": True}])
def test_blocks_02_and_13_use_a_decorator_that_brainstate_refuses_without_any_surrogate(keywords, brainstate):
    states = brainstate.nn.Linear(2, 1).states(brainstate.ParamState)
    with pytest.raises(AssertionError, match="callable"):
        brainstate.transform.grad(states, **keywords)


def test_block_10_a_leaky_neuron_spikes_when_its_charge_says(brainstate):
    class LIFNeuron(brainstate.nn.Module):
        def __init__(self, size, tau=20.0, v_threshold=1.0):
            super().__init__()
            self.size, self.tau, self.v_threshold = size, tau, v_threshold
            self.v = brainstate.State(jnp.zeros(size))
            self.spike_fn = Sigmoid(alpha=4.0)

        def __call__(self, x):
            self.v.value = self.v.value + (-self.v.value + x) / self.tau
            spikes = self.spike_fn(self.v.value - self.v_threshold)
            self.v.value = jnp.where(spikes > 0, 0.0, self.v.value)
            return spikes

    neuron, x = LIFNeuron(3), jnp.array([0.5, 1.5, 3.0])
    spikes = jnp.stack([neuron(x) for _ in range(50)])
    # From rest, the charge x·(1 - 0.95^n) is at the threshold after 22 steps for 1.5, after 8 for 3.
    np.testing.assert_array_equal(spikes.sum(0), [0, 50 // 22, 50 // 8])
    np.testing.assert_array_equal(np.argmax(spikes, 0), [0, 21, 7])


def test_block_10_an_adaptive_neuron_spikes_as_in_double_precision(brainstate):
    class AdExNeuron(brainstate.nn.Module):
        def __init__(self, size):
            super().__init__()
            self.v = brainstate.State(jnp.zeros(size) - 70.0)
            self.w = brainstate.State(jnp.zeros(size))
            self.spike_fn = GaussianGrad(sigma=0.5)

        def __call__(self, current):
            dv = -self.v.value + jnp.exp(self.v.value + 50) - self.w.value + current
            dw = (self.v.value - self.w.value) * 0.01
            self.v.value = self.v.value + dv * 0.1
            self.w.value = self.w.value + dw * 0.1
            spikes = self.spike_fn(self.v.value - (-50.0))
            self.v.value = jnp.where(spikes > 0, -70.0, self.v.value)
            self.w.value = jnp.where(spikes > 0, self.w.value + 10.0, self.w.value)
            return spikes

    neuron, v, w, expected = AdExNeuron(1), -70.0, 0.0, []
    for _ in range(40):
        v, w = v + 0.1 * (-v + np.exp(v + 50) - w), w + 0.001 * (v - w)
        expected.append(v >= -50)
        v, w = (-70.0, w + 10) if expected[-1] else (v, w)
    spikes = [bool(neuron(0.0)[0]) for _ in range(40)]
    assert spikes == expected
    assert sum(spikes) > 2


def multi_layer_step(brainstate, surrogate, optim):
    """One training step of block 13: loss, gradients, and how far the weights moved."""

    class SpikingMLP(brainstate.nn.Module):
        def __init__(self, layers):
            super().__init__()
            self.layers = [brainstate.nn.Linear(layers[i], layers[i + 1]) for i in range(len(layers) - 1)]
            self.v = [brainstate.State(jnp.zeros(size)) for size in layers[1:]]
            self.spike_fn = surrogate

        def __call__(self, x, steps=10):
            for v in self.v:
                v.value = jnp.zeros_like(v.value)
            outputs = []
            for _ in range(steps):
                h = x
                for linear, v in zip(self.layers, self.v, strict=True):
                    v.value = 0.9 * v.value + linear(h)
                    h = self.spike_fn(v.value - 1.0)
                    v.value = jnp.where(h > 0, 0.0, v.value)
                outputs.append(h)
            return jnp.mean(jnp.stack(outputs), axis=0)

    brainstate.random.seed(0)
    model = SpikingMLP([784, 256, 128, 10])
    weights = model.states(brainstate.ParamState)
    optimizer = optim.Adam(lr=1e-3)
    optimizer.register_trainable_weights(weights)

    def loss_fn(x, target):
        return jnp.mean((model(x) - target) ** 2)

    grad = brainstate.transform.grad(loss_fn, weights, return_value=True)
    gradients, loss = grad(jnp.ones(784), jnp.zeros(10))
    before = jax.tree.leaves([w.value for w in weights.values()])
    optimizer.update(gradients)
    after = jax.tree.leaves([w.value for w in weights.values()])
    return float(loss), jax.tree.leaves(gradients), [b - a for a, b in zip(before, after, strict=True)]


def test_block_13_a_training_step_of_three_layers_has_upstreams_loss_and_gradients(brainstate, braintools):
    loss, gradients, moves = multi_layer_step(brainstate, Sigmoid(alpha=4.0), braintools.optim)
    their_loss, their_gradients, _ = multi_layer_step(
        brainstate, braintools.surrogate.Sigmoid(alpha=4.0), braintools.optim
    )
    assert loss == their_loss > 0
    assert len(gradients) == 6
    for ours, theirs, move in zip(gradients, their_gradients, moves, strict=True):
        # A path leads through 3 layers and 10 steps; in each, upstream's s·(1 - s) is off by a rounding of 1, times 4.
        np.testing.assert_allclose(ours, theirs, atol=30 * 4 * EPS * np.abs(theirs).max())
        # The first step of Adam is against the sign of the gradient, by the learning rate.
        large = np.abs(ours) > 1e-4
        assert large.any()
        np.testing.assert_allclose(move[large], -1e-3 * np.sign(ours[large]), rtol=1e-3)
