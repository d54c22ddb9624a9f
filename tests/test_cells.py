"""Cells of leaky membranes follow their closed forms, and their derivatives the chain rule."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import CLOSED_FORM, agrees
from surgrad.nn._cells import ALIF, LIF, CuBaLIF, LeakyIntegrator

pytestmark = pytest.mark.versions

TAU, THRESHOLD, CURRENT, STEPS = 10.0, 0.8, 0.2, 60
BETA = math.exp(-1 / TAU)
LIMIT = CURRENT / (1 - BETA)  # of the voltage under a constant current
SPIKE = surgrad.Sigmoid(3.0)
FULL_PRECISION = 1e-13  # 60 steps of a few roundings of 1e-16 each


@jax.jit
def run(cell, inputs):
    """The states after every step, from rest, and the outputs."""

    def step(state, now):
        state, output = cell(state, now)
        return state, (state, output)

    return jax.lax.scan(step, cell.init(inputs.shape[1:], inputs.dtype), inputs)[1]


def constant(current=CURRENT, steps=STEPS, shape=(1,)):
    return jnp.full((steps, *shape), current)


def charged(steps, start=0.0):
    """The voltage after `steps` steps of a constant current from a start."""
    return LIMIT + (start - LIMIT) * BETA ** np.asarray(steps)


def steps_to_threshold(start):
    return math.ceil(math.log((LIMIT - THRESHOLD) / (LIMIT - start)) / math.log(BETA))


def closed_form_spikes(reset, refractory=0):
    """Steps of spikes, and the voltage after the reset of each step."""
    times, voltages, start = [], [], 0.0
    while len(voltages) < STEPS:
        voltages += list(charged(np.arange(1, steps_to_threshold(start) + 1), start))
        times.append(len(voltages) - 1)
        start = voltages[-1] - THRESHOLD if reset == "subtract" else 0.0
        voltages[-1:] = [start] * (1 + refractory)
    return [t for t in times if t < STEPS], np.array(voltages[:STEPS])


def slope(voltage, threshold=THRESHOLD):
    """The derivative of a spike by the voltage."""
    z = 3.0 * (voltage - threshold) / THRESHOLD
    return 3.0 / (1 + math.exp(-z)) / (1 + math.exp(z)) / THRESHOLD


@pytest.mark.usefixtures("x64")
class TestMembranes:
    def test_an_integrator_charges_exponentially(self):
        tau = np.array([2.0, 10.0, 50.0])
        states, voltages = run(LeakyIntegrator(tau), constant(shape=(4, 3)))
        beta, n = np.exp(-1 / tau), np.arange(1, STEPS + 1)[:, None, None]
        expected = np.broadcast_to(CURRENT * (1 - beta**n) / (1 - beta), (STEPS, 4, 3))
        agrees(voltages, expected, of=LeakyIntegrator, reference=CLOSED_FORM, rtol=FULL_PRECISION)
        np.testing.assert_array_equal(states.v, voltages)

    @pytest.mark.parametrize("refractory", [0, 1, 4])
    @pytest.mark.parametrize("reset", ["subtract", "zero"])
    def test_spikes_under_a_constant_current_come_when_the_closed_form_says(self, reset, refractory):
        states, spikes = run(LIF(SPIKE, TAU, THRESHOLD, reset=reset, refractory=refractory), constant())
        times, expected = closed_form_spikes(reset, refractory)
        assert len(times) > 5
        np.testing.assert_array_equal(np.flatnonzero(spikes), times)
        agrees(states.v[:, 0], expected, of=LIF, reference=CLOSED_FORM, rtol=FULL_PRECISION, atol=FULL_PRECISION)

    def test_a_current_whose_limit_is_below_the_threshold_never_spikes(self):
        assert run(LIF(SPIKE, TAU, LIMIT * 1.001), constant(steps=300))[1].sum() == 0

    def test_a_soft_reset_without_leak_loses_no_charge(self):
        currents = np.random.default_rng(0).uniform(size=(200, 5))
        states, spikes = run(LIF(SPIKE, math.inf, THRESHOLD), currents)
        assert spikes.sum() > 500
        charge = states.v[-1] + THRESHOLD * spikes.sum(0)
        agrees(charge, currents.sum(0), of=LIF, reference="conservation of charge", rtol=1e-13)

    def test_a_synapse_turns_a_pulse_into_a_difference_of_exponentials(self):
        tau_syn = np.array([2.0, 5.0, 50.0])
        states, _ = run(CuBaLIF(SPIKE, TAU, 100.0, tau_syn), constant(shape=(3,)).at[1:].set(0))
        alpha, n = np.exp(-1 / tau_syn), np.arange(STEPS)[:, None]
        np.testing.assert_allclose(states.current, CURRENT * alpha**n, rtol=FULL_PRECISION)
        expected = CURRENT * (alpha ** (n + 1) - BETA ** (n + 1)) / (alpha - BETA)
        agrees(
            states.v, expected, of=CuBaLIF, reference=CLOSED_FORM, rtol=1e2 * FULL_PRECISION
        )  # the difference cancels

    def test_a_synapse_as_slow_as_the_membrane_gives_an_alpha_function(self):
        states, _ = run(CuBaLIF(SPIKE, TAU, 100.0, TAU), constant(1.0).at[1:].set(0))
        n = np.arange(STEPS)
        agrees(states.v[:, 0], (n + 1) * BETA**n, of=CuBaLIF, reference=CLOSED_FORM, rtol=FULL_PRECISION)

    def test_a_constant_input_through_a_synapse_is_a_sum_of_two_geometric_series(self):
        alpha, n = math.exp(-1 / 5), np.arange(STEPS)
        through = (1 - BETA ** (n + 1)) / (1 - BETA) - alpha * (alpha ** (n + 1) - BETA ** (n + 1)) / (alpha - BETA)
        expected = CURRENT / (1 - alpha) * through
        states, spikes = run(CuBaLIF(SPIKE, TAU, np.array([1e3, 2.0])), constant(shape=(2,)))
        np.testing.assert_allclose(states.v[:, 0], expected, rtol=1e2 * FULL_PRECISION)
        assert np.flatnonzero(spikes[:, 1])[0] == np.flatnonzero(expected >= 2.0)[0] > 0

    @pytest.mark.parametrize("refractory", [0, 3])
    def test_a_synaptic_current_flows_on_through_spikes_and_refractory_periods(self, refractory):
        states, spikes = run(CuBaLIF(SPIKE, TAU, THRESHOLD, 5.0, refractory=refractory), constant())
        alpha, n = math.exp(-1 / 5), np.arange(1, STEPS + 1)
        assert spikes.sum() > 5
        np.testing.assert_allclose(states.current[:, 0], CURRENT * (1 - alpha**n) / (1 - alpha), rtol=FULL_PRECISION)

    @pytest.mark.parametrize("refractory", [0, 2])
    def test_an_adapting_threshold_is_met_when_the_closed_form_says(self, refractory):
        beta, rho, steps = 0.3, math.exp(-1 / 30), 150
        times, voltages, adaptations, v, a = [], [], [], 0.0, 0.0
        while len(voltages) < steps:
            k = np.arange(1, steps)
            held = rho**refractory * a if times else a  # decayed in the refractory period
            rise, threshold = charged(k, v), THRESHOLD + beta * held * rho ** (k - 1)
            wait = np.flatnonzero(rise >= threshold)[0] + 1
            v, a = rise[wait - 1] - THRESHOLD, held * rho**wait + 1
            times.append(len(voltages) + wait - 1)
            voltages += [*rise[: wait - 1], *[v] * (1 + refractory)]
            adaptations += [*held * rho ** k[: wait - 1], *(a * rho ** np.arange(1 + refractory))]
        cell = ALIF(SPIKE, TAU, THRESHOLD, 30.0, beta, refractory=refractory)
        states, spikes = run(cell, constant(steps=steps))
        intervals = np.diff(times)
        assert intervals[-1] > intervals[0]
        np.testing.assert_array_equal(np.flatnonzero(spikes), [t for t in times if t < steps])
        agrees(states.v[:, 0], voltages[:steps], of=ALIF, reference=CLOSED_FORM, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(states.adaptation[:, 0], adaptations[:steps], rtol=1e-12)


@pytest.mark.usefixtures("x64")
class TestDerivatives:
    @pytest.mark.parametrize("detached", [False, True])
    @pytest.mark.parametrize("reset", ["subtract", "zero"])
    @pytest.mark.parametrize("first", [0.5, 1.1], ids=["no spike", "spike"])
    def test_through_a_reset_is_that_of_the_chain_rule(self, first, reset, detached):
        cell = LIF(SPIKE, TAU, THRESHOLD, reset=reset, detach_reset=detached)
        gradient = jax.grad(lambda current: run(cell, jnp.array([current, 0.3]))[1][1])(first)
        fired, through = float(first >= THRESHOLD), 0.0 if detached else slope(first)
        if reset == "subtract":
            left, kept = first - THRESHOLD * fired, 1 - THRESHOLD * through
        else:
            left, kept = first * (1 - fired), 1 - fired - first * through
        np.testing.assert_allclose(gradient, slope(BETA * left + 0.3) * BETA * kept, rtol=1e-13)

    @pytest.mark.parametrize("detached", [False, True])
    def test_through_an_adapting_threshold_is_that_of_the_chain_rule(self, detached):
        def second_spike(current, beta):
            cell = ALIF(SPIKE, TAU, THRESHOLD, 30.0, beta, detach_reset=detached)
            return run(cell, jnp.array([current, 1.0]))[1][1]

        by_current, by_beta = jax.grad(second_spike, (0, 1))(1.1, 0.2)
        at_second = slope(BETA * (1.1 - THRESHOLD) + 1.0, THRESHOLD + 0.2)
        through_reset = 0.0 if detached else THRESHOLD * slope(1.1)
        np.testing.assert_allclose(by_current, at_second * (BETA * (1 - through_reset) - 0.2 * slope(1.1)), rtol=1e-13)
        np.testing.assert_allclose(by_beta, -at_second, rtol=1e-13)

    def test_by_a_time_constant_through_a_spike_is_that_of_the_chain_rule(self):
        currents = jnp.array([0.5, 0.6, 0.4])
        gradient = jax.grad(lambda tau: run(LIF(SPIKE, tau, THRESHOLD), currents)[1][2])(TAU)
        second = BETA * 0.5 + 0.6  # spikes
        by_beta = (second - THRESHOLD) + BETA * 0.5 * (1 - THRESHOLD * slope(second))
        third = BETA * (second - THRESHOLD) + 0.4
        np.testing.assert_allclose(gradient, slope(third) * by_beta * BETA / TAU**2, rtol=1e-13)

    def test_by_the_time_constant_of_an_adaptation_is_that_of_the_chain_rule(self):
        def third_spike(tau):
            return run(ALIF(SPIKE, TAU, THRESHOLD, tau, 0.2), jnp.array([1.1, 0.1, 0.5]))[1][2]

        rho, voltage = math.exp(-1 / 30), BETA * (BETA * (1.1 - THRESHOLD) + 0.1) + 0.5
        expected = -0.2 * rho / 30**2 * slope(voltage, THRESHOLD + 0.2 * rho)
        np.testing.assert_allclose(jax.grad(third_spike)(30.0), expected, rtol=1e-13)

    @pytest.mark.parametrize(
        ("kind", "name"),
        [(LeakyIntegrator, "tau"), (LIF, "tau"), (CuBaLIF, "tau"), (CuBaLIF, "tau_syn"), (ALIF, "tau")],
    )
    def test_by_a_time_constant_without_spikes_is_that_of_finite_differences(self, kind, name):
        cell = kind() if kind is LeakyIntegrator else kind(SPIKE, detach_reset=True)
        currents = np.random.default_rng(1).uniform(0, 0.02, (20, 1)) * np.ones(3)

        @jax.jit
        @functools.partial(jax.grad, has_aux=True)
        def slopes(tau):
            last = run(cell.replace(**{name: tau}), currents)[0].v[-1]
            return last.sum(), last

        h = 1e-4  # central differences: h² from the third derivative, 1e-16/h from rounding
        slopes, last = slopes(np.array([8.0 - h, 8.0, 8.0 + h]))
        np.testing.assert_allclose(slopes[1], (last[2] - last[0]) / (2 * h), rtol=1e-8)

    def test_by_an_input_in_the_refractory_period_is_zero(self):
        cell = LIF(SPIKE, TAU, THRESHOLD, refractory=2)
        currents = jnp.array([1.1, 0.9, jnp.nan, 0.3])
        spikes, pull = jax.vjp(lambda currents: run(cell, currents)[1], currents)
        np.testing.assert_array_equal(spikes, [1, 0, 0, 0])
        last = slope(BETA * (1.1 - THRESHOLD) + 0.3)
        expected = [slope(1.1) + last * BETA * (1 - THRESHOLD * slope(1.1)), 0, 0, last]
        np.testing.assert_allclose(pull(jnp.ones(4))[0], expected, rtol=1e-13)


@pytest.mark.parametrize("kind", surgrad.catalogue().values(), ids=surgrad.catalogue().keys())
def test_any_surrogate_sees_the_relative_distance_to_the_threshold(kind):
    cell, currents = LIF(kind(), TAU, THRESHOLD), np.array([0.2, 0.79, 0.81, 2.0], np.float32)

    @jax.jit
    def spikes_and_slopes(currents):
        spikes, pull = jax.vjp(lambda current: cell(cell.init((4,)), current)[1], currents)
        return spikes, pull(jnp.ones(4))[0], cell.surrogate.surrogate_grad((currents - THRESHOLD) / THRESHOLD)

    spikes, by_current, slopes = spikes_and_slopes(currents)
    np.testing.assert_array_equal(spikes, [0, 0, 1, 1])
    np.testing.assert_allclose(by_current, slopes / THRESHOLD, rtol=1e-6)


@pytest.mark.parametrize("kind", [LIF, CuBaLIF, ALIF])
def test_any_comparison_can_be_the_spike(kind):
    currents = constant()
    plain, spikes = run(kind(lambda x: x >= 0, TAU, THRESHOLD), currents), run(kind(SPIKE, TAU, THRESHOLD), currents)
    assert spikes[1].sum() > 3
    jax.tree.map(np.testing.assert_array_equal, plain, spikes)


def test_a_smoothed_spike_starts_the_refractory_period_from_one_half_on():
    cell = LIF(SPIKE.smooth(), TAU, THRESHOLD, refractory=3)
    state, spikes = cell(cell.init((2,)), jnp.array([0.79, 0.81]))
    np.testing.assert_array_equal(state.refractory, [0, 3])
    assert 0.4 < spikes[0] < 0.5 < spikes[1] < 0.6


def test_a_cell_is_a_tree_of_its_numbers_and_those_of_its_surrogate():
    assert jax.tree.leaves(LIF(surgrad.Sigmoid(3.0), 5.0, 0.5, refractory=2)) == [3.0, 5.0, 0.5]
