"""Surrogates as `spk_fun` of every neuron of brainpy.state that takes one: what braintools' own give, ours give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad

pytest.importorskip("brainpy.state")

from neurons import NEURONS, SIZE, at, brainstate, build, u, unit_of_input, upstream, use

pytestmark = pytest.mark.filterwarnings("ignore")  # the neurons' own: dtypes that they ask for, deprecations
NAMES = [name for name in surgrad.catalogue() if hasattr(upstream, name)]
HANDFUL = ["LIF", "LIFRef", "ALIF", "ExpIF", "AdExIF", "Izhikevich"]
SHIFTS = np.linspace(-100.0, 100.0, SIZE)
"""Voltages around the resting state, on both sides of every threshold."""


def kinds(choose):
    return [pytest.param(name, id=name) for name in NEURONS if choose(use(name))]


def shifted(neuron):
    """The state of the voltage, moved across the threshold; None where a neuron has no such state."""
    voltage = getattr(neuron, "V", None)
    if voltage is not None:
        value = voltage.value
        shifts = SHIFTS.reshape(SIZE, *[1] * (jnp.ndim(value) - 1))
        voltage.value = u.maybe_decimal(value + shifts * u.get_unit(value))
    return voltage


def spikes_of(neurons, currents, steps):
    """The spikes of populations under constant currents, `(steps, populations, SIZE)`."""

    def step(i):
        with at(i):
            pairs = zip(neurons, currents, strict=True)
            return jnp.stack([neuron.update(x * unit_of_input(neuron)) for neuron, x in pairs])

    with at(0):
        return brainstate.transform.for_loop(step, jnp.arange(steps))


def results(name, library, surrogates, currents, steps=100):
    """The gradients of a weighted sum of spikes by the currents, and the spikes, compiled."""
    with brainstate.environ.context(precision=64):
        neurons = [build(name, getattr(library, surrogate)()) for surrogate in surrogates]
    weights = jnp.linspace(-1.0, 2.0, SIZE)

    def total(currents):
        spikes = spikes_of(neurons, currents, steps)
        return jnp.sum(spikes * weights), spikes

    gradient = brainstate.transform.grad(total, argnums=0, has_aux=True)
    with brainstate.environ.context(precision=64):
        return jax.device_get(brainstate.transform.jit(gradient)(currents))


def assert_equal_to_rounding(found, expected, what=None):
    """Sums over a hundred steps, in double precision; where a neuron overflows, it does so with both.

    A neuron that overshoots hands its surrogate up to 10⁸ scales, and a cosine there errs by 10⁸ roundings.
    """
    size = np.max(np.abs(expected), where=np.isfinite(expected), initial=0)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7 * size, err_msg=what)


@pytest.mark.parametrize("name", HANDFUL)
def test_all_surrogates_give_the_spikes_and_the_gradients_of_braintools(x64, name):
    currents = jnp.tile(jnp.logspace(0.5, 2.3, SIZE), (len(NAMES), 1))
    gradients, spikes = results(name, surgrad, NAMES, currents)
    expected_gradients, expected_spikes = results(name, upstream, NAMES, currents)
    assert spikes.dtype == np.float64
    assert 0 < spikes.mean() < 1
    np.testing.assert_array_equal(spikes, expected_spikes)
    for surrogate, found, expected in zip(NAMES, gradients, expected_gradients, strict=True):
        assert np.count_nonzero(np.nan_to_num(found)) > SIZE / 2, surrogate
        assert_equal_to_rounding(found, expected, surrogate)


@pytest.mark.parametrize("name", kinds(lambda found: found.steps))
def test_every_neuron_that_steps_with_its_surrogate_gives_the_spikes_and_gradients_of_braintools(x64, name):
    currents = jnp.logspace(0, 5, SIZE)[None]
    gradients, spikes = results(name, surgrad, ["ReluGrad"], currents)
    expected_gradients, expected_spikes = results(name, upstream, ["ReluGrad"], currents)
    assert spikes.any()
    np.testing.assert_array_equal(spikes, expected_spikes)
    assert_equal_to_rounding(gradients, expected_gradients)


@pytest.mark.parametrize("surrogate", ["ReluGrad", "Arctan"])  # Sigmoid's slope there is 0 in the right tail
@pytest.mark.parametrize("name", kinds(lambda found: found.thresholds))
def test_every_neuron_has_the_threshold_and_the_slope_of_braintools(x64, name, surrogate):
    both = []
    for library in (surgrad, upstream):
        with at(0):
            neuron = build(name, getattr(library, surrogate)())
            voltage = shifted(neuron)
            if voltage is None:
                both.append([neuron.get_spike()])
                continue
            gradient = brainstate.transform.grad(
                lambda neuron=neuron: jnp.sum(neuron.get_spike()), voltage, return_value=True
            )
            both.append([neuron.get_spike(), *jax.tree.leaves(brainstate.transform.jit(gradient)())])
    for found, expected in zip(*both, strict=True):
        assert_equal_to_rounding(found, expected)


@pytest.mark.parametrize("name", HANDFUL)
def test_neurons_are_mapped_over_batches_of_voltages(name):
    voltages = np.linspace(-100.0, 60.0, 3 * SIZE, dtype=np.float32).reshape(3, SIZE) * u.mV
    for library in (surgrad, upstream):
        neuron = build(name, library.Sigmoid())
        spikes = brainstate.transform.vmap(neuron.get_spike)(voltages)
        np.testing.assert_array_equal(spikes, [neuron.get_spike(row) for row in voltages])
        assert 0 < np.mean(spikes) < 1


def test_a_surrogate_is_handed_plain_arrays():
    assert frozenset().union(*[use(name).inputs for name in NEURONS]) == {"array"}


def test_what_is_left_out_has_no_threshold_of_its_own():
    """The bases, and a neuron whose compartments must be built first."""
    left_out = {name: use(name).reason for name in NEURONS if not use(name).thresholds}
    assert set(left_out.values()) <= {"NotImplementedError"}, left_out
    assert left_out.keys() <= {"Neuron", "NESTNeuron", "cm_default"}
    assert all(use(name).steps for name in HANDFUL)
