"""Hyperparameters in states of brainstate: found, differentiated and trained."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
import surgrad.adapters.equinox as arrays
from surgrad import Mixture, Sigmoid

brainstate = pytest.importorskip("brainstate")
braintools = pytest.importorskip("braintools")
u = pytest.importorskip("brainunit")
brainpy_state = pytest.importorskip("brainpy.state")
adapter = pytest.importorskip("surgrad.adapters.brainstate")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

X = jnp.array([-0.6, -0.2, 0.1, 0.4])
WEIGHTS = jnp.array([1.0, -2.0, 3.0, 0.5])
EPS = np.finfo(np.float32).eps
BUILT_IN = [cls() for cls in surgrad.catalogue().values()]


class Holder(brainstate.nn.Module):
    def __init__(self, spike):
        super().__init__()
        self.spike = spike


def by_name(sg):
    return type(sg).__name__


def weighted(sg):
    return jnp.sum(WEIGHTS * sg(X))


@pytest.mark.parametrize("sg", [sg for sg in BUILT_IN if jax.tree.leaves(sg)], ids=by_name)
def test_all_hyperparameters_are_found_and_have_the_gradients_that_jax_has(sg):
    model = Holder(adapter.trainable(sg))
    found = brainstate.transform.grad(lambda: weighted(model.spike), model.states(brainstate.ParamState))()
    expected = jax.grad(weighted)(arrays.trainable(sg))
    paths = [("spike", path[0].name) for path, _ in jax.tree_util.tree_leaves_with_path(expected)]
    assert sorted(found) == sorted(paths)
    for _, name in paths:
        # Sums of four terms of size 4 at most.
        np.testing.assert_allclose(found["spike", name], getattr(expected, name), rtol=16 * EPS, atol=16 * EPS)


@pytest.mark.parametrize("sg", [sg for sg in BUILT_IN if not jax.tree.leaves(sg)], ids=by_name)
def test_a_surrogate_without_hyperparameters_has_nothing_to_train(sg):
    # brainstate.transform.grad by no states at all is an error of its own.
    assert not Holder(adapter.trainable(sg)).states(brainstate.ParamState)


@pytest.mark.parametrize("sg", BUILT_IN, ids=by_name)
def test_curve_slope_area_and_peak_are_those_of_the_numbers(sg):
    trained = adapter.trainable(sg)
    np.testing.assert_array_equal(trained(X), sg(X))
    for value, expected in [
        (trained.surrogate_fun(X), sg.surrogate_fun(X)),
        (trained.surrogate_grad(X), sg.surrogate_grad(X)),
        (trained.area(), sg.area()),
        (trained.peak(), sg.peak()),
    ]:
        np.testing.assert_allclose(value, expected, rtol=8 * EPS)


def test_one_state_among_constants_is_found_in_every_place():
    alpha = brainstate.ParamState(jnp.array(4.0))
    mixed = Mixture([Sigmoid(alpha), surgrad.Arctan(2.0)], weights=[0.5, 0.5])
    for module in (Holder(Sigmoid(alpha)), Holder(mixed), Holder([mixed]), brainpy_state.LIF(3, spk_fun=mixed)):
        states = module.states(brainstate.ParamState)
        assert list(states.values()) == [alpha]


def test_a_state_stays_itself_when_the_rest_is_made_trainable():
    alpha = brainstate.ParamState(jnp.array(4.0))
    trained = adapter.trainable(Mixture([Sigmoid(alpha), surgrad.Arctan(2.0)]))
    assert trained.parts[0].alpha is alpha
    assert isinstance(trained.parts[1].alpha, brainstate.ParamState)
    assert len(brainstate.graph.states(trained, brainstate.ParamState)) == 4


def test_weights_of_a_mixture_can_be_a_state():
    weights = brainstate.ParamState(jnp.array([0.25, 0.75]))
    mixed = Mixture([Sigmoid(2.0), Sigmoid(6.0)], weights=weights)
    gradient = brainstate.transform.grad(lambda: mixed.surrogate_grad(0.0), weights)()
    np.testing.assert_allclose(gradient, [0.5, 1.5], rtol=4 * EPS)


def test_a_normalized_surrogate_is_built_of_a_state_in_a_compiled_function():
    alpha = brainstate.ParamState(jnp.array(2.0))
    compiled = brainstate.transform.jit(lambda: surgrad.Normalized(Sigmoid(alpha), to="peak").surrogate_grad(0.0))
    assert compiled() == 1.0


def test_an_optimiser_in_a_compiled_loop_finds_the_steepness_of_another_surrogate():
    sg = Sigmoid(alpha=brainstate.ParamState(1.0))
    states = Holder(sg).states(brainstate.ParamState)
    optimizer = braintools.optim.Adam(lr=0.1)
    optimizer.register_trainable_weights(states)
    x, traces = jnp.linspace(-1, 1, 21), []
    target = surgrad.Sigmoid(5.0).surrogate_fun(x)

    def step(_):
        traces.append(1)
        error = lambda: jnp.mean((sg.surrogate_fun(x) - target) ** 2)
        gradients, value = brainstate.transform.grad(error, states, return_value=True)()
        optimizer.update(gradients)
        return value

    train = brainstate.transform.jit(lambda: brainstate.transform.for_loop(step, jnp.arange(400)))
    errors = train()
    np.testing.assert_allclose(sg.alpha.value, 5.0, rtol=1e-2)
    assert errors[-1] < 1e-6 < errors[0]


@pytest.mark.parametrize("sg", [surgrad.S2NN(), Mixture([Sigmoid(2.0), surgrad.GaussianGrad()])], ids=by_name)
def test_a_positive_hyperparameter_is_an_exponential_of_what_is_trained(sg):
    trained = adapter.trainable(sg, positive=True)
    states = Holder(trained).states(brainstate.ParamState)
    gradients = brainstate.transform.grad(lambda: weighted(trained), states)()
    by_number = jax.tree.leaves(jax.grad(weighted)(arrays.trainable(sg)))
    found = [gradients[path] for path in states]
    expected = [g * value for g, value in zip(by_number, jax.tree.leaves(sg), strict=True)]
    # Logarithm and exponential move a number by its logarithm, which is below 20, in roundings.
    np.testing.assert_allclose(sorted(found), sorted(expected), rtol=64 * EPS, atol=64 * EPS)
    for state in states.values():
        state.value = state.value - 10.0
    assert all(0 < param.value() < 1e-2 for param in brainstate.graph.nodes(trained, brainstate.nn.Param).values())


def test_what_is_not_positive_cannot_stay_so():
    with pytest.raises(ValueError, match=r"Shift: offset must be > 0 to stay positive, got 0.0"):
        adapter.trainable(surgrad.Shift(Sigmoid()), positive=True)


def test_a_lif_neuron_trains_the_steepness_of_its_spikes():
    with brainstate.environ.context(dt=1.0 * u.ms):
        neuron = brainpy_state.LIF(4, tau=5 * u.ms, spk_fun=adapter.trainable(Sigmoid(4.0)))
        states = neuron.states(brainstate.ParamState)
        assert list(states) == [("spk_fun", "alpha")]
        current = jnp.linspace(0.5, 4.0, 4) * u.mA

        def firing(spike):
            neuron.spk_fun = spike
            neuron.init_state()
            return jnp.sum(WEIGHTS * brainstate.transform.for_loop(lambda _: neuron.update(current), jnp.arange(20)))

        trained = neuron.spk_fun
        found = brainstate.transform.jit(brainstate.transform.grad(lambda: firing(trained), states))()
        expected = jax.grad(lambda alpha: firing(Sigmoid(alpha)))(4.0)
    assert found["spk_fun", "alpha"] != 0
    np.testing.assert_allclose(found["spk_fun", "alpha"], expected, rtol=64 * EPS)
