"""Sequences of different lengths whose samples are divided among two devices give what they give on one."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AxisType, NamedSharding
from jax.sharding import PartitionSpec as P

from surgrad import nn
from test_lengths import LENGTHS, inputs, networks

NETWORKS = networks()
FIRST = {"learned delays", "MeanOverTime"}
EACH = [pytest.param(name, marks=[pytest.mark.slow] * (name not in FIRST)) for name in NETWORKS]
X, BATCH = P(None, "device"), P("device")


def everything(leaves, xs, lengths, structure, total=lambda value: value):
    """A loss, and its gradient by the numbers of a network and by the inputs."""

    def loss(leaves, xs):
        outputs = nn.unroll(structure.unflatten(leaves), xs, lengths=lengths, chunk_size=4).outputs
        return total((outputs.astype(xs.dtype) ** 2).sum())

    return jax.value_and_grad(loss, (0, 1))(leaves, xs)


@functools.cache
def case(name):
    """The function of a network, its numbers, inputs and lengths; and what it returns on one device."""
    leaves, structure = jax.tree.flatten(NETWORKS[name])
    given = [jnp.asarray(leaf, float) for leaf in leaves], inputs(), jnp.asarray(LENGTHS)
    run = functools.partial(everything, structure=structure)
    return run, given, jax.jit(run)(*given)


def assert_as_alone(name, found):
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(case(name)[2]), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=1e-5 * float(np.abs(b).max()))


@pytest.mark.parametrize("name", EACH)
@pytest.mark.parametrize("kind", [AxisType.Explicit, AxisType.Auto], ids=str)
def test_sharded(name, kind):
    run, (leaves, xs, lengths), _ = case(name)
    mesh = jax.make_mesh((2,), ("device",), axis_types=(kind,))
    with jax.set_mesh(mesh):
        xs, lengths = (jax.device_put(value, NamedSharding(mesh, spec)) for value, spec in ((xs, X), (lengths, BATCH)))
        assert_as_alone(name, jax.jit(run)(leaves, xs, lengths))


@pytest.mark.parametrize("name", EACH)
def test_inside_of_shard_map(name):
    run, given, _ = case(name)
    run = functools.partial(run, total=functools.partial(jax.lax.psum, axis_name="device"))
    mesh = jax.make_mesh((2,), ("device",), axis_types=(AxisType.Auto,))
    specs = (P(), X, BATCH)
    assert_as_alone(name, jax.jit(jax.shard_map(run, mesh=mesh, in_specs=specs, out_specs=(P(), (P(), X))))(*given))
