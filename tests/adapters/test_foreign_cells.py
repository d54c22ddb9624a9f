"""A neuron of brainpy.state in `unroll`, beside brainstate's own loop; `as_cell` and what it refuses."""

import doctest

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import nn
from surgrad.adapters import cell as adapter
from surgrad.adapters.cell import as_cell

KEY = jax.random.key(0)


def test_the_example_prints_what_it_says():
    results = doctest.testmod(adapter)
    assert results.attempted
    assert not results.failed


@pytest.mark.filterwarnings("ignore")
def test_a_neuron_of_brainpy_in_unroll():
    """Its states are written in a copy, as brainstate does not allow writing them while JAX traces."""
    state = pytest.importorskip("brainpy.state")
    import brainstate
    import brainunit as u
    from brainstate.graph import treefy_merge, treefy_split

    def values(neuron):
        return {name: one.value for name, one in neuron.states().items()}

    def begin(neuron, shape):
        neuron.init_state(*shape[:-1])
        return values(neuron)

    def step(neuron, state, x):
        copy = treefy_merge(*treefy_split(neuron))
        for name, one in copy.states().items():
            one.value = state[name]
        spikes = copy.update(x * u.mA)
        return values(copy), spikes

    linear, xs = nn.Linear(4, 5, key=KEY, gain=20.0), jax.random.uniform(KEY, (20, 3, 4))
    with brainstate.environ.context(dt=1.0 * u.ms):
        rest = {"V_rest": 0 * u.mV, "V_reset": 0 * u.mV, "V_th": 1 * u.mV, "R": 1 * u.ohm}
        neuron = state.LIF(5, tau=10.0 * u.ms, spk_fun=surgrad.Arctan(2.0), **rest)
        net = nn.Sequential(linear, as_cell(neuron, init=begin, step=step))
        found = nn.unroll(net, xs).outputs
        neuron.init_state(3)
        expected = brainstate.transform.for_loop(lambda x: neuron.update(linear(x) * u.mA), xs)
    assert 0 < expected.mean() < 1
    np.testing.assert_array_equal(found, expected)


class Doubling:
    """A module that is no tree."""

    def __call__(self, state, x):
        return state + x, 2 * state


def test_a_module_that_is_no_tree_is_structure():
    cell = as_cell(Doubling(), init=lambda module, shape: jnp.zeros(shape))
    assert not jax.tree.leaves(cell)
    np.testing.assert_array_equal(nn.unroll(cell, jnp.ones((3, 1))).outputs[:, 0], [0.0, 2.0, 4.0])


def test_numbers_of_a_tree_are_traced_and_have_gradients():
    step = lambda numbers, state, x: (numbers["decay"] * state + x, numbers["decay"] * state + x)
    cell = as_cell({"decay": jnp.array(0.5)}, init=lambda numbers, shape: jnp.zeros(shape), step=step)
    gradient = jax.grad(lambda cell: nn.unroll(cell, jnp.ones((3, 1))).outputs[-1, 0])(cell)
    np.testing.assert_allclose(gradient.module["decay"], 1 + 2 * 0.5)
    assert surgrad.check(cell, np.random.default_rng(0).normal(size=(4, 2, 3)).astype(np.float32)).ok


def test_functions_of_other_arguments_are_refused():
    with pytest.raises(TypeError, match="as_cell: init must take a module and a shape, which <lambda> does not"):
        as_cell(Doubling(), init=lambda shape: jnp.zeros(shape))
    with pytest.raises(TypeError, match="as_cell: step must take a module and a state and an input"):
        as_cell(Doubling(), init=lambda module, shape: None, step=lambda x: x)
