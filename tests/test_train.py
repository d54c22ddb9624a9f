"""Fitting: losses and updates are those of the textbook, and nothing but the weights is learned."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import CLOSED_FORM, agrees
from surgrad.nn import Sequential
from surgrad.tasks import Dataset

pytestmark = pytest.mark.promotes("Optax does")

optax = pytest.importorskip("optax")
train = pytest.importorskip("surgrad.train")

STEPS, CLASSES, RATE = 8, 2, 0.01
ADAM = optax.adam(RATE)
# One class spikes early on the first two of four channels, the other late on the last two.
LATENCIES = jnp.array([[0, 1, STEPS, STEPS], [1, 0, STEPS, STEPS], [STEPS, STEPS, 4, 5], [STEPS, STEPS, 5, 4]] * 4)
DATA = Dataset(LATENCIES, jnp.array([0, 0, 1, 1] * 4), STEPS, CLASSES)


def network(spike=None, hidden=16):
    spike = surgrad.Sigmoid() if spike is None else spike
    return train.classifier(spike, DATA, key=jax.random.key(0), hidden=hidden, tau=5.0, gain=3.0)


def test_a_deep_network_has_a_layer_for_each_surrogate():
    spikes = [surgrad.Sigmoid(), surgrad.Arctan()]
    network = train.classifier(spikes, DATA, key=jax.random.key(0), hidden=5, tau=5.0, gain=3.0, depth=2, recurrent=1.0)
    assert [type(part).__name__ for part in network.parts] == ["Linear", "Recurrent"] * 2 + [
        "Linear",
        "LeakyIntegrator",
    ]
    assert [network.parts[i].cell.surrogate for i in (1, 3)] == spikes
    with pytest.raises(ValueError, match="depth must be an integer >= 1, got 0"):
        train.classifier(spikes, DATA, key=jax.random.key(0), hidden=5, tau=5.0, gain=3.0, depth=0)


@pytest.fixture(scope="module")
def epoch():
    return jax.jit(train.epoch, static_argnums=1)


class Voltages:
    """A cell of a user that puts out what it was made with, for any input."""

    spiking = False

    def __init__(self, values):
        self.values = jnp.asarray(values, jnp.float32)

    def init(self, shape, dtype=None):
        return jnp.zeros((), int)

    def __call__(self, step, x):
        return step + 1, self.values[step]


class Spikes(Voltages):
    spiking = True


def test_the_score_is_that_of_the_highest_voltage_over_time():
    peaks = np.random.default_rng(0).normal(size=(16, CLASSES))
    voltages = np.stack([peaks - 1, peaks, *[peaks - 3] * (DATA.steps - 2)])
    hidden = np.zeros((DATA.steps, 16, 5))
    hidden[1, :8] = 1
    score = train.score(Sequential(Spikes(hidden), lambda x: x, Voltages(voltages)), DATA)
    labels = np.asarray(DATA.labels)
    right = peaks[np.arange(16), labels]
    wrong = peaks[np.arange(16), 1 - labels]
    agrees(score.loss, np.log1p(np.exp(wrong - right)).mean(), of=train.score, reference=CLOSED_FORM, rtol=1e-6)
    np.testing.assert_allclose(score.accuracy, (right > wrong).mean(), rtol=1e-6)
    np.testing.assert_allclose(score.firing_rate, 1 / 2 / DATA.steps, rtol=1e-6)


def test_the_first_step_of_adam_moves_every_weight_by_the_learning_rate_against_its_gradient():
    fit = train.start(network(), ADAM)

    @jax.jit
    def step_and_gradient(fit):
        net = fit.network
        loss = jax.value_and_grad(lambda connections: train.score(net.with_connections(connections), DATA).loss)
        return train.step(fit, ADAM, DATA), loss(net.connections())

    (after, loss), (before, slope) = step_and_gradient(fit)
    np.testing.assert_allclose(loss, before, rtol=1e-6)
    moved = jax.tree.map(lambda new, old: new - old, after.network.connections(), fit.network.connections())
    for change, g in zip(jax.tree.leaves(moved), jax.tree.leaves(slope), strict=True):
        # Adam's first update is -rate g/(|g| + 1e-8); the difference of weights of order 1 is rounded to 1e-7.
        np.testing.assert_allclose(change, -RATE * g / (jnp.abs(g) + 1e-8), atol=3e-7)
    assert float(jnp.abs(moved[0].weight).max()) > 0.9 * RATE


@pytest.mark.usefixtures("x64")
def test_the_gradient_of_a_smooth_network_is_that_of_finite_differences():
    net = network(surgrad.Sigmoid(2.0).smooth())
    weights, structure = jax.tree.flatten(net.connections())
    keys = jax.random.split(jax.random.key(1), len(weights))
    along = [jax.random.normal(k, w.shape, w.dtype) for k, w in zip(keys, weights, strict=True)]

    @jax.jit
    def loss(distance):
        moved = [w + distance * d for w, d in zip(weights, along, strict=True)]
        return train.score(net.with_connections(structure.unflatten(moved)), DATA).loss

    h = 1e-5  # the error of the quotient is of the order h², that of rounding 1e-16/h
    np.testing.assert_allclose(jax.grad(loss)(0.0), (loss(h) - loss(-h)) / (2 * h), rtol=1e-7)


def test_two_patterns_are_learned(epoch):
    fit, losses = train.start(network(), ADAM), []
    for k in range(40):
        fit, loss = epoch(fit, ADAM, DATA, train.batches(16, 8, key=jax.random.key(k)))
        losses.append(float(loss))
    assert losses[-1] < 0.1 * losses[0]
    assert train.score(fit.network, DATA).accuracy == 1


def test_weights_are_learned_and_cells_are_not(epoch):
    fit = train.start(network(), ADAM)
    after, _ = epoch(fit, ADAM, DATA, jnp.arange(16).reshape(2, 8))
    for old, new, learned in zip(fit.network.parts, after.network.parts, fit.network.connections(), strict=True):
        for before, now in zip(jax.tree.leaves(old), jax.tree.leaves(new), strict=True):
            assert np.array_equal(before, now) == (learned is None)


def test_batches_hold_every_sample_once_in_an_order_of_their_own():
    order = np.asarray(train.batches(17, 4, key=jax.random.key(0)))
    assert order.shape == (4, 4)
    assert len(set(order.flat)) == 16
    assert set(order.flat) < set(range(17))
    assert not np.array_equal(order, train.batches(17, 4, key=jax.random.key(1)))


@pytest.mark.parametrize("batch", [0, 17])
def test_a_batch_must_fit_the_data(batch):
    with pytest.raises(ValueError, match=f"batch must be 1 to 16, the number of samples, got {batch}"):
        train.batches(16, batch, key=jax.random.key(0))


def test_a_loss_of_your_own_is_minimised_on_batches_of_any_kind():
    def loss(network, batch):
        inputs, target = batch
        return jnp.mean((network.outputs(inputs)[-1].mean(axis=0) - target) ** 2)

    batch = DATA.spikes(), jnp.ones((16, CLASSES))
    before = train.start(network(), ADAM)
    after, value = train.step(before, ADAM, batch, loss=loss)
    np.testing.assert_allclose(value, loss(before.network, batch), rtol=1e-6)
    assert loss(after.network, batch) < value


def test_an_epoch_minimises_a_loss_of_your_own_too():
    def loss(network, batch):
        return network.outputs(batch.spikes())[-1].mean() ** 2 + 3.0

    order = jnp.arange(16).reshape(4, 4)
    fit, mean = train.epoch(train.start(network(), ADAM), ADAM, DATA, order, loss=loss)
    assert 3.0 <= mean < 4.0
    assert loss(fit.network, DATA) < loss(network(), DATA)
