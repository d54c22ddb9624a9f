"""Surrogates learned by hypergradients of every method: one a layer, of several parameters, positive throughout."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import surgrad
from surgrad._bijectors import free, interval, positive, unconstrained
from surgrad.meta import Evolution, Forward, PersistentEvolution, Reverse, Truncated, hypergradient

RANDOM = np.random.default_rng(4)
STEPS, INPUTS, HIDDEN = 4, 6, 10
PROTOTYPES = RANDOM.normal(size=(3, INPUTS))
LABELS = RANDOM.integers(0, 3, (STEPS + 1, 32))
SAMPLES = (PROTOTYPES[LABELS] + 0.5 * RANDOM.normal(size=(*LABELS.shape, INPUTS))).astype(np.float32)
BATCHES, VALIDATION = (SAMPLES[1:], LABELS[1:]), (SAMPLES[0], LABELS[0])
SHAPES = {"into": (INPUTS, HIDDEN), "between": (HIDDEN, HIDDEN), "out": (HIDDEN, 3)}
WEIGHTS = {n: (RANDOM.normal(size=s) / s[0] ** 0.5).astype(np.float32) for n, s in SHAPES.items()}
ADAM = optax.adam(0.05, eps_root=1e-8)


METHODS = {
    "reverse": lambda key: Reverse(checkpoint_every=None),
    "forward": lambda key: Forward(),
    "truncated": lambda key: Truncated(2, checkpoint_every=None),
    "evolution": lambda key: Evolution(4, key=key),
    "persistent": lambda key: PersistentEvolution(2, 4, key=key),
}


def slow(name):
    return pytest.param(name, marks=pytest.mark.slow)


def loss_of(build):
    """Two layers of spiking units without time, whose surrogates are made of the free numbers."""

    def loss(weights, numbers, batch):
        first, second = build(numbers)
        x, labels = batch
        spikes = second(first(x @ weights["into"]) @ weights["between"] - 0.5)
        return optax.softmax_cross_entropy_with_integer_labels(spikes @ weights["out"], labels).mean()

    return loss


def learned(surrogates, name, updates):
    """The numbers after so many outer updates with Adam, all gradients, and the surrogates at the end."""
    numbers, build = unconstrained(surrogates)
    loss, rule = loss_of(build), optax.adam(0.1)
    outer = lambda weights, numbers: loss(weights, numbers, VALIDATION)
    state, gradients = rule.init(numbers), []
    for key in jax.random.split(jax.random.key(0), updates):
        result = hypergradient(loss, outer, WEIGHTS, numbers, BATCHES, ADAM, method=METHODS[name](key))
        with jax.numpy_dtype_promotion("standard"):  # Optax raises decays to counts of steps
            change, state = rule.update(result.gradient, state)
            numbers = optax.apply_updates(numbers, change)
        gradients.append(result.gradient)
    return numbers, gradients, build(numbers)


@pytest.mark.parametrize("name", [name if name == "forward" else slow(name) for name in METHODS])
def test_each_layer_learns_its_own_alpha(name):
    start = surgrad.Sigmoid(4.0), surgrad.Arctan(1.0)
    numbers, gradients, (first, second) = learned(start, name, 3)
    assert set(numbers) == {"[0].alpha", "[1].alpha"}
    for gradient in gradients:
        assert all(np.isfinite(g) and g != 0 for g in gradient.values())
        assert gradient["[0].alpha"] != gradient["[1].alpha"]
    assert isinstance(first, surgrad.Sigmoid) and isinstance(second, surgrad.Arctan)
    assert first.alpha > 0 and first.alpha != 4 and second.alpha > 0 and second.alpha != 1


@pytest.mark.parametrize("name", ["reverse", slow("evolution")])
def test_the_three_parameters_of_s2nn_stay_positive_and_finite_for_sixty_updates(name):
    numbers, gradients, layers = learned((surgrad.S2NN(), surgrad.S2NN()), name, 60)
    assert len(numbers) == 6
    assert all(np.all(np.isfinite(g)) for gradient in gradients for g in gradient.values())
    for layer in layers:
        assert layer.alpha > 0 and layer.beta > 0 and layer.epsilon > 0
        assert layer.alpha != 4 and layer.beta != 1
    if name == "reverse":  # the slope of S2NN leaves epsilon out
        assert all(gradient[f"[{i}].epsilon"] == 0 for gradient in gradients for i in (0, 1))


class TestBijectors:
    @pytest.mark.parametrize("bijector", [free, positive, interval(-2.0, 0.5)], ids=["free", "positive", "interval"])
    def test_there_and_back_is_the_identity(self, x64, bijector):
        u = jnp.linspace(-5, 5, 21)
        np.testing.assert_allclose(bijector.inverse(bijector.forward(u)), u, atol=1e-12)

    @pytest.mark.parametrize(("bijector", "low", "high"), [(positive, 0, np.inf), (interval(-2.0, 0.5), -2.0, 0.5)])
    def test_all_numbers_are_mapped_within_the_limits_in_order(self, x64, bijector, low, high):
        x = bijector.forward(jnp.linspace(-20, 20, 101))
        assert np.all((low < x) & (x < high)) and np.all(np.diff(x) > 0)

    def test_numbers_without_limits_stay_as_they_are(self):
        tree = {"offset": surgrad.Shift(surgrad.Sigmoid(2.0), -0.3), "threshold": np.array([-1.0, 2.0])}
        numbers, build = unconstrained(tree)
        assert numbers["['offset'].offset"] == np.float32(-0.3)
        np.testing.assert_array_equal(numbers["['threshold']"], [-1.0, 2.0])
        np.testing.assert_allclose(numbers["['offset'].surrogate.alpha"], np.log(2.0), rtol=1e-6)
        assert jax.tree.structure(build(numbers)) == jax.tree.structure(tree)

    @pytest.mark.parametrize("name", surgrad.catalogue())
    def test_every_surrogate_comes_back_as_it_was(self, x64, name):
        surrogate = jax.tree.map(lambda number: number or 0.5, surgrad.catalogue()[name]())
        numbers, build = unconstrained(surrogate)
        for found, given in zip(jax.tree.leaves(build(numbers)), jax.tree.leaves(surrogate), strict=True):
            np.testing.assert_allclose(found, given, rtol=1e-14)

    def test_a_tree_of_bijectors_may_be_a_prefix(self):
        numbers, build = unconstrained({"rate": 0.1, "tau": (5.0, 20.0)}, {"rate": interval(0.0, 1.0), "tau": positive})
        np.testing.assert_allclose(numbers["['tau'][1]"], np.log(20.0), rtol=1e-6)
        np.testing.assert_allclose(build(numbers)["rate"], 0.1, rtol=1e-6)

    def test_what_is_beyond_a_limit_is_refused_by_name(self):
        with pytest.raises(ValueError, match=r"epsilon must be > 0 and finite, got 0.0; give a number inside"):
            unconstrained(surgrad.S2NN(epsilon=0.0))
        with pytest.raises(ValueError, match=r"\['rate'\] must be above 0 and below 1, got 2.0"):
            unconstrained({"rate": 2.0}, interval(0, 1))
        with pytest.raises(ValueError, match="low < high"):
            interval(1.0, 1.0)
