"""Layers that find out by themselves whether their inputs are sparse give what the full product gives."""

import functools
import os
import subprocess
import sys
import textwrap

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import NamedSharding
from jax.sharding import PartitionSpec as P

import surgrad
from surgrad.nn import LIF, LeakyIntegrator, Linear, MeanOverTime, Recurrent, Sequential, unroll
from surgrad.nn._events import available, native, product

pytestmark = [
    pytest.mark.versions,
    pytest.mark.skipif(not available(), reason="event-driven products are compiled by Numba (surgrad[events])"),
]

KEY = jax.random.split(jax.random.key(0), 4)
NATIVE = "surgrad_event_"
LARGE = (64, 128, 128)  # rows, inputs and outputs of a product that is just large enough


@pytest.fixture
def products_of_any_size(monkeypatch):
    monkeypatch.setattr(product, "LARGE", 1)
    jax.clear_caches()
    yield
    jax.clear_caches()


def lowered(layer, x):
    return jax.jit(layer).lower(x).as_text()


def layers(event_driven):
    cell = LIF(surgrad.Arctan(2.0), 10.0)
    linear = functools.partial(Linear, event_driven=event_driven, gain=5.0)
    recurrent = Recurrent(cell, 30, key=KEY[2], gain=1.0, event_driven=event_driven)
    return {
        "Linear": Sequential(linear(40, 30, key=KEY[0]), cell, linear(30, 20, key=KEY[1]), LeakyIntegrator(10.0)),
        "Recurrent": Sequential(linear(40, 30, key=KEY[0]), recurrent, linear(30, 3, key=KEY[3]), MeanOverTime()),
    }


def loss(net, x):
    return (unroll(net, net.init(x.shape[1:], x.dtype), x, chunk_size=4)[1] ** 2).sum()


def along(tree):
    return jax.tree.map(lambda w: jnp.cos(jnp.arange(jnp.size(w), dtype=float)).reshape(jnp.shape(w)), tree)


DERIVATIVES = {
    "value and gradient": lambda net, x: jax.value_and_grad(loss, (0, 1))(net, x),
    "forward mode": lambda net, x: jax.jvp(loss, (net, x), (along(net), jnp.sin(x))),
    "second derivatives": lambda net, x: jax.jvp(lambda net: jax.grad(loss, (0, 1))(net, x), (net,), (along(net),)),
    "vmap over inputs": lambda net, x: jax.vmap(loss, (None, 2))(net, x[:, :, None]),
    "vmap over networks": lambda net, x: jax.vmap(jax.grad(loss), (0, None))(
        jax.tree.map(lambda w: jnp.stack([jnp.asarray(w), 2.0 * w]), net), x
    ),
}


@pytest.mark.parametrize("derivatives", DERIVATIVES)
@pytest.mark.parametrize("name", ["Linear", "Recurrent"])
@pytest.mark.parametrize("rate", [0.05, pytest.param(1.0, marks=pytest.mark.slow)])
@pytest.mark.usefixtures("x64", "products_of_any_size")
def test_values_and_derivatives_are_those_of_the_full_product(name, derivatives, rate):
    uniform = jax.random.uniform(jax.random.key(1), (12, 4, 40), jnp.float64)
    x = jnp.where(uniform < rate, 1.0 if rate < 1.0 else uniform, 0.0)
    compute = jax.jit(DERIVATIVES[derivatives])
    assert NATIVE in compute.lower(layers("auto")[name], x).as_text()
    found, expected = (jax.tree.leaves(compute(layers(on)[name], x)) for on in ("auto", False))
    assert any(np.any(np.asarray(leaf) != 0) for leaf in expected)
    for a, b in zip(found, expected, strict=True):
        # Sums of 48 rows and 40 inputs in another order, through two derivatives.
        np.testing.assert_allclose(a, b, rtol=1e-11, atol=1e-11 * float(jnp.abs(b).max()))


@pytest.mark.parametrize("dtype", [bool, np.uint8, np.float32])
def test_large_products_look_for_events_in_inputs_of_any_type(dtype):
    rows, inputs, outputs = LARGE
    layer = Linear(inputs, outputs, key=KEY[0])
    x = np.random.default_rng(0).random((rows, inputs)) < 0.05
    assert NATIVE in lowered(layer, x.astype(dtype))
    np.testing.assert_allclose(layer(x.astype(dtype)), x.astype(np.float32) @ layer.weight, rtol=1e-5, atol=1e-6)


def test_small_products_and_half_precision_are_full():
    rows, inputs, outputs = LARGE
    layer = Linear(inputs, outputs, key=KEY[0])
    assert NATIVE not in lowered(layer, jnp.zeros((rows - 1, inputs)))
    half = Linear.from_arrays(layer.weight.astype(jnp.bfloat16))
    assert NATIVE not in lowered(half, jnp.zeros((rows, inputs), jnp.bfloat16))
    assert NATIVE not in lowered(layer.replace(event_driven=False), jnp.zeros((rows, inputs)))
    assert NATIVE in lowered(layer.replace(event_driven=True), jnp.zeros((1, inputs)))


def test_without_numba_the_full_product_is_taken_silently(monkeypatch):
    rows, inputs, outputs = LARGE
    monkeypatch.setattr(native.importlib.util, "find_spec", lambda name: None)
    assert NATIVE not in lowered(Linear(inputs, outputs, key=KEY[0]), jnp.zeros((rows + 1, inputs)))


@pytest.mark.parametrize("event_driven", ["auto", True])
@pytest.mark.parametrize("batch", ["2", "b"])
def test_exported_programs_need_no_kernel(event_driven, batch):
    """A kernel is a part of this process: one that loads the program may not have it."""
    layer = Linear(128, 128, key=KEY[0], event_driven=event_driven)
    net = Sequential(layer, LIF(surgrad.Arctan(), 10.0))
    (size,) = export.symbolic_shape(batch)
    shape = jax.ShapeDtypeStruct((50, size, 128), jnp.float32)
    gradient = jax.jit(jax.grad(lambda x: unroll(net, x).outputs.sum()))
    for platforms in (("cpu",), ("cpu", "cuda")):
        exported = export.export(gradient, platforms=platforms)(shape)
        x = jax.random.uniform(KEY[1], (50, 2, 128))
        assert NATIVE not in exported.mlir_module()
        np.testing.assert_allclose(exported.call(x), gradient(x), rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(len(jax.devices()) < 2, reason="needs two devices")
def test_xla_divides_a_full_product_among_devices():
    """It would not divide a kernel, and all devices would compute all of it; inside shard_map each has its part."""
    mesh = jax.make_mesh((2,), ("device",), axis_types=(jax.sharding.AxisType.Auto,))
    rows, inputs, outputs = LARGE
    layer = Linear(inputs, outputs, key=KEY[0])
    x = jax.device_put(jnp.ones((2 * rows, inputs)), NamedSharding(mesh, P("device")))
    assert NATIVE not in lowered(layer, x)
    parts = jax.shard_map(layer, mesh=mesh, in_specs=P("device"), out_specs=P("device"))
    assert NATIVE in lowered(parts, x)
    np.testing.assert_allclose(jax.jit(parts)(x), layer(x), rtol=1e-5, atol=1e-5)


def test_a_weight_that_is_not_finite_does_not_count_where_its_input_is_zero():
    layer = Linear.from_arrays(np.full((128, 128), np.inf, np.float32))
    x = jnp.zeros((64, 128)).at[0, 0].set(1.0)
    assert np.all(np.asarray(layer(x)[0]) == np.inf)
    assert not np.any(layer(x)[1:])
    assert np.all(np.isnan(layer.replace(event_driven=False)(x)))


def test_layers_of_equal_structure_are_compiled_once():
    rows, inputs, outputs = LARGE
    traced = []

    @jax.jit
    def run(layer, x):
        traced.append(layer)
        return layer(x)

    for key in KEY:
        run(Linear(inputs, outputs, key=key), jnp.ones((rows, inputs)))
    assert len(traced) == 1


def test_results_do_not_depend_on_the_number_of_threads():
    program = """
        import hashlib, jax, jax.numpy as jnp, numpy as np
        from surgrad.nn._events import event_product
        random = np.random.default_rng(0)
        x = (random.random((3000, 96)) < 0.1) * random.standard_normal((3000, 96))
        w = random.standard_normal((96, 64))
        y, pull = jax.vjp(event_product, jnp.asarray(x, jnp.float32), jnp.asarray(w, jnp.float32))
        made = [y, pull(jnp.sin(y) * (jnp.arange(64) % 7 == 0))]
        print(hashlib.sha256(b"".join(np.asarray(a).tobytes() for a in jax.tree.leaves(made))).hexdigest())
    """

    def result(threads):
        # XLA reads the number of processors from NPROC.
        environment = os.environ | {"NPROC": str(threads), "XLA_FLAGS": ""}
        command = [sys.executable, "-c", textwrap.dedent(program)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert len({result(threads) for threads in (1, 2, 5)}) == 1
