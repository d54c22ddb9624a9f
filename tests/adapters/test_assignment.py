"""Assigning to a hyperparameter after a function was compiled: stale code is warned of, fresh code is not."""

import subprocess
import sys
import types
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import Sigmoid, StaleSurrogateWarning

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
X = jnp.array([0.1, 0.3])
NUMBERS = {"float": float, "array": jnp.array}


def slopes(sg):
    return jax.grad(lambda x: sg(x).sum())(X)


def holder(sg):
    return types.SimpleNamespace(spike=sg)


def equinox_argument(sg):
    eqx = pytest.importorskip("equinox")

    class Model(eqx.Module):
        spike: object

    return Model(sg), eqx.filter_jit(lambda model: slopes(model.spike))


def nnx_argument(sg):
    nnx = pytest.importorskip("flax.nnx")

    class Model(nnx.Module):
        def __init__(self):
            self.spike = sg

    return Model(), nnx.jit(lambda model: slopes(model.spike))


def jax_argument(sg):
    return holder(sg), lambda model, compiled=jax.jit(slopes): compiled(model.spike)


def closure_of(module, name):
    def closed_over(sg):
        compiled = getattr(pytest.importorskip(module), name)(lambda: slopes(sg))
        return holder(sg), lambda _: compiled()

    return closed_over


FRESH = {"jax.jit": jax_argument, "nnx.jit": nnx_argument, "eqx.filter_jit": equinox_argument}
STALE = {
    "jax.jit": closure_of("jax", "jit"),
    "nnx.jit": closure_of("flax.nnx", "jit"),
    "eqx.filter_jit": closure_of("equinox", "filter_jit"),
    "brainstate.transform.jit": closure_of("brainstate.transform", "jit"),
}


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", FRESH)
def test_an_argument_of_a_compiled_function_is_fresh_and_nobody_warns(kind, number):
    model, compiled = FRESH[kind](Sigmoid(NUMBERS[number](4.0)))
    compiled(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error", StaleSurrogateWarning)
        model.spike.alpha = NUMBERS[number](1.0)
    np.testing.assert_allclose(compiled(model), Sigmoid(1.0).surrogate_grad(X), rtol=1e-6)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("kind", STALE)
def test_a_surrogate_that_was_closed_over_is_stale_and_that_is_warned_of(kind, number):
    model, compiled = STALE[kind](Sigmoid(NUMBERS[number](4.0)))
    before = compiled(model)
    with pytest.warns(StaleSurrogateWarning, match=r"Make a new one with .replace\(alpha=...\)"):
        model.spike.alpha = NUMBERS[number](1.0)
    np.testing.assert_array_equal(compiled(model), before)


def test_the_value_of_a_state_is_fresh_and_nobody_warns():
    brainstate = pytest.importorskip("brainstate")
    sg = Sigmoid(brainstate.ParamState(jnp.array(4.0)))
    compiled = brainstate.transform.jit(lambda: slopes(sg))
    compiled()
    sg.alpha.value = jnp.array(1.0)
    np.testing.assert_allclose(compiled(), Sigmoid(1.0).surrogate_grad(X), rtol=1e-6)


class TestAttributesOfNnx:
    """nnx refuses arrays in an attribute whose class it does not know."""

    @pytest.mark.parametrize("cls", surgrad.catalogue().values(), ids=lambda cls: cls.__name__)
    def test_arrays_are_accepted_without_the_adapter(self, cls):
        nnx = pytest.importorskip("flax.nnx")
        model = nnx.Module()
        model.spike = jax.tree.map(jnp.array, cls())
        assert len(jax.tree.leaves(model)) == len(jax.tree.leaves(cls()))

    def test_so_are_users_classes_and_surrogates_of_surrogates(self):
        nnx = pytest.importorskip("flax.nnx")

        class Own(surgrad.Surrogate):
            def __init__(self, alpha):
                super().__init__()
                self.alpha = alpha

            def surrogate_grad(self, x):
                return self.alpha * jnp.ones_like(x)

        model = nnx.Module()
        model.own = Own(jnp.array(2.0))
        model.mixed = surgrad.Mixture([Own(jnp.array(2.0)), Sigmoid(jnp.array(4.0))], weights=jnp.array([0.5, 0.5]))
        assert nnx.state(model)["own"]["alpha"] == 2.0

    def test_the_adapter_makes_objects_known_that_are_older_than_the_import_of_flax(self):
        pytest.importorskip("flax.nnx")
        code = (
            "import jax.numpy as jnp, surgrad\n"
            "old = surgrad.Sigmoid(jnp.array(4.0))\n"
            "from flax import nnx\n"
            "import surgrad.adapters.flax\n"
            "model = nnx.Module()\n"
            "model.spike = old\n"
        )
        subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
