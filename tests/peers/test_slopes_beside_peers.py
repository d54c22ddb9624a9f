"""Slopes of our surrogates beside those of snnTorch, SpikingJelly, Norse and Spyx, in units of their x.

Where a library's slope is another multiple of the same shape, or broken, the test says so.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import agrees, package

X = np.concatenate([np.linspace(-3.03, 3.03, 102), [-1e-3, 1e-3, 1.5, -1.5]])  # without their kinks, and without 0
DEFAULTS = {name: kind() for name, kind in surgrad.catalogue().items()}


def slope_in_torch(function):
    """The gradient of a function of torch at X."""
    torch = pytest.importorskip("torch")
    x = torch.tensor(X, dtype=torch.float64, requires_grad=True)
    function(x).sum().backward()
    return x.grad.numpy()


def assert_same_slope(ours, theirs, library):
    with jax.enable_x64(True):
        found = np.asarray(ours.surrogate_grad(jnp.asarray(X)))
    # Their slopes are in single precision where their thresholds are.
    agrees(found, theirs, of=ours, reference=package(library), rtol=2e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (DEFAULTS["FastSigmoid"], lambda s: s.fast_sigmoid()),
        (surgrad.Cauchy(2 / (np.pi * 2.0)), lambda s: s.atan(2.0)),
        (DEFAULTS["StraightThrough"], lambda s: s.straight_through_estimator()),
        (DEFAULTS["SpikeRateEscape"], lambda s: s.spike_rate_escape()),
        (surgrad.SpikeRateEscape(beta=3.0, slope=2.0), lambda s: s.spike_rate_escape(beta=3.0, slope=2.0)),
        (surgrad.LeakySpikeOperator(leak=0.0), lambda s: s.heaviside()),
    ],
    ids=["fast_sigmoid", "atan", "straight_through", "escape", "escape 3 2", "heaviside"],
)
def test_slopes_are_those_of_snntorch(ours, theirs):
    surrogate = pytest.importorskip("snntorch.surrogate")
    assert_same_slope(ours, slope_in_torch(theirs(surrogate)), "snntorch")


def test_the_noise_of_snntorch_has_the_range_of_ours():
    """Both are uniform on (mean ± 1/2)·variance below the threshold, and 1 above."""
    surrogate = pytest.importorskip("snntorch.surrogate")
    pytest.importorskip("torch").manual_seed(0)
    draws = np.stack([slope_in_torch(surrogate.SSO(mean=0.5, variance=0.4)) for _ in range(40)])
    ours = surgrad.StochasticSpikeOperator(0.5, 0.4)
    keys = jax.random.split(jax.random.key(0), 40)
    own = np.asarray(jax.vmap(lambda key: ours.replace(key=key).surrogate_grad(jnp.asarray(X, jnp.float32)))(keys))
    below = X < 0
    np.testing.assert_array_equal(draws[:, ~below], 1)
    np.testing.assert_array_equal(own[:, ~below], 1)
    assert draws.shape == own.shape
    quantiles = np.linspace(0, 1, 11)
    theirs, found = (np.quantile(one[:, below], quantiles) for one in (draws, own))
    agrees(found, theirs, of=ours, reference=package("snntorch"), atol=0.02)  # of 2000 draws, a range of 0.4


def test_snntorch_cuts_the_fast_sigmoid_on_the_wrong_side():
    """`SFS` is 0 for x <= B, and not where |x| > B; beyond, it is ours before it is cut."""
    surrogate = pytest.importorskip("snntorch.surrogate")
    theirs = slope_in_torch(surrogate.SFS(slope=25, B=1))
    np.testing.assert_array_equal(theirs[X <= 1], 0)
    np.testing.assert_allclose(theirs[X > 1], surgrad.FastSigmoid().surrogate_grad(X[X > 1]), rtol=1e-5)
    np.testing.assert_array_equal(surgrad.SparseFastSigmoid().surrogate_grad(X[np.abs(X) > 1]), 0)


def test_the_leaky_spike_operator_of_snntorch_cannot_be_called():
    surrogate, torch = pytest.importorskip("snntorch.surrogate"), pytest.importorskip("torch")
    with pytest.raises(TypeError):
        surrogate.LSO(slope=0.1)(torch.zeros(3, requires_grad=True))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (surgrad.Boxcar(width=0.5), lambda s: s.Rect(alpha=2.0)),
        (DEFAULTS["NumericalGradient"], lambda s: s.FakeNumericalGradient()),
        (surgrad.NumericalGradient(alpha=2.0), lambda s: s.FakeNumericalGradient(alpha=2.0)),
        (surgrad.SuperSpike(2.0, scaling="area"), lambda s: s.SoftSign(alpha=2.0)),
        (surgrad.LeakySpikeOperator(leak=0.1), lambda s: s.LeakyKReLU(leak=0.1, k=1.0)),
        (surgrad.Slayer(1.0, 0.5), lambda s: s.PiecewiseExp(alpha=2.0)),
        (surgrad.ZIF(gamma=0.5), lambda s: s.PiecewiseQuadratic(alpha=2.0)),
        (surgrad.Tanh(alpha=2.0), lambda s: s.Sigmoid(alpha=4.0)),
    ],
    ids=["Rect", "Fake", "Fake 2", "SoftSign", "LeakyKReLU", "PiecewiseExp", "PiecewiseQuadratic", "Sigmoid"],
)
def test_slopes_are_those_of_spikingjelly(ours, theirs):
    surrogate = pytest.importorskip("spikingjelly.activation_based.surrogate")
    assert_same_slope(ours, slope_in_torch(theirs(surrogate)), "spikingjelly")


@pytest.mark.parametrize(
    ("ours", "factor", "method", "alpha"),
    [
        (surgrad.Triangle(gamma=0.3), 1.0, "triangle", 0.3),
        (surgrad.Tanh(alpha=2.0), 1.0, "tanh", 2.0),  # Norse leaves out α/2, which is 1 here
        (surgrad.Tanh(alpha=4.0), 2.0, "tanh", 4.0),
        (surgrad.Circ(alpha=0.5), 1.0, "circ", 0.5),  # Norse's is 2α times ours
        (surgrad.Circ(alpha=2.0), 0.25, "circ", 2.0),
    ],
)
def test_slopes_are_those_of_norse(ours, factor, method, alpha):
    """Norse's tanh is 2/α times ours, and its circ 2α times; factor is what theirs has to be multiplied with."""
    threshold = pytest.importorskip("norse.torch.functional.threshold").threshold
    theirs = slope_in_torch(lambda x: threshold(x, method, alpha))
    assert_same_slope(ours, factor * theirs, "norse")


@pytest.mark.parametrize(
    ("ours", "factor", "theirs"),
    [
        (surgrad.SuperSpike(25.0), 1.0, lambda axn: axn.superspike(25.0)),
        (surgrad.Boxcar(width=2.0), 1.0, lambda axn: axn.boxcar(2.0, 0.5)),
        (surgrad.Triangle(gamma=1.0, width=0.5), 1.0, lambda axn: axn.triangular(2.0)),
        (surgrad.Tanh(alpha=2.0), 1.0, lambda axn: axn.tanh(2.0)),  # Spyx leaves out α/2, which is 1 here
        (surgrad.Tanh(alpha=1.0), 0.5, lambda axn: axn.tanh(1.0)),
        (surgrad.Cauchy(1 / (2 * np.pi)), 2 * np.pi, lambda axn: axn.arctan(2.0)),  # of area 1/(πk)
    ],
    ids=["superspike", "boxcar", "triangular", "tanh 2", "tanh 1", "arctan"],
)
def test_slopes_are_those_of_spyx(ours, factor, theirs):
    """Spyx's tanh is 2/α times ours, and its arctan 1/(πk) times; factor is what theirs has to be multiplied with."""
    axn = pytest.importorskip("spyx.axn")
    with jax.enable_x64(True):
        spike = theirs(axn)
        slope = np.asarray(jax.vmap(jax.grad(lambda x: spike(x)))(jnp.asarray(X)))
    assert_same_slope(ours, factor * slope, "spyx")
