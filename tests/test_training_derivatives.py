"""Derivatives of trained weights by alpha: central differences, both modes, and loops of both kinds.

A recurrent spiking network is trained for 20 steps. Spikes are piecewise constant in alpha: where the spike trains are
the same, the weights after training are smooth in alpha, and differences tell the truth about them.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from marks import parameters

pytestmark = pytest.mark.versions

INPUTS, HIDDEN, OUTPUTS, TIME, BATCH = 4, 6, 2, 12, 4
AFTER = (1, 5, 20)
"""Numbers of training steps after which derivatives are compared."""
SHAPES = (INPUTS, HIDDEN), (HIDDEN, HIDDEN), (HIDDEN, OUTPUTS)
SIZES = [int(np.prod(shape)) for shape in SHAPES]
RANDOM = np.random.default_rng(1)
MEAN, DEVIATION = np.repeat([[0.4, 0.0, 0.0], [0.4, 0.8, 0.3]], SIZES, axis=1)
WEIGHTS = MEAN + DEVIATION * RANDOM.normal(size=sum(SIZES))
CURRENTS = RANDOM.random((TIME, BATCH, INPUTS))
TARGETS = RANDOM.normal(size=(BATCH, OUTPUTS))
PROJECTION = RANDOM.normal(size=WEIGHTS.size)
ALPHA = 4.0
STEP = 1e-5
"""Derivatives grow 10⁴ times in training. Rounding by 10⁻¹⁶ then weighs 10⁻¹²/STEP = 10⁻⁷, and the third derivative may
be 10⁶ times the first before STEP²/6 of it weighs 10⁻⁴: in between lie three powers of ten."""


def surrogate_of(alpha, convention="none", order="exact"):
    return surgrad.Sigmoid(alpha, parameter_tangent=convention, second_order=order)


def loss_and_spikes(weights, surrogate):
    """Squared error of leaky readouts, and the spike trains of a recurrent layer with soft reset."""
    parts = jnp.split(weights, np.cumsum(SIZES)[:-1])
    w_in, w_rec, w_out = (part.reshape(shape) for part, shape in zip(parts, SHAPES, strict=True))

    def tick(state, current):
        voltage, spikes, readout = state
        voltage = 0.85 * voltage + current @ w_in + spikes @ w_rec - spikes
        spikes = surrogate(voltage - 1)
        return (voltage, spikes, 0.7 * readout + spikes @ w_out), spikes

    rest = jnp.zeros((BATCH, HIDDEN)), jnp.zeros((BATCH, HIDDEN)), jnp.zeros((BATCH, OUTPUTS))
    (_, _, readout), spikes = jax.lax.scan(tick, rest, CURRENTS)
    return jnp.mean((readout - TARGETS) ** 2), spikes


def sgd(state, gradient):
    weights, *rest = state
    return (weights - 0.1 * gradient, *rest)


def adam(state, gradient, rate=0.02, b1=0.9, b2=0.999, eps=0.03):
    """Adam, with sqrt(v + eps²) for sqrt(v) + eps: at v = 0 only the former has a derivative."""
    weights, mean, square, count = state
    mean, square, count = b1 * mean + (1 - b1) * gradient, b2 * square + (1 - b2) * gradient**2, count + 1
    scale = jnp.sqrt(square / (1 - b2**count) + eps**2)
    return weights - rate * mean / (1 - b1**count) / scale, mean, square, count


OPTIMIZERS = {"sgd": sgd, "adam": adam}


def start():
    return jnp.array(WEIGHTS), jnp.zeros_like(WEIGHTS), jnp.zeros_like(WEIGHTS), jnp.zeros(())


def train_step(optimizer, surrogate, state):
    gradient, spikes = jax.grad(loss_and_spikes, has_aux=True)(state[0], surrogate)
    return OPTIMIZERS[optimizer](state, gradient), spikes


def outcome(weights, surrogate):
    """A number of all weights: a fixed random projection and the loss."""
    return PROJECTION @ weights + loss_and_spikes(weights, surrogate)[0]


def scanned(optimizer, surrogate, wrap=lambda step: step):
    """Weights, outcomes and spike trains after each step of training."""

    def step(state, _):
        state, spikes = train_step(optimizer, surrogate, state)
        return state, (state[0], spikes)

    weights, spikes = jax.lax.scan(wrap(step), start(), None, length=max(AFTER))[1]
    return weights, jax.vmap(outcome, (0, None))(weights, surrogate), spikes


@functools.cache
def forward(optimizer, convention="none", order="exact"):
    """`alpha -> (what training gives, its derivatives by alpha)`, in forward mode through a scan of scans."""

    def training(alpha):
        return scanned(optimizer, surrogate_of(alpha, convention, order))

    return jax.jit(lambda alpha: jax.jvp(training, (alpha,), (1.0,)))


def distance(value, truth, after):
    """The relative distance of the derivatives of all weights after so many steps."""
    value, truth = value[after - 1], truth[after - 1]
    return np.linalg.norm(value - truth) / np.linalg.norm(truth)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
class TestTrainedNetwork:
    def test_every_neuron_spikes_and_training_changes_spikes_and_loss(self, x64, optimizer):
        (weights, _, spikes), _ = forward(optimizer)(ALPHA)
        rates = np.mean(spikes, axis=(0, 1, 2))
        assert np.all((rates > 0.05) & (rates < 0.75))
        assert np.any(spikes[0] != spikes[4])
        before, after = (loss_and_spikes(w, surgrad.Sigmoid(ALPHA))[0] for w in (WEIGHTS, weights[-1]))
        assert after < 0.8 * before

    def test_alpha_matters(self, x64, optimizer):
        _, (derivative, _, _) = forward(optimizer)(ALPHA)
        assert np.linalg.norm(derivative[0]) > 1e-3
        assert np.linalg.norm(derivative[19]) > 0.1

    @pytest.mark.parametrize("after", AFTER)
    def test_derivative_of_all_weights_by_alpha_equals_central_differences(self, x64, optimizer, after):
        (above, _, spikes_above), _ = forward(optimizer)(ALPHA + STEP)
        (below, _, spikes_below), _ = forward(optimizer)(ALPHA - STEP)
        assert np.array_equal(spikes_above, spikes_below)
        _, (derivative, _, _) = forward(optimizer)(ALPHA)
        assert distance(derivative, (above - below) / (2 * STEP), after) < 1e-4

    @pytest.mark.parametrize("convention", ["slope", "function"])
    def test_no_convention_does_harm_where_all_layers_are_trained(self, x64, optimizer, convention):
        _, (truth, _, _) = forward(optimizer)(ALPHA)
        _, (derivative, _, _) = forward(optimizer, convention)(ALPHA)
        assert all(distance(derivative, truth, after) < 1e-10 for after in AFTER)


WRAPPED = {"plain": lambda step: step, "checkpoint": jax.checkpoint}


@pytest.mark.parametrize(
    ("optimizer", "wrap"),
    [
        pytest.param("sgd", "plain", marks=pytest.mark.slow),
        pytest.param("sgd", "checkpoint", marks=pytest.mark.slow),
        pytest.param("adam", "plain"),
        pytest.param("adam", "checkpoint", marks=pytest.mark.slow),
    ],
)
def test_reverse_mode_equals_forward_mode(x64, optimizer, wrap):
    @jax.jit
    def reverse(alpha, after):
        return jax.grad(lambda a: scanned(optimizer, surrogate_of(a), WRAPPED[wrap])[1][after - 1])(alpha)

    _, (_, derivative, _) = forward(optimizer)(ALPHA)
    for after in AFTER:
        np.testing.assert_allclose(reverse(ALPHA, after), derivative[after - 1], rtol=1e-10)


@pytest.mark.parametrize("optimizer", parameters(OPTIMIZERS, slow=("sgd",)))
def test_a_python_loop_equals_a_scan(x64, optimizer):
    step, evaluate = jax.jit(train_step, static_argnums=0), jax.jit(outcome)

    def looped(alpha, after):
        state, surrogate = start(), surrogate_of(alpha)
        for _ in range(after):
            state, _ = step(optimizer, surrogate, state)
        return evaluate(state[0], surrogate), state[0]

    _, (by_weight, derivative, _) = forward(optimizer)(ALPHA)
    for after in AFTER:
        _, (by_loop, weights) = jax.jvp(lambda alpha, after=after: looped(alpha, after), (ALPHA,), (1.0,))
        reverse = jax.grad(looped, has_aux=True)(ALPHA, after)[0]
        np.testing.assert_allclose([by_loop, reverse], [derivative[after - 1]] * 2, rtol=1e-10)
        assert np.linalg.norm(weights - by_weight[after - 1]) < 1e-10 * np.linalg.norm(weights)


@pytest.mark.parametrize(("convention", "factors"), [("none", (2, 1000)), ("function", (4, 2000))])
def test_taking_spikes_for_curves_is_off_by_factors_that_explode(x64, convention, factors):
    """Plain gradient descent: 3.1 and 6.3 times the derivative itself after 5 steps, 4,200 and 10,000 after 20."""
    _, (truth, _, _) = forward("sgd")(ALPHA)
    _, (derivative, _, _) = forward("sgd", convention, "surrogate")(ALPHA)
    assert distance(derivative, truth, 5) > factors[0]
    assert distance(derivative, truth, 20) > factors[1]


@pytest.mark.parametrize("convention", ["slope", "function", "none"])
def test_only_none_is_right_below_the_layers_that_are_trained(x64, convention):
    """The gradient of a readout holds the spikes of a frozen layer, which alpha does not change. The inner derivative
    does not pass through them, so that the outer one meets them as spikes, with a tangent by alpha."""

    def loss(readout, alpha):
        spikes = surrogate_of(alpha, convention)(CURRENTS - 0.5)
        return jnp.mean((jnp.mean(spikes @ readout, 0) - TARGETS) ** 2)

    readout = jnp.ones((INPUTS, OUTPUTS))
    derivative = jax.jit(jax.jacfwd(lambda alpha: jax.grad(loss)(readout, alpha)))(ALPHA)
    assert np.any(derivative != 0) == (convention != "none")


def test_a_spike_that_training_does_not_touch_is_why_outer_derivatives_want_the_convention_none(x64):
    """The first spike depends on no weight, so the inner gradient leaves the convention's tangent to the outer one."""

    def loss(w, alpha, convention):
        return (w * surgrad.Sigmoid(alpha, parameter_tangent=convention)(jnp.array(0.3))) ** 2

    def by_alpha(convention):
        return jax.jacfwd(lambda alpha: jax.grad(loss)(2.0, alpha, convention))(3.0)

    # The inner gradient is 2 w H: differences by alpha are exactly zero, since a spike does not depend on it.
    assert jax.grad(loss)(2.0, 3.0 + 1e-3, "slope") == jax.grad(loss)(2.0, 3.0 - 1e-3, "slope") == 4.0
    assert by_alpha("none") == 0.0
    assert by_alpha("slope") != 0.0
    assert by_alpha("function") != 0.0
