"""Identities between surrogates, and with the closed forms of areas, peaks and published formulas."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from golden_rows import family, leaf_names, rows

pytestmark = pytest.mark.usefixtures("optimised")

NAMES = sorted(surgrad.catalogue())
X = np.concatenate([-np.logspace(-12, 0.7, 60), [0.0], np.logspace(-12, 0.7, 60)])
ROUNDING = 1e-13  # 500 units: exponents of up to 100 and their roundings

inf, nan = math.inf, math.nan
AREAS = {
    "Arctan": lambda alpha: 1,
    "Boxcar": lambda width: 1,
    "Cauchy": lambda scale: 1,
    "Circ": lambda alpha: 1,
    "ClippedStraightThrough": lambda width: 2 * width,
    "Dspike": lambda b: 1,
    "ERF": lambda alpha: 1,
    "GaussianGrad": lambda sigma, alpha: alpha,
    "InvSquareGrad": lambda alpha: 2 / alpha,
    "LeakyRelu": lambda alpha, beta: inf,
    "LeakySpikeOperator": lambda leak: inf,
    "LogTailedRelu": lambda alpha: inf,
    "MultiGaussianGrad": lambda h, s, sigma, scale: scale * (1 - h),
    "NonzeroSignLog": lambda alpha: inf,
    "NumericalGradient": lambda alpha: inf,
    "PeriodicExponential": lambda width, scale, period: inf,
    "PiecewiseExp": lambda alpha: 1,
    "PiecewiseLeakyRelu": lambda c, w: inf if c else 1,
    "PiecewiseQuadratic": lambda alpha: 1,
    "QPseudoSpike": lambda alpha: (alpha + 1) / (alpha - 1) if alpha > 1 else inf,
    "ReluGrad": lambda alpha, width: alpha * width**2,
    "S2NN": lambda alpha, beta, epsilon: inf,
    "Sigmoid": lambda alpha: 1,
    "Slayer": lambda scale, tau: scale,
    "SlayerGrad": lambda alpha: 2 / alpha,
    "SoftSign": lambda alpha: 1,
    "SparseFastSigmoid": lambda alpha, window: 2 * window / (1 + alpha * window),
    "SpikeRateEscape": lambda beta, slope: 2 * slope / beta,
    "SquarewaveFourierSeries": lambda t_period, n: nan,
    "StepPiecewiseLinear": lambda window, period: inf,
    "StochasticSpikeOperator": lambda mean, variance: inf if mean >= 0 else nan,
    "StraightThrough": lambda: inf,
    "SuperSpike": lambda alpha, scaling: {"peak": 2 / alpha, "area": 1, "steepness": 2}[scaling],
    "Tanh": lambda alpha: 1,
    "Triangle": lambda gamma, width: gamma * width,
    "ZIF": lambda gamma: 1,
}
PEAKS = {
    "Arctan": lambda alpha: alpha / 2,
    "Boxcar": lambda width: 1 / width,
    "Cauchy": lambda scale: 1 / (math.pi * scale),
    "Circ": lambda alpha: 1 / (2 * alpha),
    "ClippedStraightThrough": lambda width: 1,
    "Dspike": lambda b: b / (2 * math.tanh(b / 2)),
    "ERF": lambda alpha: alpha / math.sqrt(math.pi),
    "GaussianGrad": lambda sigma, alpha: alpha * normal(0, sigma),
    "InvSquareGrad": lambda alpha: 1,
    "LeakyRelu": max,
    "LeakySpikeOperator": lambda leak: max(leak, 1),
    "LogTailedRelu": lambda alpha: max(alpha, 1),
    "MultiGaussianGrad": lambda h, s, sigma, scale: (
        scale * ((1 + h) * normal(0, sigma) - 2 * h * normal(sigma, s * sigma))
    ),
    "NonzeroSignLog": lambda alpha: alpha,
    "NumericalGradient": lambda alpha: alpha,
    "PeriodicExponential": lambda width, scale, period: scale / period,
    "PiecewiseExp": lambda alpha: alpha / 2,
    "PiecewiseLeakyRelu": lambda c, w: max(c, 1 / (2 * w)),
    "PiecewiseQuadratic": lambda alpha: alpha,
    "QPseudoSpike": lambda alpha: 1,
    "ReluGrad": lambda alpha, width: alpha * width,
    "S2NN": lambda alpha, beta, epsilon: max(alpha / 4, beta),
    "Sigmoid": lambda alpha: alpha / 4,
    "Slayer": lambda scale, tau: scale / (2 * tau),
    "SlayerGrad": lambda alpha: 1,
    "SoftSign": lambda alpha: alpha / 2,
    "SparseFastSigmoid": lambda alpha, window: 1,
    "SpikeRateEscape": lambda beta, slope: slope,
    "SquarewaveFourierSeries": lambda t_period, n: 4 * n / t_period,
    "StepPiecewiseLinear": lambda window, period: 1 / period,
    "StochasticSpikeOperator": lambda mean, variance: 1,
    "StraightThrough": lambda: 1,
    "SuperSpike": lambda alpha, scaling: {"peak": 1, "area": alpha / 2, "steepness": alpha}[scaling],
    "Tanh": lambda alpha: alpha / 2,
    "Triangle": lambda gamma, width: gamma,
    "ZIF": lambda gamma: 1 / gamma,
}


def normal(x, deviation):
    return math.exp(-0.5 * (x / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))


@jax.jit
def curve_and_slope(surrogate, x):
    return surrogate.surrogate_fun(x), surrogate.surrogate_grad(x)


@jax.jit
def whole(surrogate, x):
    return {"area": surrogate.area(), "peak": surrogate.peak(), "curve, slope": curve_and_slope(surrogate, x)}


def in_double(surrogate, x=X):
    with jax.enable_x64(True):
        return jax.device_get(curve_and_slope(surrogate, x))


def panels(kinks=()):
    """Nodes and weights of Gauss-Legendre quadrature over -30 to 30, in panels that end at the kinks."""
    nodes, weights = np.polynomial.legendre.leggauss(30)
    sides = [0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 6.0, 10.0, 15.0, 20.0, 25.0, 30.0]
    edges = np.unique([*sides, *(-s for s in sides), 0.0, *kinks])
    half = np.diff(edges)[:, None] / 2
    return (edges[:-1, None] + half * (1 + nodes)).ravel(), (half * weights).ravel()


@functools.cache
def settings(name):
    """Each golden setting: parameters as keywords, area, peak, and curve and slope at the ends and nodes of panels."""
    found = []
    for group in rows(name):
        _, first = np.unique(group.columns["setting"], return_index=True)
        stacked = jax.tree.map(lambda leaf, i=first: leaf[i], group.surrogate)
        kinks = [x for x in group.x[group.columns["kink"] == 1] if abs(x) < 30]
        if family(name) == "PeriodicExponential":
            kinks += list(np.arange(0, 30, group.surrogate.period.min() / 2))
        x, weights = panels(kinks)
        with jax.enable_x64(True):
            values = jax.device_get(
                jax.vmap(whole, (0, None), axis_size=len(first))(stacked, np.array([-30.0, 30.0, *x]))
            )
        static = {field: getattr(stacked, field) for field in ("n", "scaling") if hasattr(stacked, field)}
        for i in range(len(first)):
            p = dict(zip(leaf_names(stacked), (float(leaf[i]) for leaf in jax.tree.leaves(stacked)), strict=True))
            found.append((p | static, weights, jax.tree.map(lambda v, i=i: v[i], values)))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_areas_and_peaks_are_the_closed_forms(name):
    for p, _, values in settings(name):
        np.testing.assert_allclose(values["area"], AREAS[family(name)](*p.values()), rtol=1e-12)
        np.testing.assert_allclose(values["peak"], PEAKS[family(name)](*p.values()), rtol=1e-14)


@pytest.mark.parametrize("name", NAMES)
def test_no_slope_is_above_its_peak(name):
    for _, _, values in settings(name):
        assert values["curve, slope"][1].max() <= values["peak"] * (1 + 1e-15)


@pytest.mark.parametrize("name", [n for n in NAMES if "curve_matches_slope" not in surgrad.catalogue()[n].waivers])
def test_curve_is_the_integral_of_the_slope(name):
    for p, weights, values in settings(name):
        (left, right, *_), (_, _, *slope) = values["curve, slope"]
        # S2NN's curve is moved by an epsilon that its slope leaves out.
        allowed = 1e-12 * (weights @ np.abs(slope)) + p.get("beta", 0) * p.get("epsilon", 0)
        np.testing.assert_allclose(weights @ slope, right - left, rtol=0, atol=allowed)


@pytest.mark.parametrize("alpha", [0.5, 2.0, 25.0])
@pytest.mark.parametrize(
    ("left", "factor", "right"),
    [
        (surgrad.PiecewiseQuadratic, lambda a: 1, lambda a: surgrad.ReluGrad(a**2, 1 / a)),
        (surgrad.SoftSign, lambda a: a / 2, surgrad.InvSquareGrad),
        (surgrad.FastSigmoid, lambda a: 1, surgrad.InvSquareGrad),
        (surgrad.SuperSpike, lambda a: 2 / a, surgrad.SoftSign),
        (lambda a: surgrad.SuperSpike(a, scaling="area"), lambda a: 1, surgrad.SoftSign),
        (lambda a: surgrad.FastSigmoid(a, scaling="steepness"), lambda a: a, surgrad.InvSquareGrad),
        (lambda a: surgrad.Slayer(2.0, 1 / a), lambda a: 2, surgrad.PiecewiseExp),
        (lambda a: surgrad.Triangle(a, 2.0), lambda a: 1, lambda a: surgrad.ReluGrad(a / 2, 2.0)),
        (lambda a: surgrad.ZIF(1 / a), lambda a: 1, surgrad.PiecewiseQuadratic),
        (lambda a: surgrad.Boxcar(2 / a), lambda a: 1, lambda a: surgrad.PiecewiseLeakyRelu(c=0.0, w=1 / a)),
        (surgrad.Tanh, lambda a: 1, lambda a: surgrad.Sigmoid(2 * a)),
        (lambda a: surgrad.Cauchy(2 / (math.pi * a)), lambda a: 1, surgrad.Arctan),
        (lambda a: surgrad.ClippedStraightThrough(a), lambda a: 2 * a, lambda a: surgrad.Boxcar(2 * a)),
        (lambda a: surgrad.Sparse(surgrad.InvSquareGrad(a), 1.0), lambda a: 1, surgrad.SparseFastSigmoid),
        (surgrad.PiecewiseExp, lambda a: a / 2, surgrad.SlayerGrad),
        (surgrad.ERF, lambda a: 1, lambda a: surgrad.GaussianGrad(1 / (a * math.sqrt(2)), 1.0)),
        (lambda a: surgrad.MultiGaussianGrad(0.0, 6.0, 0.5, a), lambda a: 1, lambda a: surgrad.GaussianGrad(0.5, a)),
        (lambda a: surgrad.QPseudoSpike(2.0), lambda a: 1, lambda a: surgrad.InvSquareGrad(2 / 3)),
        (lambda a: surgrad.QPseudoSpike(2.0, normalized=True), lambda a: 1, lambda a: surgrad.SoftSign(2.0)),
    ],
)
def test_slopes_and_centred_curves_are_proportional(left, factor, right, alpha):
    (curve, slope), (other_curve, other_slope) = in_double(left(alpha)), in_double(right(alpha))
    # At the end of a triangle both are the difference of two numbers of the size of the peak.
    np.testing.assert_allclose(slope, factor(alpha) * other_slope, rtol=4 * ROUNDING, atol=1e-15 * slope.max())
    # Both curves are rounded at the size of 1/2, the second before it is multiplied.
    np.testing.assert_allclose(curve - 0.5, factor(alpha) * (other_curve - 0.5), rtol=0, atol=1e-15 * max(1, alpha))


@pytest.mark.parametrize("alpha", [0.5, 2.0, 25.0])
@pytest.mark.parametrize(
    ("surrogate", "exact"),
    [
        (surgrad.Arctan, lambda a: cauchy(2 / (math.pi * a))),
        (lambda a: surgrad.Sigmoid(2 * a), lambda a: a / 2 / np.cosh(a * X) ** 2),  # tanh with a slope of a/2
        (lambda a: surgrad.LeakyRelu(1.0, 1.0), lambda a: np.ones_like(X)),  # the straight-through estimator
        (lambda a: surgrad.StraightThrough(), lambda a: np.ones_like(X)),
        (surgrad.LeakySpikeOperator, lambda a: np.where(X < 0, a, 1.0)),
        (surgrad.Circ, lambda a: a**2 / 2 * (X**2 + a**2) ** -1.5),
        (surgrad.SpikeRateEscape, lambda a: 25 * np.exp(-a * np.abs(X - 1))),
        (surgrad.PiecewiseExp, lambda a: a / 2 * np.exp(-a * np.abs(X))),  # Laplace's density
        (
            lambda a: surgrad.S2NN(a, 1.5),
            lambda a: np.where(X < 0, logistic(a), 1.5 / (1 + np.abs(X))),
        ),
    ],
)
def test_slope_is_a_known_density(surrogate, exact, alpha):
    np.testing.assert_allclose(in_double(surrogate(alpha))[1], exact(alpha), rtol=ROUNDING)


def cauchy(scale):
    return scale / (math.pi * (X**2 + scale**2))


def logistic(alpha):
    return alpha / (2 + 2 * np.cosh(alpha * X))


@pytest.mark.parametrize("q", [1.01, 1.5, 3.0, 16.85])
def test_normalized_pseudo_spike_is_the_published_one(q):
    curve, slope = in_double(surgrad.QPseudoSpike(q, normalized=True))
    u = 2 * np.abs(X) / (q - 1)
    np.testing.assert_allclose(slope, np.exp(-q * np.log1p(u)), rtol=ROUNDING)
    np.testing.assert_allclose(curve, 0.5 - np.sign(X) / 2 * np.expm1((1 - q) * np.log1p(u)), rtol=ROUNDING)


@pytest.mark.parametrize("q", [1.01, 1.5, 3.0, 16.85])
def test_normalized_pseudo_spike_has_area_1(q, x64):
    surrogate = surgrad.QPseudoSpike(q, normalized=True)
    assert surrogate.area() == 1
    assert list(surrogate.surrogate_fun(jnp.array([-jnp.inf, 0.0, jnp.inf]))) == [0.0, 0.5, 1.0]
    x, weights = panels()
    missing = (1 + 60 / (q - 1)) ** (1 - q)  # beyond ±30
    np.testing.assert_allclose(weights @ in_double(surrogate, x)[1], 1 - missing, rtol=1e-9)
