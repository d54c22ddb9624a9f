"""`train.fit` over two devices: the same numbers as on one, and batches that do not fit are refused."""

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

pytestmark = [
    pytest.mark.promotes("Optax does"),
    pytest.mark.skipif(len(jax.devices()) < 2, reason="needs two devices"),
]

pytest.importorskip("optax")
train = pytest.importorskip("surgrad.train")

import fit_runs as runs  # noqa: E402


@pytest.fixture(scope="module")
def mesh():
    return jax.make_mesh((2,), ("data",))


def first_epochs(**options):
    return runs.run("recurrent", epochs=2, **options)


@pytest.fixture(scope="module")
def alone():
    return first_epochs()


def assert_near(found, expected):
    for a, b in zip(runs.numbers(found), runs.numbers(expected), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_two_devices_learn_what_one_learns(mesh, alone):
    done = first_epochs(mesh=mesh)
    assert_near(done, alone)
    assert done.network[0].weight.sharding.device_set == set(jax.devices()[:2])


def test_each_device_has_half_of_a_batch(mesh):
    feed = train._feed.Feed("data", runs.data(), runs.BATCH, train._feed.Spread(mesh, 0))
    batch, _ = next(feed.epoch(runs.KEY))
    for array, axis in ((batch.events, 1), (batch.labels, 0)):
        shards = [shard.data.shape[axis] for shard in array.addressable_shards]
        assert shards == [runs.BATCH // 2] * 2


def test_arrays_of_batches_are_split_along_the_axes_that_are_given(mesh, alone):
    def pairs(key):
        data = runs.data()
        for indices in np.asarray(train.batches(len(data), runs.BATCH, key=key)):
            some = data[indices]
            yield some.spikes(), some.labels

    def loss(network, batch):
        logits = network.outputs(batch[0])[-1].max(axis=0)
        return train._fit.optax.softmax_cross_entropy_with_integer_labels(logits, batch[1]).mean()

    options = {"data": train.Batches(pairs), "loss": loss, "validation": None, "metrics": None, "patience": None}
    assert_near(first_epochs(**options, mesh=mesh, batch_axes=(1, 0)), first_epochs(**options))


def test_a_mesh_that_does_not_divide_the_batch_is_refused(mesh):
    with pytest.raises(ValueError, match="mesh has 2 devices along 'data', which do not divide a batch of 7 samples"):
        first_epochs(mesh=mesh, batch_size=7)
    odd = train.Batches(lambda key: [runs.data()[np.arange(5)]])
    with pytest.raises(ValueError, match="do not divide a batch of 5 samples; give a multiple of 2"):
        first_epochs(mesh=mesh, data=odd)


def test_a_run_over_a_mesh_goes_on_from_its_checkpoint(mesh, tmp_path):
    pytest.importorskip("orbax.checkpoint")
    whole = first_epochs(mesh=mesh)
    runs.run("recurrent", tmp_path, epochs=1, mesh=mesh)
    done = runs.run("recurrent", tmp_path, epochs=2, mesh=Mesh(np.array(jax.devices()[:2]), ("batch",)))
    for a, b in zip(runs.numbers(done), runs.numbers(whole), strict=True):
        assert np.array_equal(a, b)


def test_nan_is_found_over_a_mesh_too(mesh):
    weights = runs.network("recurrent").parts
    bad = runs.Sequential(*weights[:2], lambda x: x / (x.sum() * 0), *weights[2:])
    with pytest.raises(train.NotFiniteError, match="update 1, outputs of layer 2 is NaN or Inf at time step 0"):
        runs.run("recurrent", network=bad, check_numbers=True, mesh=mesh)
