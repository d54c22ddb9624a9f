"""braintools.surrogate beside surgrad: what docs/how-to/coming-from/braintools.md says of both, by the version that is installed."""

import importlib.metadata
import inspect
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import agrees, package

theirs = pytest.importorskip("braintools.surrogate")
sys.path.append(str(Path(__file__).parent.parent / "documents"))
import third_document_runs as runs  # noqa: E402

SINCE_04 = tuple(map(int, importlib.metadata.version("braintools").split(".")[:2])) >= (0, 4)
NAMES = [name for name in surgrad.catalogue() if hasattr(theirs, name)]
PARAMETERS = [
    (name, path[-1].name, float(leaf))
    for name in NAMES
    for path, leaf in jax.tree_util.tree_leaves_with_path(surgrad.catalogue()[name]())
]
# Away from kinks, and where 1 - s(4x) keeps half of its digits.
X = jnp.array([-1.3, -0.83, -0.41, -0.17, -0.03, 0.0, 0.02, 0.19, 0.37, 0.79, 1.27])
RNG = np.random.default_rng(3)
INPUTS, TARGETS, WEIGHTS = RNG.normal(size=(12, 4)), RNG.integers(0, 2, 12), RNG.normal(size=4)

old = pytest.mark.skipif(SINCE_04, reason="of braintools before 0.4")
new = pytest.mark.skipif(not SINCE_04, reason="of braintools from 0.4 on")
each = pytest.mark.parametrize("name", NAMES)
by_parameter = pytest.mark.parametrize(("name", "parameter", "value"), PARAMETERS)


def assert_same(found, expected):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)


def by_x(surrogate, order):
    derivative = lambda x: surrogate(x)
    for _ in range(order):
        derivative = jax.grad(derivative)
    return jax.vmap(derivative)(X)


def spikes_by_parameter(module, name, parameter, value, **options):
    def total(p):
        return jax.vmap(getattr(module, name)(**{parameter: p}, **options))(X)

    return jax.jvp(total, (value,), (1.0,))[1]


def test_the_18_classes_and_functions_have_the_same_names_orders_and_defaults():
    assert len(NAMES) == 18
    for name in NAMES:
        function = surgrad._catalogue.snake_case(name)
        for ours, other in [(surgrad.catalogue()[name], name), (getattr(surgrad, function), function)]:
            expected = inspect.signature(getattr(theirs, other)).parameters
            found = list(inspect.signature(ours).parameters.values())[: len(expected)]
            assert [p.name for p in found] == list(expected)
            if other == name:  # some functions of theirs leave defaults to the class
                assert [p.default for p in found] == [p.default for p in expected.values()]


@each
def test_spikes_and_gradients_are_equal(name):
    ours, other = surgrad.catalogue()[name](), getattr(theirs, name)()
    np.testing.assert_array_equal(ours(X), other(X))
    agrees(by_x(ours, 1), by_x(other, 1), of=ours, reference=package("braintools"), rtol=1e-5, atol=2e-6)


@new
@by_parameter
def test_derivatives_of_spikes_by_parameters_are_zero_since_04_as_here_by_name(name, parameter, value):
    np.testing.assert_array_equal(spikes_by_parameter(theirs, name, parameter, value), 0)
    np.testing.assert_array_equal(
        spikes_by_parameter(surgrad, name, parameter, value, parameter_tangent="none"),
        spikes_by_parameter(theirs, name, parameter, value),
    )


@old
@by_parameter
def test_derivatives_of_spikes_by_parameters_were_those_of_the_slope_as_here_by_default(name, parameter, value):
    found = spikes_by_parameter(surgrad, name, parameter, value)
    expected = spikes_by_parameter(theirs, name, parameter, value)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@each
def test_second_derivatives_are_equal_since_04_and_were_zero_before(name):
    ours, other = surgrad.catalogue()[name](), getattr(theirs, name)()
    found = by_x(other, 2)
    np.testing.assert_allclose(found, by_x(ours, 2) if SINCE_04 else np.zeros_like(X), rtol=1e-4, atol=1e-4)


def trained(module, name, parameter, p, **options):
    """A smooth function of weights after two steps of gradient descent on spikes."""
    surrogate, weights = getattr(module, name)(**{parameter: p}, **options), jnp.asarray(WEIGHTS)
    loss = lambda w: jnp.mean((surrogate(INPUTS @ w - 0.1) - TARGETS) ** 2)
    for _ in range(2):
        weights = weights - 0.05 * jax.grad(loss)(weights)
    return jnp.sum(weights**2)


@by_parameter
def test_finite_differences_of_trained_weights_agree(x64, name, parameter, value):
    h, value = 1e-5, 2 * value + 0.5  # no default, so that rates of 0 and exponents of 1 are not special
    run = lambda p: trained(surgrad, name, parameter, p, parameter_tangent="none")
    difference = (run(value + h) - run(value - h)) / (2 * h)
    found = jax.grad(run)(value)
    assert (found == 0) == (parameter == "epsilon")  # which S2NN's slope leaves out
    np.testing.assert_allclose(found, difference, rtol=1e-6, atol=1e-9)
    if SINCE_04:
        np.testing.assert_allclose(jax.grad(lambda p: trained(theirs, name, parameter, p))(value), found, rtol=1e-9)


@pytest.mark.parametrize(("dtype", "x"), [("float32", 4.5), ("float16", 2.0), ("bfloat16", 1.5)])
def test_their_sigmoid_has_no_slope_in_the_right_tail(dtype, x):
    right, left = (float(theirs.Sigmoid(4.0).surrogate_grad(jnp.asarray(s * x, dtype))) for s in (1, -1))
    exact = 4 * np.exp(-4 * x) / (1 + np.exp(-4 * x)) ** 2
    rounding = max(float(jnp.finfo(dtype).eps), 20 * 1.2e-7)  # 18 is the condition number
    assert right == 0
    np.testing.assert_allclose(left, exact, rtol=4 * rounding)
    np.testing.assert_allclose(float(surgrad.Sigmoid(4.0).surrogate_grad(jnp.asarray(x, dtype))), exact, rtol=rounding)


HALF = [
    ("PiecewiseExp", "alpha", 1.0, "surrogate_fun", 18.0),
    ("GaussianGrad", "sigma", 0.5, "surrogate_grad", 256.0),
    ("InvSquareGrad", "alpha", 100.0, "surrogate_grad", 1e4),
    ("Sigmoid", "alpha", 4.0, "surrogate_grad", np.inf),
    ("SoftSign", "alpha", 1.0, "surrogate_grad", np.inf),
    ("QPseudoSpike", "alpha", 2.0, "surrogate_fun", np.inf),
]


@pytest.mark.parametrize(("name", "parameter", "value", "method", "x"), HALF)
def test_their_derivatives_by_parameters_are_not_finite_in_half_precision(name, parameter, value, method, x):
    def derivative(module):
        call = lambda p: getattr(getattr(module, name)(**{parameter: p}), method)(jnp.float16(x))
        return jax.grad(call)(jnp.float16(value))

    assert not np.isfinite(derivative(theirs))
    assert np.isfinite(derivative(surgrad))


def test_their_curves_lose_the_left_tail_and_the_digits_near_an_exponent_of_one():
    for name, x, exact in [
        ("ERF", -7.5, 1.4e-26),
        ("SoftSign", -1e8, 5e-9),
        ("Arctan", -1e8, 1 / (np.pi**2 / 2 * 1e8)),
    ]:
        ours, other = (float(getattr(m, name)(1.0).surrogate_fun(jnp.float32(x))) for m in (surgrad, theirs))
        assert abs(other - exact) > 0.2 * exact
        assert abs(ours - exact) < 0.02 * exact
    x, alpha = 1.0, np.float32(1.001)
    width, rate = (float(alpha) + 1) / 2, float(alpha) - 1
    exact = 0.5 + width / rate * (1 - (1 + x / width) ** -rate)
    ours, other = (float(m.QPseudoSpike(alpha).surrogate_fun(jnp.float32(x))) for m in (surgrad, theirs))
    assert abs(other / exact - 1) > 1e-5 > 1e-6 > abs(ours / exact - 1)


@new
def test_their_equality_is_by_value_but_for_arrays():
    assert theirs.Sigmoid(4.0) == theirs.Sigmoid(4.0)
    assert theirs.Sigmoid(jnp.ones(2)) != theirs.Sigmoid(jnp.ones(2))
    assert surgrad.Sigmoid(jnp.ones(2)) == surgrad.Sigmoid(jnp.ones(2))


def test_their_square_wave_loses_its_phase():
    x = jnp.float32(1e6)  # a multiple of the period, 8, so that the slope is 4/T for each term
    slopes = [float(module.SquarewaveFourierSeries(2, 8.0).surrogate_grad(x)) for module in (surgrad, theirs)]
    assert slopes[0] == 1.0
    assert abs(slopes[1] - 1.0) > 1e-4


def test_theirs_are_no_pytrees_and_check_neither_ranges_nor_shapes():
    assert jax.tree.structure(theirs.Sigmoid(4.0)).num_nodes == 1
    assert jax.tree.leaves(surgrad.Sigmoid(4.0)) == [4.0]
    theirs.Sigmoid(-1.0)
    assert theirs.Sigmoid(jnp.ones(3))(jnp.zeros(())) == 1
    with pytest.raises(ValueError, match="alpha must be > 0"):
        surgrad.Sigmoid(-1.0)
    with pytest.raises(ValueError, match="does not broadcast"):
        surgrad.Sigmoid(jnp.ones(3))(jnp.zeros(()))


@pytest.mark.slow
def test_in_the_third_document_alpha_moves_as_printed_but_not_since_04(monkeypatch):
    printed = 8.02
    assert round(runs.learned_alpha()[-1][1], 2) == printed
    monkeypatch.setattr(runs, "surrogate", theirs)
    last = runs.learned_alpha.__wrapped__()[-1][1]
    assert last == 2.0 if SINCE_04 else round(last, 2) == printed
