"""AdEx and Izhikevich's neurons converge to the solution of their equations, and fire as their papers say."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import surgrad
from ledger import package, record
from surgrad.nn._biophysical import AdEx, AdExState, Izhikevich

SPIKE = surgrad.Arctan()
TOLERANCE = 1e-10
TIMES = 0.1
# High resolution needs a peak that the solver can step to: at 20 mV the voltage of AdEx doubles within 10⁻¹⁵ ms.
CELLS = {"AdEx": AdEx(SPIKE, v_peak=-30.0), "Izhikevich": Izhikevich(SPIKE)}
# Below the current that makes them spike, and well above it.
QUIET = {"AdEx": 500.0, "Izhikevich": 2.0}
BUSY = {"AdEx": 1000.0, "Izhikevich": 10.0}


def slopes(cell, current):
    """The right-hand side of a cell's differential equations, and what a spike does to their solution."""
    if isinstance(cell, Izhikevich):
        field = lambda t, y: (0.04 * y[0] ** 2 + 5 * y[0] + 140 - y[1] + current, cell.a * (cell.b * y[0] - y[1]))
        return field, lambda y: (cell.c, y[1] + cell.d)

    def field(t, y):
        v, w = y
        upstroke = cell.g_leak * cell.slope_factor * np.exp((v - cell.v_threshold) / cell.slope_factor)
        into = current + upstroke - cell.g_leak * (v - cell.e_leak) - w
        return into / cell.capacitance, (cell.a * (v - cell.e_leak) - w) / cell.tau_w

    return field, lambda y: (cell.v_reset, y[1] + cell.b)


@functools.cache
def solution(kind, current, duration):
    """Times of the spikes, and the state at the end, by an integrator of eighth order."""
    cell = CELLS[kind]
    field, fallen = slopes(cell, current)
    peak = lambda t, y: y[0] - cell.v_peak
    peak.terminal = True
    now, times, state = 0.0, [], tuple(float(part) for part in cell.init(()))
    while now < duration:
        solved = solve_ivp(field, (now, duration), state, method="DOP853", rtol=TOLERANCE, atol=TOLERANCE, events=peak)
        now, state = solved.t[-1], solved.y[:, -1]
        if solved.status == 1:
            times.append(now)
            state = fallen(state)
    return np.array(times), np.array(state)


@jax.jit
def simulated(cell, current, duration):
    """Times of the spikes, NaN after the last, and the state at the end."""

    def step(i, carry):
        state, times, count = carry
        state, spike = cell(state, current)
        times = times.at[count].set(jnp.where(spike > 0, (i + 1) * cell.dt, jnp.nan))
        return state, times, count + spike.astype(int)

    steps = jnp.round(duration / cell.dt).astype(int)
    start = cell.init(()), jnp.full(200, jnp.nan), 0
    state, times, _ = jax.lax.fori_loop(0, steps, step, start)
    return times, jnp.stack(state)


def spike_times(cell, current, duration):
    times = np.asarray(simulated(cell, current, duration)[0])
    return times[np.isfinite(times)]


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("kind", CELLS)
class TestConvergence:
    def test_without_spikes_the_error_halves_with_the_step(self, kind):
        expected = solution(kind, QUIET[kind], 30.0)[1]
        errors = [simulated(CELLS[kind].replace(dt=dt), QUIET[kind], 30.0)[1] - expected for dt in (0.04, 0.02, 0.01)]
        # The next order of the error leaves the ratio of a step h within O(h) of 2.
        np.testing.assert_allclose(errors[0] / errors[1], 2, atol=0.04)
        np.testing.assert_allclose(errors[1] / errors[2], 2, atol=0.02)

    def test_the_error_of_spike_times_falls_in_proportion_to_the_step(self, kind):
        expected = solution(kind, BUSY[kind], 150.0)[0]
        steps = 0.1 / 2 ** np.arange(6)
        found = [spike_times(CELLS[kind].replace(dt=dt), BUSY[kind], 150.0) for dt in steps]
        errors = [np.abs(times - expected).max() for times in found]
        order = np.polyfit(np.log(steps), np.log(errors), 1)[0]
        assert len(expected) > 3
        assert 0.85 < order < 1.15  # a spike time is a whole number of steps, off by up to one
        # The first spike of a current is off by the error of the voltage, a few steps; the later ones add up.
        reference = f"{package('scipy')}, solve_ivp of order 8"
        record(
            CELLS[kind], reference, errors[-1], TIMES, f"ms off, of a spike after up to 150 ms, dt = {steps[-1]:g} ms"
        )


@pytest.mark.usefixtures("x64")
class TestFixedPoints:
    def test_without_adaptation_a_current_above_the_rheobase_of_the_exponential_neuron_makes_it_spike(self):
        cell = AdEx(SPIKE, a=0.0, b=0.0)
        rheobase = cell.g_leak * (cell.v_threshold - cell.e_leak - cell.slope_factor)  # where the rest disappears
        assert len(spike_times(cell, 0.99 * rheobase, 2000.0)) == 0
        assert len(spike_times(cell, 1.01 * rheobase, 2000.0)) > 3

    def test_a_neuron_of_izhikevich_without_a_fixed_point_keeps_spiking(self):
        cell = Izhikevich(SPIKE)
        gone = (5 - cell.b) ** 2 / 0.16 - 140  # 4, where v' = u' = 0 has no solution
        assert len(spike_times(cell, 0.9 * gone, 2000.0)) <= 1  # the onset of the current may make it spike once
        assert spike_times(cell, 1.05 * gone, 2000.0)[-1] > 1500

    def test_both_stay_at_rest(self):
        for cell, drift in ((AdEx(SPIKE), 1e-3), (Izhikevich(SPIKE, b=np.array([0.2, 0.25, 0.26])), 1e-10)):
            state = cell.init((3,))
            after, spikes = cell(state, jnp.zeros(3))
            np.testing.assert_allclose(after.v, state.v, atol=drift)
            np.testing.assert_allclose(after.recovery, state.recovery, atol=drift)
        assert np.isfinite(Izhikevich(SPIKE, b=0.3).init((2,)).v).all()


# Naud et al. (2008), Firing patterns in the adaptive exponential integrate-and-fire model: C, g_L, E_L, V_T, Δ_T,
# τ_w, a, b, V_r, and the current; as P. Müller adjusted them to the figures.
ADEX = {
    "tonic": ((200, 10, -70, -50, 2, 30, 2, 0, -58), 500),
    "adapting": ((200, 12, -70, -50, 2, 300, 2, 60, -58), 500),
    "initial burst": ((130, 18, -58, -50, 2, 150, 4, 120, -50), 400),
    "regular bursting": ((200, 10, -58, -50, 2, 120, 2, 100, -46), 210),
    "delayed accelerating": ((200, 12, -70, -50, 2, 300, -10, 0, -58), 300),
    "transient": ((100, 10, -65, -50, 2, 90, 10, 100, -47), 180),
}
# Izhikevich (2003), Simple model of spiking neurons, figure 2: a, b, c, d; the current is 10.
IZHIKEVICH = {
    "regular spiking": (0.02, 0.2, -65, 8),
    "intrinsically bursting": (0.02, 0.2, -55, 4),
    "chattering": (0.02, 0.2, -50, 2),
    "fast spiking": (0.1, 0.2, -65, 2),
}


def pattern(name):
    """Times of the spikes of a pattern, ms, and the intervals between them."""
    if name in ADEX:
        parameters, current = ADEX[name]
        cell, duration = AdEx(SPIKE, *map(float, parameters), v_peak=0.0, dt=0.02), 600.0
    else:
        cell, current, duration = Izhikevich(SPIKE, *map(float, IZHIKEVICH[name]), dt=0.05), 10.0, 500.0
    times = spike_times(cell, float(current), duration)
    return times, np.diff(times)


def alike(intervals):
    return np.ptp(intervals) < 0.03 * intervals.mean()


def bursts(intervals, pause):
    """Spikes of every burst that ends, where a burst is what no pause interrupts."""
    return np.diff([-1, *np.flatnonzero(intervals > pause)])


@pytest.mark.usefixtures("x64")
class TestPatternsOfThePapers:
    def test_a_tonic_neuron_spikes_at_one_rate(self):
        intervals = pattern("tonic")[1]
        assert len(intervals) > 50 and alike(intervals[8:])

    def test_an_adapting_neuron_slows_down_to_one_rate(self):
        intervals = pattern("adapting")[1]
        assert (np.diff(intervals[:7]) > 0).all() and intervals[-1] > 4 * intervals[0] and alike(intervals[-4:])

    def test_a_neuron_of_an_initial_burst_bursts_once(self):
        intervals = pattern("initial burst")[1]
        assert (intervals[:2] < 10).all() and (intervals[2:] > 50).all() and alike(intervals[4:])

    def test_a_regularly_bursting_neuron_repeats_its_burst(self):
        intervals = pattern("regular bursting")[1]
        assert bursts(intervals, 50.0).tolist() == [3, 2, 2, 2] and alike(intervals[intervals > 50])

    def test_a_delayed_neuron_accelerates(self):
        times, intervals = pattern("delayed accelerating")
        assert times[0] > intervals[0] and (np.diff(intervals) < 0.021).all() and intervals[-1] < 0.6 * intervals[0]

    def test_a_transient_neuron_falls_silent_under_a_lasting_current(self):
        times = pattern("transient")[0]
        assert len(times) > 0 and times[-1] < 100

    def test_a_regularly_spiking_neuron_adapts(self):
        intervals = pattern("regular spiking")[1]
        assert intervals[0] < 0.5 * intervals[-1] and alike(intervals[1:])

    def test_an_intrinsically_bursting_neuron_begins_with_a_burst(self):
        intervals = pattern("intrinsically bursting")[1]
        assert (intervals[:2] < 5).all() and (intervals[2:] > 30).all() and alike(intervals[4:])

    def test_a_chattering_neuron_repeats_bursts_of_closely_spaced_spikes(self):
        assert bursts(pattern("chattering")[1], 20.0).tolist() == [8, *[5] * 7]

    def test_a_fast_spiking_neuron_is_faster_than_a_regular_one_and_hardly_adapts(self):
        fast, slow = pattern("fast spiking")[1], pattern("regular spiking")[1]
        assert alike(fast[5:]) and fast.max() < slow.min()


@pytest.mark.usefixtures("x64")
def test_the_cap_of_the_upstroke_changes_no_spike():
    cell = AdEx(SPIKE, dt=0.05)
    field, fallen = slopes(cell, 1000.0)
    state, times = np.array([cell.e_leak, 0.0]), []
    for i in range(4000):
        state = state + cell.dt * np.array(field(0.0, state))
        if state[0] >= cell.v_peak:
            times.append((i + 1) * cell.dt)
            state = np.array(fallen(state))
    assert len(times) > 5
    np.testing.assert_allclose(spike_times(cell, 1000.0, 200.0), times)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16, jnp.float32])
def test_voltages_and_derivatives_are_finite_from_every_voltage_and_in_every_dtype(dtype):
    cell = AdEx(SPIKE)

    @jax.jit
    @jax.vmap
    @jax.value_and_grad
    def after(voltage):
        return cell(AdExState(voltage, jnp.zeros_like(voltage)), jnp.zeros_like(voltage))[0].v

    far = np.logspace(0, 3.3, 50)
    voltages, slopes = after(jnp.asarray([*-far, *np.linspace(-80, 40, 121), *far], dtype))
    assert (voltages < cell.v_peak).all()
    assert jnp.isfinite(voltages).all() and jnp.isfinite(slopes).all()


@pytest.mark.parametrize("detached", [False, True])
def test_a_reset_is_exact_and_its_derivative_that_of_the_chain_rule(detached):
    cell = Izhikevich(SPIKE, v_peak=np.array([30.0, 20.0]), scale=np.array([1.0, 10.0]), detach_reset=detached)
    state = cell.init((2,))._replace(v=jnp.array([29.0, 10.0]))
    (after, spikes), pull = jax.vjp(lambda current: cell(state, current), jnp.zeros(2))
    before = state.v + cell.dt * (0.04 * state.v**2 + 5 * state.v + 140 - state.recovery)
    slope = cell.dt * SPIKE.surrogate_grad((before - cell.v_peak) / cell.scale) / cell.scale
    np.testing.assert_array_equal(spikes, 1)
    np.testing.assert_array_equal(after.v, cell.c)
    for part, expected in (("v", 0 if detached else (cell.c - before) * slope), ("recovery", cell.d * slope)):
        along = jax.tree.map(jnp.zeros_like, after)._replace(**{part: jnp.ones(2)})
        np.testing.assert_allclose(pull((along, jnp.zeros(2)))[0], expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: AdEx(SPIKE, dt=0.0), r"AdEx: dt must be > 0, got 0\.0"),
        (lambda: AdEx(SPIKE, slope_factor=np.array([2.0, -1.0])), r"AdEx: slope_factor must be > 0"),
        (lambda: AdEx(SPIKE, v_peak=-80.0), r"AdEx: v_peak must be above v_reset, -70\.6, got -80\.0"),
        (lambda: Izhikevich(SPIKE, c=np.array([-65.0, 40.0])), r"Izhikevich: v_peak must be above c"),
        (lambda: Izhikevich(SPIKE, scale=0.0), r"Izhikevich: scale must be > 0"),
        (lambda: Izhikevich(SPIKE, b=np.zeros(2)).init((3,)), r"Izhikevich: b of shape \(2,\) does not broadcast"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
