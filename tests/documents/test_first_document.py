"""The basics tutorial (the first document), block by block: 10 blocks."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad as surrogate

X = jnp.linspace(-3, 3, 1000)
STEP = np.where(np.asarray(X) >= 0, 1.0, 0.0)
EPS = float(np.finfo(np.float32).eps)
TAU, V_TH, DT = 10.0, 1.0, 0.1


def logistic(z):
    """1 / (1 + exp(-z)) in double precision."""
    return 1 / (1 + np.exp(-np.asarray(z, np.float64)))


def peaks():
    """The surrogates that the document draws, each with the height of its slope at the threshold."""
    return {
        "Sigmoid": (surrogate.Sigmoid(alpha=4.0), 1.0),
        "Arctan": (surrogate.Arctan(alpha=3.0), 1.5),
        "SoftSign": (surrogate.SoftSign(alpha=2.0), 1.0),
        "ERF": (surrogate.ERF(alpha=2.0), 2 / np.sqrt(np.pi)),
        "GaussianGrad": (surrogate.GaussianGrad(sigma=0.5, alpha=1.0), 2 / np.sqrt(2 * np.pi)),
        "PiecewiseQuadratic": (surrogate.PiecewiseQuadratic(alpha=1.0), 1.0),
        "ReluGrad": (surrogate.ReluGrad(alpha=0.5, width=1.0), 0.5),
        "LeakyRelu": (surrogate.LeakyRelu(alpha=0.1, beta=1.0), 1.0),
    }


def charge(v, current):
    return v + (-v + current) / TAU * DT


def step(spike_grad, v, current):
    """One step of the document's neuron: integrate, spike, reset to 0."""
    v = charge(v, current)
    spike = spike_grad(v - V_TH)
    return v * (1.0 - spike), spike


def count_spikes(spike_grad):
    """The function from a constant current to the spikes in 100 steps, as a Python loop."""

    def total(current):
        v, spikes = jnp.array(0.0), 0.0
        for _ in range(100):
            v, spike = step(spike_grad, v, current)
            spikes = spikes + spike
        return spikes

    return total


def steps_to_threshold(currents):
    """How many steps the voltage I·(1 - (1 - dt/tau)^n) takes to reach the threshold; infinite if I is too small."""
    with np.errstate(divide="ignore", invalid="ignore"):
        n = np.ceil(np.log(1 - V_TH / np.asarray(currents, np.float64)) / np.log1p(-DT / TAU))
    return np.where(np.isnan(n), np.inf, n)


def test_block_01_the_names_that_the_document_uses_are_there():
    used = ["Sigmoid", "Arctan", "SoftSign", "ERF", "GaussianGrad", "PiecewiseQuadratic", "ReluGrad", "LeakyRelu"]
    assert all(issubclass(getattr(surrogate, name), surrogate.Surrogate) for name in used)


def test_block_02_a_plain_step_has_no_gradient():
    heaviside = jnp.where(X >= 0, 1.0, 0.0)
    np.testing.assert_array_equal(heaviside, STEP)
    gradient = jax.vmap(jax.grad(lambda x: jnp.where(x >= 0, 1.0, 0.0)))(X)
    np.testing.assert_array_equal(gradient, jnp.zeros_like(X))


def test_block_03_forward_is_the_step_and_curve_and_slope_are_the_logistic_ones(axes):
    sg = surrogate.Sigmoid(alpha=4.0)
    forward, curve, slope = sg(X), sg.surrogate_fun(X), sg.surrogate_grad(X)
    np.testing.assert_array_equal(forward, STEP)
    s = logistic(4 * np.asarray(X, np.float64))
    # The exponent, at most 12, is rounded before it is exponentiated.
    np.testing.assert_allclose(curve, s, rtol=16 * EPS)
    np.testing.assert_allclose(slope, 4 * s * logistic(-4 * np.asarray(X, np.float64)), rtol=16 * EPS)
    for line, values in zip(axes.plot(X, forward, X, curve, X, slope), (forward, curve, slope), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)
    axes.fill_between(X, 0, slope)


def test_block_04_the_gradient_at_the_threshold_is_one_and_largest():
    sg = surrogate.Sigmoid(alpha=4.0)

    def spikes(x):
        return jnp.sum(sg(x))

    at_threshold = jnp.array([0.0])
    assert sg(at_threshold)[0] == 1.0
    assert f"{jax.grad(spikes)(at_threshold)[0]:.4f}" == "1.0000"
    x = jnp.linspace(-2, 2, 20)
    gradients = jax.vmap(lambda x: jax.grad(spikes)(jnp.array([x]))[0])(x)
    np.testing.assert_allclose(gradients, 4 * logistic(4 * x) * logistic(-4 * x), rtol=16 * EPS)
    assert set(np.argsort(gradients)[-2:].tolist()) == {9, 10}


@pytest.mark.parametrize("name", peaks())
def test_block_05_every_surrogate_of_the_gallery_has_a_curve_and_a_slope(name):
    sg, peak = peaks()[name]
    curve, slope = sg.surrogate_fun(X), sg.surrogate_grad(X)
    assert jnp.isfinite(curve).all()
    # Neighbours near 1 may be rounded towards each other.
    assert jnp.diff(curve).min() >= -2 * EPS
    assert slope.min() >= 0
    np.testing.assert_allclose(sg.surrogate_grad(0.0), peak, rtol=4 * EPS)
    assert slope.max() <= sg.surrogate_grad(0.0)


def test_block_06_slopes_compared_at_two_zooms():
    compared = {name: sg for name, (sg, _) in peaks().items() if name not in ("SoftSign", "LeakyRelu")}
    compared["GaussianGrad"] = surrogate.GaussianGrad(sigma=0.5)
    zoomed = jnp.linspace(-1.5, 1.5, 1000)
    for name, sg in compared.items():
        finite_support = name in ("PiecewiseQuadratic", "ReluGrad")
        for x in (X, zoomed):
            beyond = sg.surrogate_grad(x)[jnp.abs(x) > 1.0]
            assert (beyond == 0).all() if finite_support else (beyond > 0).all(), name
    default_height = compared["GaussianGrad"].surrogate_grad(0.0)
    np.testing.assert_allclose(default_height, 0.5 * peaks()["GaussianGrad"][1], rtol=4 * EPS)


def test_block_07_a_larger_alpha_is_steeper_taller_and_nearer_to_the_step():
    errors, heights = [], []
    for alpha in [0.5, 1.0, 2.0, 4.0, 8.0]:
        sg = surrogate.Sigmoid(alpha=alpha)
        errors.append(jnp.abs(sg.surrogate_fun(X) - STEP))
        heights.append(float(sg.surrogate_grad(X).max()))
        assert alpha / 4 * (1 - 0.01) < heights[-1] <= alpha / 4
    assert all((nearer <= further).all() for further, nearer in itertools.pairwise(errors))
    assert heights == sorted(heights)


def test_block_08_a_neuron_spikes_4_times_at_80_hertz():
    spike_grad = surrogate.Sigmoid(alpha=4.0)
    n_steps, v, spikes = 500, jnp.array(0.0), []
    currents = jnp.ones(n_steps) * 1.5
    for i in range(n_steps):
        v, spike = step(spike_grad, v, currents[i])
        spikes.append(float(spike))
    spikes = jnp.array(spikes)
    assert f"{jnp.sum(spikes > 0.5):.0f}" == "4"
    assert f"{jnp.sum(spikes > 0.5) / (n_steps * DT) * 1000:.1f}" == "80.0"
    times = (jnp.arange(n_steps) * DT)[spikes > 0.5]
    first = steps_to_threshold(1.5)
    np.testing.assert_allclose(times, DT * (first * np.arange(1, 5) - 1), rtol=4 * EPS)


def test_block_09_gradients_flow_through_the_neuron():
    currents = jnp.linspace(0.5, 2.5, 50)
    neuron = count_spikes(surrogate.Sigmoid(alpha=4.0))
    outputs = jax.vmap(neuron)(currents)
    np.testing.assert_array_equal(outputs, 100 // steps_to_threshold(currents))
    gradients = jax.vmap(jax.grad(neuron))(currents)
    statistics = [f"{f(gradients):.4f}" for f in (jnp.mean, jnp.max, jnp.min)]
    assert statistics == ["2.0763", "3.0740", "1.6188"]


def test_block_10_surrogates_change_the_gradient_and_never_the_spikes():
    currents = jnp.linspace(0.5, 2.5, 30)
    gradients = []
    for name in ("Sigmoid", "GaussianGrad", "PiecewiseQuadratic", "Arctan"):
        neuron = count_spikes(peaks()[name][0])
        np.testing.assert_array_equal(jax.vmap(neuron)(currents), 100 // steps_to_threshold(currents))
        gradients.append(np.asarray(jax.vmap(jax.grad(neuron))(currents)))
    assert np.isfinite(gradients).all()
    assert all((a != b).any() for i, a in enumerate(gradients) for b in gradients[:i])
