"""Networks over two devices, inside `shard_map` and with explicit and automatic sharding: the same as on one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

import surgrad
from networks import Leak, PlainSum
from surgrad import train
from surgrad.nn import (
    ALIF,
    LIF,
    AdEx,
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    CuBaLIF,
    Delay,
    DelayedLinear,
    DelayedRecurrent,
    FirstSpikeTime,
    Flatten,
    Izhikevich,
    LastStep,
    LeakyIntegrator,
    LearnableDelay,
    Linear,
    MaxOverTime,
    MaxPool2d,
    MeanOverTime,
    ParallelLIF,
    Recurrent,
    Sequential,
    unroll,
)
from surgrad.tasks import Dataset

pytestmark = [
    pytest.mark.versions,
    pytest.mark.skipif(len(jax.devices()) < 2, reason="needs two devices"),
]
TIME, BATCH, WIDTH = 7, 4, 6
KEY, SPIKE = jax.random.key(0), surgrad.Arctan(2.0)
INTO = Linear(WIDTH, WIDTH, key=KEY, gain=2.0)
LAYERS = {
    "Linear": INTO,
    "Linear, events": INTO.replace(event_driven=True),
    "Linear without a bias": INTO.replace(bias=None),
    "LeakyIntegrator": LeakyIntegrator(5.0),
    "LIF": LIF(SPIKE, 5.0, jnp.full(WIDTH, 0.5)),
    "LIF, refractory": LIF(SPIKE, 5.0, 0.5, refractory=2, reset="zero"),
    "CuBaLIF": CuBaLIF(SPIKE, 5.0, 0.5),
    "ALIF": ALIF(SPIKE, 5.0, 0.5),
    "AdEx": AdEx(SPIKE, dt=0.5),
    "Izhikevich": Izhikevich(SPIKE),
    "MeanOverTime": MeanOverTime(),
    "MaxOverTime": MaxOverTime(),
    "LastStep": LastStep(),
    "FirstSpikeTime": FirstSpikeTime(),
    "Delay": Delay(2),
    "Delay, a neuron each": Delay((0, 1, 2, 3, 1, 0)),
    "LearnableDelay": LearnableDelay(WIDTH, 3, key=KEY),
    "DelayedLinear": DelayedLinear(WIDTH, WIDTH, 3, key=KEY, gain=2.0),
    "DelayedRecurrent": DelayedRecurrent(LIF(SPIKE, 5.0, 0.5), WIDTH, 3, key=KEY),
    "ParallelLIF": ParallelLIF(SPIKE, 5.0, 0.5),
    "Recurrent": Recurrent(LIF(SPIKE, 5.0, 0.5), WIDTH, key=KEY),
    "Recurrent, events": Recurrent(LIF(SPIKE, 5.0, 0.5), WIDTH, key=KEY, event_driven=True),
    "function": lambda x: x * x,
    "a cell of a user": PlainSum(),
    "a tree of a user": Leak(0.5),
}
IMAGES = Sequential(
    Conv2d(1, 2, (3, 3), key=KEY, gain=2.0, padding="SAME"),
    LIF(SPIKE),
    AvgPool2d((2, 2)),
    Flatten(3),
    Linear(8, 3, key=KEY),
    LeakyIntegrator(),
)
NETWORKS = {
    **{name: Sequential(layer) for name, layer in LAYERS.items()},
    "layers": Sequential(INTO, LAYERS["Recurrent"], Delay(1), Sequential(INTO, LAYERS["ALIF"]), MeanOverTime()),
    "images": IMAGES,
    "transposed images": Sequential(
        ConvTranspose2d(1, 2, 3, 2, key=KEY, use_bias=False), MaxPool2d(3, 2), LIF(SPIKE), Flatten(), MeanOverTime()
    ),
}
OF_IMAGES = {"images", "transposed images"}
SCALES = {"AdEx": 3000.0, "Izhikevich": 60.0}
OPTIONS = ({}, {"keep": "last"}, {"checkpoint_every": 3, "chunk_size": 2})
MESH = jax.make_mesh((2,), ("device",), axis_types=(AxisType.Auto,))
EXPLICIT = jax.make_mesh((2,), ("device",), axis_types=(AxisType.Explicit,))
# `shard_map` is tested with most networks; the other two ways with some, and all with all in the slow tests.
LONG = {
    *("AdEx", "Izhikevich", "CuBaLIF", "transposed images", "Delay, a neuron each", "images", "LIF, refractory"),
    *("ALIF", "Recurrent, events", "LearnableDelay", "DelayedRecurrent"),
}
most_networks = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name in LONG)) for name in NETWORKS]
)
SOME = {"LIF", "Linear", "MaxOverTime", "Recurrent", "images"}
some_networks = pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] * (name not in SOME)) for name in NETWORKS],
)


def inputs(name):
    shape = (TIME, BATCH, 4, 4, 1) if name in OF_IMAGES else (TIME, BATCH, WIDTH)
    x = jax.random.uniform(jax.random.key(1), shape, minval=-0.2, maxval=2.0)
    return np.asarray(x * SCALES.get(name, 1.0))


def losses(net, x):
    """What a network does over time, by every way of evaluating it, as one number a way."""
    state = net.init(x.shape[1:], x.dtype)
    made = [unroll(net, state, x, **options)[1] for options in OPTIONS] + [net.outputs(x)[-1]]
    return jnp.stack([(y**2).sum() for y in made])


def everything(net, x, total=lambda value: value):
    """The losses, and the gradient of their sum by the numbers of the network and by the inputs."""
    value, pull = jax.vjp(lambda net, x: total(losses(net, x)), net, x)
    return value, pull(jnp.ones_like(value))


@functools.cache
def alone(name):
    return jax.jit(everything)(NETWORKS[name], inputs(name))


def assert_as_alone(name, found):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(alone(name)), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5 * float(np.abs(b).max()))


@most_networks
def test_inside_of_shard_map(name):
    x = inputs(name)
    total = functools.partial(jax.lax.psum, axis_name="device")
    run = jax.shard_map(
        functools.partial(everything, total=total),
        mesh=MESH,
        in_specs=(P(), P(None, "device")),
        out_specs=(P(), (P(), P(None, "device"))),
    )
    assert_as_alone(name, jax.jit(run)(NETWORKS[name], x))


PRODUCTS = {
    *("Linear", "Linear without a bias", "Linear, events", "Recurrent", "Recurrent, events", "layers", "images"),
    *("DelayedLinear", "DelayedRecurrent"),
}


@some_networks
def test_with_explicit_sharding(name):
    if name in PRODUCTS and jax.__version_info__ < (0, 10):
        pytest.skip("JAX 0.8 cannot differentiate a product of sharded arrays inside a loop on such a mesh")
    with jax.set_mesh(EXPLICIT):
        x = jax.device_put(inputs(name), P(None, "device"))
        assert_as_alone(name, jax.jit(everything)(NETWORKS[name], x))


@pytest.mark.parametrize("options", [{"chunk_size": BATCH}, {"checkpoint_every": BATCH}], ids=str)
def test_a_chunk_may_have_as_many_steps_as_a_batch_has_samples(options):
    layer = LAYERS["LIF"]
    with jax.set_mesh(EXPLICIT):
        x = jax.device_put(inputs("LIF"), P(None, "device"))
        found = jax.jit(lambda x: unroll(layer, layer.init(x.shape[1:]), x, **options).outputs)(x)
        assert found.sharding.spec[:2] == (None, "device")
    np.testing.assert_array_equal(found, unroll(layer, layer.init(x.shape[1:]), inputs("LIF")).outputs)


@some_networks
def test_with_automatic_sharding(name):
    x = jax.device_put(inputs(name), NamedSharding(MESH, P(None, "device")))
    assert_as_alone(name, jax.jit(everything)(NETWORKS[name], x))


DATA = Dataset(jax.random.bernoulli(KEY, 0.3, (10, 8, 5)), jnp.arange(8) % 2, 10, 2)
ADAM = optax.adam(0.01)


def step(fit, events, labels):
    return train.step(fit, ADAM, Dataset(events, labels, DATA.steps, DATA.classes))


SPECS = P(None, "device"), P("device")


def trained(run, put=lambda x, spec: x):
    net = train.classifier(SPIKE, DATA, key=KEY, hidden=6, tau=5.0, gain=3.0, recurrent=1.0)
    fit, loss = jax.jit(run)(train.start(net, ADAM), *map(put, (DATA.events, DATA.labels), SPECS))
    return [loss, *jax.tree.leaves(fit.network.connections())]


@pytest.mark.promotes("Optax does")
@pytest.mark.parametrize("kind", ["shard_map", "explicit", "automatic"])
def test_a_step_of_training(kind):
    if kind == "shard_map":
        specs = {"in_specs": (P(), *SPECS), "out_specs": P()}
        found = trained(jax.shard_map(step, mesh=MESH, **specs))
    elif kind == "explicit":
        with jax.set_mesh(EXPLICIT):
            found = trained(step, jax.device_put)
    else:
        found = trained(step, lambda x, spec: jax.device_put(x, NamedSharding(MESH, spec)))
    for a, b in zip(found, trained(step), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
