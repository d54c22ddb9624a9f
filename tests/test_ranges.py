"""Numbers out of range are refused where they are given, with what was given and what was expected."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import tasks

optax = pytest.importorskip("optax")
from surgrad import meta, nn, study, train  # noqa: E402

pytestmark = pytest.mark.unchecked("wrong types on purpose")

KEY, SIGMOID, NAN, INF = jax.random.key(0), surgrad.Sigmoid(), float("nan"), float("inf")
DATA = tasks.Dataset(jnp.array([[0, 3], [2, 1]]), jnp.array([0, 1]), 3, 2)
NETWORK = nn.Sequential(nn.Linear(2, 3, key=KEY), nn.LIF(SIGMOID))
BATCHES = jnp.ones((4, 1))


def square(weights, *rest):
    return jnp.sum(weights**2)


def classifier(**changes):
    return train.classifier(
        changes.pop("spike", SIGMOID), DATA, key=KEY, **{"hidden": 3, "tau": 5.0, "gain": 1.0} | changes
    )


def training(**changes):
    return meta.Training.of_network(
        lambda hyper: (NETWORK, optax.sgd(0.1)), changes.pop("data", DATA), square, **changes
    )


def horizon(**changes):
    options = {"at": (1, 2), "key": KEY} | changes
    return meta.horizon(square, square, jnp.ones(2), 1.0, BATCHES, optax.sgd(0.1), **options)


def temperature(**changes):
    options = {"temperature": 1.0, "spacing": 0.1, "step": 0.1} | changes
    return meta.adapt_temperature(square, jnp.ones(2), options.pop("temperature"), **options)


WRONG = {
    "HybridSpike: probability must be 0 to 1, got 2": lambda: meta.HybridSpike(SIGMOID, 2, KEY),
    "HybridSpike: probability must be 0 to 1, got -0.1": lambda: meta.HybridSpike(SIGMOID, -0.1, KEY),
    "HybridSpike: probability must be 0 to 1, got nan": lambda: meta.hybrid(NETWORK, NAN, KEY),
    "finite_differences: step must be > 0, got 0": lambda: meta.finite_differences(square, jnp.ones(2), 0.0),
    "finite_differences: batch must be an integer >= 1, got 0": lambda: meta.finite_differences(
        square, jnp.ones(2), 0.1, batch=0
    ),
    "adapt_temperature: temperature must be > 0, got -1": lambda: temperature(temperature=-1.0),
    "adapt_temperature: spacing must be > 0, got 0": lambda: temperature(spacing=0),
    "adapt_temperature: step must be > 0 and finite, got inf": lambda: temperature(step=INF),
    "predicted_width: gain must be > 0, got -1": lambda: meta.predicted_width(-1.0, 0.5),
    "predicted_width: decay must be 0 to 1, got 2": lambda: meta.predicted_width(1.0, 2.0),
    "steeper: factor must be > 0, got 0": lambda: SIGMOID.steeper(0),
    "steeper: factor must be > 0 and finite, got nan": lambda: SIGMOID.steeper(NAN),
    "interval: low and high must be finite, and low < high, got 2 and 1": lambda: meta.interval(2, 1),
    "calibrate: target must be above 0 and below 1, got 1": lambda: meta.calibrate(NETWORK, DATA, target=1.0),
    "calibrate: target must be above 0 and below 1, got nan": lambda: meta.calibrate(NETWORK, DATA, target=NAN),
    "Range must have low < high, both finite, got 10 and 1": lambda: meta.Range(10, 1),
    "Range must have low < high, both finite, got 1 and 1": lambda: meta.Range(1, 1),
    "Range must have low < high, both finite, got 1 and inf": lambda: meta.Range(1, INF),
    "LogRange must have low < high, both finite, got 10 and 1": lambda: meta.LogRange(10, 1),
    "LogRange is logarithmic, so low must be > 0, got 0; Range(low, high) is linear": lambda: meta.LogRange(0, 1),
    "LogRange is logarithmic, so low must be > 0, got -1; Range(low, high) is linear": lambda: meta.LogRange(-1, 1),
    "LogRange: each length of shape must be an integer >= 1, got 0": lambda: meta.LogRange(1, 2, shape=(0,)),
    "Range: each length of shape must be an integer >= 1, got 0": lambda: meta.Range(1, 2, shape=(2, 0)),
    "Choice has no options": lambda: meta.Choice(()),
    "Training: steps must be an integer >= 1, got 0": lambda: meta.Training(square, square, 0),
    "Training.of_network: steps must be an integer >= 1, got 2.5": lambda: training(steps=2.5),
    "Training.of_network: batch must be an integer >= 1, got 0": lambda: training(steps=2, batch=0),
    "Training.of_network: seed must be an integer >= 0, got -1": lambda: training(steps=2, seed=-1),
    "Training.of_network: the number of samples must be an integer >= 1, got 0": lambda: training(
        steps=2, data=DATA[jnp.arange(0)]
    ),
    "horizon: samples must be an integer >= 2, got 1": lambda: horizon(samples=1),
    "horizon: sigma must be > 0, got -0.1": lambda: horizon(sigma=-0.1),
    "horizon: each of at must be an integer >= 1, got 1.5": lambda: horizon(at=(1, 1.5)),
    "classifier: hidden must be an integer >= 1, got 0": lambda: classifier(hidden=0),
    "classifier: depth must be an integer >= 1, got 1.5": lambda: classifier(depth=1.5),
    "classifier: tau must be > 0, got 0": lambda: classifier(tau=0),
    "classifier: gain must be > 0, got -1": lambda: classifier(gain=-1),
    "classifier: gain must be > 0 and finite, got inf": lambda: classifier(gain=INF),
    "classifier: recurrent must be >= 0, got -1": lambda: classifier(recurrent=-1),
    "classifier: 2 layers need as many surrogates, or one for all, got 3": lambda: classifier(
        spike=[SIGMOID] * 3, depth=2
    ),
    "Settings: learning_rate must be > 0, got 0": lambda: study.Settings(learning_rate=0),
    "Settings: tau must be > 0, got -1": lambda: study.Settings(tau=-1),
    "Settings: gain must be > 0 and finite, got nan": lambda: study.Settings(gain=NAN),
    "Settings: hidden must be an integer >= 1, got 0": lambda: study.Settings(hidden=0),
    "Settings: batch must be an integer >= 1, got 0.5": lambda: study.Settings(batch=0.5),
    "Settings: each of seeds must be an integer >= 0, got -1": lambda: study.Settings(seeds=(0, -1)),
    "Settings: split_seed must be an integer >= 0, got -1": lambda: study.Settings(split_seed=-1),
    "at_unit_peak: scale must be > 0, got 0": lambda: study.at_unit_peak(SIGMOID, 0),
    "Mixture: weights must be >= 0 and finite": lambda: surrogate_mixture(INF),
}


def surrogate_mixture(weight):
    return surgrad.Mixture([SIGMOID], [weight])


@pytest.mark.parametrize("said", WRONG)
def test_a_number_out_of_range_is_refused(said):
    with pytest.raises(ValueError) as refused:
        WRONG[said]()
    assert str(refused.value).startswith(said)


NO_NUMBER = {
    "Range: low must be a number, got 'a'": lambda: meta.Range("a", 1),
    "Range: high must be a number, got None": lambda: meta.Range(1, None),
    "LogRange: low must be a number, got 'a'": lambda: meta.LogRange("a", 1),
    "Choice: options must be surrogates, or numbers, and not both": lambda: meta.Choice((SIGMOID, 2.0)),
    "Choice: options must be surrogates, or numbers, and not both, got ('a',)": lambda: meta.Choice(("a",)),
    "steeper: factor must be a number, got True": lambda: SIGMOID.steeper(True),
    "classifier: tau must be a number, got '5'": lambda: classifier(tau="5"),
    "Training.of_network: data is a whole split; give the samples to learn from, data.train": lambda: training(
        data=tasks.Split(DATA, DATA), steps=2
    ),
    "inner_loop: optimizer is the function optax.sgd, which would get all hyperparameters as its learning rate; call it, "
    "optax.sgd(0.1) say": lambda: meta.inner_loop(square, jnp.ones(2), {"rate": 0.1}, BATCHES, optax.sgd),
    "inner_loop: optimizer is the function optax.adam": lambda: meta.hypergradient(
        square, square, jnp.ones(2), SIGMOID, BATCHES, optax.adam
    ),
    "inner_loop: optimizer must be an optimiser of Optax, optax.sgd(0.1) say": lambda: meta.inner_loop(
        square, jnp.ones(2), 0.1, BATCHES, None
    ),
    "Training.of_network: optimizer must be an optimiser of Optax, optax.sgd(0.1) say, or a function of the hyperparameters that "
    "makes one, got the function sgd": lambda: meta.Training.of_network(
        lambda hyper: (NETWORK, optax.sgd), DATA, square, steps=2
    ).start({}),
}


@pytest.mark.parametrize("said", NO_NUMBER)
def test_what_has_the_wrong_type_is_refused(said):
    with pytest.raises(TypeError) as refused:
        NO_NUMBER[said]()
    assert str(refused.value).startswith(said)


def test_an_optimiser_of_one_hyperparameter_may_be_optax_s_own_function():
    weights = meta.inner_loop(square, jnp.ones(2), 0.25, BATCHES[:1], optax.sgd).weights
    np.testing.assert_allclose(weights, 0.5)


def test_what_has_no_value_yet_is_not_checked():
    @jax.jit
    def scaled(number):
        hybrid = meta.HybridSpike(SIGMOID.steeper(number), number, KEY)
        return hybrid.surrogate_grad(0.0), meta.predicted_width(number, number)

    assert np.isfinite(scaled(0.5)).all()


def test_the_ends_of_a_range_belong_to_it():
    for probability in (0, 1, 0.5, jnp.array(0.5), np.float32(1)):
        meta.HybridSpike(SIGMOID, probability, KEY)
    meta.predicted_width(1.0, 0)
    meta.predicted_width(1.0, 1)
    classifier(recurrent=0)


def test_a_number_between_two_declared_ends_is_learned_between_them():
    class Leaning(surgrad.Sigmoid):
        """A curve of steepness alpha whose share is from 0 to 1."""

        share: float = surgrad.parameter(0.25, at_least=0, at_most=1)

    numbers, build = meta.unconstrained(Leaning())
    np.testing.assert_allclose(numbers["share"], np.log(0.25 / 0.75), rtol=1e-6)
    np.testing.assert_allclose(build({**numbers, "share": jnp.array(50.0)}).share, 1.0)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("threshold", 0.0, "threshold must be > 0, got 0.0"),
        ("dt", -1.0, "dt must be > 0"),
        ("refractory", 1.5, "refractory must be an integer >= 0, got 1.5"),
        ("reset", "hard", "reset must be one of 'subtract', 'zero', got 'hard'"),
        ("detach_reset", 1, "detach_reset must be True or False, got 1"),
        ("surrogate", 3.0, "surrogate must be a surrogate, or a function of x that spikes, got 3.0"),
        ("threshold", np.array([1.0, -1.0]), "threshold must be > 0"),
    ],
)
def test_a_field_that_is_assigned_is_checked_as_in_the_constructor(name, value, said):
    cell = nn.LIF(SIGMOID)
    with pytest.raises((TypeError, ValueError), match=f"^LIF: {said}"):
        setattr(cell, name, value)
    assert cell == nn.LIF(SIGMOID)


def test_a_traced_number_is_assigned_unseen():
    def decay(tau):
        cell = nn.LIF(SIGMOID)
        cell.tau = tau
        return cell.beta

    assert jnp.isfinite(jax.jit(decay)(-5.0))  # nothing is checked while it is traced


def test_numbers_with_an_order_are_assigned_in_order():
    cell = nn.AdEx(SIGMOID)
    with pytest.raises(ValueError, match=r"AdEx: v_peak must be above v_reset, 100\.0, got 20"):
        cell.v_reset = 100.0
    with pytest.raises(ValueError, match="AdEx: v_peak must be above v_reset"):
        cell.v_peak = -100.0
    assert cell.replace(v_reset=100.0, v_peak=200.0).v_peak == 200.0
