"""Hyperparameters that follow Optax schedules inside a compiled step."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import surgrad
from surgrad.meta import inner_loop, schedule
from surgrad.nn import LIF, LeakyIntegrator, Linear, Sequential
from test_compile_once import Compilations
from user_classes import TemperatureScaledSurrogate

DECAY = optax.exponential_decay(2.0, 1, 0.95)
X = np.linspace(-2, 2, 41, dtype=np.float32)


def model():
    weights = np.eye(3, dtype=np.float32)
    dense = Linear.from_arrays(weights, np.zeros(3, np.float32))
    return Sequential(dense, LIF(surgrad.Sigmoid(4.0), 5.0), dense, LIF(surgrad.Arctan(2.0), 5.0), LeakyIntegrator(5.0))


def test_the_temperature_of_the_second_document_is_annealed_as_by_hand():
    scheduled, by_hand = TemperatureScaledSurrogate(), TemperatureScaledSurrogate()
    for epoch in range(5):
        by_hand.set_temperature(2.0 * 0.95**epoch)
        now = schedule(scheduled, {"temperature": DECAY}, epoch)
        np.testing.assert_allclose(now.surrogate_grad(X), by_hand.surrogate_grad(X), rtol=1e-6)
    assert scheduled.temperature == 1.0


def test_a_colder_surrogate_is_steeper_and_spikes_the_same():
    soft = surgrad.Temperature(surgrad.Sigmoid(4.0), 2.0)
    slopes = [schedule(soft, {"temperature": DECAY}, step).surrogate_grad(0.0) for step in (0, 10)]
    np.testing.assert_allclose(slopes, [4 / 4 / 2, 4 / 4 / (2 * 0.95**10)], rtol=1e-6)
    np.testing.assert_array_equal(schedule(soft, {"temperature": DECAY}, 10)(X), X >= 0)


def test_a_compiled_step_never_compiles_again():
    @jax.jit
    def slope(model, step, x):
        now = schedule(model, {"alpha": DECAY}, step)
        return jax.grad(lambda x: now.outputs(x)[-1].sum())(x)

    inputs, network = jnp.ones((4, 2, 3)), model()
    steps = [jnp.asarray(step) for step in range(4)]
    first = slope(network, steps[0], inputs)
    with Compilations() as again:
        rest = [slope(network, step, inputs) for step in steps[1:]]
    assert (again.compiled, again.traced) == (0, 0)
    assert all(np.any(other != first) for other in rest)


def test_a_name_stands_for_every_number_of_it_and_a_path_for_one():
    network = model()
    every = schedule(network, {"alpha": lambda step: 7.0}, 0)
    one = schedule(network, {"parts[1].surrogate.alpha": lambda step: 7.0}, 0)
    end = schedule(network, {"surrogate.alpha": lambda step: 7.0, "threshold": lambda step: 2.0}, 0)
    assert [float(every.parts[i].surrogate.alpha) for i in (1, 3)] == [7.0, 7.0]
    assert [float(one.parts[i].surrogate.alpha) for i in (1, 3)] == [7.0, 2.0]
    assert [float(end.parts[i].surrogate.alpha) for i in (1, 3)] == [7.0, 7.0]
    assert end.parts[3].threshold == 2.0 and end.parts[3].tau == 5.0
    assert jax.tree.structure(every) == jax.tree.structure(network)


def test_a_value_takes_the_shape_and_the_dtype_of_what_it_replaces():
    surrogate = surgrad.Sigmoid(np.ones(3, np.float16))
    alpha = schedule(surrogate, {"alpha": DECAY}, 0).alpha
    assert alpha.shape == (3,) and alpha.dtype == np.float16
    np.testing.assert_array_equal(alpha, 2.0)


def test_the_entries_of_a_dictionary_are_named_by_their_keys():
    assert schedule({"rate": 1.0, "kept": 1.0}, {"rate": lambda step: step / 2}, 3) == {"rate": 1.5, "kept": 1.0}


@pytest.mark.promotes("Optax does")
def test_training_with_a_schedule_takes_each_step_with_its_own_value():
    """The gradient of a spike is the slope at 0, alpha/4: weights move by the sum of all slopes."""

    def loss(w, hyper, given):
        step, x = given
        return schedule(surgrad.Sigmoid(hyper), {"alpha": lambda step: 4.0 * (step + 1)}, step)(w * 0 + x * w)

    trained = inner_loop(loss, 0.0, 1.0, (np.arange(3), np.ones(3, np.float32)), optax.sgd(1e-6))
    np.testing.assert_allclose(trained.weights, -1e-6 * (1 + 2 + 3), rtol=1e-5)


@pytest.mark.parametrize(
    ("schedules", "message"),
    [
        ({"alhpa": DECAY}, "there is no 'alhpa'; the nearest are alpha"),
        ({"alpha": DECAY, "surrogate.alpha": DECAY}, "both set"),
    ],
)
def test_names_that_stand_for_nothing_or_for_the_same_are_refused(schedules, message):
    with pytest.raises(KeyError, match=message):
        schedule(model(), schedules, 0)
