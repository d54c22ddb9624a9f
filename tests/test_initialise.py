"""Fluctuation-driven weights: membranes as they were asked for, and spikes in every layer of a deep network."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad.nn import (
    LIF,
    AdEx,
    AvgPool2d,
    Conv2d,
    CuBaLIF,
    Delay,
    Flatten,
    Izhikevich,
    LeakyIntegrator,
    Linear,
    Recurrent,
    Sequential,
    SumPool2d,
    fluctuation_driven,
    unroll,
)

SPIKE = surgrad.Arctan()
TIME, BATCH, RATE = 200, 4, 0.05
NEVER = 1e9  # a threshold that no membrane reaches


def spikes(key=0, shape=(TIME, BATCH, 200)):
    return (jax.random.uniform(jax.random.key(key), shape) < RATE).astype(jnp.float32)


def deep(depth, width=200, gain=1.0, cell=None):
    cell = LIF(surgrad.Arctan(), 10.0) if cell is None else cell
    keys = jax.random.split(jax.random.key(1), depth)
    parts = [part for key in keys for part in (Linear(width, width, key=key, gain=gain), cell)]
    return Sequential(*parts)


def rates(network, inputs):
    return [float(y.mean()) for y in network.outputs(inputs)[1::2]]


def test_a_network_of_depth_six_still_spikes_where_usual_weights_fall_silent():
    usual = deep(6, gain=1.0)
    assert rates(usual, spikes())[-1] == 0
    for seed in range(2):
        firing = rates(fluctuation_driven(usual, spikes(), key=jax.random.key(seed)), spikes(key=7))
        assert all(0.01 < rate < 0.3 for rate in firing), firing


@pytest.mark.parametrize("kind", [LIF, CuBaLIF])
@pytest.mark.parametrize(("xi", "mean"), [(1.0, 0.0), (3.0, 0.2)])
def test_membranes_have_the_mean_and_the_deviation_of_the_paper(kind, xi, mean):
    cell = kind(surgrad.Arctan(), 10.0, 2.0)
    network = Sequential(Linear(200, 300, key=jax.random.key(0)), cell)
    drawn = fluctuation_driven(network, spikes(), key=jax.random.key(2), xi=xi, mean=mean)
    # A membrane without reset: the threshold far away, where the weights were made for a threshold of 2.
    free = cell.replace(threshold=NEVER)

    def traced(state, current):
        state, _ = free(state, current)
        return state, state.v

    currents = drawn.parts[0](spikes(key=3, shape=(1000, 4, 200)))
    voltages = np.asarray(unroll(traced, free.init((4, 300)), currents)[1])[200:]  # after it has charged
    # The kernel is cut at the 200 steps of the inputs. Samples are correlated over 20 steps: 4 · 40 independent ones a
    # neuron, and 300 neurons whose means scatter.
    deviation = voltages.std(axis=0).mean()
    assert abs(deviation / ((2.0 - 2.0 * mean) / xi) - 1) < 0.1
    assert abs(voltages.mean() - 2.0 * mean) < 5 * 2.0 / 300**0.5


@pytest.mark.slow
def test_recurrent_and_convolutional_layers_keep_spiking():
    key = jax.random.key(0)
    cell = LIF(surgrad.Arctan(), 10.0)
    recurrent = Sequential(
        Linear(200, 100, key=key, gain=0.1), Recurrent(cell, 100, key=key, gain=0.1), LeakyIntegrator()
    )
    firing = fluctuation_driven(recurrent, spikes(), key=key).outputs(spikes())[1].mean()
    assert 0.01 < firing < 0.3
    images = spikes(shape=(TIME, 2, 8, 8, 3))
    conv = Sequential(
        Conv2d(3, 8, (3, 3), key=key, gain=0.1, padding="SAME"),
        cell,
        Conv2d(8, 8, (3, 3), key=key, gain=0.1, padding="SAME"),
        cell,
        Flatten(3),
    )
    outputs = fluctuation_driven(conv, images, key=key).outputs(images)
    assert all(0.01 < float(outputs[i].mean()) < 0.3 for i in (1, 3))


def test_a_readout_and_the_cells_stay_as_they_are():
    network = Sequential(
        Linear(200, 50, key=jax.random.key(0)),
        LIF(surgrad.Arctan()),
        Linear.from_arrays(jnp.ones((50, 3)), jnp.ones(3)),
        LeakyIntegrator(),
    )
    drawn = fluctuation_driven(network, spikes(), key=jax.random.key(1))
    assert drawn.parts[1:] == network.parts[1:]
    assert drawn.parts[0] != network.parts[0]


def deviation(network, inputs):
    """Over time, of the membranes of the last part, whose threshold nothing reaches."""
    cell = network[-1].replace(threshold=NEVER)
    currents = network[:-1].outputs(inputs)[-1]

    def traced(state, current):
        state, _ = cell(state, current)
        return state, state.v

    voltages = unroll(traced, cell.init(currents.shape[1:]), currents)[1][50:]  # after they have charged
    return float((voltages.var(axis=0).mean()) ** 0.5)


@pytest.mark.parametrize(
    "between",
    [
        pytest.param((Delay(3), Flatten(3)), marks=pytest.mark.slow),
        (AvgPool2d((2, 2)),),
        (SumPool2d((2, 2)), Delay(1)),
        (lambda x: x[..., ::2, :, :] / 7.0,),
    ],
    ids=["delay and flatten", "mean", "sum", "function"],
)
def test_what_stands_between_a_connection_and_its_cell_is_made_good(between):
    key, images = jax.random.key(0), spikes(shape=(600, 2, 8, 8, 3))
    conv = Conv2d(3, 32, (3, 3), key=key, gain=0.1)
    drawn = fluctuation_driven(Sequential(conv, *between, LIF(surgrad.Arctan(), 10.0)), images, key=key, xi=2.0)
    # Sums of 27 squared weights of 32 kernels scatter by 5 %; over 600 steps, of which 20 count as one, means take 2 %.
    assert abs(deviation(drawn, images) / 0.5 - 1) < 0.12


def test_networks_inside_get_the_weights_that_they_would_get_as_parts():
    flat = deep(3)
    nested = Sequential(flat[0], Sequential(*flat[1:3], Sequential(flat[3])), Sequential(), *flat[4:])
    drawn = fluctuation_driven(nested, spikes(), key=jax.random.key(1))
    assert jax.tree.structure(drawn) == jax.tree.structure(nested)
    alike = fluctuation_driven(flat, spikes(), key=jax.random.key(1))
    jax.tree.map(np.testing.assert_array_equal, jax.tree.leaves(drawn), jax.tree.leaves(alike))


def test_delays_inside_of_recurrent_connections_change_no_weights():
    key, cell = jax.random.key(0), LIF(surgrad.Arctan(), 10.0)
    plain, delayed = (
        fluctuation_driven(Sequential(Linear(200, 50, key=key), Recurrent(c, 50, key=key)), spikes(), key=key)
        for c in (cell, Sequential(cell, Delay(0)))
    )
    np.testing.assert_array_equal(delayed[1].weight, plain[1].weight)


@pytest.mark.parametrize("dtype", [bool, np.uint8])
def test_events_of_any_type_will_do(dtype):
    drawn = fluctuation_driven(deep(1), spikes().astype(dtype), key=jax.random.key(0))
    assert drawn == fluctuation_driven(deep(1), spikes(), key=jax.random.key(0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda key: fluctuation_driven(deep(1, cell=AdEx(SPIKE)), spikes(), key=key),
            "part 0 leads to AdEx, which does not promise a linear response",
        ),
        (
            lambda key: fluctuation_driven(Sequential(deep(1, cell=Izhikevich(SPIKE))), spikes(), key=key),
            r"part 0\.0 leads to Izhikevich",
        ),
        (
            lambda key: fluctuation_driven(
                deep(1, cell=Recurrent.from_arrays(deep(1), np.eye(200))), spikes(), key=key
            ),
            "part 0 leads to a Recurrent around a network; only one cell and delays can stand there",
        ),
        (
            lambda key: fluctuation_driven(deep(1), jnp.nan * spikes(), key=key),
            "what comes into part 0 is nan; .* finite",
        ),
        (
            lambda key: fluctuation_driven(deep(1), spikes()[:0], key=key),
            r"inputs must be \(time >= 1, \*batch >= 1, inputs >= 1\), got shape \(0,",
        ),
        (
            lambda key: fluctuation_driven(deep(1), spikes()[..., 1:], key=key),
            r"part 0 of Sequential, Linear: .* 200 features\)",
        ),
    ],
)
def test_what_cannot_be_driven_is_refused_in_words(call, message):
    with pytest.raises(ValueError, match=message):
        call(jax.random.key(0))


@pytest.mark.unchecked("wrong types on purpose")
def test_what_is_no_network_is_refused_in_words():
    with pytest.raises(TypeError, match="network must be a Sequential, got LIF; put it into one"):
        fluctuation_driven(LIF(SPIKE), spikes(), key=jax.random.key(0))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"xi": 0.0}, r"xi must be > 0, got 0\.0"),
        ({"mean": 1.0}, r"mean must be < 1, got 1\.0"),
        ({"feedforward": 0.0}, r"feedforward must be > 0 and <= 1, got 0\.0"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        fluctuation_driven(deep(1), spikes(), key=jax.random.key(0), **options)


def test_inputs_without_spikes_are_refused():
    with pytest.raises(ValueError, match="what comes into part 0 is zero at all steps"):
        fluctuation_driven(deep(1), 0 * spikes(), key=jax.random.key(0))
