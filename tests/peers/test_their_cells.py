"""Our surrogates in cells of Spyx, snnax and Jaxley, and cells of other libraries in `unroll`, beside their own loops.

jaxpike and sparx with our surrogates are in `test_surrogates_in_peers`.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import nn
from surgrad.adapters.cell import as_cell

STEPS, BATCH, INPUTS, NEURONS = 20, 3, 4, 5
KEY = jax.random.key(0)
XS = jax.random.uniform(KEY, (STEPS, BATCH, INPUTS)) * 3
LINEAR = nn.Linear(INPUTS, NEURONS, key=KEY, gain=2.0)
SPIKE = surgrad.Arctan(2.0)
pytestmark = pytest.mark.filterwarnings("ignore")


def trained(run):
    """Spikes, and the gradient of a weighted sum of them by the weights."""

    def loss(weight):
        spikes = run(weight)
        return jnp.sum(spikes * jnp.linspace(-1.0, 2.0, NEURONS)), spikes

    return jax.jit(jax.grad(loss, has_aux=True))(LINEAR.weight)[::-1]


def ours(cell):
    """The outputs of a network with a cell, by the weights before it."""
    return lambda weight: nn.unroll(nn.Sequential(LINEAR.replace(weight=weight), cell), XS).outputs


def assert_same(cell, step, start):
    """A cell in `unroll` does what `lax.scan` does with the step of the library."""
    loop = lambda weight: jax.lax.scan(lambda state, x: step(state, x @ weight), start, XS)[1]
    (found, gradient), (expected, theirs) = trained(ours(cell)), trained(loop)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(found, expected)
    assert np.any(theirs)
    np.testing.assert_allclose(gradient, theirs, rtol=1e-6, atol=1e-6 * float(np.abs(theirs).max()))


@pytest.fixture
def spyx():
    pytest.importorskip("spyx.nn")
    import spyx

    return spyx


@pytest.fixture
def snnax():
    """Its release 0.0.1 lacks modules, so that it must be installed from its repository."""
    pytest.importorskip("snnax", exc_type=ImportError)
    return pytest.importorskip("snnax.snn", exc_type=ImportError)


def spyx_lif(spyx, activation):
    from flax import nnx

    return spyx.nn.LIF((NEURONS,), beta=0.8, activation=activation, rngs=nnx.Rngs(0))


def swapped(cell, state, x):
    return cell(x, state)[::-1]


def test_a_cell_of_jaxpike_in_unroll():
    jaxpike = pytest.importorskip("jaxpike")
    cell = jaxpike.LIF(5.0, threshold=0.5, surrogate=SPIKE)
    assert_same(as_cell(cell, init=jaxpike.LIF.init_state), cell, cell.init_state((BATCH, NEURONS)))


def test_a_cell_of_sparx_in_unroll():
    """Beside its layer, which takes the whole sequence."""
    layers, dynamics = pytest.importorskip("sparx.nn"), pytest.importorskip("sparx.dynamics")

    def step(cell, state, x):
        state, output = cell.step(state, dynamics.SynapticInput(jump=x), 1.0)
        return state, output.value

    cell = dynamics.LIFCell(math.exp(-1 / 4.0), surrogate=SPIKE)
    theirs = as_cell(cell, init=lambda cell, shape: cell.init_state(shape, jnp.float32), step=step)
    layer = layers.LIF(4.0, surrogate=SPIKE)
    (found, gradient), (expected, own) = trained(ours(theirs)), trained(lambda weight: layer.apply({}, XS @ weight))
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_allclose(gradient, own, rtol=1e-5, atol=1e-6 * float(np.abs(own).max()))


@pytest.mark.parametrize("sigma", [4.0, 0.6, 0])
def test_learned_delays_of_sparx_are_ours_with_a_gaussian(sigma):
    """Outputs, and gradients by weights and delays, for delays within the range; those beyond differ (clip, reflect)."""
    most, layers = 6, pytest.importorskip("sparx.nn")
    delay = jax.random.uniform(jax.random.key(1), LINEAR.weight.shape, maxval=float(most))
    pull = jax.random.normal(jax.random.key(2), (STEPS, BATCH, NEURONS))

    def own(weight, delay):
        layer = nn.DelayedLinear.from_arrays(LINEAR.weight, delay, max_delay=most, sigma=sigma)
        return nn.unroll(layer.replace(weight=weight), XS).outputs

    def theirs(weight, delay):
        layer = layers.DelayedDense(NEURONS, most, use_bias=False)
        return layer.apply({"params": {"kernel": weight, "delay": delay}}, XS, sigma)

    def differentiated(outputs):
        loss = lambda *given: (jnp.sum(outputs(*given) * pull), outputs(*given))
        return jax.jit(jax.grad(loss, (0, 1), has_aux=True))(LINEAR.weight, delay)

    (found, expected) = differentiated(own), differentiated(theirs)
    for mine, their in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(mine, their, rtol=1e-5, atol=1e-5 * float(np.abs(their).max()))
    assert np.any(expected[0][1]) == (sigma > 0)


def test_a_cell_of_spyx_in_unroll(spyx):
    cell = spyx_lif(spyx, SPIKE)
    theirs = as_cell(cell, init=lambda cell, shape: cell.initial_state(shape[0]), step=swapped)
    assert_same(theirs, lambda state, x: swapped(cell, state, x), cell.initial_state(BATCH))


def test_a_cell_of_snnax_in_unroll(snnax):
    cell = snnax.SimpleLIF([0.8], spike_fn=SPIKE, shape=(NEURONS,))
    theirs = as_cell(cell, init=lambda cell, shape: cell.init_state(shape, KEY))
    assert_same(theirs, lambda state, x: tuple(cell(state, x)), cell.init_state((BATCH, NEURONS), KEY))


def test_our_surrogates_in_spyx_have_the_gradients_of_theirs(spyx):
    """Theirs does not spike at the threshold, ours does, so no membrane potential may meet it."""
    run = lambda spike: trained(
        ours(as_cell(spyx_lif(spyx, spike), init=lambda c, s: c.initial_state(s[0]), step=swapped))
    )
    for theirs, here in [(spyx.axn.superspike(k=10.0), surgrad.SuperSpike(10.0))]:
        (spikes, gradient), (expected, own) = run(here), run(theirs)
        np.testing.assert_array_equal(spikes, expected)
        np.testing.assert_allclose(gradient, own, rtol=1e-5, atol=1e-5 * float(np.abs(own).max()))


def test_our_surrogates_in_snnax_have_the_gradients_of_theirs(snnax):
    from snnax.functional.surrogate import superspike_surrogate

    slope = surgrad.from_grad(lambda x, beta=10.0: 1 / (1 + beta * jnp.abs(x)))
    run = lambda spike: trained(
        ours(as_cell(snnax.SimpleLIF([0.8], spike_fn=spike, shape=(NEURONS,)), init=lambda c, s: c.init_state(s, KEY)))
    )
    (spikes, gradient), (expected, own) = run(slope), run(superspike_surrogate(10.0))
    np.testing.assert_array_equal(spikes, expected)
    np.testing.assert_allclose(gradient, own, rtol=1e-5, atol=1e-5 * float(np.abs(own).max()))


def test_a_cell_of_jaxley_in_unroll():
    """A compartment with a leak and `Fire`, beside `jaxley.integrate`, which puts out the state at rest first."""
    jaxley = pytest.importorskip("jaxley")
    from jaxley.channels import Fire, Leak
    from jaxley.integrate import build_init_and_step_fn

    cell, current, dt = jaxley.Cell(), 0.01 * jnp.ones(100), 0.1
    for channel in (Leak(), Fire()):
        cell.insert(channel)
    cell.record("v", verbose=False)
    expected = jaxley.integrate(cell, data_stimuli=cell.data_stimulate(current, verbose=False), delta_t=dt)
    cell.to_jax()
    init, step = build_init_and_step_fn(cell)
    rest, params = init(cell.get_parameters(), delta_t=dt)

    def advance(cell, state, x):
        state = step(state, params, {"i": x}, {"i": np.array([0])}, delta_t=dt)
        return state, state["v"][:1]

    theirs = as_cell(cell, init=lambda cell, shape: rest, step=advance)
    np.testing.assert_allclose(nn.unroll(theirs, current[:, None]).outputs.T, expected[:, 1:], rtol=1e-6)
    assert np.ptp(expected) > 10
