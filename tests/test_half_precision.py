"""float16 and bfloat16: values are computed in float32, so that one rounding of the result is all that is lost."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from golden_rows import METHODS, bound, rows

pytestmark = pytest.mark.usefixtures("optimised")

NAMES = sorted(surgrad.catalogue())
DTYPES = [jnp.float16, jnp.bfloat16]
SLOWLY = [pytest.param(dtype, marks=pytest.mark.slow) for dtype in DTYPES[1:]]


@jax.jit
def values(surrogate, x):
    return {f: getattr(surrogate, method)(x) for f, method in METHODS.items()}


def exactly_representable(group, dtype):
    """The golden rows whose x is a number of the dtype, and so not a point beside a kink."""
    with np.errstate(over="ignore", under="ignore"):
        return (group.x.astype(dtype).astype(float) == group.x) & np.isfinite(group.x) & (np.abs(group.x) < 1e4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_values_are_the_golden_ones_rounded_once(name, dtype):
    eps, tiny = float(jnp.finfo(dtype).eps), float(jnp.finfo(dtype).tiny)
    for group in rows(name):
        at = exactly_representable(group, dtype)
        assert np.count_nonzero(at) > 20
        surrogate = jax.tree.map(lambda leaf, at=at: leaf[at].astype(np.float32), group.surrogate)
        for f, got in values(surrogate, group.x[at].astype(dtype)).items():
            exact = group.columns[f][at]
            p, by = ({t: a[at] for t, a in v.items()} for v in (group.inputs(), group.derivatives(f)))
            # Half a unit for the rounding, on top of what is allowed before it; what is below tiny may become 0.
            allowed = eps / 2 * np.abs(exact) + 1.01 * bound(name, f, exact, p, by, np.float32) + tiny
            assert np.all(np.abs(np.asarray(got, float) - exact) <= allowed), f


@pytest.mark.parametrize("dtype", [*DTYPES, jnp.float32])
def test_sigmoid_slope_has_both_tails(dtype):
    alpha, x = 4.0, np.array([1.5, 2.0, 3.0, 5.0, 8.0])
    tail = np.exp(-alpha * x)
    exact = alpha * tail / (1 + tail) ** 2
    right, left = (np.asarray(surgrad.Sigmoid(alpha).surrogate_grad(s * x.astype(dtype)), float) for s in (1, -1))
    np.testing.assert_array_equal(right, left)
    eps = max(float(jnp.finfo(dtype).eps), 4 * 32 * 1.2e-7)  # 32 is the condition number at x = 8, in float32
    np.testing.assert_allclose(right, exact, rtol=eps, atol=float(jnp.finfo(dtype).tiny))


@pytest.mark.parametrize("x", [-100.0, -50.0, 50.0, 100.0])
@pytest.mark.parametrize("dtype", DTYPES)
def test_square_wave_keeps_its_phase_and_the_derivative_by_its_period(dtype, x):
    period = 8.0
    theta = 2 * np.pi * x / period
    by_theta = -4 / period * (np.sin(theta) + 3 * np.sin(3 * theta))
    slope = 4 / period * (np.cos(theta) + np.cos(3 * theta))
    by_period = -slope / period - by_theta * theta / period
    exact = {"slope": slope, "by period": by_period}
    value = lambda t: surgrad.SquarewaveFourierSeries(2, t).surrogate_grad(jnp.asarray(x, dtype))
    got = dict(zip(exact, jax.jvp(value, (period,), (1.0,)), strict=True))
    for name, rounded in got.items():
        np.testing.assert_allclose(float(rounded), exact[name], rtol=float(jnp.finfo(dtype).eps), atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("x", [-1e4, -256.0, -1.0, -0.25, 0.0, 0.25, 256.0, 1e4, np.inf, -np.inf])
def test_spikes_have_no_nan_gradient(x, dtype):
    for name, surrogate in sharp_surrogates():
        by_parameter, by_x = gradients(surrogate, jnp.asarray(x, dtype))
        if name == "SquarewaveFourierSeries" and np.isinf(x):
            continue
        assert np.all(np.isfinite(jax.tree.leaves(by_parameter))), name
        assert np.isfinite(by_x), name


@functools.cache
def sharp_surrogates():
    sharp = {"SoftSign": 25.0, "Arctan": 3.0, "InvSquareGrad": 100.0}
    return [(n, cls(alpha=sharp[n]) if n in sharp else cls()) for n, cls in surgrad.catalogue().items()]


gradients = jax.jit(jax.grad(lambda surrogate, x: surrogate(x), (0, 1)))
curve_gradients = jax.jit(jax.grad(lambda surrogate, x: surrogate.surrogate_fun(x)))


def test_inverse_square_keeps_its_second_derivative():
    slope = surgrad.InvSquareGrad(alpha=100.0).surrogate_grad
    got = jax.vmap(jax.grad(slope))(jnp.array([-0.25, 0.25], jnp.float16))
    np.testing.assert_allclose(np.asarray(got, float), [200 / 26**3, -200 / 26**3], rtol=1e-3)


@pytest.mark.parametrize("dtype", DTYPES)
def test_epsilon_of_the_logarithm_does_not_underflow(dtype):
    below, above = (curve_gradients(surgrad.S2NN(), jnp.asarray(x, dtype)) for x in (-1.0, 1.0))
    assert [below.beta, below.epsilon] == [0.0, 0.0]
    np.testing.assert_allclose([above.beta, above.epsilon], [np.log(2), 0.5], rtol=1e-6)


@pytest.mark.parametrize("x_dtype", [DTYPES[0], *SLOWLY, pytest.param(jnp.float32, marks=pytest.mark.slow)])
@pytest.mark.parametrize("dtype", [DTYPES[0], *SLOWLY])
@pytest.mark.parametrize("name", NAMES)
def test_hyperparameters_in_half_precision_are_the_numbers_that_they_are(name, dtype, x_dtype):
    x = jnp.array([-20.0, -1.25, -0.3, 0.0, 0.3, 1.25, 20.0], x_dtype)
    halves = jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), surgrad.catalogue()[name]())
    singles = jax.tree.map(lambda leaf: leaf.astype(jnp.float32), halves)
    for f, expected in values(singles, x).items():
        np.testing.assert_array_equal(values(halves, x)[f], expected)
    by_half, by_single = (jax.tree.leaves(gradients_of_sums(s, x)) for s in (halves, singles))
    for half, single in zip(by_half, by_single, strict=True):
        assert half.dtype == dtype
        np.testing.assert_array_equal(half, single.astype(dtype))


gradients_of_sums = jax.jit(jax.grad(lambda surrogate, x: surrogate(x).sum()))


def test_single_precision_hyperparameters_are_computed_with_in_the_precision_of_x(x64):
    alpha = np.float32(0.1)
    slope = surgrad.Arctan(jnp.asarray(alpha)).surrogate_grad(20.0)
    np.testing.assert_allclose(slope, float(alpha) / 2 / (1 + (np.pi * float(alpha) * 10) ** 2), rtol=1e-15)


def test_side_lobes_of_brain_floats_are_right():
    """Four per cent off, where intermediate results such as the width of the lobes were rounded to 8 bits."""
    x, parameters = -20.0, {"h": 0.15, "s": 6.0, "sigma": 0.5, "scale": 0.5}
    halves = surgrad.MultiGaussianGrad(**{n: jnp.bfloat16(v) for n, v in parameters.items()})
    h, s, sigma, scale = (float(v) for v in jax.tree.leaves(halves))
    normal = lambda mean, deviation: np.exp(-(((x - mean) / deviation) ** 2) / 2) / (deviation * np.sqrt(2 * np.pi))
    lobes = normal(sigma, s * sigma) + normal(-sigma, s * sigma)
    exact = scale * ((1 + h) * normal(0, sigma) - h * lobes)
    np.testing.assert_allclose(float(halves.surrogate_grad(jnp.bfloat16(x))), exact, rtol=2.0**-8)
