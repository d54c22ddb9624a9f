"""What goes into a surrogate: names, aliases, ranges, types and shapes, and the errors that they get."""

import inspect
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import PiecewiseLeakyRelu, Sigmoid

pytestmark = pytest.mark.versions

PAIRS = [(cls, getattr(surgrad, surgrad._catalogue.snake_case(name))) for name, cls in surgrad.catalogue().items()]


class Quantity:
    """What surgrad reads of a `brainunit` quantity, which it never imports."""

    def __init__(self, mantissa, unit):
        self.mantissa, self.unit = mantissa, unit


def test_the_catalogue_holds_the_surrogates_with_their_functions():
    public = {name: getattr(surgrad, name) for name in surgrad.__all__}
    ours = {n for n, v in public.items() if inspect.isclass(v) and v.__module__.startswith("surgrad._surrogates.")}
    assert ours == set(surgrad.catalogue())
    assert {surgrad._catalogue.snake_case(name) for name in ours} <= set(public)
    for name, function in {
        "S2NN": "s2nn",
        "ERF": "erf",
        "QPseudoSpike": "q_pseudo_spike",
        "ReluGrad": "relu_grad",
    }.items():
        assert surgrad._catalogue.snake_case(name) == function
    for name, cls in surgrad.catalogue().items():
        assert getattr(surgrad, name) is cls


@pytest.mark.parametrize(("cls", "function"), PAIRS, ids=lambda v: v.__name__)
def test_class_and_function_are_the_same(cls, function):
    x = jnp.linspace(-1.0, 1.0, 9)
    np.testing.assert_array_equal(function(x), cls()(x))
    np.testing.assert_array_equal(jax.vmap(jax.grad(function))(x), jax.vmap(jax.grad(cls()))(x))
    assert list(inspect.signature(function).parameters)[1:] == list(inspect.signature(cls).parameters)
    positional = [p.default for p in inspect.signature(cls).parameters.values() if p.kind is not p.KEYWORD_ONLY]
    np.testing.assert_array_equal(function(x, *positional), cls()(x))


def test_an_alias_stands_for_the_name_in_the_documents():
    assert PiecewiseLeakyRelu(c=0.01, alpha=4.0) == PiecewiseLeakyRelu(c=0.01, w=0.25)
    assert surgrad.MultiGaussianGrad(h=0.15, s=6.0, gamma=0.3) == surgrad.MultiGaussianGrad(scale=0.3)
    np.testing.assert_array_equal(surgrad.piecewise_leaky_relu(jnp.ones(2), alpha=2.0), [1.0, 1.0])
    assert jax.grad(lambda a: surgrad.piecewise_leaky_relu(0.1, alpha=a))(2.0) == 0.5  # slope 1/(2w) = alpha/2


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Sigmoid(alfa=1.0), TypeError, "Sigmoid has no parameter 'alfa'; it has 'alpha'"),
        (lambda: surgrad.sigmoid(0.0, beta=1.0), TypeError, "Sigmoid has no parameter 'beta'"),
        (lambda: Sigmoid(0.0), ValueError, r"Sigmoid: alpha must be > 0, got 0\.0\."),
        (lambda: surgrad.ReluGrad(width=-1.0), ValueError, r"ReluGrad: width must be > 0, got -1\.0\."),
        (lambda: surgrad.LeakyRelu(alpha=-0.1), ValueError, r"LeakyRelu: alpha must be >= 0, got -0\.1\."),
        (lambda: Sigmoid(float("nan")), ValueError, "alpha must be > 0 and finite, got nan"),
        (lambda: Sigmoid(float("inf")), ValueError, "alpha must be > 0 and finite, got inf"),
        (lambda: Sigmoid(np.array([1.0, -2.0])), ValueError, r"alpha must be > 0, got \[ 1. -2.\]"),
        (lambda: Sigmoid("steep"), TypeError, "alpha must be a real number or array, got 'steep'"),
        (lambda: Sigmoid(None), TypeError, "alpha must be a real number or array, got None"),
        (lambda: Sigmoid(True), TypeError, "alpha must be a real number or array, got True"),
        (lambda: Sigmoid(1j), TypeError, "alpha must be a real number or array, got 1j"),
        (lambda: Sigmoid(jnp.array([1j])), TypeError, "alpha must be a real number or array"),
        (lambda: Sigmoid([1.0, 2.0]), TypeError, r"alpha must be a real number or array, got \[1.0, 2.0\]"),
        (lambda: Sigmoid({}), TypeError, "alpha must be a real number or array, got {}"),
        (lambda: Sigmoid(jax.random.key(0)), TypeError, "alpha must be a real number or array"),
        (lambda: PiecewiseLeakyRelu(w=1.0, alpha=1.0), TypeError, "'alpha' is another name for 'w'; give only one"),
        (lambda: PiecewiseLeakyRelu(0.01, 1.0, alpha=1.0), TypeError, "'alpha' is another name for 'w'; give only one"),
        (lambda: PiecewiseLeakyRelu(alpha=0.0), ValueError, "PiecewiseLeakyRelu: alpha must be > 0, got 0"),
        (lambda: surgrad.MultiGaussianGrad(gamma=1.0, scale=1.0), TypeError, "another name for 'scale'"),
        (lambda: surgrad.SquarewaveFourierSeries(n=0), ValueError, "n must be >= 1, got 0"),
        (lambda: surgrad.SquarewaveFourierSeries(n=2.5), TypeError, "n must be an integer, got 2.5"),
        (lambda: surgrad.QPseudoSpike(1.0, normalized=True), ValueError, "alpha must be > 1 when normalized, got 1.0"),
        (lambda: Sigmoid(parameter_tangent="true"), ValueError, "parameter_tangent must be one of 'slope'"),
        (lambda: Sigmoid(second_order=2), ValueError, "second_order must be one of 'exact', 'surrogate', got 2"),
    ],
)
def test_a_wrong_parameter_is_named_with_its_value_and_its_range(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_number_of_terms_may_be_any_integer():
    assert surgrad.SquarewaveFourierSeries(np.int64(3)) == surgrad.SquarewaveFourierSeries(3)


def test_traced_parameters_are_not_checked():
    assert jax.jit(lambda a: Sigmoid(a)(0.0))(-1.0) == 1.0


@pytest.mark.unchecked("wrong types on purpose")
@pytest.mark.parametrize("use", [lambda x: Sigmoid()(x), Sigmoid().surrogate_fun, Sigmoid().surrogate_grad])
@pytest.mark.parametrize(
    ("x", "message"),
    [
        (1j, "Sigmoid: x must be real, got complex64"),
        (np.ones(2, np.complex64), "Sigmoid: x must be real, got complex64"),
        ([0.0, 1.0], r"Sigmoid: x must be a number or an array, got list; convert it with jnp\.asarray"),
        ((0.0, 1.0), "got tuple"),
        (None, "got NoneType"),
        ("high", "Sigmoid: x must be a number or an array, got str"),
    ],
)
def test_a_wrong_type_of_x_is_refused(use, x, message):
    with pytest.raises(TypeError, match=message):
        use(x)


@pytest.mark.parametrize(
    "x", [3, True, np.int8(-1), jnp.arange(3), np.array([True, False]), np.arange(3, dtype=np.uint8)]
)
def test_integers_and_booleans_are_promoted_as_sin_does(x):
    for y in (Sigmoid()(x), Sigmoid().surrogate_fun(x), Sigmoid().surrogate_grad(x)):
        assert y.dtype == jnp.sin(x).dtype
    np.testing.assert_array_equal(Sigmoid()(x), np.asarray(x, float) >= 0)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", surgrad.catalogue())
def test_the_dtype_of_x_is_kept_whatever_the_parameters(x64, name, dtype):
    cls = surgrad.catalogue()[name]
    x = jnp.linspace(-1, 1, 5).astype(dtype)
    wide = jax.tree.map(lambda leaf: jnp.full(5, leaf, jnp.float64), cls())
    for sg in (cls(), wide):
        gradient = jax.grad(lambda x, sg=sg: jnp.sum(sg(x)))(x)
        for y in (sg(x), sg.surrogate_fun(x), sg.surrogate_grad(x), gradient):
            assert (y.dtype, y.shape) == (x.dtype, x.shape)


def test_one_parameter_a_neuron_broadcasts_onto_x():
    sg, x = Sigmoid(jnp.array([1.0, 2.0, 4.0])), jnp.zeros((5, 3))
    np.testing.assert_allclose(jax.grad(lambda x: jnp.sum(sg(x)))(x), np.tile([0.25, 0.5, 1.0], (5, 1)))


@pytest.mark.parametrize(
    ("sg", "x", "message"),
    [
        (Sigmoid(np.ones(3)), 0.0, r"Sigmoid: alpha of shape \(3,\) does not broadcast to x of shape \(\)"),
        (Sigmoid(np.ones((2, 1))), np.ones(3), r"alpha of shape \(2, 1\) does not broadcast to x of shape \(3,\)"),
        (Sigmoid(np.ones(4)), np.ones(3), r"alpha of shape \(4,\).* x of shape \(3,\)"),
        (
            surgrad.Temperature(surgrad.GaussianGrad(sigma=np.ones(2)), 1.0),
            np.ones(1),
            r"Temperature: surrogate\.sigma of shape \(2,\) does not broadcast",
        ),
    ],
)
def test_a_parameter_broader_than_x_is_refused_in_the_forward_pass(sg, x, message):
    for call in (sg, jax.jit(sg), jax.grad(lambda x: jnp.sum(sg(x)))):
        with pytest.raises(ValueError, match=message):
            call(x)


def test_a_slope_that_is_not_elementwise_is_refused():
    sg = surgrad.from_grad(lambda x: jnp.ones((2, *x.shape)))
    with pytest.raises(ValueError, match=re.escape("FromGrad: the slope has shape (2, 3) where x has shape (3,)")):
        sg(np.ones(3))


def test_a_constant_slope_is_broadcast():
    assert jax.grad(surgrad.from_grad(lambda x: 1.0))(0.3) == 1.0
    np.testing.assert_array_equal(jax.grad(lambda x: jnp.sum(surgrad.from_grad(lambda x: 2)(x)))(jnp.zeros(2)), [2, 2])


@pytest.mark.parametrize(
    ("near", "message"),
    [
        ("sigmod", "the nearest are sigmoid"),
        ("arctn", "the nearest are arctan"),
        ("qqq", "there are arctan, boxcar, "),
    ],
)
def test_looking_up_an_unknown_surrogate_names_the_nearest(near, message):
    with pytest.raises(KeyError, match=f"no surrogate '{near}'; {message}"):
        surgrad._catalogue.lookup(near)
    assert surgrad._catalogue.lookup("sigmoid") is surgrad._catalogue.lookup("Sigmoid") is Sigmoid
