"""A diagnosis finds what was broken on purpose, says where and what to do, and finds nothing where nothing is."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad as sg
from surgrad import tasks
from surgrad.meta import calibrate, diagnose
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


def everything(found):
    """All findings, the consequences of others included."""
    return [each for one in found.findings for each in (one, *one.consequences)]


def test_a_healthy_network_has_no_findings():
    found = diagnose(network(), DATA)
    assert not found.findings
    assert "nothing found" in str(found)
    assert found.summary() == "nothing found: spikes, slopes and gradients reach every layer"


def test_numbers_are_those_of_the_spikes():
    net = network()
    spikes, found = np.asarray(net.outputs(DATA.spikes())[1]), diagnose(net, DATA).layers[0]
    assert found.firing_rate == pytest.approx(spikes.mean(), rel=1e-5)
    assert found.silent == pytest.approx((spikes.sum((0, 1)) == 0).mean())


def test_gradients_are_those_of_the_loss():
    net = network()

    def loss(connections):
        logits = net.with_connections(connections).outputs(DATA.spikes())[-1].max(0)
        return -jax.nn.log_softmax(logits)[jnp.arange(64), DATA.labels].mean()

    value, gradient = jax.value_and_grad(loss)(net.connections())
    found = diagnose(net, DATA)
    assert found.loss == pytest.approx(float(value), rel=1e-5)
    assert found.gradients["parts[0].weight"] == pytest.approx(float(jnp.linalg.norm(gradient[0].weight)), rel=1e-4)


@pytest.mark.parametrize(
    ("broken", "kind", "where", "advice"),
    [
        ({"gains": (0.1, 3.0, 1.0)}, "silent", "parts[1].surrogate", "fluctuation_driven"),
        ({"threshold": 100.0}, "silent", "parts[1].surrogate", "lower the threshold"),
        ({"scale": 1000.0}, "too steep", "parts[1].surrogate", "make alpha smaller"),
        ({"scale": 0.01}, "too wide", "parts[1].surrogate", "make alpha larger"),
        ({"gains": (300.0, 3.0, 1.0)}, "overdriven", "parts[1].surrogate", "lower the weights"),
        ({"recurrent": 30.0}, "exploding in time", "parts[3].cell.surrogate", "lower recurrent weights"),
        ({"middle": (lambda x: 1e-6 * x,)}, "vanishing", "parts[1].surrogate", "calibrate"),
        ({"gains": (3.0, 3e4, 1.0), "middle": ()}, "exploding", "parts[1].surrogate", "unit area"),
    ],
)
def test_what_is_broken_on_purpose_is_found(broken, kind, where, advice):
    found = [one for one in everything(diagnose(network(**broken), DATA)) if one.kind == kind]
    assert found, f"{kind} not found"
    assert any(one.where == where for one in found)
    assert advice in found[0].advice


def with_bias(part, bias):
    """A network in which all neurons behind one connection get a constant input."""
    parts = list(network().parts)
    parts[part] = parts[part].replace(bias=jnp.full(32, bias))
    return Sequential(*parts)


def without_weights(part):
    parts = list(network().parts)
    parts[part] = parts[part].replace(weight=0 * parts[part].weight)
    return Sequential(*parts)


def backwards(factor):
    """A part that changes nothing but the errors on their way back."""
    return lambda x: factor * x + jax.lax.stop_gradient((1 - factor) * x)


ONE_CAUSE = {
    "weak weights": (network((0.1, 3.0, 1.0)), "silent", "parts[1].surrogate"),
    "a high threshold": (network(threshold=100.0), "silent", "parts[1].surrogate"),
    "a negative bias": (with_bias(2, -20.0), "silent", "parts[3].surrogate"),
    "no weights between": (without_weights(2), "silent", "parts[3].surrogate"),
    "a positive bias": (with_bias(0, 2.0), "saturated", "parts[1].surrogate"),
    "a positive bias behind": (with_bias(2, 2.0), "saturated", "parts[3].surrogate"),
    "strong weights": (network((300.0, 3.0, 1.0)), "overdriven", "parts[1].surrogate"),
    "strong weights behind": (network((3.0, 3e4, 1.0)), "overdriven", "parts[3].surrogate"),
    "narrow surrogates": (network(scale=1000.0), "too steep", "parts[1].surrogate"),
    "wide surrogates": (network(scale=0.01), "too wide", "parts[1].surrogate"),
    "strong recurrence": (network(recurrent=30.0), "exploding in time", "parts[3].cell.surrogate"),
    "small errors": (network(middle=(backwards(1e-6),)), "vanishing", "parts[1].surrogate"),
    "large errors": (network(middle=(backwards(1e6),)), "exploding", "parts[1].surrogate"),
    "no errors": (network(middle=(jax.lax.stop_gradient,)), "no gradient", "parts[1].surrogate"),
    "a readout without weights": (without_weights(4), "no gradient", "parts[3].surrogate"),
}


@pytest.mark.parametrize("cause", ONE_CAUSE)
def test_a_network_broken_in_one_way_has_one_finding(cause):
    net, kind, where = ONE_CAUSE[cause]
    found = diagnose(net, DATA)
    assert [(one.kind, one.where) for one in found.findings] == [(kind, where)]
    told = str(found)
    assert all(one.where in told for one in everything(found))


def test_a_dead_first_layer_explains_the_silence_and_the_lost_gradients_behind_it():
    (dead,) = diagnose(network((0.1, 3.0, 1.0)), DATA).findings
    effects = [(one.kind, one.where) for one in dead.consequences]
    assert effects == [("silent", "parts[3].surrogate"), *[("no gradient", f"parts[{i}].weight") for i in (2, 4)]]
    assert "consequences: silent at parts[3].surrogate; no gradient at parts[2].weight, parts[4].weight" in str(dead)


def test_independent_causes_stay_apart_in_the_order_in_which_they_act():
    """The second layer is dead; the slopes of the first are flat, which that does not explain."""
    steep = sg.Normalized(sg.Sigmoid(), to="peak").steeper(1000.0)
    parts = list(with_bias(2, -20.0).parts)
    parts[1] = parts[1].replace(surrogate=steep)
    found = diagnose(Sequential(*parts), DATA).findings
    assert [(one.kind, one.where) for one in found] == [
        ("silent", "parts[3].surrogate"),
        ("too steep", "parts[1].surrogate"),
    ]


def test_errors_beyond_the_largest_number_are_an_explosion_not_a_faulty_surrogate():
    found = diagnose(network((3.0, 30.0, 1.0), scale=0.01, recurrent=10.0), DATA).findings
    assert [(one.kind, one.where) for one in found] == [("exploding", "parts[3].cell.surrogate")]
    assert "calibrate" in found[0].advice


def test_it_is_printed_as_a_table_of_layers():
    found = diagnose(network(), DATA)
    head, first, second, loss, last = str(found).splitlines()
    assert head.split("  ")[0] == "layer" and "firing rate" in head
    for row, layer in zip((first, second), found.layers, strict=True):
        path, rate, silent, *_ = row.split()
        assert path == layer.where
        assert float(rate) == pytest.approx(layer.firing_rate, abs=5e-4)
        assert silent == f"{layer.silent:.0%}"
    assert loss == f"loss: {found.loss:.4g}"
    assert last == found.summary()


def test_the_loss_may_be_that_of_the_last_step():
    def at_the_end(outputs, labels):
        return -jax.nn.log_softmax(outputs[-1])[jnp.arange(64), labels].mean()

    outputs = network().outputs(DATA.spikes())[-1]
    assert diagnose(network(), DATA, loss=at_the_end).loss == pytest.approx(float(at_the_end(outputs, DATA.labels)))


def test_a_loss_that_is_no_number_or_takes_something_else_is_told_what_it_gets():
    with pytest.raises(TypeError, match=r"must return one number, got shape \(64,\) for outputs, .*\(25, 64, 10\)"):
        diagnose(network(), DATA, loss=lambda outputs, labels: outputs[-1].sum(-1))
    with pytest.raises(AttributeError) as error:  # as one of a network and a data set would
        diagnose(network(), DATA, loss=lambda network, batch: network.outputs(batch.spikes()).sum())
    assert "diagnose calls loss with outputs, (time, *batch, ...)" in "".join(error.value.__notes__)


def test_saturated_neurons_are_found():
    net = network()
    loud = net.parts[0].replace(bias=jnp.full(32, 2.0))
    found = diagnose(Sequential(loud, *net.parts[1:]), DATA)
    assert ("saturated", "parts[1].surrogate") in [(one.kind, one.where) for one in found.findings]


def test_an_input_without_spikes_is_the_cause():
    found = diagnose(network(), (jnp.zeros_like(DATA.spikes()), DATA.labels))
    assert kinds(found) == ["no input"]
    assert {one.kind for one in everything(found)} == {"no input", "silent", "no gradient"}


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


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (lambda n: jnp.eye(n), r"labels must be whole numbers, got float32 .*; one-hot .* targets\.argmax\(axis=-1\)"),
        (lambda n: jnp.zeros(n), "labels must be whole numbers, got float32 .*; for other targets give a loss"),
        (lambda n: jnp.zeros(n + 3, int), r"labels must be one for each sample, shape \(\d+,\), .* got shape"),
    ],
)
def test_labels_that_do_not_fit_the_default_loss_are_refused(labels, said):
    inputs = jnp.ones((5, 4, 3))
    with pytest.raises((TypeError, ValueError), match=f"diagnose: {said}"):
        diagnose(Sequential(LIF(sg.Sigmoid())), (inputs, labels(4)))
