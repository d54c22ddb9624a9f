"""Curves, slopes and their derivatives where formulas break: infinities, huge and tiny numbers, kinks, NaN, dtypes."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from golden_rows import METHODS, rows
from marks import parameters

pytestmark = [pytest.mark.versions, pytest.mark.usefixtures("optimised")]

NAMES = sorted(surgrad.catalogue())
HALVES = [0.0, 2.0**-126, 1e-30, 1e-4, 0.3, 1.0, 100.0, 1e4, 1e30, float(np.finfo(np.float32).max), np.inf]
EDGES = np.array([-x for x in HALVES] + HALVES, np.float32)
PERIODIC = "SquarewaveFourierSeries"  # without limits: NaN at infinite x


def stacked(name):
    """Each golden setting of a surrogate at each edge, in single precision."""
    group = rows(name)[0]
    _, first = np.unique(group.columns["setting"], return_index=True)
    surrogate = jax.tree.map(lambda leaf: np.repeat(leaf[first], len(EDGES)).astype(np.float32), group.surrogate)
    return surrogate, np.tile(EDGES, len(first))


@jax.jit
def derivatives(surrogate, x):
    """Derivatives of first and second order of curve and slope, along all inputs at once, in all modes."""
    found, inputs = {}, (surrogate, x)
    ones = jax.tree.map(jnp.ones_like, inputs)
    for method in METHODS.values():

        def total(s, x, method=method):
            return getattr(s, method)(x).sum()

        gradient = jax.grad(total, (0, 1))
        found[method] = {
            "value": getattr(surrogate, method)(x),
            "forward": jax.jvp(lambda s, x, method=method: getattr(s, method)(x), inputs, ones)[1],
            **dict(zip(("reverse", "forward over reverse"), jax.jvp(gradient, inputs, ones), strict=True)),
            "reverse over forward": jax.grad(lambda *t, f=total: jax.jvp(f, t, ones)[1], (0, 1))(surrogate, x),
        }
    return found


@functools.cache
def at_the_edges(name):
    surrogate, x = stacked(name)
    return x, jax.device_get(derivatives(surrogate, x))


@pytest.mark.parametrize("name", parameters(NAMES, slow=("Dspike", "MultiGaussianGrad", "QPseudoSpike")))
def test_no_derivative_of_first_or_second_order_is_nan(name):
    x, found = at_the_edges(name)
    allowed = np.isinf(x) if name == PERIODIC else np.zeros(x.shape, bool)
    for path, value in jax.tree_util.tree_leaves_with_path(found):
        assert not np.any(np.isnan(value) & ~allowed), jax.tree_util.keystr(path)


@pytest.mark.parametrize("name", NAMES)
def test_slopes_and_their_derivatives_are_finite_at_infinite_x(name):
    if name == PERIODIC:
        pytest.skip("no limits")
    x, found = at_the_edges(name)
    for path, value in jax.tree_util.tree_leaves_with_path(found["surrogate_grad"]):
        assert np.all(np.isfinite(value[np.isinf(x)])), jax.tree_util.keystr(path)


@pytest.mark.parametrize("size", [100.0, -100.0])
@pytest.mark.parametrize("name", NAMES)
def test_directions_of_moderate_size_have_finite_derivatives_of_slopes_at_huge_x(name, size):
    """A derivative by a parameter multiplies by x; the direction of an optimiser's step may be a hundred long."""
    surrogate, x = surgrad.catalogue()[name](), np.array([s * x for s in (-1, 1) for x in (1e30, 8.5e37, *EDGES[-2:])])
    x = x[np.isfinite(x)] if name == PERIODIC else x
    surrogate = jax.tree.map(lambda leaf: np.full(x.shape, leaf, np.float32), surrogate)
    along = jax.tree.map(lambda leaf: np.full(leaf.shape, size, np.float32), (surrogate, x))
    first, second = along_twice(surrogate, x.astype(np.float32), along)
    assert np.all(np.isfinite(first))
    assert np.all(np.isfinite(second))


@jax.jit
def along_twice(surrogate, x, direction):
    slope = lambda s, x: s.surrogate_grad(x)
    first = lambda s, x: jax.jvp(slope, (s, x), direction)[1]
    return jax.jvp(first, (surrogate, x), direction)


def test_published_pseudo_spike_has_no_nan_derivative():
    surrogate = surgrad.QPseudoSpike(np.full(EDGES.shape, 1.5, np.float32), normalized=True)
    for path, value in jax.tree_util.tree_leaves_with_path(derivatives(surrogate, EDGES)):
        assert not np.any(np.isnan(value)), jax.tree_util.keystr(path)


@jax.jit
def looked_at(surrogate, x):
    return surrogate(x), surrogate.surrogate_fun(x), surrogate.surrogate_grad(x)


@pytest.mark.parametrize("name", NAMES)
def test_nan_gives_no_spike_and_a_nan_curve_and_slope(name):
    spike, curve, slope = looked_at(surgrad.catalogue()[name](), np.float32(np.nan))
    assert spike == 0
    assert np.isnan(curve)
    assert np.isnan(slope)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", NAMES)
def test_spike_curve_slope_and_gradient_have_the_dtype_of_x(name, dtype):
    with jax.enable_x64(dtype == "float64"):
        surrogate, x = surgrad.catalogue()[name](), jnp.zeros(3, dtype)
        assert [y.dtype for y in jax.eval_shape(looked_at, surrogate, x)] == [jnp.dtype(dtype)] * 3
        gradient = jax.grad(lambda x: surrogate(x).sum())
        tangent = jax.eval_shape(lambda x: jax.jvp(surrogate, (x,), (x,)), x)[1]
        assert jax.eval_shape(gradient, x).dtype == tangent.dtype == dtype


@pytest.mark.parametrize("precise", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_parameters_in_double_precision_do_not_change_the_dtype(name, precise):
    with jax.enable_x64(precise):
        surrogate = jax.tree.map(np.float64, surgrad.catalogue()[name]())
        found = jax.eval_shape(looked_at, surrogate, jnp.zeros(3, jnp.bfloat16))
        assert [y.dtype for y in found] == [jnp.bfloat16] * 3


@pytest.mark.parametrize("dtype", ["int8", "int32", "uint8", "bool"])
def test_integers_and_booleans_are_promoted_as_by_sine(dtype):
    x = np.array([0, 1, 1], dtype)
    promoted = jnp.sin(x).dtype
    for name, cls in surgrad.catalogue().items():
        found = jax.eval_shape(looked_at, cls(), x)
        assert [y.dtype for y in found] == [promoted] * 3, name
    integers, floats = looked_at(surgrad.Sigmoid(), x), looked_at(surgrad.Sigmoid(), x.astype(promoted))
    np.testing.assert_array_equal(integers, floats)


@pytest.mark.parametrize(
    ("surrogate", "x", "limit"),
    [
        (surgrad.PiecewiseLeakyRelu(c=0.0), -np.inf, 0.0),
        (surgrad.PiecewiseLeakyRelu(c=0.0), np.inf, 1.0),
        (surgrad.LeakyRelu(alpha=0.0), -np.inf, 0.0),
        (surgrad.LeakyRelu(alpha=0.0, beta=0.0), np.inf, 0.0),
        (surgrad.LogTailedRelu(alpha=0.0), -np.inf, 0.0),
        (surgrad.LogTailedRelu(alpha=0.1), -np.inf, -np.inf),
    ],
)
def test_a_line_of_slope_zero_is_flat_to_infinity(surrogate, x, limit):
    assert surrogate.surrogate_fun(x) == limit


@pytest.mark.parametrize("name", NAMES)
def test_curves_differentiate_to_the_slope_at_the_threshold(name):
    surrogate = surgrad.catalogue()[name]()
    with jax.enable_x64(True):
        slope, by_curve = surrogate.surrogate_grad(0.0), jax.jvp(surrogate.surrogate_fun, (0.0,), (1.0,))[1]
    # S2NN's slope leaves out an epsilon of 1e-8.
    np.testing.assert_allclose(by_curve, slope, rtol=2e-8 if name == "S2NN" else 1e-14)


def test_triangular_slope_is_not_halved_at_its_corner_or_its_end():
    def by_parameter(name, x):
        relu = surgrad.ReluGrad(alpha=0.3, width=1.0)
        return jax.grad(lambda p: relu.replace(**{name: p}).surrogate_grad(x))(getattr(relu, name))

    assert by_parameter("alpha", 0.0) == 1.0
    assert by_parameter("width", 0.0) == by_parameter("width", 1.0) == np.float32(0.3)


def test_triangle_ends_at_the_float_next_to_its_corner():
    triangle = surgrad.PiecewiseQuadratic(alpha=3.0)
    with jax.enable_x64(True):
        x = jnp.array([np.nextafter(1 / 3, 1), np.nextafter(1 / 3, 0)])
        slope, by_x = jax.device_get(jax.jvp(triangle.surrogate_grad, (x,), (jnp.ones(2),)))
    assert slope[0] == 0
    np.testing.assert_array_equal(by_x, [0.0, -9.0])


def test_left_tail_of_the_gaussian_step_is_not_lost():
    curve = surgrad.ERF(alpha=1.0).surrogate_fun(np.float32(-7.5))
    np.testing.assert_allclose(curve, math.erfc(7.5) / 2, rtol=1e-5)  # 112 is the condition number: 112 * 6e-8


@pytest.mark.parametrize("x", [-170.0, -90.0, 90.0, 170.0])
def test_exponential_curve_has_its_parameter_derivative_in_the_tails(x):
    by_alpha = jax.grad(lambda alpha: surgrad.PiecewiseExp(alpha).surrogate_fun(x))
    exact = math.copysign(abs(x) / 2 * math.exp(-abs(x) / 2), x)
    np.testing.assert_allclose(by_alpha(0.5), exact, rtol=1e-5)
    assert by_alpha(4.0) == 0


@pytest.mark.parametrize(("x", "exact"), [(-0.25, 0.01332), (-1e6, 89.03)])
@pytest.mark.parametrize("alpha", [1 - 1e-6, 1.0, 1 + 1e-6])
def test_pseudo_spike_is_smooth_in_alpha_through_1(x, exact, alpha):
    # As printed in the notes on the reference, to four digits; alpha moves it by less.
    by_alpha = jax.grad(lambda alpha: surgrad.QPseudoSpike(alpha).surrogate_fun(x))(alpha)
    np.testing.assert_allclose(by_alpha, exact, rtol=5e-4)


@pytest.mark.parametrize("alpha", [1.00098, 1.0, 0.99902])
def test_pseudo_spike_is_accurate_in_single_precision_near_alpha_1(alpha):
    x = np.array([-100.0, -3.0, -0.1, 0.1, 3.0, 100.0], np.float32)
    alpha = np.float32(alpha)
    width, rate = (float(alpha) + 1) / 2, float(alpha) - 1
    y = np.log1p(np.abs(x.astype(float)) / width)
    exact = 0.5 + np.sign(x) * width * (-np.expm1(-rate * y) / rate if rate else y)
    np.testing.assert_allclose(surgrad.QPseudoSpike(alpha).surrogate_fun(x), exact, rtol=1e-6)
