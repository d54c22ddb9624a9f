"""Checkpoints of `train.fit`: what goes on from them, what is refused, and what a full disk costs."""

import dataclasses
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytestmark = pytest.mark.promotes("Optax does")

optax = pytest.importorskip("optax")
ocp = pytest.importorskip("orbax.checkpoint")
train = pytest.importorskip("surgrad.train")

import fit_runs as runs  # noqa: E402
import surgrad  # noqa: E402
from surgrad import nn  # noqa: E402
from surgrad._files import pack, unpack  # noqa: E402
from surgrad.train import _checkpoints  # noqa: E402

ROOT = Path(__file__).parents[1]

KINDS = ("feed-forward", "recurrent", "convolutional")
BATCHES = runs.SAMPLES // runs.BATCH


class StopsAfter:
    """Samples that cannot be read any more after some batches."""

    def __init__(self, batches):
        self.data, self.left = runs.data(), batches

    def __len__(self):
        return len(self.data)

    def __getitem__(self, indices):
        self.left -= 1
        if self.left < 0:
            raise InterruptedError
        return self.data[indices]


def interrupted(kind, folder, batches, **options):
    with pytest.raises(InterruptedError):
        runs.run(kind, folder, data=StopsAfter(batches), **options)


def assert_same(found, expected):
    for a, b in zip(runs.numbers(found), runs.numbers(expected), strict=True):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()


def steps_in(folder):
    return sorted(int(entry.name) for entry in (folder / "checkpoints").iterdir())


@pytest.fixture(scope="module")
def undisturbed():
    return {"recurrent": runs.run("recurrent")}


@pytest.mark.parametrize("every", [1, 2, 5])
def test_where_checkpoints_are_changes_nothing(every, tmp_path, undisturbed):
    checkpoints = train.Checkpoints(tmp_path, every_steps=every)
    assert_same(runs.run("recurrent", checkpoints=checkpoints), undisturbed["recurrent"])


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_run_goes_on_as_if_it_had_not_been(kind, tmp_path):
    whole = runs.run(kind, data=StopsAfter(1000))
    # In the middle of an epoch, a batch behind the last checkpoint; then again, after more of it.
    interrupted(kind, tmp_path, BATCHES + 2)
    assert steps_in(tmp_path) == [3, 4]
    interrupted(kind, tmp_path, 4)
    done = runs.run(kind, tmp_path, data=StopsAfter(1000))
    assert_same(done, whole)
    rows = (tmp_path / "metrics.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["step", *(str(BATCHES * n) for n in range(1, runs.EPOCHS + 1))]
    assert_same(runs.run(kind, tmp_path), done)  # nothing is left to do


def test_more_epochs_go_on_from_the_last(tmp_path, undisturbed):
    runs.run("recurrent", tmp_path, epochs=runs.EPOCHS - 2)
    assert_same(runs.run("recurrent", tmp_path), undisturbed["recurrent"])
    with pytest.raises(
        ValueError, match=r"the newest checkpoint in .* is of epoch 6, and epochs is 5; give at least 6"
    ):
        runs.run("recurrent", tmp_path, epochs=5)


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("begun")
    runs.run("recurrent", folder, epochs=1)
    return folder


def wider():
    return nn.Sequential(nn.Linear(16, 6, key=runs.KEYS[0]), *runs.network("recurrent").parts[1:])


def steeper():
    parts = list(runs.network("recurrent").parts)
    parts[1] = parts[1].replace(cell=parts[1].cell.replace(surrogate=surgrad.Arctan(2.5)))
    return nn.Sequential(*parts)


def other_surrogate():
    parts = list(runs.network("recurrent").parts)
    parts[1] = parts[1].replace(cell=parts[1].cell.replace(surrogate=surgrad.Sigmoid(2.0)))
    return nn.Sequential(*parts)


def reseeded():
    parts = runs.network("recurrent").parts
    return nn.Sequential(nn.Linear(16, 5, key=jax.random.key(9), gain=3.0), *parts[1:])


DIFFERENT = {
    "key": ({"key": jax.random.key(8)}, r"key was \[0, 7\], and is \[0, 8\] here"),
    "batch size": ({"batch_size": 6}, "batch_size was 8, and is 6 here"),
    "samples": ({"data": runs.data()[np.arange(20)]}, "the number of samples was 24, and is 20 here"),
    "accumulation": ({"accumulate": 2}, "accumulate was 1, and is 2 here"),
    "optimiser": ({"optimizer": optax.sgd(0.1)}, "the optimizer differs"),
    "width": ({"network": wider()}, r"the network differs, parts\[0\].weight: shape \(16, 5\) in the checkpoint"),
    "surrogate": ({"network": other_surrogate()}, r"parts\[1\].cell.surrogate: Arctan in the checkpoint, Sigmoid here"),
    "hyperparameter": ({"network": steeper()}, r"started from other numbers in parts\[1\].cell.surrogate.alpha"),
    "first weights": ({"network": reseeded()}, r"started from other numbers in parts\[0\].weight"),
}


@pytest.mark.parametrize("name", DIFFERENT)
def test_a_checkpoint_of_another_run_is_refused_with_what_differs(name, begun):
    options, message = DIFFERENT[name]
    before = steps_in(begun)
    with pytest.raises(ValueError, match=f"are of another run; .*{message}.*Give another folder"):
        runs.run("recurrent", begun, **options)
    assert steps_in(begun) == before


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 80 kB, which root alone may make."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=80k", "tmpfs", disk]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no permission to mount a disk")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def test_a_full_disk_is_told_and_costs_no_earlier_checkpoint(small_disk, tmp_path, undisturbed):
    checkpoints = train.Checkpoints(small_disk / "run", keep=9)
    with pytest.raises(
        OSError, match=r"cannot write the checkpoint of step \d+ .*: No space left on device; that of ste"
    ):
        runs.run("recurrent", checkpoints=checkpoints)
    steps = sorted(int(entry.name) for entry in (small_disk / "run").iterdir())
    assert steps == [3 * n for n in range(1, len(steps) + 1)]
    # The same run goes on where there is room.
    shutil.copytree(small_disk / "run", tmp_path / "run")
    assert_same(runs.run("recurrent", checkpoints=tmp_path / "run"), undisturbed["recurrent"])


def test_files_that_may_not_grow_are_told_and_cost_no_earlier_checkpoint(tmp_path, undisturbed):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(event):
        if event.epoch == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))

    try:
        with pytest.raises(OSError, match=r"the checkpoint of step 9 .*: File too large; that of step 8 is as it was"):
            runs.run("recurrent", tmp_path, callbacks=[fill])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert steps_in(tmp_path) == [6, 8]
    assert_same(runs.run("recurrent", tmp_path), undisturbed["recurrent"])


def test_a_damaged_checkpoint_is_told_and_the_one_before_serves(tmp_path):
    whole = runs.run("recurrent", data=StopsAfter(1000))
    interrupted("recurrent", tmp_path, 5)
    folder = tmp_path / "checkpoints" / "4"
    file = folder / "state" / "state.zip"
    content = file.read_bytes()
    for wrong in b"damage", b"", content[:-100], content[: len(content) // 2] + b"?" + content[len(content) // 2 + 1 :]:
        file.write_bytes(wrong)
        with pytest.raises(ValueError, match=r"the checkpoint of step 4 in .* is damaged.*delete .*/4 to go on"):
            runs.run("recurrent", tmp_path)
    shutil.rmtree(folder)
    assert_same(runs.run("recurrent", tmp_path, data=StopsAfter(1000)), whole)


def test_one_wrong_byte_anywhere_in_the_file_is_found_or_changes_nothing(tmp_path):
    file, arrays = tmp_path / "state.zip", [np.arange(3.0), np.ones((2, 0), np.int8), np.array(True)]
    pack(file, '{"arrays": 3}', arrays)
    content, found = bytearray(file.read_bytes()), 0
    for place in range(len(content)):
        content[place] ^= 0b100
        file.write_bytes(content)
        content[place] ^= 0b100
        try:
            head, read = unpack(file)
        except Exception:  # of many kinds; `Store` catches all of them
            found += 1
            continue
        assert head == {"arrays": 3}
        for a, b in zip(read, arrays, strict=True):
            assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    assert found > sum(len(array.tobytes()) for array in arrays)


def test_checkpoints_of_another_format_are_refused_and_stay_as_they_were(tmp_path):
    with ocp.CheckpointManager(tmp_path) as manager:
        parts = {"arrays": ocp.args.PyTreeSave({"0": np.ones(3)}), "report": ocp.args.JsonSave({"format": 1})}
        manager.save(7, args=ocp.args.Composite(**parts))
    before = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    with pytest.raises(
        ValueError, match=r"fit: the checkpoint of step 7 .* has no file state/state.zip: .*other folder"
    ):
        runs.run("feed-forward", checkpoints=tmp_path)
    assert {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()} == before


def test_checkpoints_of_a_newer_version_are_refused(tmp_path, monkeypatch):
    with monkeypatch.context() as newer:
        newer.setattr(_checkpoints, "FORMAT", _checkpoints.FORMAT + 1)
        runs.run("feed-forward", checkpoints=tmp_path, epochs=1)
    with pytest.raises(ValueError, match=r"step 3 in .*, in a format that this version does not read; install a newer"):
        runs.run("feed-forward", checkpoints=tmp_path)


@pytest.mark.slow
def test_checkpoints_leave_no_memory_behind():
    code = "from benchmarks import soak; print(soak.growth(soak.by_fit, 60))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    # MB for 12 checkpoints; Orbax' own handlers leave 0.07 behind, as `by_orbax` shows.
    assert float(done.stdout) < 0.03


@jax.tree_util.register_dataclass
@dataclasses.dataclass
class Odd:
    """A network of a user with numbers of all kinds, and a function that has no name."""

    weight: jax.Array
    half: jax.Array
    none: jax.Array
    key: jax.Array
    factor: float
    then: object = dataclasses.field(default=abs, metadata={"static": True})


def odd_loss(odd, batch):
    noise = jax.random.normal(odd.key, odd.weight.shape)
    return ((odd.factor * odd.weight + odd.half.astype(jnp.float32) + noise - batch) ** 2).mean()


def test_networks_of_users_with_numbers_of_all_types_are_kept(tmp_path):
    network = Odd(jnp.ones(3), jnp.ones(3, jnp.bfloat16), jnp.zeros((0, 2)), jax.random.key(3), 2.0, then=lambda x: x)
    options = {"optimizer": optax.adam(0.1), "key": runs.KEY, "loss": odd_loss, "batch_size": 2}
    data = np.linspace(0, 1, 4, dtype=np.float32)[:, None]
    whole = train.fit(network, data, epochs=3, **options)
    train.fit(network, data, epochs=2, checkpoints=tmp_path, **options)
    done = train.fit(network, data, epochs=3, checkpoints=tmp_path, **options)
    for a, b in zip(jax.tree.leaves(done.fit), jax.tree.leaves(whole.fit), strict=True):
        assert jnp.array_equal(a, b)
        assert jnp.result_type(a) == jnp.result_type(b)
    other = dataclasses.replace(network, weight=jnp.ones(2), half=jnp.ones(2, jnp.bfloat16))
    with pytest.raises(ValueError, match=r"the network differs, .*shape \(3,\) in the checkpoint, \(2,\) here"):
        train.fit(other, data, epochs=3, checkpoints=tmp_path, **options)


def test_only_the_newest_checkpoints_stay(tmp_path):
    def kept(**options):
        folder = tmp_path / str(len(list(tmp_path.iterdir()))) / "checkpoints"
        runs.run("feed-forward", checkpoints=train.Checkpoints(folder, **options))
        return steps_in(folder.parent)

    assert kept() == [15, 18]
    assert kept(keep=1, every=4) == [18]
    assert kept(keep=9, every=4) == [12, 18]


@pytest.mark.unchecked("wrong types on purpose")
def test_bad_options_are_refused(tmp_path):
    for wrong, match in (
        ({"every": 0}, "every must be"),
        ({"keep": 0}, "keep must be"),
        ({"every_steps": 0}, "every_st"),
    ):
        with pytest.raises(ValueError, match=f"Checkpoints: {match}"):
            train.Checkpoints(tmp_path, **wrong)
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"cannot use .*/file for checkpoints: it is no folder"):
        runs.run("feed-forward", checkpoints=tmp_path / "file")
