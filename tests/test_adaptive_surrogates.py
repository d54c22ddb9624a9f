"""The adaptive surrogates of the literature against their papers' formulas, and networks that train with them."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import surgrad
from surgrad import Dspike, PiecewiseLeakyRelu, Sigmoid
from surgrad.meta import (
    HybridSpike,
    adapt_temperature,
    finite_differences,
    follow_membranes,
    hybrid,
    predicted_width,
    record,
    surrogates,
    with_surrogates,
)
from surgrad.nn import LIF, LeakyIntegrator, Linear, Sequential, unroll

X = np.linspace(-0.5, 0.5, 41)
TIME, BATCH, INPUTS, HIDDEN, CLASSES = 12, 24, 10, 16, 3
RANDOM = np.random.default_rng(3)
LABELS = RANDOM.integers(CLASSES, size=BATCH)
RATES = RANDOM.uniform(0.05, 0.6, size=(CLASSES, INPUTS))
SPIKES = jnp.asarray(RANDOM.random((TIME, BATCH, INPUTS)) < RATES[LABELS], jnp.float32)


def network(spike, hidden=HIDDEN):
    into, out = jax.random.split(jax.random.key(2))
    return Sequential(
        Linear(INPUTS, hidden, key=into, gain=2.0), LIF(spike), Linear(hidden, CLASSES, key=out), LeakyIntegrator()
    )


def loss(model):
    logits = model.outputs(SPIKES)[-1].mean(0)
    return optax.softmax_cross_entropy_with_integer_labels(logits, LABELS).mean()


# Dspike (Li et al. 2021)


@pytest.mark.parametrize("b", [0.5, 3.0, 20.0])
def test_dspike_is_the_published_curve(b, x64):
    published = (np.tanh(b * X) + np.tanh(b / 2)) / (2 * np.tanh(b / 2))
    # Its two terms cancel at the lower end.
    np.testing.assert_allclose(Dspike(b).surrogate_fun(X), published, rtol=1e-14, atol=2e-16)
    np.testing.assert_array_equal(Dspike(b).surrogate_fun(np.array([-9, -0.5, 0.5, 9])), [0, 0, 1, 1])


@pytest.mark.parametrize("b", [0.5, 3.0, 20.0])
def test_dspike_has_the_slope_of_published_code(b, x64):
    x = np.concatenate([X, [-0.51, 0.51, 3.0]])
    published = b / (2 * np.tanh(b / 2)) / np.cosh(b * x) ** 2 * (np.abs(x) <= 0.5)
    np.testing.assert_allclose(Dspike(b).surrogate_grad(x), published, rtol=1e-14)


def test_dspike_goes_from_a_line_to_a_step(x64):
    np.testing.assert_allclose(Dspike(1e-4).surrogate_fun(X), X + 0.5, atol=1e-9)
    np.testing.assert_allclose(Dspike(1e4).surrogate_fun(X), np.heaviside(X, 0.5), atol=1e-15)


def test_finite_differences_of_a_smooth_loss_are_its_gradient(x64):
    weights = {"w": jnp.arange(1.0, 7.0).reshape(2, 3), "b": jnp.array(0.5)}

    def cubic(tree):
        return jnp.sum(tree["w"] ** 3) * tree["b"]

    got = jax.jit(lambda w: finite_differences(cubic, w, 1e-4, batch=4))(weights)
    # The third derivative times ε²/6.
    jax.tree.map(lambda a, e: np.testing.assert_allclose(a, e, rtol=1e-7), got, jax.grad(cubic)(weights))


def spiking_loss(weights, b):
    model = network(Dspike(b), hidden=4)
    return loss(Sequential(model[0].replace(weight=weights), *model[1:]))


@pytest.mark.slow
@pytest.mark.parametrize("b", [0.5, 3.0, 9.0])
def test_the_temperature_becomes_the_one_whose_gradient_is_most_alike_finite_differences(b):
    weights, step, spacing = network(Dspike(), hidden=4)[0].weight, 0.1, 0.4
    forward = jax.jit(spiking_loss)
    target = np.zeros(weights.shape)
    for index in np.ndindex(weights.shape):
        moved = np.zeros(weights.shape, np.float32)
        moved[index] = step
        target[index] = (forward(weights + moved, b) - forward(weights - moved, b)) / (2 * step)
    assert np.count_nonzero(target) > target.size / 2

    def cosine(candidate):
        gradient = np.asarray(jax.jit(jax.grad(spiking_loss))(weights, candidate), float)
        return np.vdot(gradient, target) / np.linalg.norm(gradient)

    got = jax.jit(lambda w, b: adapt_temperature(spiking_loss, w, b, spacing=spacing, step=step))(weights, b)
    assert got == pytest.approx(max([b, b + spacing, b - spacing], key=cosine), rel=1e-6)


def test_the_temperature_stays_where_no_spike_changes_and_positive_always():
    flat = functools.partial(adapt_temperature, lambda w, b: 0.0 * jnp.sum(w), jnp.ones(3), step=0.1)
    assert flat(1.5, spacing=0.2) == 1.5

    def smaller_is_better(w, b):  # the loss is w₀, and b turns its gradient away
        return w[0] + (b + 2.0) * (w[1] - jax.lax.stop_gradient(w[1]))

    adapt = functools.partial(adapt_temperature, smaller_is_better, jnp.zeros(2), step=0.1)
    assert adapt(1.0, spacing=0.5) == 0.5
    assert adapt(0.5, spacing=0.5) == 0.5


# ASGL (Wang et al. 2023)


def analog_sigmoid(x):
    return 1 / (1 + np.exp(-2.0 * x))


def analog_rectangle(x):
    return np.clip(0.8 * x + 0.5, 0, 1)


CURVES = [(Sigmoid(2.0), analog_sigmoid), (PiecewiseLeakyRelu(c=0.0, w=1 / 1.6), analog_rectangle)]
V = jnp.asarray(RANDOM.normal(size=4000), jnp.float32)


@pytest.mark.parametrize(("surrogate", "curve"), CURVES)
def test_hybrid_spikes_are_curve_or_spike_with_the_probability(surrogate, curve):
    got = np.asarray(HybridSpike(surrogate, 0.3, jax.random.key(0))(V))
    spikes, analog = np.asarray(V >= 0, np.float32), curve(np.asarray(V))
    is_spike, is_analog = np.abs(got - spikes) < 1e-6, np.abs(got - analog) < 1e-6
    assert np.all(is_spike | is_analog)
    open_to_doubt = np.abs(spikes - analog) < 1e-6
    share = np.mean(is_analog[~open_to_doubt])
    assert abs(share - 0.3) < 5 * np.sqrt(0.3 * 0.7 / np.count_nonzero(~open_to_doubt))  # five standard deviations


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_no_neuron_is_analog_or_each_is(probability):
    got = HybridSpike(Sigmoid(2.0), probability, jax.random.key(0))(V)
    np.testing.assert_allclose(got, analog_sigmoid(np.asarray(V)) if probability else V >= 0, rtol=1e-5)


def test_the_derivatives_of_hybrid_spikes_are_those_of_the_curve_whatever_the_mask(x64):
    v = np.asarray(V, float)
    s = analog_sigmoid(v)

    def total(alpha, v):
        return HybridSpike(Sigmoid(alpha), 0.3, jax.random.key(0))(v).sum()

    by_alpha, by_x = jax.grad(total, (0, 1))(2.0, v)
    np.testing.assert_allclose(by_x, 2.0 * s * (1 - s), rtol=1e-12)
    # The published code masks the values alone: its width learns from spikes and curves alike.
    np.testing.assert_allclose(by_alpha, np.sum(v * s * (1 - s)), rtol=1e-10)


def test_masks_differ_between_steps_and_keys_and_are_the_same_for_the_same():
    spike, other = (HybridSpike(Sigmoid(2.0), 0.5, jax.random.key(seed)) for seed in (0, 1))
    np.testing.assert_array_equal(spike(V), jax.jit(spike)(V))
    later = V.at[0].add(1e-3)
    for differing in (spike(later), other(V)):
        assert 0.4 < np.mean(np.asarray(spike(V) != differing)[1:]) < 0.6


def test_hybrid_spikes_waive_laws_that_exist():
    report = surgrad.check(HybridSpike(Sigmoid(2.0), 0.5, jax.random.key(0)), laws=["hard_forward", "shapes"])
    assert report.ok


@pytest.mark.slow
def test_hybrid_spikes_keep_all_laws_but_those_waived():
    report = surgrad.check(HybridSpike(Sigmoid(2.0), 0.5, jax.random.key(0)))
    assert report.ok
    assert not report.unneeded


def test_hybrid_wraps_every_surrogate_once_and_renews_probability_and_key():
    once = hybrid(network(Sigmoid(2.0)), 0.5, jax.random.key(0))
    twice = hybrid(once, 0.1, jax.random.key(1))
    (spike,) = surrogates(twice).values()
    assert (spike.surrogate, spike.probability) == (Sigmoid(2.0), 0.1)
    assert jax.tree.structure(once) == jax.tree.structure(twice)


def test_the_published_schedule_of_the_probability_is_one_of_optax():
    schedule = optax.piecewise_constant_schedule(0.5, {30: 0.9, 70: 0.9, 90: 0.9})
    got = [float(schedule(epoch)) for epoch in (0, 29, 31, 69, 71, 99)]
    np.testing.assert_allclose(got, [0.5, 0.5, 0.45, 0.45, 0.405, 0.3645], rtol=1e-6)


@pytest.mark.slow
def test_hybrid_spikes_train_through_checkpoints():
    model = hybrid(network(Sigmoid(2.0)), 0.5, jax.random.key(0))

    def total(model, segment):
        return jnp.sum(unroll(model, model.init((BATCH, INPUTS)), SPIKES, checkpoint_every=segment)[1] ** 2)

    def gradient(segment):
        connections = jax.grad(lambda c: total(model.with_connections(c), segment))(model.connections())
        return jax.tree.leaves(connections)

    for whole, segmented in zip(gradient(None), gradient(4), strict=True):
        np.testing.assert_allclose(segmented, whole, rtol=1e-4, atol=1e-4 * np.abs(whole).max())


# MPD-AGL (Jiang et al. 2025)


@pytest.mark.parametrize(("gain", "decay", "threshold"), [(1.0, 0.2, 0.5), (1.3, 0.25, 0.5), (0.7, 0.9, 2.0)])
def test_the_predicted_width_is_that_of_published_code(gain, decay, threshold):
    width = 2.0 * np.sqrt(1.0 + decay**2) * gain * threshold  # whole, in units of the membrane
    np.testing.assert_allclose(predicted_width(gain, decay), width / 2 / threshold, rtol=1e-6)


def test_the_predicted_width_is_the_deviation_of_two_leaky_steps():
    first, second = RANDOM.normal(size=(2, 100_000)) * 0.7
    # The relative error of a deviation of n numbers is 1/√(2n).
    np.testing.assert_allclose(predicted_width(0.7, 0.4), np.std(0.4 * first + second), rtol=5 / np.sqrt(2e5))


def test_rectangles_follow_the_membranes():
    model = Sequential(*network(Sigmoid(2.0))[:2], Linear(HIDDEN, 8, key=jax.random.key(5), gain=2.0), LIF(Dspike()))
    membranes = record(model, SPIKES).membranes
    spikes = list(surrogates(follow_membranes(model, membranes)).values())
    for spike, x in zip(spikes, membranes, strict=True):
        deviation = np.std(np.asarray(x, float))
        inside = np.abs(np.asarray(x)) <= np.float32(spike.w)
        np.testing.assert_allclose(spike.w, deviation, rtol=1e-5)
        np.testing.assert_allclose(spike.surrogate_grad(x), inside / (2 * deviation), rtol=1e-5)


def test_membranes_that_never_move_leave_a_finite_slope():
    (spike,) = surrogates(follow_membranes(network(Sigmoid(2.0)), (jnp.full((TIME, BATCH, HIDDEN), -1.0),))).values()
    assert np.isfinite(spike.surrogate_grad(0.0))


def test_a_wrong_number_of_membranes_is_an_error():
    with pytest.raises(ValueError, match="has 1 surrogates, got 0 membranes; give record"):
        follow_membranes(network(Sigmoid(2.0)), ())


# All of them, in training


def with_temperature(model, step):
    def of_weights(weights, b):
        return loss(Sequential(model[0].replace(weight=weights), model[1].replace(surrogate=Dspike(b)), *model[2:]))

    b = model[1].surrogate.b
    new = jax.lax.cond(
        step % 10 == 0,
        lambda: adapt_temperature(of_weights, model[0].weight, b, spacing=0.2, step=0.1),
        lambda: jnp.asarray(b, jnp.float32),
    )
    return with_surrogates(model, lambda _, s: s.replace(b=new))


def with_hybrid_spikes(model, step):
    probability = optax.piecewise_constant_schedule(0.5, {20: 0.5, 40: 0.5})(step)
    return hybrid(model, probability, jax.random.fold_in(jax.random.key(7), step))


METHODS = {
    "Dspike": (Dspike(), with_temperature),
    "ASGL": (Sigmoid(1.0), with_hybrid_spikes),
    "MPD-AGL": (PiecewiseLeakyRelu(c=0.0), lambda model, _: follow_membranes(model, record(model, SPIKES).membranes)),
}


def plain(model):
    return with_surrogates(model, lambda _, s: s.surrogate if isinstance(s, HybridSpike) else s)


def trained(spike, adapt, steps=60):
    """A network before and after training, its surrogates adapted at each step."""
    optimizer, first = optax.adam(0.03), network(spike)

    @jax.jit
    def update(model, state, step):
        model = adapt(model, step)
        gradients = jax.grad(lambda c: loss(model.with_connections(c)))(model.connections())
        updates, state = optimizer.update(gradients, state)
        return plain(model).with_connections(optax.apply_updates(model.connections(), updates)), state

    model, state = first, optimizer.init(first.connections())
    for step in range(steps):
        model, state = update(model, state, jnp.asarray(step))
    return first, model


@pytest.mark.slow
@pytest.mark.promotes("Optax does")
@pytest.mark.parametrize("name", METHODS)
def test_spiking_networks_learn_with_each_method(name):
    spike, adapt = METHODS[name]
    before, after = trained(spike, adapt)
    assert loss(after) < 0.5 * loss(before)
    if name != "ASGL":
        assert surrogates(after) != surrogates(before)


@pytest.mark.slow
@pytest.mark.promotes("Optax does")
def test_the_width_of_hybrid_spikes_is_learned_with_the_weights():
    optimizer, model = optax.adam(0.03), network(Sigmoid(1.0))

    def of(learned):
        return with_surrogates(model.with_connections(learned[0]), lambda _, s: s.replace(alpha=jnp.exp(learned[1])))

    @jax.jit
    def update(learned, state, step):
        gradients = jax.grad(lambda learned: loss(with_hybrid_spikes(of(learned), step)))(learned)
        updates, state = optimizer.update(gradients, state)
        return optax.apply_updates(learned, updates), state

    first = learned = (model.connections(), jnp.array(0.0))
    state = optimizer.init(learned)
    for step in range(60):
        learned, state = update(learned, state, jnp.asarray(step))
    assert abs(learned[1] - first[1]) > 0.1
    assert loss(of(learned)) < 0.5 * loss(of(first))
