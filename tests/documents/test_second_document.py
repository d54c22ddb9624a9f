"""The customising tutorial (the second document), block by block: 11 blocks. Its classes are in `user_classes`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad as surrogate
from user_classes import (
    AsymmetricSurrogate,
    EventCameraSurrogate,
    MultiScaleSurrogate,
    MySurrogate,
    SparsitySurrogate,
    TemperatureScaledSurrogate,
    TriangularSurrogate,
    cosine_grad,
    create_custom_surrogate,
)

# The bounds below are of roundings, which compilation as readers have it keeps.
pytestmark = pytest.mark.usefixtures("optimised")

X = jnp.linspace(-3, 3, 1000)
WIDE = np.asarray(X, np.float64)
STEP = np.where(WIDE >= 0, 1.0, 0.0)
EPS = float(np.finfo(np.float32).eps)


def logistic_step(alpha, x=WIDE):
    """Curve and slope of a logistic step in double precision."""
    s = 1 / (1 + np.exp(-alpha * x))
    return s, alpha * s / (1 + np.exp(alpha * x))


def assert_shaped_like(sg, curve, slope, largest_exponent):
    """Exact spikes, and the curve and slope that are expected.

    The exponent is rounded before it is exponentiated. Where hand-typed formulas subtract from 1, a rounding of 1
    stays: of the height of the curve, which is 1, or of the slope, which is 4 · max s·(1 - s).
    """
    np.testing.assert_array_equal(sg(X), STEP)
    rtol, height = (largest_exponent + 4) * EPS, np.max(slope)
    np.testing.assert_allclose(sg.surrogate_fun(X), curve, rtol=rtol, atol=EPS)
    np.testing.assert_allclose(sg.surrogate_grad(X), slope, rtol=rtol, atol=4 * height * EPS)
    gradient = jax.vmap(jax.grad(sg))(X)
    np.testing.assert_allclose(gradient, sg.surrogate_grad(X), rtol=rtol, atol=4 * height * EPS)


def test_block_01_surgrad_stands_beside_brainstates_pretty_object(brainstate):
    from brainstate.util import PrettyObject

    class Pretty(MySurrogate, PrettyObject):
        pass

    assert Pretty(alpha=2.0)(0.0) == 1.0


def test_block_02_the_base_class_leaves_curve_and_slope_to_the_subclass():
    base = surrogate.Surrogate()
    for method in (base.surrogate_fun, base.surrogate_grad, base):
        with pytest.raises(NotImplementedError):
            method(jnp.array(0.0))


def test_block_02_the_gradient_is_the_slope_alone():
    # The printed base class differentiates its own slope too, which would add the second derivative.
    x = jnp.array([-0.3, 0.0, 0.3])
    gradient = jax.vmap(jax.grad(surrogate.Sigmoid(alpha=4.0)))(x)
    np.testing.assert_allclose(gradient, logistic_step(4.0, np.asarray(x, np.float64))[1], rtol=8 * EPS)


def test_block_03_a_triangular_surrogate(axes):
    sg = TriangularSurrogate(alpha=2.0)
    spikes, curve, slope = sg(X), sg.surrogate_fun(X), sg.surrogate_grad(X)
    np.testing.assert_array_equal(spikes, STEP)
    np.testing.assert_allclose(curve, np.clip(0.5 + WIDE, 0, 1), atol=EPS)
    np.testing.assert_allclose(slope, np.maximum(0, 2 - 4 * np.abs(WIDE)), atol=2 * EPS)
    for line, values in zip(axes.plot(X, spikes, X, curve, X, slope), (spikes, curve, slope), strict=True):
        np.testing.assert_array_equal(line.get_ydata(), values)


def test_block_04_its_gradients_are_two_zero_zero():
    sg, x = TriangularSurrogate(alpha=2.0), jnp.array([0.0, 0.5, 1.0])
    np.testing.assert_array_equal(sg(x), [1.0, 1.0, 1.0])
    np.testing.assert_array_equal(jax.grad(lambda x: jnp.sum(sg(x)))(x), [2.0, 0.0, 0.0])


def test_block_05_an_asymmetric_surrogate_beside_a_symmetric_one():
    assert_shaped_like(surrogate.Sigmoid(alpha=3.0), *logistic_step(3.0), 9)
    alpha = np.where(WIDE >= 0, 5.0, 2.0)
    assert_shaped_like(AsymmetricSurrogate(alpha_pos=5.0, alpha_neg=2.0), *logistic_step(alpha), 15)


def test_block_06_a_mixture_of_scales_is_the_weighted_sum_of_its_parts():
    (narrow, narrow_slope), (wide, wide_slope) = logistic_step(8.0), logistic_step(2.0)
    sg = MultiScaleSurrogate(alpha_narrow=8.0, alpha_wide=2.0, weight_narrow=0.6)
    assert_shaped_like(sg, 0.6 * narrow + 0.4 * wide, 0.6 * narrow_slope + 0.4 * wide_slope, 24)
    assert_shaped_like(surrogate.Sigmoid(alpha=4.0), *logistic_step(4.0), 12)


def test_block_07_a_spike_function_without_a_class():
    cosine_spike = create_custom_surrogate(cosine_grad)
    np.testing.assert_array_equal(jax.vmap(cosine_spike)(X), STEP)
    gradient = jax.vmap(jax.grad(lambda x: cosine_spike(x)))(X)
    expected = np.where(np.abs(WIDE) < 1, (1 + np.cos(np.pi * WIDE)) / 2, 0)
    # The angle, at most pi, is rounded before its cosine is taken.
    np.testing.assert_allclose(gradient, expected, atol=4 * EPS)


@pytest.mark.parametrize("temperature", [2.0, 1.0, 0.5, 0.25])
def test_block_08_a_lower_temperature_is_a_steeper_step(temperature):
    sg = TemperatureScaledSurrogate(alpha=4.0, temperature=temperature)
    assert_shaped_like(sg, *logistic_step(4.0 / temperature), 12 / temperature)


def test_block_08_the_temperature_can_be_lowered_between_epochs():
    sg = TemperatureScaledSurrogate()
    for epoch in range(3):
        sg.set_temperature(2.0 * (0.95**epoch))
        np.testing.assert_allclose(sg.surrogate_grad(0.0), 0.5 / 0.95**epoch, rtol=4 * EPS)


def test_block_09_a_negative_bias_moves_the_slope_above_the_threshold_and_no_spike():
    assert_shaped_like(surrogate.Sigmoid(alpha=4.0), *logistic_step(4.0), 12)
    sparse = SparsitySurrogate(alpha=4.0, bias=-0.3)
    assert_shaped_like(sparse, *logistic_step(4.0, WIDE - 0.3), 14)
    # The document says that the peak lies at -0.3, below the threshold, and that a spike takes more input.
    assert float(X[jnp.argmax(sparse.surrogate_grad(X))]) == pytest.approx(0.3, abs=0.003)


def test_block_10_an_event_camera_detects_94_events():
    def simulate(signal, spike):
        return jax.vmap(spike)(jnp.diff(signal, prepend=signal[0]))

    t = jnp.linspace(0, 10, 200)
    signal = jnp.sin(t) + 0.3 * jnp.sin(3 * t)
    camera = EventCameraSurrogate(alpha=10.0, on_threshold=0.1)
    events = simulate(signal, camera)
    assert f"{jnp.sum(events > 0.5):.0f}" == "94"
    # Every rise is an event, however small: the threshold of 0.1 moves the slope alone.
    np.testing.assert_array_equal(events, np.diff(np.asarray(signal), prepend=signal[0]) >= 0)
    gradient = jax.grad(lambda signal: simulate(signal, camera).sum())(signal)
    assert jnp.isfinite(gradient).all()
    assert gradient.any()


def test_block_11_the_template_is_a_surrogate():
    sg = MySurrogate(alpha=4.0)
    threshold, potential = 1.0, jnp.array([0.5, 1.0, 1.5])
    np.testing.assert_array_equal(sg(potential - threshold), [0.0, 1.0, 1.0])
    assert_shaped_like(sg, *logistic_step(8.0), 24)
