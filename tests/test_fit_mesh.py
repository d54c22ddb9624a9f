"""`train.fit` over two devices: the same numbers as on one, and batches that do not fit are refused."""

from typing import ClassVar

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


class Halves:
    """Samples of a user, in a class that knows nothing of ours; its batches are dictionaries."""

    batch_axes: ClassVar[dict] = {"spikes": 1, "labels": 0}

    def __init__(self, data):
        self.data = data

    def __len__(self):
        return len(self.data)

    def __getitem__(self, indices):
        some = self.data[np.asarray(indices)]
        return {"spikes": np.asarray(some.spikes()), "labels": np.asarray(some.labels)}


class Silent(Halves):
    """One that inherits the promise, and does not make it itself."""


def of_dictionary(network, batch):
    logits = network.outputs(batch["spikes"])[-1].max(axis=0)
    return train._fit.optax.softmax_cross_entropy_with_integer_labels(logits, batch["labels"]).mean()


def as_samples(data):
    return train.Samples({"spikes": data.spikes(), "labels": data.labels}, axes=(0, 1))  # in the order of their names


@pytest.mark.parametrize("kind", [as_samples, Halves])
def test_samples_whose_class_knows_their_axes_are_split_along_them(mesh, kind):
    options = {"data": kind(runs.data()), "validation": kind(runs.data(1)), "loss": of_dictionary, "metrics": None}
    assert_near(first_epochs(**options, mesh=mesh), first_epochs(**options))
    feed = train._feed.Feed("data", options["data"], runs.BATCH, train._feed.Spread(mesh, 0))
    (learned, _), (judged, _) = next(feed.epoch(runs.KEY)), next(feed.in_order(runs.KEY))
    for batch in (learned, judged):
        for name, axis in (("spikes", 1), ("labels", 0)):
            shards = [shard.data.shape[axis] for shard in batch[name].addressable_shards]
            assert shards == [runs.BATCH // 2] * 2


def test_a_promise_is_that_of_the_very_class_and_must_fit_the_batch(mesh):
    options = {
        "data": Silent(runs.data()),
        "loss": of_dictionary,
        "validation": None,
        "metrics": None,
        "patience": None,
    }
    with pytest.raises(
        ValueError, match=f"do not divide a batch of {runs.STEPS} samples"
    ):  # along time, the first axis
        first_epochs(**options, mesh=mesh)
    done = first_epochs(**options, mesh=mesh, batch_axes=Halves.batch_axes)
    assert_near(done, first_epochs(**options))
    for axes in ((1, 0), {"spikes": 3, "labels": 0}, {"spikes": 1, "labels": -1}):
        with pytest.raises(ValueError, match="batch_axes must be the axis of the samples in the arrays of a batch"):
            first_epochs(**options, mesh=mesh, batch_axes=axes)
