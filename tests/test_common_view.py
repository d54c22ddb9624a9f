"""Width, height and area of surrogates, and the same shapes at other ones, against mpmath's and finite differences."""

import json
import pickle
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
import user_classes as user
from surgrad import Mixture, Normalized, Scaled, Shift, Sigmoid, Temperature

pytestmark = pytest.mark.versions

X = np.linspace(-2.0, 2.0, 41)
EXACT = json.loads((Path(__file__).parent / "golden_areas" / "areas.json").read_text("utf-8"))
SLOPES = {
    "power": lambda x, k=2.0: 1 / (1 + k * jnp.abs(x)) ** 1.5,
    "shifted": lambda x, k=3.0: jnp.exp(-(((x - 0.4) * k) ** 2)),
    "boxes": lambda x, k=0.7: jnp.where(jnp.abs(x) < k, 1.0, jnp.where(jnp.abs(x - 3) < 0.1, 0.25, 0.0)),
}
"""Those of `golden_areas/write.py`, for JAX."""


@pytest.mark.parametrize("name", SLOPES)
def test_the_area_of_a_slope_without_a_curve_is_its_integral(name, x64):
    one = surgrad.from_grad(SLOPES[name])
    np.testing.assert_allclose(surgrad.area(one), EXACT[name]["area"], rtol=1e-6)


def test_the_derivative_of_that_area_is_the_one_of_mpmath(x64):
    one = surgrad.from_grad(SLOPES["power"])
    found = jax.grad(lambda k: one.replace(k=k).area())(2.0)
    np.testing.assert_allclose(found, EXACT["power"]["by_k"], rtol=1e-6)


@pytest.mark.parametrize("slope", [lambda x, k=1.0: k / (1 + jnp.abs(x)), lambda x, k=1.0: k + 0 * x], ids=["1/x", "1"])
def test_a_slope_that_does_not_fall_fast_enough_has_an_infinite_area(slope):
    one = surgrad.from_grad(slope)
    assert surgrad.area(one) == np.inf
    with pytest.raises(ValueError, match=r"FromGrad.with_area: the area of from_grad.* is inf, .* with_height scales"):
        one.with_area(1.0)


def test_one_area_a_neuron_and_no_derivative_where_the_slope_jumps():
    one = surgrad.from_grad(lambda x, k=1.0: jnp.where(jnp.abs(x) < k, 1.0, 0.0))
    ks = jnp.array([0.5, 1.0, 2.0])
    np.testing.assert_allclose(one.replace(k=ks).area(), 2 * ks, rtol=1e-5)
    assert np.isnan(jax.grad(lambda k: one.replace(k=k).area())(1.0))
    np.testing.assert_allclose(jax.grad(lambda a: one.with_area(a).surrogate_grad(0.1))(3.0), 0.5, rtol=1e-5)


class Slanted(surgrad.Surrogate):
    """A user's class without a curve, with a peak away from the threshold."""

    def __init__(self, k=1.0):
        super().__init__()
        self.k = k

    def surrogate_grad(self, x):
        return jnp.exp(-self.k * jnp.abs(x - 0.3)) * jnp.where(x > 0.3, 1.0, jnp.exp(-jnp.abs(x - 0.3)))


SHAPES = [
    Sigmoid(7.0),
    surgrad.FastSigmoid(25.0),
    surgrad.SoftSign(),
    surgrad.PiecewiseQuadratic(2.0),
    user.AsymmetricSurrogate(5.0, 2.0),
    Slanted(2.0),
    Mixture([Sigmoid(4.0), surgrad.Arctan(2.0)], weights=[0.3, 0.6]),
    Shift(Sigmoid(3.0), 0.2),
    Normalized(Sigmoid(3.0), to="peak"),
    Scaled(Temperature(surgrad.ERF(2.0), 3.0), 2.0),
    Normalized(Sigmoid(3.0), to="width", width=0.4),
]


@pytest.mark.parametrize("one", SHAPES, ids=lambda one: type(one).__name__)
def test_the_last_call_holds_and_what_it_keeps_is_kept(one, x64):
    wide, tall, large = one.with_width(0.7), one.with_height(1.5), one.with_area(0.4)
    np.testing.assert_allclose([surgrad.width(wide), surgrad.area(wide)], [0.7, one.area()], rtol=1e-6)
    np.testing.assert_allclose([surgrad.height(tall), surgrad.width(tall)], [1.5, one.fwhm()], rtol=1e-6)
    np.testing.assert_allclose([surgrad.area(large), surgrad.width(large)], [0.4, one.fwhm()], rtol=1e-6)
    both = one.with_width(0.7).with_height(1.5)
    np.testing.assert_allclose([both.fwhm(), both.peak()], [0.7, 1.5], rtol=1e-6)
    again = both.with_width(0.3).with_area(2.0).with_width(0.9)
    np.testing.assert_allclose([again.fwhm(), again.area()], [0.9, 2.0], rtol=1e-6)


@pytest.mark.parametrize("one", SHAPES[:6], ids=lambda one: type(one).__name__)
def test_it_is_the_same_shape(one, x64):
    factor, x = 0.7 / float(one.fwhm()), jnp.asarray(X)
    stretched, scaled = one.with_width(0.7), one.with_height(1.5)
    np.testing.assert_allclose(
        stretched.surrogate_grad(x), one.surrogate_grad(x / factor) / factor, rtol=1e-6, atol=1e-12
    )
    np.testing.assert_allclose(
        scaled.surrogate_grad(x), one.surrogate_grad(x) * 1.5 / one.peak(), rtol=1e-12, atol=1e-12
    )
    if not isinstance(one, Slanted):
        np.testing.assert_allclose(scaled.surrogate_fun(0.0), one.surrogate_fun(0.0), rtol=1e-12)
        np.testing.assert_allclose(scaled.area(), one.area() * 1.5 / one.peak(), rtol=1e-9)


def test_steps_of_one_kind_become_one():
    one = Sigmoid(7.0).with_width(0.5).with_height(1.0)
    assert (
        isinstance(one, Scaled)
        and isinstance(one.surrogate, Temperature)
        and isinstance(one.surrogate.surrogate, Sigmoid)
    )
    again = one.with_width(0.3).with_area(1.0).steeper(2.0)
    assert isinstance(again.surrogate.surrogate, Sigmoid)
    assert all(type(leaf) is float for leaf in jax.tree.leaves(again))


def chain(a, w, h):
    return jnp.sum(Sigmoid(a).with_width(w).with_height(h).surrogate_grad(jnp.array([0.1, -0.4])))


def test_derivatives_are_those_of_finite_differences(x64):
    at, step = np.array([3.0, 0.6, 0.8]), 1e-6
    value = jax.jit(chain)
    found = jax.jit(jax.grad(chain, (0, 1, 2)))(*at.tolist())
    expected = [(value(*(at + d).tolist()) - value(*(at - d).tolist())) / (2 * step) for d in step * np.eye(3)]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)
    one = surgrad.from_grad(SLOPES["shifted"])
    slope = lambda k, a: one.replace(k=k).with_area(a).surrogate_grad(0.2)
    expected = [(slope(3.0 + d, 2.0 + e) - slope(3.0 - d, 2.0 - e)) / 2e-5 for d, e in ((1e-5, 0), (0, 1e-5))]
    np.testing.assert_allclose(jax.grad(slope, (0, 1))(3.0, 2.0), expected, rtol=1e-6)


def test_traced_arguments_and_one_value_a_neuron():
    widths, alphas = jnp.array([0.2, 0.5, 1.0]), jnp.array([1.0, 4.0, 16.0])
    many = Sigmoid(alphas).with_width(widths).with_height(jnp.array([1.0, 2.0, 3.0]))
    assert many(jnp.zeros((5, 3))).shape == (5, 3)
    np.testing.assert_allclose(many.fwhm(), widths, rtol=1e-5)
    mapped = jax.jit(jax.vmap(lambda a, w: surgrad.width(Sigmoid(a).with_width(w))))(alphas, widths)
    np.testing.assert_allclose(mapped, widths, rtol=1e-5)
    np.testing.assert_allclose(jax.grad(lambda w: surgrad.width(Sigmoid(2.0).with_width(w)))(0.5), 1.0, rtol=1e-5)
    outside = jax.jit(
        lambda k: surgrad.from_grad(lambda x: jnp.exp(-k * jnp.abs(x))).with_height(3.0).surrogate_grad(0.0)
    )
    np.testing.assert_allclose(outside(2.0), 3.0, rtol=1e-6)


def test_the_copy_is_kept_like_any_surrogate(tmp_path):
    one = surgrad.FastSigmoid(25.0).with_width(0.5).with_area(1.0)
    assert surgrad.Surrogate.from_config(json.loads(json.dumps(one.to_config()))) == one
    assert pickle.loads(pickle.dumps(one)) == one
    surgrad.save(tmp_path / "one.surgrad", one)
    assert surgrad.load(tmp_path / "one.surgrad") == one
    assert one.replace(factor=2.0).factor == 2.0


def test_options_are_those_of_the_surrogate():
    soft = Sigmoid(4.0, parameter_tangent="none", second_order="surrogate").smooth()
    for one in (soft.with_width(0.5), soft.with_height(2.0), soft.with_area(2.0)):
        assert (one.parameter_tangent, one.second_order, one.smoothed) == ("none", "surrogate", True)


def test_a_hybrid_spike_stays_one():
    one = surgrad.HybridSpike(Sigmoid(4.0), probability=0.5, key=jax.random.key(0))
    for other in (one.with_width(0.5), one.with_height(2.0)):
        assert isinstance(other, surgrad.HybridSpike)
    np.testing.assert_allclose(one.with_height(2.0).peak(), 2.0)


def test_the_laws_hold_for_a_scaled_surrogate():
    report = surgrad.check(Scaled(Sigmoid(4.0), 0.5))
    assert report.ok, str(report)


class Other(Sigmoid):
    """A user's subclass with another slope, which inherits what is known of the first."""

    def surrogate_grad(self, x):
        return jnp.exp(-self.alpha * jnp.abs(x - 1.0))


def test_closed_forms_of_another_slope_are_not_inherited(x64):
    np.testing.assert_allclose(surgrad.width(Other(4.0)), 2 * np.log(2) / 4, rtol=1e-6)
    np.testing.assert_allclose(surgrad.height(Other(4.0)), 1.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: Sigmoid().with_width(0.0), ValueError, r"Sigmoid.with_width: width must be > 0, got 0"),
        (lambda: Sigmoid().with_height(-1), ValueError, r"Sigmoid.with_height: height must be > 0, got -1"),
        (lambda: Sigmoid().with_area("1"), TypeError, r"Sigmoid.with_area: area must be a number, got '1'"),
        (
            lambda: surgrad.LeakyRelu().with_width(1.0),
            ValueError,
            r"with_width: the width of LeakyRelu\(.*\) is inf, so there is no factor to 1.0; with_height scales",
        ),
        (lambda: Scaled(4.0), TypeError, "Scaled: surrogate must be a Surrogate object, got 4.0"),
        (lambda: Scaled(Sigmoid(), -1.0), ValueError, "Scaled: factor must be > 0, got -1"),
        (lambda: surgrad.height(4.0), TypeError, "height: expected a Surrogate object, got 4.0"),
        (lambda: surgrad.area(Sigmoid), TypeError, "area: expected a Surrogate object"),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_wrong_use_says_what_was_expected(call, error, message):
    with pytest.raises(error, match=message):
        call()
