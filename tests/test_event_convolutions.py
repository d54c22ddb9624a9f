"""Event-driven convolutions are convolutions: in value, in all derivatives, inside every transformation."""

import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from jax.sharding import PartitionSpec as P

from surgrad.nn import Conv1d, Conv2d, ConvTranspose2d
from surgrad.nn._events import available, convolution

pytestmark = [
    pytest.mark.versions,
    pytest.mark.skipif(not available(), reason="event-driven convolutions are compiled by Numba (surgrad[events])"),
]

KEY = jax.random.key(0)
NATIVE = "surgrad_event_"
LAYERS = {  # kernel, channels, padding and the shape of images
    "valid": (Conv2d, (3, 5, (3, 4)), 0, (6, 9, 8, 3)),
    "same": (Conv2d, (3, 5, (3, 4)), "SAME", (6, 9, 8, 3)),
    "uneven": (Conv2d, (2, 3, (2, 5)), ((1, 0), (6, 7)), (4, 7, 6, 2)),
    "one channel": (Conv2d, (1, 4, 3), 1, (5, 6, 7, 1)),
    "ten channels": (Conv2d, (10, 4, 3), 1, (2, 5, 5, 10)),
    "kernel as large as the image": (Conv2d, (2, 3, (4, 3)), 0, (3, 4, 3, 2)),
    "one axis": (Conv1d, (3, 5, 4), "SAME", (6, 11, 3)),
    "time and batch": (Conv2d, (2, 3, 2), 0, (3, 2, 4, 5, 2)),
}


@pytest.fixture
def kernels_at_any_size(monkeypatch):
    monkeypatch.setattr(convolution, "LARGE", 1)
    monkeypatch.setattr(convolution, "PIECE", 1)
    jax.clear_caches()
    yield
    jax.clear_caches()


def layers(name):
    kind, sizes, padding, shape = LAYERS[name]
    layer = kind(*sizes, padding=padding, key=KEY)
    return layer, layer.replace(event_driven=False), shape


def images(shape, density, seed=1):
    random = np.random.default_rng(seed)
    return (random.standard_normal(shape) * (random.random(shape) < density)).astype(np.float32)


def loss(layer, x):
    return (jnp.sin(layer(x)) ** 2).sum()


def along(tree):
    return jax.tree.map(lambda w: jnp.cos(jnp.arange(jnp.size(w), dtype=jnp.float32)).reshape(jnp.shape(w)), tree)


FUNCTIONS = {
    "value": lambda layer, x: layer(x),
    "gradient": lambda layer, x: jax.grad(loss, (0, 1))(layer, x),
    "forward mode": lambda layer, x: jax.jvp(loss, (layer, x), (along(layer), jnp.sin(x))),
    "second derivatives": lambda layer, x: jax.jvp(jax.grad(loss, (0, 1)), (layer, x), (along(layer), jnp.cos(x))),
    "reverse over reverse": lambda layer, x: jax.grad(
        lambda layer, x: sum(jnp.sum(jnp.sin(g)) for g in jax.tree.leaves(jax.grad(loss, (0, 1))(layer, x))), (0, 1)
    )(layer, x),
    "vmap over images": lambda layer, x: jax.vmap(jax.grad(loss, (0, 1)), (None, 0))(layer, jnp.stack([x, 2 * x])),
    "vmap over weights": lambda layer, x: jax.vmap(jax.grad(loss, (0, 1)), (0, None))(
        jax.tree.map(lambda w: jnp.stack([w, 2 * w]), layer), x
    ),
    "scan": lambda layer, x: jax.lax.scan(lambda s, x: (s + loss(layer, x), None), 0.0, jnp.stack([x, 2 * x]))[0],
}


def assert_alike(found, expected):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        # Sums of at most some hundred terms of float32, in another order, through two derivatives.
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=2e-5 * float(jnp.abs(b).max()))


@pytest.mark.usefixtures("kernels_at_any_size")
class TestKernels:
    @pytest.mark.parametrize("density", [0.0, 0.1, 1.0])
    @pytest.mark.parametrize("name", LAYERS)
    def test_a_layer_and_its_gradient_are_those_of_the_dense_convolution(self, name, density):
        events, dense, shape = layers(name)
        x = images(shape, density)
        assert NATIVE in jax.jit(events).lower(x).as_text()
        assert NATIVE not in jax.jit(dense).lower(x).as_text()
        for function in ("value", "gradient"):
            assert_alike(jax.jit(FUNCTIONS[function])(events, x), jax.jit(FUNCTIONS[function])(dense, x))

    @pytest.mark.parametrize("name", ["same", "one axis"])
    @pytest.mark.parametrize("function", list(FUNCTIONS)[2:])
    def test_transformations_see_the_dense_convolution(self, name, function):
        events, dense, shape = layers(name)
        x = images(shape, 0.2)
        assert_alike(jax.jit(FUNCTIONS[function])(events, x), jax.jit(FUNCTIONS[function])(dense, x))

    def test_nan_counts_as_an_event_and_zero_skips_a_weight_that_is_not_finite(self):
        layer = Conv2d.from_arrays(np.full((2, 2, 1, 3), np.inf, np.float32))
        x = np.zeros((1, 4, 4, 1), np.float32)
        assert not np.any(layer(x))
        x[0, 0, 0, 0] = np.nan
        assert np.isnan(layer(x)).sum() == 3

    @pytest.mark.skipif(len(jax.devices()) < 2, reason="needs two devices")
    def test_inside_shard_map_each_device_has_its_images(self):
        events, dense, shape = layers("same")
        mesh = jax.make_mesh((2,), ("device",), axis_types=(jax.sharding.AxisType.Auto,))
        x = images(shape, 0.2)

        def gradient(layer, x):
            return jax.grad(lambda layer: jax.lax.psum(loss(layer, x), "device"))(layer)

        specs = {"mesh": mesh, "in_specs": (P(), P("device")), "out_specs": P()}
        divided = jax.jit(jax.shard_map(gradient, **specs))
        assert NATIVE in divided.lower(events, x).as_text()
        assert_alike(divided(events, x), jax.jit(jax.grad(loss))(dense, x))

    def test_an_exported_program_needs_no_kernel(self):
        events, dense, shape = layers("same")
        exported = export.export(jax.jit(events))(jax.ShapeDtypeStruct(shape, jnp.float32))
        assert NATIVE not in exported.mlir_module()
        assert_alike(exported.call(images(shape, 0.2)), dense(images(shape, 0.2)))

    @pytest.mark.parametrize(
        "layer",
        [
            Conv2d(2, 4, 3, stride=2, key=KEY),
            Conv2d(2, 4, 3, dilation=2, key=KEY),
            Conv2d(2, 4, 3, groups=2, key=KEY),
            ConvTranspose2d(2, 4, 3, key=KEY),
        ],
        ids=["stride", "dilation", "groups", "transposed"],
    )
    def test_other_convolutions_are_those_of_xla(self, layer):
        assert NATIVE not in jax.jit(layer.replace(event_driven=True)).lower(jnp.ones((2, 8, 8, 2))).as_text()


@pytest.mark.usefixtures("kernels_at_any_size")
@pytest.mark.parametrize("events", [True, False])
@pytest.mark.parametrize("mapped", [(0, None), (None, 1), (2, 0)], ids=["left", "right", "both"])
@pytest.mark.parametrize("kind", ["spread", "correlate"])
def test_vmap_is_a_convolution_each(kind, mapped, events):
    random = np.random.default_rng(2)
    shapes = {"spread": ((2, 5, 4, 9), (9, 3, 2, 3)), "correlate": ((2, 5, 4, 9), (2, 4, 5, 3))}[kind]
    options = {"corner": (1, 0), "shape": (4, 5) if kind == "spread" else (3, 2), "kind": kind, "events": events}
    several = [jnp.asarray(random.random((3, *shape)) < 0.1, jnp.float32) for shape in shapes]
    one = [x if axis is not None else x[0] for x, axis in zip(several, mapped, strict=True)]
    given = [x if axis is None else jnp.moveaxis(x, 0, axis) for x, axis in zip(one, mapped, strict=True)]
    bind = functools.partial(convolution._convolution.bind, **options)
    found = jax.jit(jax.vmap(bind, mapped))(*given)
    for i in range(3):
        alone = [x if axis is None else x[i] for x, axis in zip(one, mapped, strict=True)]
        np.testing.assert_allclose(found[i], convolution.dense(*alone, **options), atol=1e-6)


@pytest.mark.parametrize("layer", [Conv2d(3, 8, 3, padding=1, key=KEY), Conv2d(8, 8, (3, 2), key=KEY)])
def test_inside_a_loop_all_convolutions_have_the_order_of_the_fast_routines_of_xla(layer):
    layer, xs = layer.replace(event_driven=False), jnp.ones((5, 2, 8, 8, layer.weight.shape[2]))

    def summed(layer, xs):
        return jax.lax.scan(lambda total, x: (total + loss(layer, x), None), 0.0, xs)[0]

    program = jax.jit(jax.grad(summed, (0, 1))).lower(layer, xs).compile().as_text()
    orders = set(re.findall("dim_labels=([^,]*)", program))
    assert orders == {"b01f_01io->b01f"}


def test_large_convolutions_look_for_events_and_small_ones_do_not():
    layer = Conv2d(1, 16, 5, key=KEY)
    assert NATIVE in jax.jit(layer).lower(jnp.ones((8, 28, 28, 1))).as_text()
    assert NATIVE in jax.jit(layer).lower(jnp.ones((8, 28, 28, 1), bool)).as_text()
    assert NATIVE not in jax.jit(layer).lower(jnp.ones((1, 28, 28, 1))).as_text()
    assert NATIVE not in jax.jit(layer.replace(event_driven=False)).lower(jnp.ones((8, 28, 28, 1))).as_text()


@pytest.mark.parametrize("channels", [1, 16])
@pytest.mark.parametrize("density", [0.1, 1.0])
def test_a_convolution_that_threads_share_is_the_dense_one(channels, density):
    layer = Conv2d(channels, 16, 5, key=KEY, padding="SAME")
    x = images((120, 20, 20, channels), density)
    for function in ("value", "gradient"):
        found, expected = (jax.jit(FUNCTIONS[function])(one, x) for one in (layer, layer.replace(event_driven=False)))
        for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4 * float(jnp.abs(b).max()))
