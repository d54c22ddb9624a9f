"""The API page (the fourth document), block by block: 13 blocks, of which 2, 10 and 13 are modules of brainstate.

Two of its calls are refused by braintools 0.3.0, which the page describes; they work here (blocks 4 and 6).
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from surgrad import (
    ERF,
    S2NN,
    Arctan,
    GaussianGrad,
    InvSquareGrad,
    LeakyRelu,
    LogTailedRelu,
    MultiGaussianGrad,
    NonzeroSignLog,
    PiecewiseExp,
    PiecewiseLeakyRelu,
    PiecewiseQuadratic,
    QPseudoSpike,
    ReluGrad,
    Sigmoid,
    SlayerGrad,
    SoftSign,
    SquarewaveFourierSeries,
    Surrogate,
    sigmoid,
)

X = jnp.linspace(-2, 2, 100)
EPS = float(np.finfo(np.float32).eps)


def assert_spikes(*surrogates):
    for spike_fn in surrogates:
        np.testing.assert_array_equal(spike_fn(X), np.asarray(X) >= 0)


def sech2(z):
    return 1 / np.cosh(z) ** 2


def test_block_01_class_and_function_spike_from_zero_on():
    spike_fn = Sigmoid(alpha=4.0)
    x = jnp.array([-1.0, -0.5, 0.0, 0.5, 1.0])
    for spikes in (spike_fn(x), sigmoid(x, alpha=4.0)):
        np.testing.assert_array_equal(spikes, [0.0, 0.0, 1.0, 1.0, 1.0])


def test_block_03_sigmoidal_surrogates_spike():
    assert_spikes(Sigmoid(alpha=4.0), SoftSign(alpha=2.0), Arctan(alpha=3.0), ERF(alpha=2.0))


def test_block_04_piecewise_surrogates_spike():
    assert_spikes(PiecewiseQuadratic(alpha=1.0), PiecewiseExp(alpha=2.0), PiecewiseLeakyRelu(c=0.01, alpha=1.0))


def test_block_05_relu_based_surrogates_spike():
    assert_spikes(LeakyRelu(alpha=0.1, beta=1.0), LogTailedRelu(alpha=1.0), ReluGrad(alpha=0.5, width=1.0))


def test_block_06_gaussian_based_surrogates_spike():
    multi_gaussian = MultiGaussianGrad(h=0.15, s=6.0, gamma=0.5)
    assert_spikes(GaussianGrad(sigma=0.5, alpha=1.0), multi_gaussian, InvSquareGrad(alpha=1.0))


@pytest.mark.parametrize(
    ("name", "given", "meant"),
    [
        ("PiecewiseLeakyRelu", {"c": 0.01, "alpha": 1.0}, {"c": 0.01, "w": 1.0}),
        ("MultiGaussianGrad", {"h": 0.15, "s": 6.0, "gamma": 0.5}, {"h": 0.15, "s": 6.0, "scale": 0.5}),
    ],
)
def test_blocks_04_and_06_use_a_keyword_that_upstream_refuses_and_that_works_here(name, given, meant, braintools):
    ours = {"PiecewiseLeakyRelu": PiecewiseLeakyRelu, "MultiGaussianGrad": MultiGaussianGrad}[name]
    assert ours(**given) == ours(**meant)
    theirs = getattr(braintools.surrogate, name)
    with pytest.raises(TypeError, match="unexpected keyword"):
        theirs(**given)
    gradient = jax.vmap(jax.grad(theirs(**meant)))(X)
    np.testing.assert_allclose(jax.vmap(jax.grad(ours(**given)))(X), gradient, rtol=16 * EPS, atol=EPS)


def test_block_07_surrogates_of_the_literature_spike():
    fourier = SquarewaveFourierSeries(n=4, t_period=8.0)
    assert_spikes(fourier, S2NN(alpha=4.0, beta=1.0), QPseudoSpike(alpha=2.0))
    assert_spikes(SlayerGrad(alpha=1.0), NonzeroSignLog(alpha=1.0))


def test_block_08_a_custom_surrogate():
    class MySurrogate(Surrogate):
        def __init__(self, alpha=1.0):
            super().__init__()
            self.alpha = alpha

        def surrogate_fun(self, x):
            return 0.5 + 0.5 * jnp.tanh(self.alpha * x)

        def surrogate_grad(self, x):
            return 0.5 * self.alpha * (1 - jnp.tanh(self.alpha * x) ** 2)

    my_fn, x = MySurrogate(alpha=2.0), jnp.array([0.0, 1.0, -1.0])
    np.testing.assert_array_equal(my_fn(x), [1.0, 1.0, 0.0])
    np.testing.assert_allclose(jax.vmap(jax.grad(my_fn))(x), sech2(2 * np.array([0.0, 1.0, -1.0])), atol=2 * EPS)


GRADIENTS = {
    "Sigmoid": (Sigmoid(alpha=4.0), lambda x: sech2(2 * x)),
    "Gaussian": (GaussianGrad(sigma=0.5), lambda x: np.exp(-2 * x**2) / np.sqrt(2 * np.pi)),
    "Piecewise Quadratic": (PiecewiseQuadratic(alpha=1.0), lambda x: np.maximum(0, 1 - np.abs(x))),
    "Arctan": (Arctan(alpha=3.0), lambda x: 1.5 / (1 + (1.5 * np.pi * x) ** 2)),
    "ReLU Grad": (ReluGrad(alpha=0.5, width=1.0), lambda x: np.maximum(0, 0.5 * (1 - np.abs(x)))),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_block_09_gradients_are_the_slopes_of_the_textbook(name, axes):
    surrogate, slope = GRADIENTS[name]
    x = jnp.linspace(-2, 2, 200)
    gradients = jax.vmap(jax.grad(lambda xi: surrogate(xi)))(x)
    # The exponent, at most 8, is rounded before it is exponentiated; triangles subtract from 1.
    np.testing.assert_allclose(gradients, slope(np.asarray(x, np.float64)), rtol=12 * EPS, atol=EPS)
    (line,) = axes.plot(x, gradients, label=name, linewidth=2)
    np.testing.assert_array_equal(line.get_ydata(), gradients)


def test_block_11_class_and_function_give_the_same():
    x, spike_fn = jnp.array([0.0, 1.0, -1.0]), Sigmoid(alpha=4.0)
    assert jnp.allclose(spike_fn(x), sigmoid(x, alpha=4.0))
    assert jnp.allclose(spike_fn(x * 2), sigmoid(x * 2, alpha=4.0))


@pytest.mark.parametrize("alpha", [1.0, 2.0, 4.0, 8.0])
def test_block_12_alpha_changes_the_gradient_and_no_spike(alpha):
    spike_fn, x = Sigmoid(alpha=alpha), jnp.linspace(-2, 2, 200)
    np.testing.assert_array_equal(jax.vmap(spike_fn)(x), np.asarray(x) >= 0)
    gradients = jax.vmap(jax.grad(lambda xi: spike_fn(xi)))(x)
    # The exponent, at most 16, is rounded before it is exponentiated.
    expected = alpha / 4 * sech2(alpha / 2 * np.asarray(x, np.float64))
    np.testing.assert_allclose(gradients, expected, rtol=20 * EPS)
