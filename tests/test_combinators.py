"""Combinators, against hand-written twins and closed forms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
import user_classes as user
from marks import parameters
from surgrad import Asymmetric, Mixture, Normalized, Shift, Sigmoid, Sparse, Temperature

pytestmark = pytest.mark.versions

TWINS = [
    (user.AsymmetricSurrogate(5.0, 2.0), Asymmetric(below=Sigmoid(2.0), above=Sigmoid(5.0))),
    (user.MultiScaleSurrogate(8.0, 2.0, 0.6), Mixture([Sigmoid(8.0), Sigmoid(2.0)], weights=[0.6, 0.4])),
    (user.TemperatureScaledSurrogate(4.0, 0.25), Temperature(Sigmoid(4.0), 0.25)),
    (user.SparsitySurrogate(4.0, -0.3), Shift(Sigmoid(4.0), 0.3)),
    (user.EventCameraSurrogate(10.0, 0.1), Shift(Sigmoid(10.0), 0.1)),
    (user.MySurrogate(2.0), Sigmoid(4.0)),
    (user.TriangularSurrogate(2.0), surgrad.PiecewiseQuadratic(2.0)),
]
WRAPPED = [
    Asymmetric(below=surgrad.Arctan(2.0), above=surgrad.NonzeroSignLog(2.0)),
    Mixture([Sigmoid(), surgrad.ERF(2.0), surgrad.SoftSign()]),
    Shift(surgrad.Arctan(3.0), -0.2),
    Temperature(surgrad.PiecewiseExp(), 0.5),
    Normalized(surgrad.QPseudoSpike(3.0), to="area"),
    Normalized(surgrad.InvSquareGrad(), to="area"),
    Normalized(surgrad.LogTailedRelu(0.2), to="peak"),
    Sparse(Sigmoid(), 0.7),
]


@pytest.mark.parametrize(("by_hand", "twin"), TWINS, ids=lambda sg: type(sg).__name__)
def test_a_hand_written_class_equals_its_twin_to_the_last_digits(x64, by_hand, twin):
    x = jnp.linspace(-3.0, 3.0, 601)
    # The exponent of the tails is at most 48, which makes 48 units of rounding of one. Where s is near 1, the
    # hand-written slope loses the digits of 1 - s: the twin does not, and golden values show which of them is right.
    curve = twin.surrogate_fun(x)
    kept = (curve < 0.9) & (
        (curve > 0.1) | (not isinstance(by_hand, user.MySurrogate))
    )  # 1 - tanh² loses them on both sides
    kept |= isinstance(by_hand, user.TriangularSurrogate)
    slopes = by_hand.surrogate_grad(x), twin.surrogate_grad(x)
    np.testing.assert_allclose(slopes[0][kept], slopes[1][kept], rtol=2e-14)
    if not isinstance(by_hand, user.TriangularSurrogate):  # its curve is that of another slope
        np.testing.assert_allclose(by_hand.surrogate_fun(x), twin.surrogate_fun(x), rtol=2e-14, atol=3e-16)


@pytest.mark.parametrize("sg", parameters(WRAPPED, slow=("Normalized",), name=lambda sg: type(sg).__name__))
def test_the_slope_of_a_combinator_is_the_derivative_of_its_curve(x64, sg):
    x = jnp.linspace(-3.0, 3.0, 500)  # an even number of points leaves the kink at 0 out
    derivative = jax.vmap(jax.grad(sg.surrogate_fun))(x)
    np.testing.assert_allclose(derivative, sg.surrogate_grad(x), rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("sg", WRAPPED, ids=lambda sg: type(sg).__name__)
def test_parameters_of_the_parts_are_leaves_with_finite_derivatives(sg):
    leaves = jax.tree.leaves(sg)
    assert leaves
    for x in (jnp.array([-1e4, -0.3, 0.0, 0.3, 1e4]), jnp.array([-jnp.inf, jnp.inf])):
        derivative = jax.grad(lambda sg, x=x: jnp.sum(jax.vmap(jax.grad(lambda x: sg(x)))(x)))(sg)
        assert type(derivative) is type(sg)
        assert all(np.isfinite(d) for d in jax.tree.leaves(derivative))


@pytest.mark.parametrize("sg", WRAPPED, ids=lambda sg: type(sg).__name__)
def test_a_combinator_spikes_exactly_and_its_gradient_is_its_slope(sg):
    x = jnp.linspace(-2.0, 2.0, 41)
    np.testing.assert_array_equal(sg(x), np.asarray(x) >= 0)
    np.testing.assert_allclose(jax.vmap(jax.grad(sg))(x), sg.surrogate_grad(x), rtol=1e-6)


@pytest.mark.parametrize("name", surgrad.catalogue())
def test_unit_peak_makes_the_largest_slope_one(name):
    x = jnp.concatenate([-jnp.logspace(2, -5, 400), jnp.logspace(-5, 2, 400), jnp.zeros(1)])
    slope = Normalized(surgrad.catalogue()[name](), to="peak").surrogate_grad(x)
    np.testing.assert_allclose(jnp.max(slope), 1.0, rtol=1e-6)


@pytest.mark.parametrize("name", surgrad.catalogue())
def test_unit_area_makes_the_integral_one_or_is_refused(x64, name):
    sg = surgrad.catalogue()[name]()
    if not np.isfinite(sg.area()):
        with pytest.raises(ValueError, match=rf"Normalized: {name}\(.*has area (inf|nan), not a positive number"):
            Normalized(sg)
        return
    t = jnp.linspace(-1.0, 1.0, 400_001)[1:-1]  # x = t/(1-t²) maps the open interval onto all x
    x, dx = t / (1 - t**2), (1 + t**2) / (1 - t**2) ** 2
    area = jnp.sum(Normalized(sg).surrogate_grad(x) * dx) * (t[1] - t[0])
    np.testing.assert_allclose(area, 1.0, rtol=1e-4)


def test_one_scale_a_neuron_normalizes_each_neuron():
    alpha = jnp.array([1.0, 2.0, 8.0])
    sg = Normalized(surgrad.GaussianGrad(sigma=1 / alpha), to="peak")
    np.testing.assert_allclose(sg.surrogate_grad(jnp.zeros((5, 3))), np.ones((5, 3)), rtol=1e-6)
    assert sg(jnp.zeros((5, 3))).shape == (5, 3)


def test_the_parts_of_an_asymmetric_meet_at_the_threshold(x64):
    sg = Asymmetric(below=Sigmoid(2.0), above=surgrad.NonzeroSignLog(3.0))
    np.testing.assert_allclose(sg.surrogate_fun(jnp.array([-1e-12, 0.0, 1e-12])), 0.5, atol=1e-11)


def test_an_asymmetric_part_cannot_spoil_the_other_side():
    overflowing = surgrad.from_grad(lambda x, k=1.0: jnp.exp(-k * x))  # infinite below, used above only
    sg = Asymmetric(below=Sigmoid(2.0), above=overflowing)
    slope_by_k = jax.grad(lambda sg: sg.surrogate_grad(jnp.array(-1e4)))(sg)
    assert slope_by_k.above.k == 0.0


def test_sparse_is_zero_outside_its_window_and_untouched_inside():
    sg, x = Sparse(surgrad.Arctan(2.0), 0.5), jnp.linspace(-1.0, 1.0, 201)
    inside = np.abs(x) <= 0.5
    np.testing.assert_array_equal(sg.surrogate_grad(x), np.where(inside, surgrad.Arctan(2.0).surrogate_grad(x), 0))


def test_weights_of_a_mixture_are_trained_like_any_parameter():
    def slope_at_zero(sg):
        return sg.surrogate_grad(jnp.array(0.0))

    derivative = jax.grad(slope_at_zero)(Mixture([Sigmoid(8.0), Sigmoid(2.0)], weights=[0.6, 0.4]))
    np.testing.assert_allclose(derivative.weights, [2.0, 0.5], rtol=1e-6)
    np.testing.assert_allclose([part.alpha for part in derivative.parts], [0.15, 0.1], rtol=1e-6)


def test_weights_that_are_traced_one_by_one_are_weights():
    slope = jax.jit(lambda a, b: Mixture([Sigmoid(8.0), Sigmoid(2.0)], weights=(a, b)).surrogate_grad(0.0))
    np.testing.assert_allclose(slope(0.6, 0.4), 0.6 * 2.0 + 0.4 * 0.5, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Temperature(4.0), TypeError, "Temperature: surrogate must be a Surrogate object, got 4.0"),
        (lambda: Shift(Sigmoid), TypeError, "Shift: surrogate must be a Surrogate object"),
        (lambda: Temperature(Sigmoid(), 0.0), ValueError, "Temperature: temperature must be > 0, got 0"),
        (lambda: Shift(Sigmoid(), float("nan")), ValueError, "Shift: offset must be finite, got nan"),
        (lambda: Sparse(Sigmoid(), -1.0), ValueError, "Sparse: window must be > 0, got -1"),
        (lambda: Mixture(Sigmoid()), TypeError, "parts must be a sequence"),
        (lambda: Mixture([]), TypeError, "at least one surrogate"),
        (lambda: Mixture([Sigmoid(), 2.0]), TypeError, r"parts\[1\] must be a Surrogate"),
        (lambda: Mixture(Sigmoid() for _ in range(2)), TypeError, "parts must be a sequence"),
        (lambda: Mixture([Sigmoid()], [float("nan")]), ValueError, "weights must be >= 0 and finite"),
        (lambda: Mixture([Sigmoid()], [0.5, 0.5]), ValueError, "1 parts need as many weights"),
        (lambda: Mixture([Sigmoid(), Sigmoid()], [0.5, -0.5]), ValueError, "weights must be >= 0"),
        (
            lambda: Normalized(Sigmoid(), to="height"),
            ValueError,
            "to must be one of 'area', 'peak', 'width', got 'height'",
        ),
        (lambda: Asymmetric(Sigmoid()), TypeError, "above"),
    ],
)
def test_wrong_use_says_what_was_given_and_expected(make, error, message):
    with pytest.raises(error, match=message):
        make()
