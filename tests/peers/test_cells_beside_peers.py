"""Each cell beside the same neuron of a peer, step by step; the docstring of a test maps the parameters.

Everything runs in double precision, from the same inputs, and voltages agree to rounding. Neurons that no parameters
map are not here: snnTorch's `Leaky` with a delayed soft reset takes the threshold off after the leak; Spyx's `ALIF`
takes the raised threshold off, also after the leak (Bellec et al. 2018); brainpy.state's `AdExIF` and `Izhikevich`
take exponential Euler steps, and advance the recovery from the new voltage.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import agrees, package
from surgrad.nn._biophysical import AdEx, Izhikevich, IzhikevichState
from surgrad.nn._cells import ALIF, LIF, CuBaLIF

STEPS, BATCH, NEURONS = 100, 2, 5
DECAY, SYNAPTIC_DECAY = 0.875, 0.75  # exact in binary, so that both sides have the same number
TAU, TAU_SYN = -1 / math.log(DECAY), -1 / math.log(SYNAPTIC_DECAY)
SPIKE = surgrad.Arctan(2.0)

pytestmark = pytest.mark.usefixtures("x64")


def inputs(largest):
    return np.random.default_rng(7).uniform(-0.2 * largest, largest, (STEPS, BATCH, NEURONS))


def ours(cell, currents, state=None):
    """The states after every step, and the spikes."""

    def step(state, now):
        state, spikes = cell(state, now)
        return state, (state, spikes)

    start = cell.init((BATCH, NEURONS)) if state is None else state
    return jax.jit(lambda currents: jax.lax.scan(step, start, currents)[1])(currents)


def stepped(step, state, currents):
    """What `step(now, state) -> (spikes, state)` of a peer in PyTorch makes of the currents, as NumPy arrays."""
    torch = pytest.importorskip("torch")
    states, spikes = [], []
    for now in torch.tensor(currents):
        fired, state = step(now, state)
        spikes.append(fired.numpy())
        states.append([part.numpy() for part in state])
    return [np.array(parts) for parts in zip(*states, strict=True)], np.array(spikes)


def assert_same(cell, peer, found, expected, spikes, expected_spikes):
    assert 0.02 < expected_spikes.mean() < 0.5
    np.testing.assert_array_equal(spikes, expected_spikes)
    agrees(found, expected, of=cell, reference=package(peer), rtol=1e-9, atol=1e-10)


class TestSnnTorch:
    def test_leaky_with_a_soft_reset(self):
        """beta = e^(-1/τ); `reset_delay=False` resets in the step of the spike, as we do, below twice the threshold."""
        snn = pytest.importorskip("snntorch")
        peer, currents = snn.Leaky(beta=DECAY, reset_mechanism="subtract", reset_delay=False).double(), inputs(0.6)
        states, spikes = ours(LIF(SPIKE, TAU), currents)
        (voltages,), expected = stepped(lambda x, s: _tail(peer(x, *s)), _zeros(1), currents)
        assert_same(LIF, "snntorch", states.v, voltages, spikes, expected)

    def test_leaky_with_a_hard_reset(self):
        """beta = e^(-1/τ); the reset comes a step later, before the leak: `mem` is our voltage before the reset."""
        snn = pytest.importorskip("snntorch")
        peer, currents = snn.Leaky(beta=DECAY, reset_mechanism="zero").double(), inputs(0.6)
        states, spikes = ours(LIF(SPIKE, TAU, reset="zero"), currents)
        (voltages,), expected = stepped(lambda x, s: _tail(peer(x, *s)), _zeros(1), currents)
        assert_same(LIF, "snntorch", states.v, np.where(expected, 0, voltages), spikes, expected)

    def test_synaptic(self):
        """alpha = e^(-1/τ_syn), beta = e^(-1/τ); `reset_delay=False` as above."""
        snn = pytest.importorskip("snntorch")
        peer = snn.Synaptic(SYNAPTIC_DECAY, DECAY, reset_mechanism="subtract", reset_delay=False).double()
        states, spikes = ours(CuBaLIF(SPIKE, TAU, tau_syn=TAU_SYN), currents := inputs(0.2))
        (currents, voltages), expected = stepped(lambda x, s: _tail(peer(x, *s)), _zeros(2), currents)
        assert_same(CuBaLIF, "snntorch", states.v, voltages, spikes, expected)
        np.testing.assert_allclose(states.current, currents, rtol=1e-9, atol=1e-10)


class TestSpikingJelly:
    @pytest.mark.parametrize("detached", [False, True])
    @pytest.mark.parametrize("reset", ["subtract", "zero"])
    def test_lif_node_and_its_derivative(self, reset, detached):
        """1 - 1/tau = e^(-1/τ), input divided by tau; v_reset None is the soft reset; `ATan(α)` is `Arctan(α)`."""
        torch = pytest.importorskip("torch")
        neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
        tau, currents = 1 / (1 - DECAY), inputs(4.0)
        cell = LIF(SPIKE, TAU, reset=reset, detach_reset=detached)
        states, spikes = ours(cell, currents / tau)
        peer = neuron.LIFNode(tau, v_reset=None if reset == "subtract" else 0.0, detach_reset=detached)
        peer.surrogate_function = pytest.importorskip("spikingjelly.activation_based.surrogate").ATan(2.0)
        given = torch.tensor(currents, requires_grad=True)
        outputs, voltages = zip(*((peer(now), peer.v.detach().numpy()) for now in given), strict=True)
        assert_same(LIF, "spikingjelly", states.v, np.array(voltages), spikes, torch.stack(outputs).detach().numpy())
        torch.stack(outputs).sum().backward()
        gradient = jax.grad(lambda currents: ours(cell, currents / tau)[1].sum())(currents)
        np.testing.assert_allclose(gradient, given.grad.numpy(), rtol=1e-9, atol=1e-10)

    def test_izhikevich_node_without_a_pull_on_the_recovery(self):
        """tau = 1/dt, a0 (v - v_rest)(v - v_c) = 0.04 v² + 5 v + 140, tau_w = 1/(a dt), b = d; its a is our b = 0."""
        pytest.importorskip("torch")
        neuron = pytest.importorskip("spikingjelly.activation_based.neuron")
        cell = Izhikevich(SPIKE, b=0.0, d=2.0)
        root = math.sqrt(25 - 4 * 0.04 * 140)
        peer = neuron.IzhikevichNode(
            1 / cell.dt, (-5 + root) / 0.08, 0.04, cell.v_peak, cell.c, (-5 - root) / 0.08, 0.0, 1 / (cell.a * cell.dt)
        )
        peer.b = cell.d
        start = IzhikevichState(jnp.full((BATCH, NEURONS), cell.c), jnp.zeros((BATCH, NEURONS)))
        states, spikes = ours(cell, currents := inputs(60.0), start)
        step = lambda x, s: (peer(x), (peer.v, peer.w))
        (voltages, recoveries), expected = stepped(step, None, currents)
        assert_same(Izhikevich, "spikingjelly", states.v, voltages, spikes, expected)
        np.testing.assert_allclose(states.recovery, recoveries, rtol=1e-9)


class TestNorse:
    def test_lif(self):
        """1 - dt tau_mem_inv = e^(-1/τ), 1 - dt tau_syn_inv = e^(-1/τ_syn), input times dt tau_mem_inv: a `CuBaLIF`."""
        norse = pytest.importorskip("norse.torch.functional.lif")
        dt = 2.0**-10
        p = norse.LIFParameters(*_tensors((1 - SYNAPTIC_DECAY) / dt, (1 - DECAY) / dt, 0.0, 1.0, 0.0))
        cell = CuBaLIF(SPIKE, TAU, tau_syn=TAU_SYN, reset="zero")
        states, spikes = ours(cell, (currents := inputs(2.0)) * (1 - DECAY))
        step = lambda x, s: norse.lif_feed_forward_step(x, norse.LIFFeedForwardState(*s), p, dt)
        (voltages, _), expected = stepped(step, _zeros(2), currents)
        assert_same(CuBaLIF, "norse", states.v, voltages, spikes, expected)

    def test_lif_adex(self):
        """tau_mem = C/g_L, its current in units of g_L, v_th both V_T and v_peak; tau_syn = dt passes the input on."""
        norse = pytest.importorskip("norse.torch.functional.lif_adex")
        dt, tau, tau_w, a, b, slope_factor = 2.0**-3, 8.0, 16.0, 0.5, 0.25, 0.5
        p = norse.LIFAdExParameters(*_tensors(a, b, slope_factor, 1 / tau_w, 1 / dt, 1 / tau, 0.0, 1.0, 0.0))
        cell = AdEx(SPIKE, tau, 1.0, 0.0, 1.0, slope_factor, tau_w, a, b, v_reset=0.0, v_peak=1.0, scale=1.0, dt=dt)
        states, spikes = ours(cell, currents := inputs(20.0))
        step = lambda x, s: norse.lif_adex_feed_forward_step(x, norse.LIFAdExFeedForwardState(*s), p, dt)
        (voltages, _, recoveries), expected = stepped(step, _zeros(3), currents)
        assert_same(AdEx, "norse", states.v, voltages, spikes, expected)
        np.testing.assert_allclose(states.recovery, recoveries, rtol=1e-9, atol=1e-10)

    def test_izhikevich(self):
        """The same a, b, c, d; tau_inv times its dt is our dt."""
        norse = pytest.importorskip("norse.torch.functional.izhikevich")
        cell = Izhikevich(SPIKE, b=0.25, d=2.0)
        p = norse.IzhikevichParameters(cell.a, cell.b, cell.c, cell.d, tau_inv=1.0)
        states, spikes = ours(cell, currents := inputs(60.0))
        start = map(_tensor, cell.init((BATCH, NEURONS)))
        step = lambda x, s: norse.izhikevich_feed_forward_step(x, norse.IzhikevichState(*s), p, cell.dt)
        (voltages, recoveries), expected = stepped(step, start, currents)
        assert_same(Izhikevich, "norse", states.v, voltages, spikes, expected)
        np.testing.assert_allclose(states.recovery, recoveries, rtol=1e-9)


class TestBrainpyState:
    """Its exponential Euler steps are exact for a leak: dt = 1 ms and tau = τ ms, the input times 1 - e^(-1/τ).

    The reset comes at the beginning of the next step: V is our voltage before the reset. A spike is x >= 0 for both.
    """

    @pytest.mark.parametrize("refractory", [0, 2])
    @pytest.mark.parametrize("reset", ["subtract", "zero"])
    def test_lif(self, reset, refractory):
        """tau_ref is half a step longer than the refractory period, so that no time is compared with itself."""
        kind, more = ("LIFRef", {"tau_ref": refractory + 0.5}) if refractory else ("LIF", {})
        voltages, expected = _brainpy(kind, currents := inputs(4.0), SOFT_OR_HARD[reset], **more)
        states, spikes = ours(LIF(SPIKE, TAU, reset=reset, refractory=refractory), currents * (1 - DECAY))
        left = np.where(expected, voltages - 1 if reset == "subtract" else 0, voltages)
        assert_same(LIF, "brainpy", states.v, left, spikes, expected)

    def test_cuba_lif(self):
        """tau_syn = τ_syn ms; the input of the synapse, too, times 1 - e^(-1/τ)."""
        voltages, expected = _brainpy("CubaLIF", currents := inputs(1.5), "soft", tau_syn=TAU_SYN)
        states, spikes = ours(CuBaLIF(SPIKE, TAU, tau_syn=TAU_SYN), currents * (1 - DECAY))
        assert_same(CuBaLIF, "brainpy", states.v, voltages - expected, spikes, expected)

    def test_alif(self):
        """tau_a = τ_a ms; a spike decays already in the step after it: our β is its beta times e^(-1/τ_a)."""
        voltages, expected = _brainpy("ALIF", currents := inputs(4.0), "soft", tau_a=20.0, beta=0.25)
        cell = ALIF(SPIKE, TAU, tau_adaptation=20.0, adaptation_strength=0.25 * math.exp(-1 / 20))
        states, spikes = ours(cell, currents * (1 - DECAY))
        assert_same(ALIF, "brainpy", states.v, voltages - expected, spikes, expected)


UNITS = {"tau": "ms", "tau_ref": "ms", "tau_syn": "ms", "tau_a": "ms", "beta": "mV"}
SOFT_OR_HARD = {"subtract": "soft", "zero": "hard"}


def _brainpy(kind, currents, reset, **parameters):
    """Voltages before the reset, in units of the threshold, and spikes of a neuron of brainpy.state."""
    u, brainstate = pytest.importorskip("brainunit"), pytest.importorskip("brainstate")
    neurons = pytest.importorskip("brainpy.state")
    with brainstate.environ.context(precision=64, dt=1.0 * u.ms):
        given = {n: v * getattr(u, UNITS[n]) for n, v in {"tau": TAU, **parameters}.items()}
        neuron = getattr(neurons, kind)(NEURONS, spk_reset=reset, **given)
        neuron.init_state(BATCH)

        def step(i, now):
            with brainstate.environ.context(i=i, t=i * u.ms):
                if kind == "CubaLIF":
                    neuron.add_delta_input("synapse", now * u.mA)
                    spikes = neuron.update()
                else:
                    spikes = neuron.update(now * u.mA)
            return neuron.V.value / u.mV, spikes

        voltages, spikes = brainstate.transform.for_loop(step, jnp.arange(STEPS), jnp.asarray(currents))
    return np.asarray(voltages), np.asarray(spikes)


class TestSpyx:
    def test_integrate_and_fire(self):
        """No leak; it compares before it integrates: its spikes come a step later, V is our voltage before the reset."""
        nn = pytest.importorskip("spyx.nn")
        peer, currents = nn.IF((NEURONS,)), inputs(0.6)
        states, spikes = ours(LIF(SPIKE, math.inf), currents)
        voltage, expected, voltages = jnp.zeros((BATCH, NEURONS)), [], []
        for now in jnp.asarray(currents):
            late, voltage = peer(now, voltage)
            expected.append(np.asarray(late))
            voltages.append(np.asarray(voltage))
        left = np.array(voltages) - np.asarray(spikes)
        assert_same(LIF, "spyx", states.v[:-1], left[:-1], spikes[:-1], np.array(expected)[1:])


def _zeros(count):
    return [_tensor(np.zeros((BATCH, NEURONS))) for _ in range(count)]


def _tensor(value):
    return pytest.importorskip("torch").tensor(np.array(value))


def _tensors(*values):
    return [_tensor(value) for value in values]


def _tail(outputs):
    return outputs[0], outputs[1:]
