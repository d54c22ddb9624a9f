"""All tasks: what a seed fixes, what data sets look like, and how they are named."""

import gzip
import inspect
import struct
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from surgrad import tasks

sklearn_datasets = pytest.importorskip("sklearn.datasets")

STEPS = 16
SMALL = {
    "digits": {},
    "digits in the rate code": {"code": "rate"},
    "mnist": {},
    "manifolds": {"classes": 3, "samples": 20},
    "delayed_memory": {"samples": 20},
    "temporal_xor": {"samples": 20},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files like those of MNIST, with 40 and 15 random images of 4 x 5 pixels of 3 classes."""
    folder, random = tmp_path_factory.mktemp("mnist"), np.random.default_rng(0)
    for part, count in (("train", 40), ("t10k", 15)):
        images, labels = random.integers(256, size=(count, 4, 5)), np.arange(count) % 3
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            header = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
            with gzip.open(folder / f"{part}-{kind}-ubyte.gz", "wb") as file:
                file.write(header + array.astype(np.uint8).tobytes())
    return folder


@pytest.fixture(params=SMALL)
def load(request, folder):
    """A task, from its options."""
    name, options = request.param.split()[0], {"steps": STEPS, **SMALL[request.param]}
    if name == "mnist":
        options["path"] = folder
    return lambda **more: tasks.load(name, **{**options, **more})


def both(split, field):
    return np.concatenate([np.asarray(getattr(part, field)) for part in split])


def same(one, other):
    return all(map(np.array_equal, jax.tree.leaves(one), jax.tree.leaves(other)))


def test_a_seed_fixes_everything(load):
    assert same(load(seed=3), load(seed=3))
    assert not same(load(seed=3), load(seed=4))


def test_spikes_are_0_or_1_and_time_leads(load):
    for part in load():
        spikes = part.spikes()
        assert spikes.shape == (STEPS, len(part), part.channels)
        assert spikes.dtype == jnp.float32
        assert set(np.unique(spikes)) == {0, 1}


def test_each_class_is_there_to_learn_and_to_judge(load):
    for part in load():
        assert set(np.asarray(part.labels).tolist()) == set(range(part.classes))


def test_samples_are_taken_in_the_order_that_is_asked_for(load):
    test = load().test
    some = test[np.array([5, 2])]
    assert len(some) == 2
    np.testing.assert_array_equal(some.labels, [test.labels[5], test.labels[2]])
    np.testing.assert_array_equal(some.spikes(), np.asarray(test.spikes())[:, [5, 2]])


def test_batches_of_a_scan_hold_what_the_data_set_holds(load):
    train, order = load().train, jnp.arange(20)[::-1].reshape(5, 4)
    _, (spikes, labels) = jax.lax.scan(lambda _, i: (None, (train[i].spikes(), train[i].labels)), None, order)
    np.testing.assert_array_equal(np.concatenate(spikes, axis=1), np.asarray(train.spikes())[:, 19::-1])
    np.testing.assert_array_equal(labels.ravel(), train.labels[19::-1])


@pytest.mark.parametrize("steps", [255, 256])
def test_latencies_hold_never_in_few_bytes_whatever_the_number_of_steps(steps):
    split = tasks.digits(steps=steps)
    raw, _ = sklearn_datasets.load_digits(return_X_y=True)
    assert sum(int(part.spikes().sum()) for part in split) == np.count_nonzero(raw)
    assert split.train.events.dtype == {255: jnp.uint8, 256: jnp.uint16}[steps]


@pytest.mark.parametrize("name", ["manifolds", "delayed_memory", "temporal_xor"])
@pytest.mark.parametrize("samples", [20, 21])
def test_classes_of_what_is_made_up_have_the_same_number_of_samples(name, samples):
    labels = both(tasks.load(name, steps=STEPS, samples=samples), "labels")
    assert set(np.bincount(labels).tolist()) == {samples}


@pytest.mark.parametrize("share", [0.25, 0.0, 0.75])
def test_a_share_of_the_samples_is_held_out(share):
    train, test = tasks.digits(test_share=share)
    assert (len(train), len(test)) == (1797 - round(share * 1797), round(share * 1797))


@pytest.mark.parametrize("name", ["digits", "manifolds", "delayed_memory", "temporal_xor"])
@pytest.mark.parametrize("share", [-0.1, 1.0, 1.1, np.nan])
def test_there_are_no_other_shares(name, share):
    with pytest.raises(ValueError, match=f"{name}: test_share must be 0 to below 1, got"):
        tasks.load(name, test_share=share)


def test_a_share_that_leaves_nothing_to_learn_from_is_refused():
    with pytest.raises(ValueError, match=r"test_share=0.9 of 4 samples leaves none to learn from; make it smaller"):
        tasks.temporal_xor(samples=2, test_share=0.9)


WRONG = {"steps": ["a", 0, 2.5, True], "seed": [-1, "a", 0.5], "test_share": [1, -0.5], "code": ["phase", 3]}


@pytest.mark.parametrize(("option", "value"), [(name, value) for name in WRONG for value in WRONG[name]], ids=str)
@pytest.mark.unchecked("wrong types on purpose")
def test_an_option_out_of_range_is_refused_by_each_task_that_has_it(option, value, folder):
    for name in tasks.names():
        if option in inspect.signature(tasks.lookup(name)).parameters:
            given = {"path": folder, option: value} if "mnist" in name else {option: value}
            with pytest.raises(ValueError, match=f"{name.replace('fashion_', '')}: {option} must be .*, got {value!r}"):
                tasks.load(name, **given)


LATENCIES, LABELS = jnp.array([[0, 3], [2, 1], [3, 3]]), jnp.array([0, 1, 0])
RASTER = np.zeros((3, 4, 2), bool)
MISFITS = {
    "labels must be 0 to 1, for 2 classes, got 0 to 2": (LATENCIES, jnp.array([0, 2, 1]), 3, 2),
    "labels must be 0 to 1, for 2 classes, got -1 to 1": (LATENCIES, np.array([0, -1, 1]), 3, 2),
    "labels must be integers, got float": (LATENCIES, jnp.array([0.0, 1.0, 0.0]), 3, 2),
    "events must be steps 0 to 1, or 2 for never, got 0 to 3": (LATENCIES, LABELS, 2, 2),
    "events must be steps 0 to 2, or 3 for never, got -1 to 2": (LATENCIES - 1, LABELS, 3, 2),
    r"events must be integers \(latencies\), booleans": (LATENCIES.astype(complex), LABELS, 3, 2),
    "events must be intensities from 0 to 1": (LATENCIES.astype(float), LABELS, 3, 2),
    r"\(samples, channels\) and labels \(samples,\), got shapes \(2, 2\)": (LATENCIES[:2], LABELS, 3, 2),
    r"\(3 steps, samples, channels\) and labels .* got shapes \(3, 4, 2\)": (RASTER, LABELS, 3, 2),
    r"\(4 steps, samples, channels\) and labels .* got shapes \(3, 4, 2\)": (RASTER, LABELS, 4, 2),
    "steps must be an integer >= 1, got 2.5": (LATENCIES, LABELS, 2.5, 2),
    "classes must be an integer >= 1, got 0": (LATENCIES, LABELS, 3, 0),
}


@pytest.mark.parametrize("said", MISFITS)
@pytest.mark.unchecked("wrong types on purpose")
def test_what_does_not_fit_is_no_data_set(said):
    with pytest.raises((TypeError, ValueError), match=f"Dataset: .*{said}"):
        tasks.Dataset(*MISFITS[said])


def test_a_data_set_is_made_and_taken_apart_inside_of_a_compiled_function():
    data = jax.jit(lambda events, labels: tasks.Dataset(events, labels, 3, 2)[jnp.array([1])])(LATENCIES, LABELS)
    np.testing.assert_array_equal(data.events, [[2, 1]])


def test_digits_can_be_read_back_from_their_latencies():
    # 17 steps give each of the 16 brightnesses a step of its own, and darkness none.
    split = tasks.digits(steps=17)
    images = np.maximum(16 - both(split, "events").astype(int), 0)
    read_back = np.column_stack([images, both(split, "labels")])
    raw = np.column_stack(sklearn_datasets.load_digits(return_X_y=True))
    np.testing.assert_array_equal(sorted(read_back.tolist()), sorted(raw.tolist()))


def test_a_wrong_name_gets_the_nearest():
    for name, reader in (
        ("shd", "read_shd"),
        ("SSC", "read_ssc"),
        ("nmnist", "read_nmnist"),
        ("dvs_gesture", "read_dvs_"),
    ):
        with pytest.raises(KeyError, match=f"no task '{name}'; here it is surgrad.events.{reader}"):
            tasks.load(name)
    with pytest.raises(KeyError, match="no task 'digts'; the nearest: digits"):
        tasks.load("digts")


def test_a_wrong_option_gets_those_that_there_are():
    with pytest.raises(TypeError, match="temporal_xor has no option 'delay'; it has units, cue, gap, noise"):
        tasks.load("temporal_xor", delay=3)


def test_a_missing_option_is_named():
    with pytest.raises(TypeError, match="mnist needs the option 'path'"):
        tasks.load("mnist", steps=5)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r'pip install "surgrad\[data\]"'):
        tasks.load("digits")
