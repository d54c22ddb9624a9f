"""Membranes as quantities of brainunit: dimensionless ones are numbers, others must be divided by a scale."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad

u = pytest.importorskip("brainunit")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

V = np.linspace(-1.0, 1.0, 5, dtype=np.float32)
DIMENSIONLESS = {
    "of no unit": lambda v: u.Quantity(v),
    "a ratio": lambda v: (v * u.mV) / (1.0 * u.mV),
    "a ratio of two scales": lambda v: u.Quantity(v * 1e-3, unit=u.volt) / (1.0 * u.mV),
}
WITH_UNIT = {"mV": lambda: V * u.mV, "mA": lambda: V * u.mA, "mV / ms": lambda: V * u.mV / u.ms}
BUILT_IN = [cls() for cls in surgrad.catalogue().values()]
METHODS = ("__call__", "surrogate_fun", "surrogate_grad")


def by_name(sg):
    return type(sg).__name__


def close(actual, expected):
    """Equal but for the factor of the unit, which rounds the membrane twice, and its multiples in curve and slope."""
    np.testing.assert_allclose(actual, expected, rtol=32 * np.finfo(np.float32).eps)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("sg", BUILT_IN, ids=by_name)
def test_a_dimensionless_quantity_is_a_number(sg, method):
    f = getattr(sg, method)
    np.testing.assert_array_equal(f(u.Quantity(jnp.asarray(V))), f(V))
    assert isinstance(f(u.Quantity(jnp.asarray(V))), jax.Array)


@pytest.mark.parametrize("make", DIMENSIONLESS.values(), ids=DIMENSIONLESS)
@pytest.mark.parametrize("method", METHODS)
def test_in_compiled_differentiated_and_mapped_functions_too(make, method):
    sg = surgrad.Sigmoid()
    f = lambda v: getattr(sg, method)(make(v))
    plain = getattr(sg, method)
    close(jax.jit(f)(V), plain(V))
    close(jax.vmap(f)(V), plain(V))
    close(jax.vmap(jax.grad(f))(V), jax.vmap(jax.grad(plain))(V))


def test_a_quantity_itself_crosses_the_borders_of_transformations():
    sg, v = surgrad.Sigmoid(), u.Quantity(jnp.asarray(V))
    np.testing.assert_array_equal(jax.jit(sg)(v), sg(V))
    np.testing.assert_array_equal(jax.vmap(sg)(v), sg(V))
    gradient = jax.grad(lambda v: sg(v).sum())(v)
    np.testing.assert_array_equal(u.get_mantissa(gradient), sg.surrogate_grad(V))


@pytest.mark.parametrize("unit", WITH_UNIT)
@pytest.mark.parametrize("method", METHODS)
def test_a_unit_is_refused_by_name_and_the_way_out_is_said(method, unit):
    f = getattr(surgrad.Sigmoid(), method)
    for call in (f, jax.jit(f), jax.vmap(f)):
        with pytest.raises(TypeError, match=rf"Sigmoid: x must be dimensionless, got the unit {unit}; divide by"):
            call(WITH_UNIT[unit]())


def test_functional_forms_take_quantities_too():
    np.testing.assert_array_equal(surgrad.sigmoid(u.Quantity(jnp.asarray(V)), alpha=2.0), surgrad.sigmoid(V, alpha=2.0))
    with pytest.raises(TypeError, match="Sigmoid: x must be dimensionless, got the unit mV; divide by a scale"):
        surgrad.sigmoid(V * u.mV)


def test_surgrad_imports_no_framework():
    code = (
        "import sys, jax.numpy as jnp, surgrad\n"
        "for cls in surgrad.catalogue().values():\n"
        "    cls()(jnp.array([-0.1, 0.1]))\n"
        "print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    frameworks = {"brainunit", "saiunit", "brainstate", "brainpy", "braintools", "flax", "equinox", "haiku"}
    assert not frameworks & set(loaded.stdout.split())
