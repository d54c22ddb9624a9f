"""Surrogates as `spk_fun` of every neuron of brainpy.state that takes one: what braintools' own give, ours give."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad

pytest.importorskip("brainpy.state")

from neurons import NEURONS, SIZE, at, brainstate, build, u, unit_of_input, upstream, use

pytestmark = pytest.mark.filterwarnings("ignore")  # the neurons' own: dtypes that they ask for, deprecations
NAMES = list(surgrad.catalogue())
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
        voltage.value = value + SHIFTS.reshape(SIZE, *[1] * (jnp.ndim(value) - 1)) * u.get_unit(value)
    return voltage


def spikes_of(neurons, currents, steps):
    """The spikes of populations under constant currents, `(steps, populations, SIZE)`."""
    for neuron in neurons:
        neuron.init_state()

    def step(i):
        with at(i):
            pairs = zip(neurons, currents, strict=True)
            return jnp.stack([neuron.update(x * unit_of_input(neuron)) for neuron, x in pairs])

    return brainstate.transform.for_loop(step, jnp.arange(steps))


def populations(name, library, surrogates):
    return [build(name, getattr(library, surrogate)()) for surrogate in surrogates]


def compare(name, library, surrogates, currents, steps):
    """Spikes, and the gradients of a weighted sum of them by the currents, compiled."""
    neurons = populations(name, library, surrogates)
    weights = jnp.linspace(-1.0, 2.0, SIZE)

    def total(currents):
        spikes = spikes_of(neurons, currents, steps)
        return jnp.sum(spikes * weights), spikes

    gradient = brainstate.transform.grad(total, argnums=0, has_aux=True)
    return jax.device_get(brainstate.transform.jit(gradient)(currents))


@pytest.mark.parametrize("name", HANDFUL)
def test_all_surrogates_give_the_spikes_and_the_gradients_of_braintools(x64, name):
    currents = jnp.tile(jnp.logspace(0.5, 2.7, SIZE), (len(NAMES), 1))
    with brainstate.environ.context(precision=64):
        gradients, spikes = compare(name, surgrad, NAMES, currents, 100)
        expected_gradients, expected_spikes = compare(name, upstream, NAMES, currents, 100)
    assert spikes.dtype == np.float64
    assert 0 < spikes.mean() < 1
    np.testing.assert_array_equal(spikes, expected_spikes)
    for surrogate, found, expected in zip(NAMES, gradients, expected_gradients, strict=True):
        assert np.isfinite(found).all() and np.any(found != 0), surrogate
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max(), err_msg=surrogate)


@pytest.mark.parametrize("name", kinds(lambda found: found.steps))
def test_every_neuron_that_steps_with_its_surrogate_gives_the_spikes_and_gradients_of_braintools(name):
    currents = jnp.logspace(0, 5, SIZE)[None]
    gradients, spikes = compare(name, surgrad, ["ReluGrad"], currents, 100)
    _, expected = compare(name, upstream, ["ReluGrad"], currents, 100)
    assert spikes.any()
    np.testing.assert_array_equal(spikes, expected)


@pytest.mark.parametrize("surrogate", ["ReluGrad", "Sigmoid"])
@pytest.mark.parametrize("name", kinds(lambda found: found.thresholds))
def test_every_neuron_has_the_threshold_and_the_slope_of_braintools(name, surrogate):
    results = []
    for library in (surgrad, upstream):
        with at(0):
            neuron = build(name, getattr(library, surrogate)())
            voltage = shifted(neuron)
            if voltage is None:
                results.append([neuron.get_spike()])
                continue
            gradient = brainstate.transform.grad(
                lambda neuron=neuron: jnp.sum(neuron.get_spike()), voltage, return_value=True
            )
            results.append([neuron.get_spike(), *jax.tree.leaves(brainstate.transform.jit(gradient)())])
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7)


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
    assert set(left_out.values()) <= {"NotImplementedError:"}, left_out
    assert left_out.keys() <= {"Neuron", "NESTNeuron", "cm_default"}
    assert all(use(name).steps for name in HANDFUL)
