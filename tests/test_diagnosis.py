"""A diagnosis finds what was broken on purpose, says where and what to do, and finds nothing where nothing is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad as sg
from surgrad import tasks
from surgrad.meta.calibration import calibrate
from surgrad.meta.diagnosis import diagnose
from surgrad.nn import LIF, LeakyIntegrator, Linear, Recurrent, Sequential

KEY = jax.random.key(0)
DATA = tasks.load("digits").train[jnp.arange(64)]


def network(gains=(3.0, 3.0, 1.0), scale=1.0, recurrent=0.0, middle=(), threshold=1.0):
    spike = sg.Normalized(sg.Temperature(sg.Sigmoid(), 1 / scale), to="peak")
    keys = jax.random.split(KEY, 4)
    second = LIF(spike, 20.0)
    second = Recurrent(second, 32, key=keys[3], gain=recurrent) if recurrent else second
    return Sequential(
        Linear(64, 32, key=keys[0], gain=gains[0]), LIF(spike, 20.0, threshold),
        *middle, Linear(32, 32, key=keys[1], gain=gains[1]), second,
        Linear(32, 10, key=keys[2], gain=gains[2]), LeakyIntegrator(20.0),
    )  # fmt: skip


def kinds(found):
    return [one.kind for one in found.findings]


def test_a_healthy_network_has_no_findings():
    found = diagnose(network(), DATA)
    assert not found.findings
    assert "nothing found" in str(found)


def test_numbers_are_those_of_the_spikes():
    net = network()
    spikes, found = np.asarray(net.outputs(DATA.spikes())[1]), diagnose(net, DATA).layers[0]
    assert found.rate == pytest.approx(spikes.mean(), rel=1e-5)
    assert found.silent == pytest.approx((spikes.sum((0, 1)) == 0).mean())


def test_gradients_are_those_of_the_loss():
    net = network()

    def loss(connections):
        logits = net.with_connections(connections).outputs(DATA.spikes())[-1].max(0)
        return -jax.nn.log_softmax(logits)[jnp.arange(64), DATA.labels].mean()

    value, slope = jax.value_and_grad(loss)(net.connections())
    found = diagnose(net, DATA)
    assert found.loss == pytest.approx(float(value), rel=1e-5)
    assert found.gradients["parts[0].weight"] == pytest.approx(float(jnp.linalg.norm(slope[0].weight)), rel=1e-4)


@pytest.mark.parametrize(
    ("broken", "kind", "where", "advice"),
    [
        ({"gains": (0.1, 3.0, 1.0)}, "silent", "parts[1].surrogate", "fluctuation_driven"),
        ({"threshold": 100.0}, "silent", "parts[1].surrogate", "lower the threshold"),
        ({"scale": 1000.0}, "too steep", "parts[1].surrogate", "make alpha smaller"),
        ({"scale": 0.01}, "too wide", "parts[1].surrogate", "make alpha larger"),
        ({"recurrent": 30.0}, "exploding in time", "parts[3].cell.surrogate", "lower recurrent weights"),
        ({"middle": (lambda x: 1e-6 * x,)}, "vanishing", "parts[1].surrogate", "calibrate"),
        ({"gains": (3.0, 3e4, 1.0), "middle": ()}, "exploding", "parts[1].surrogate", "unit area"),
    ],
)
def test_what_is_broken_on_purpose_is_found(broken, kind, where, advice):
    found = [one for one in diagnose(network(**broken), DATA).findings if one.kind == kind]
    assert found, f"{kind} not found"
    assert any(one.where == where for one in found)
    assert advice in found[0].advice


def test_saturated_neurons_are_found():
    net = network()
    loud = net.parts[0].replace(bias=jnp.full(32, 2.0))
    found = diagnose(Sequential(loud, *net.parts[1:]), DATA)
    assert ("saturated", "parts[1].surrogate") in [(one.kind, one.where) for one in found.findings]


def test_an_input_without_spikes_is_the_cause():
    found = diagnose(network(), (jnp.zeros_like(DATA.spikes()), DATA.labels))
    assert kinds(found)[0] == "no input"


def test_a_part_that_is_cut_off_has_no_gradient():
    found = diagnose(network(middle=(jax.lax.stop_gradient,)), DATA)
    assert ("no gradient", "parts[1].surrogate") in [(one.kind, one.where) for one in found.findings]


def test_a_loss_that_is_cut_off_is_the_cause():
    net = network()
    cut = Sequential(*net.parts[:-2], jax.lax.stop_gradient, *net.parts[-2:])
    found = diagnose(cut, DATA).findings
    assert [one.kind for one in found] == ["no gradient"]
    assert found[0].what == "no error arrives from the loss"


def test_empty_batches_and_whole_splits_are_refused():
    with pytest.raises(ValueError, match="the inputs are empty"):
        diagnose(network(), (DATA.spikes()[:, :0], DATA.labels[:0]))
    with pytest.raises(TypeError, match="batch is a whole split"):
        diagnose(network(), tasks.Split(DATA, DATA))


def test_nan_is_traced_to_where_it_comes_from():
    net, inputs = network(), DATA.spikes()
    weights = net.parts[2].replace(weight=net.parts[2].weight.at[0, 0].set(jnp.nan))
    in_weights = diagnose(Sequential(*net.parts[:2], weights, *net.parts[3:]), DATA)
    assert [(one.kind, one.where) for one in in_weights.findings] == [("not finite", "parts[2].weight")]
    in_inputs = diagnose(net, (inputs.at[0, 0, 0].set(jnp.nan), DATA.labels))
    assert [(one.kind, one.where) for one in in_inputs.findings] == [("not finite", "the inputs")]
    overflow = diagnose(network(middle=(lambda x: x * 3e38 * 10,)), DATA)
    assert (overflow.findings[0].kind, overflow.findings[0].where) == ("not finite", "parts[4].surrogate")


def test_a_loss_that_is_not_finite_is_the_finding():
    found = diagnose(network(), DATA, loss=lambda outputs, labels: jnp.log(0 * outputs.sum()))
    assert [(one.kind, one.where) for one in found.findings] == [("not finite", "the loss")]


def test_a_regression_has_a_loss_of_its_own():
    targets = jnp.ones((25, 64, 10))
    found = diagnose(network(), (DATA.spikes(), targets), loss=lambda outputs, y: ((outputs - y) ** 2).mean())
    assert found.loss > 0


SWAPPED = (
    r"64 targets go with 64 samples, but inputs of shape \(64, 25, 64\) have 64 steps and 25 samples: time leads, "
)


@pytest.mark.parametrize("as_labels", [jnp.asarray, np.asarray, list], ids=["JAX", "NumPy", "a list"])
def test_inputs_whose_time_does_not_lead_are_refused(as_labels):
    swapped = jnp.swapaxes(DATA.spikes(), 0, 1), as_labels(np.asarray(DATA.labels))
    with pytest.raises(ValueError, match=rf"diagnose: {SWAPPED}\(time, \*batch, features\); give jnp.swapaxes"):
        diagnose(network(), swapped)
    with pytest.raises(ValueError, match=f"calibrate: {SWAPPED}"):
        calibrate(network(), swapped)


def test_as_many_steps_as_samples_and_targets_with_a_time_axis_are_no_swap():
    square = DATA[jnp.arange(25)]
    assert diagnose(network(), (square.spikes(), square.labels)).loss > 0
    courses = jnp.arange(25.0)[:, None, None] * jnp.ones((1, 64, 10)), jnp.arange(25.0)
    for targets in courses:  # one for each sample, and one for all of them
        found = diagnose(network(), (DATA.spikes(), targets), loss=lambda outputs, y: (outputs.sum() - y.sum()) ** 2)
        assert found.loss > 0


def test_a_pair_is_calibrated_as_its_inputs_are():
    pair, alone = (calibrate(network(), batch) for batch in ((DATA.spikes(), DATA.labels), DATA.spikes()))
    np.testing.assert_array_equal(pair.factors, alone.factors)


@pytest.mark.unchecked("wrong types on purpose")
def test_what_is_no_batch_is_refused():
    with pytest.raises(TypeError, match="a Dataset or a pair"):
        diagnose(network(), DATA.spikes())
