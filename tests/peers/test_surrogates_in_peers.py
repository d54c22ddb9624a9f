"""Our surrogates in the layers of jaxpike and of sparx (PyPI: sparxml), and theirs among ours.

Networks get their own surrogate and then ours of the same slope: spikes are equal, gradients equal to rounding.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad

STEPS, BATCH, INPUTS, HIDDEN = 20, 3, 6, 8
KEY = jax.random.key(0)
X = jnp.linspace(-2.0, 2.0, 33)  # with 0 among them
SLOPES = ("Arctan", "InvSquareGrad", "PiecewiseQuadratic", "Sigmoid", "GaussianGrad")


def inputs():
    return jax.random.uniform(KEY, (STEPS, BATCH, INPUTS)) * 2


def assert_same_training(value_and_grad, theirs, ours):
    """Spikes are exactly equal, gradients to 1e-6 of the largest."""
    (expected, gradients), (found, ours_gradients) = value_and_grad(theirs), value_and_grad(ours)
    np.testing.assert_array_equal(found, expected)
    for gradient, own in zip(jax.tree.leaves(gradients), jax.tree.leaves(ours_gradients), strict=True):
        largest = np.max(np.abs(gradient))
        assert largest > 0
        np.testing.assert_allclose(own, gradient, rtol=0, atol=1e-6 * float(largest))


@pytest.fixture
def jaxpike():
    return pytest.importorskip("jaxpike")


@pytest.fixture
def sparx():
    return pytest.importorskip("sparx")


class TestJaxpike:
    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            (lambda pike: pike.ATan(2.0), surgrad.Arctan(2.0)),
            (lambda pike: pike.FastSigmoid(25.0), surgrad.InvSquareGrad(25.0)),
            (lambda pike: pike.Triangular(0.5), surgrad.PiecewiseQuadratic(2.0)),
        ],
        ids=SLOPES[:3],
    )
    @pytest.mark.parametrize("neuron", ["LIF", "ALIF"])
    def test_a_network_has_the_gradients_of_their_surrogate(self, jaxpike, neuron, theirs, ours):
        first, second = (
            0.5 * jax.random.normal(k, s) for k, s in zip(jax.random.split(KEY), [(6, 8), (8, 4)], strict=True)
        )
        target = jax.random.normal(KEY, (BATCH, 4))

        def outputs(cell, weights):
            state = cell.init_state((BATCH, HIDDEN))
            spikes = jax.lax.scan(lambda s, x: cell(s, x @ weights[0]), state, inputs())[1]
            return spikes, jnp.mean((spikes.mean(0) @ weights[1] - target) ** 2)

        def value_and_grad(surrogate):
            cell = getattr(jaxpike, neuron)(5.0, threshold=0.5, surrogate=surrogate)
            loss = lambda weights: outputs(cell, weights)[::-1]
            gradients, spikes = jax.jit(jax.grad(loss, has_aux=True))((first, second))
            assert 0.02 < spikes.mean() < 0.9
            return spikes, gradients

        assert_same_training(value_and_grad, theirs(jaxpike), ours)

    def test_a_threshold_that_is_met_spikes(self, jaxpike):
        assert jaxpike.ATan()(jnp.zeros(1)) == 0
        cell = jaxpike.LIF(5.0, surrogate=surgrad.Arctan(2.0))
        _, spikes = cell(jaxpike.LIFState(v=jnp.ones(1) / cell.alpha), jnp.zeros(1))
        assert spikes == 1

    def test_hyperparameters_are_leaves_of_a_layer_and_have_gradients(self, jaxpike):
        cell = jaxpike.LIF(5.0, surrogate=surgrad.Arctan(jnp.array(2.0)))
        paths = [jax.tree_util.keystr(path) for path, _ in jax.tree_util.tree_leaves_with_path(cell)]
        assert ".surrogate.alpha" in paths
        gradient = jax.grad(lambda cell: cell(cell.init_state((4,)), jnp.linspace(0, 8, 4))[1].sum())(cell)
        assert gradient.surrogate.alpha != 0

    def test_theirs_are_ours_by_their_relaxation(self, jaxpike):
        same = [("ATan", surgrad.Arctan(2.0)), ("Triangular", surgrad.PiecewiseQuadratic(1.0))]
        for name, ours in same:
            theirs = surgrad.from_fun(getattr(jaxpike, name)().relaxation)
            np.testing.assert_allclose(theirs.surrogate_fun(X), ours.surrogate_fun(X), atol=1e-6)
            np.testing.assert_allclose(theirs.surrogate_grad(X), ours.surrogate_grad(X), atol=1e-6)
            np.testing.assert_array_equal(theirs(X), X >= 0)


class TestSparx:
    @pytest.mark.parametrize(
        ("theirs", "ours"),
        [
            (("ATan", 2.0), surgrad.Arctan(2.0)),
            (("FastSigmoid", 25.0), surgrad.InvSquareGrad(25.0)),
            (("Triangle", 0.5, 2.0), surgrad.PiecewiseQuadratic(2.0)),
            (("Sigmoid", 4.0), surgrad.Sigmoid(4.0)),
            (("Gaussian", 0.5), surgrad.GaussianGrad(0.5, 1.0)),
        ],
        ids=SLOPES,
    )
    def test_a_network_has_the_gradients_of_their_surrogate(self, sparx, theirs, ours):
        linen, nn = pytest.importorskip("flax.linen"), pytest.importorskip("sparx.nn")
        surrogates = pytest.importorskip("sparx.surrogate")

        def value_and_grad(surrogate):
            layers = [linen.Dense(HIDDEN), nn.LIF(4.0, surrogate=surrogate), linen.Dense(4)]
            network, neurons = linen.Sequential(layers), linen.Sequential(layers[:2])
            params = linen.Sequential(layers).init(KEY, inputs())
            loss = lambda params: jnp.mean(network.apply(params, inputs()).mean(0) ** 2)
            spikes = neurons.apply(params, inputs())
            assert 0.02 < spikes.mean() < 0.9
            return spikes, jax.jit(jax.grad(loss))(params)

        name, *numbers = theirs
        assert_same_training(value_and_grad, getattr(surrogates, name)(*numbers), ours)

    @pytest.mark.parametrize("name", sorted(surgrad.catalogue()))
    def test_every_surrogate_is_one_of_theirs(self, sparx, name):
        spike, ours = sparx.surrogate.spike, surgrad.catalogue()[name]()
        spikes, slopes = jax.jvp(lambda x: spike(x, ours), (X,), (jnp.ones_like(X),))
        np.testing.assert_array_equal(spikes, X >= 0)
        np.testing.assert_allclose(slopes, ours.surrogate_grad(X), rtol=1e-6, atol=1e-7)

    def test_theirs_are_ours_by_their_derivative(self, sparx):
        for name, ours in [("ATan", surgrad.Arctan(2.0)), ("FastSigmoid", surgrad.InvSquareGrad(25.0))]:
            theirs = surgrad.from_grad(getattr(sparx.surrogate, name)().derivative)
            np.testing.assert_allclose(theirs.surrogate_grad(X), ours.surrogate_grad(X), rtol=1e-6)
            np.testing.assert_array_equal(theirs(X), X >= 0)
