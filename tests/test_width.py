"""The full width at half maximum of slopes, against closed forms and finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import (
    Arctan,
    Asymmetric,
    Dspike,
    GaussianGrad,
    InvSquareGrad,
    LeakyRelu,
    LogTailedRelu,
    Mixture,
    Normalized,
    PiecewiseLeakyRelu,
    ReluGrad,
    Shift,
    Sigmoid,
    SlayerGrad,
    Sparse,
    Temperature,
)

pytestmark = pytest.mark.versions

SIGMOID = 4 * np.log(1 + np.sqrt(2))  # s(z) s(-z) = 1/8 at |z| = 2 ln(1 + √2)
GAUSSIAN = 2 * np.sqrt(2 * np.log(2))
CLOSED_FORMS = [
    (Sigmoid(4.0), SIGMOID / 4),
    (Sigmoid(250.0), SIGMOID / 250),
    (GaussianGrad(0.5, 0.3), 0.5 * GAUSSIAN),
    (ReluGrad(0.3, 2.0), 2.0),
    (Arctan(3.0), 4 / (3 * np.pi)),
    (InvSquareGrad(100.0), 2 * (np.sqrt(2) - 1) / 100),
    (SlayerGrad(1e6), 2 * np.log(2) / 1e6),
    (SlayerGrad(1e-4), 2 * np.log(2) / 1e-4),
    (surgrad.NonzeroSignLog(2.0), 1.0),
    (surgrad.ERF(2.0), np.sqrt(np.log(2))),
    (PiecewiseLeakyRelu(c=0.01, w=0.7), 1.4),
    (LogTailedRelu(0.0), 2.0),
    (Dspike(1e-3), 1.0),
    (Shift(Sigmoid(100.0), 0.37), SIGMOID / 100),
    (Temperature(Arctan(3.0), 5.0), 5 * 4 / (3 * np.pi)),
    (Normalized(Sigmoid(4.0), to="peak"), SIGMOID / 4),
    (Normalized(Arctan(4.0), to="width"), 1.0),
    (Normalized(Sigmoid(4.0), to="width", width=0.3), 0.3),
    (Sparse(InvSquareGrad(1.0), 0.2), 0.4),
    (Asymmetric(SlayerGrad(2.0), SlayerGrad(5.0)), np.log(2) / 2 + np.log(2) / 5),
    (Mixture([GaussianGrad(0.5), GaussianGrad(0.5)]), 0.5 * GAUSSIAN),
    (surgrad.from_grad(lambda x, k=3.0: jnp.exp(-(((x - 0.4) * k) ** 2))), 2 * np.sqrt(np.log(2)) / 3),
    (LeakyRelu(), np.inf),
    (LeakyRelu(1.0, 1.0), np.inf),
    (PiecewiseLeakyRelu(c=0.4, w=1.0), np.inf),
]


def label(value):
    return repr(value) if isinstance(value, surgrad.Surrogate) else ""


@pytest.mark.parametrize(("surrogate", "width"), CLOSED_FORMS, ids=label)
def test_the_width_is_the_closed_form(surrogate, width):
    found = surgrad.width(surrogate)
    assert found.shape == ()
    # A narrow slope far from 0 is known no better than x is.
    np.testing.assert_allclose(
        found, width, rtol=2e-6 if not isinstance(surrogate, surgrad._from_function.FromGrad) else 2e-5
    )


@pytest.mark.parametrize(("surrogate", "width"), CLOSED_FORMS, ids=label)
def test_to_more_digits_in_double_precision(surrogate, width, x64):
    np.testing.assert_allclose(surgrad.width(surrogate), width, rtol=1e-6)


@pytest.mark.parametrize("cls", surgrad.catalogue().values())
def test_the_slope_is_at_least_half_of_its_peak_within_the_width(cls, x64):
    from surgrad._width import half_maximum

    surrogate = cls()
    at, height, left, right = half_maximum(surrogate, surrogate.peaks)
    shares = np.linspace(-1, 1, 2001)[1:-1] * (1 - 1e-6)
    x = at + np.where(shares < 0, shares * np.clip(left - 1e-9, 0, 1e3), shares * np.clip(right - 1e-9, 0, 1e3))
    assert np.all(np.asarray(surrogate.surrogate_grad(jnp.asarray(x))) >= height / 2 * (1 - 1e-6))
    np.testing.assert_allclose(surgrad.width(surrogate), left + right, rtol=1e-9)  # a closed form, in some classes


@pytest.mark.parametrize(
    "make",
    [Sigmoid, lambda a: GaussianGrad(a, 0.3), lambda a: Mixture([Sigmoid(a), Arctan(2.0)]), surgrad.QPseudoSpike,
     *[pytest.param(one, marks=pytest.mark.slow) for one in (
         Arctan, lambda a: ReluGrad(0.3, a), lambda a: Shift(Sigmoid(a), 0.4), lambda a: Temperature(Arctan(), a),
         lambda a: surgrad.MultiGaussianGrad(sigma=a), lambda a: Asymmetric(Sigmoid(a), Sigmoid(3.0)))]],
)  # fmt: skip
def test_its_derivative_is_that_of_finite_differences(make, x64):
    width = lambda a: surgrad.width(make(a))
    found = [jax.grad(width)(2.0), jax.jvp(width, (2.0,), (1.0,))[1], jax.jit(jax.grad(width))(2.0)]
    expected = (width(2.0 + 1e-4) - width(2.0 - 1e-4)) / 2e-4
    np.testing.assert_allclose(found, [expected] * 3, rtol=1e-5)


def test_its_derivative_is_nan_at_a_jump_and_zero_where_there_is_no_width():
    assert np.isnan(jax.grad(lambda w: surgrad.width(PiecewiseLeakyRelu(0.0, w)))(1.0))
    assert jax.grad(lambda a: surgrad.width(LeakyRelu(1.0, a)))(1.0) == 0


def test_one_width_a_neuron():
    alphas = jnp.array([1.0, 4.0, 16.0])
    np.testing.assert_allclose(surgrad.width(Sigmoid(alphas)), SIGMOID / alphas, rtol=2e-6)
    np.testing.assert_allclose(jax.vmap(lambda a: surgrad.width(Sigmoid(a)))(alphas), SIGMOID / alphas, rtol=2e-6)


def test_a_surrogate_that_is_normalized_in_width_keeps_its_area_and_its_laws():
    one = Normalized(Sigmoid(4.0), to="width", width=0.5)
    np.testing.assert_allclose(one.area(), 1.0, rtol=1e-6)
    np.testing.assert_allclose(one.surrogate_grad(jnp.array(0.0)), SIGMOID / 0.5 / 4, rtol=1e-5)
    assert surgrad.check(one).ok, str(surgrad.check(one))
    np.testing.assert_allclose(jax.grad(lambda w: surgrad.width(one.replace(width=w)))(0.5), 1.0, rtol=1e-5)
    assert jax.tree.leaves(one) == [4.0, 0.5]
    assert jax.tree.leaves(Normalized(Sigmoid())) == [4.0]
    assert repr(Normalized(Sigmoid())) == "Normalized(surrogate=Sigmoid(alpha=4.0), to='area')"
    assert surgrad.Surrogate.from_config(one.to_config()) == one


def test_wrong_use_says_what_was_expected():
    with pytest.raises(ValueError, match="Normalized: width is for to='width', got to='area' and width=2"):
        Normalized(Sigmoid(), width=2.0)
    with pytest.raises(ValueError, match="Normalized: width must be > 0, got -1"):
        Normalized(Sigmoid(), to="width", width=-1.0)
    with pytest.raises(ValueError, match="has width inf, not a positive number; normalize to='peak'"):
        Normalized(LeakyRelu(), to="width")


@pytest.mark.unchecked("wrong types on purpose")
def test_a_class_has_no_width():
    with pytest.raises(TypeError, match="width: expected a Surrogate object, got <class"):
        surgrad.width(Sigmoid)
