"""Cells follow their closed forms; shapes that do not fit are refused in words."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad.nn import LI, LIF, Dense, Feedforward, unroll

TAU, THRESHOLD, CURRENT, STEPS = 10.0, 0.8, 0.2, 60
BETA = math.exp(-1 / TAU)
LIMIT = CURRENT / (1 - BETA)  # of the voltage under a constant current
SPIKE = surgrad.Sigmoid(3.0)
FULL_PRECISION = 1e-13  # 60 steps of a few roundings of 1e-16 each


def constant(current=CURRENT, steps=STEPS, shape=(1,)):
    return jnp.full((steps, *shape), current)


def charged(steps, start=0.0):
    """The voltage after `steps` steps of a constant current from a start."""
    return LIMIT + (start - LIMIT) * BETA ** np.asarray(steps)


def steps_to_threshold(start):
    return math.ceil(math.log((LIMIT - THRESHOLD) / (LIMIT - start)) / math.log(BETA))


def closed_form_spikes(reset):
    """Steps of spikes, and the voltage after the reset of each step."""
    times, voltages, start, begin = [], [], 0.0, 0
    while begin < STEPS:
        wait = steps_to_threshold(start)
        voltages += list(charged(np.arange(1, wait + 1), start))
        start = voltages[-1] - THRESHOLD if reset == "subtract" else 0.0
        voltages[-1] = start
        begin += wait
        times.append(begin - 1)
    return [t for t in times if t < STEPS], np.array(voltages[:STEPS])


@pytest.mark.usefixtures("x64")
class TestMembranes:
    def test_an_integrator_charges_exponentially(self):
        tau = np.array([2.0, 10.0, 50.0])
        cell = LI(tau)
        last, voltages = unroll(cell, cell.init((4, 3)), constant(shape=(4, 3)))
        beta, n = np.exp(-1 / tau), np.arange(1, STEPS + 1)[:, None, None]
        expected = np.broadcast_to(CURRENT * (1 - beta**n) / (1 - beta), (STEPS, 4, 3))
        np.testing.assert_allclose(voltages, expected, rtol=FULL_PRECISION)
        np.testing.assert_array_equal(last, voltages[-1])

    @pytest.mark.parametrize("reset", ["subtract", "zero"])
    def test_spikes_under_a_constant_current_come_when_the_closed_form_says(self, reset):
        cell = LIF(SPIKE, TAU, THRESHOLD, reset=reset)

        def traced(voltage, current):
            voltage, spikes = cell(voltage, current)
            return voltage, (voltage, spikes)

        _, (voltages, spikes) = unroll(traced, cell.init((1,)), constant())
        times, expected = closed_form_spikes(reset)
        assert len(times) > 5
        np.testing.assert_array_equal(np.flatnonzero(spikes), times)
        np.testing.assert_allclose(voltages[:, 0], expected, rtol=FULL_PRECISION, atol=FULL_PRECISION)

    def test_a_current_whose_limit_is_below_the_threshold_never_spikes(self):
        cell = LIF(SPIKE, TAU, threshold=LIMIT * 1.001)
        assert unroll(cell, cell.init((1,)), constant(steps=300))[1].sum() == 0

    def test_a_soft_reset_without_leak_loses_no_charge(self):
        currents = jax.random.uniform(jax.random.key(0), (200, 5))
        cell = LIF(SPIKE, math.inf, THRESHOLD)
        voltage, spikes = unroll(cell, cell.init((5,)), currents)
        assert spikes.sum() > 500
        np.testing.assert_allclose(voltage + THRESHOLD * spikes.sum(0), currents.sum(0), rtol=1e-13)

    @pytest.mark.parametrize("detached", [False, True])
    @pytest.mark.parametrize("reset", ["subtract", "zero"])
    @pytest.mark.parametrize("first", [0.5, 1.1], ids=["no spike", "spike"])
    def test_the_gradient_through_a_reset_is_that_of_the_chain_rule(self, first, reset, detached):
        cell = LIF(SPIKE, TAU, THRESHOLD, reset=reset, reset_detached=detached)

        def second_spike(current):
            return unroll(cell, cell.init(()), jnp.array([current, 0.3]))[1][1]

        def slope(voltage):
            z = 3.0 * (voltage - THRESHOLD) / THRESHOLD
            return 3.0 / (1 + math.exp(-z)) / (1 + math.exp(z)) / THRESHOLD

        fired = float(first >= THRESHOLD)
        through = 0.0 if detached else slope(first)
        if reset == "subtract":
            left, kept = first - THRESHOLD * fired, 1 - THRESHOLD * through
        else:
            left, kept = first * (1 - fired), 1 - fired - first * through
        expected = slope(BETA * left + 0.3) * BETA * kept
        np.testing.assert_allclose(jax.grad(second_spike)(first), expected, rtol=1e-13)

    def test_time_constants_are_leaves_and_can_be_mapped_over(self):
        tau = jnp.array([3.0, 30.0])
        last = jax.vmap(lambda t: unroll(LI(t), jnp.zeros(1), constant())[0])(tau)[:, 0]
        beta = np.exp(-1 / np.asarray(tau))
        np.testing.assert_allclose(last, CURRENT * (1 - beta**STEPS) / (1 - beta), rtol=FULL_PRECISION)


@pytest.mark.parametrize("kind", surgrad.catalogue().values(), ids=surgrad.catalogue().keys())
def test_any_surrogate_sees_the_relative_distance_to_the_threshold(kind):
    cell, currents = LIF(kind(), TAU, THRESHOLD), jnp.array([0.2, 0.79, 0.81, 2.0])
    spikes, pull = jax.vjp(lambda current: cell(cell.init((4,)), current)[1], currents)
    np.testing.assert_array_equal(spikes, [0, 0, 1, 1])
    x = (currents - THRESHOLD) / THRESHOLD
    np.testing.assert_allclose(pull(jnp.ones(4))[0], kind().surrogate_grad(x) / THRESHOLD, rtol=1e-6)


def test_a_cell_is_a_tree_of_its_numbers_and_those_of_its_surrogate():
    assert jax.tree.leaves(LIF(surgrad.Sigmoid(3.0), 5.0, 0.5)) == [3.0, 5.0, 0.5]


def test_any_function_with_a_state_can_be_unrolled():
    x = jnp.arange(6.0).reshape(3, 2)
    last, sums = unroll(lambda s, x: (s + x["a"], s + x["a"]), jnp.zeros(2), {"a": x})
    np.testing.assert_array_equal(sums, np.cumsum(x, axis=0))
    np.testing.assert_array_equal(last, sums[-1])


def test_dense_sums_along_the_last_axis_of_any_shape():
    weights, bias, x = np.arange(6.0).reshape(2, 3), np.ones(3), np.arange(16.0).reshape(4, 2, 2)
    np.testing.assert_allclose(Dense(weights, bias)(jnp.asarray(x)), np.einsum("...i,ij->...j", x, weights) + bias)


def test_random_weights_have_the_deviation_that_was_asked_for():
    layer = Dense.random(jax.random.key(1), 64, 512, gain=3.0)
    count = layer.weights.size
    assert abs(float(layer.weights.std()) / (3.0 / 8.0) - 1) < 5 / math.sqrt(2 * count)  # five standard errors
    assert abs(float(layer.weights.mean())) < 5 * (3.0 / 8.0) / math.sqrt(count)
    assert not layer.bias.any()


def test_the_outputs_of_a_cell_are_the_inputs_of_the_next_layer():
    double = Dense(2 * jnp.eye(2), jnp.zeros(2))
    network = Feedforward((double, double), (LI(math.inf), LI(math.inf)))
    first, second = network(jnp.ones((3, 1, 2)))
    np.testing.assert_array_equal(first[:, 0, 0], [2, 4, 6])  # running sums, twice
    np.testing.assert_array_equal(second[:, 0, 0], [4, 12, 24])


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: LIF(SPIKE, tau=0.0), r"LIF: tau must be > 0, got 0\.0"),
        (lambda: LI(np.array([1.0, math.nan])), r"LI: tau must be > 0"),
        (lambda: LIF(SPIKE, threshold=-1), r"LIF: threshold must be > 0, got -1\.0"),
        (lambda: LIF(SPIKE, reset="soft"), r"'subtract', 'zero', got 'soft'"),
        (lambda: LIF(SPIKE)(jnp.zeros((2, 3)), jnp.zeros((2, 4))), r"\(2, 4\) and the state \(2, 3\)"),
        (lambda: LI(jnp.ones(4))(jnp.zeros((2, 3)), jnp.zeros((2, 3))), r"tau of shape \(4,\) does not broadcast"),
        (lambda: LIF(SPIKE, threshold=jnp.ones((2, 3)))(jnp.zeros(3), jnp.zeros(3)), r"threshold of shape \(2, 3\)"),
        (lambda: unroll(LI(), 0.0, 1.0), r"leading axis of time, got \(\)"),
        (lambda: unroll(LI(), 0.0, {"a": jnp.zeros(2), "b": jnp.zeros(3)}), r"time, got \(2,\), \(3,\)"),
        (lambda: unroll(LI(), 0.0, None), r"time, got nothing"),
        (lambda: Dense(jnp.zeros((2, 3)), jnp.zeros(2)), r"got shapes \(2, 3\) and \(2,\)"),
        (lambda: Dense(jnp.zeros((2, 3)), jnp.zeros(3))(jnp.zeros((5, 3))), r"must be 2 long, got shape \(5, 3\)"),
        (lambda: Feedforward((), (LI(),)), r"got 0 layers and 1 cells"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
