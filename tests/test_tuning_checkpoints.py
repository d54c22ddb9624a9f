"""Checkpoints of `meta.tune`: a search that is killed and started again ends as if it had not been."""

import contextlib
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.promotes("Optax does")

for package in ("optax", "orbax.checkpoint"):
    pytest.importorskip(package)

import fit_runs  # noqa: E402
import tune_runs as runs  # noqa: E402
from surgrad import train  # noqa: E402
from surgrad.meta import Halving, LogRange  # noqa: E402
from surgrad.meta._search.population import Population  # noqa: E402

KINDS = [("halving", 4), ("a method of somebody else", None), pytest.param("optuna", 4, marks=pytest.mark.slow)]


def assert_same(found, expected):
    found, expected = ([*one] if isinstance(one, list) else runs.numbers(one) for one in (found, expected))
    assert len(found) == len(expected) > 10
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert a.tobytes() == b.tobytes()


def steps_in(folder):
    return sorted(int(entry.name) for entry in folder.iterdir())


@pytest.fixture(scope="module")
def undisturbed():
    return runs.run()


def test_where_checkpoints_are_changes_nothing(tmp_path, undisturbed):
    assert_same(runs.run(checkpoints=tmp_path / "few"), undisturbed)
    some = train.Checkpoints(tmp_path / "some", every=2, every_steps=4, keep=100)
    assert_same(runs.run(checkpoints=some), undisturbed)
    # 4 runs to update 5, 2 to update 11, 1 to update 30; after each 4 updates, and after every other comparison.
    assert steps_in(tmp_path / "few") == [4 * 5 + 2 * 6, 4 * 5 + 2 * 6 + 19]
    assert steps_in(tmp_path / "some") == [16, 28, 32, *(32 + n for n in (4, 8, 12, 16)), 51]


class Stopped(Exception):  # noqa: N818
    pass


@pytest.mark.parametrize(("kind", "every_steps"), KINDS)
def test_a_search_that_stops_anywhere_goes_on_from_its_newest_checkpoint(kind, every_steps, tmp_path, monkeypatch):
    if kind == "optuna":
        pytest.importorskip("optuna")
    whole, onward, asked = runs.run(kind), Population._onward, []

    def fragile(self, indices, first, count, sums):
        if len(asked) % 2:
            asked.append(None)
            raise Stopped
        asked.append((len(indices), count))
        return onward(self, indices, first, count, sums)

    monkeypatch.setattr(Population, "_onward", fragile)
    starts, done = 0, None
    while done is None:
        starts += 1
        with contextlib.suppress(Stopped):
            done = runs.run(kind, train.Checkpoints(tmp_path, every_steps=every_steps))
    assert starts >= 2
    assert_same(done, whole)
    assert sum(a * b for a, b in filter(None, asked)) == whole.cost.updates, "updates were made twice"
    monkeypatch.undo()
    assert_same(runs.run(kind, tmp_path), whole)  # nothing is left to do


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    folder = tmp_path_factory.mktemp("begun")
    runs.run(checkpoints=folder)
    return folder


OTHERS = {
    r"seed was 3, and is 4 here": lambda: {"seed": 4},
    r"the number of updates was 30, and is 31 here": lambda: {"runs": runs.training(steps=31)},
    r"the method was Halving\(candidates=4, .*, and is Halving\(candidates=5": lambda: {"method": Halving(5)},
    r"the dimension scale was LogRange\(low=0.1, .*, and is LogRange\(low=0.2": lambda: {
        "space": runs.SPACE | {"scale": LogRange(0.2, 10)}
    },
    r"initial_candidates was \[\{.*, and is \[\] here": lambda: {"initial_candidates": []},
    r"mapping was map, and is vmap here": lambda: {"mapping": "vmap"},
    r"the states differs, .*weight: shape \(4, 16, 5\) in the checkpoint, \(4, 16, 6\) here": lambda: {
        "runs": runs.training(hidden=6)
    },
}


@pytest.mark.parametrize("message", OTHERS)
def test_a_checkpoint_of_another_search_is_refused_with_what_differs(message, begun):
    with pytest.raises(ValueError, match=rf"are of another run; .*{message}.*Give another folder"):
        runs.run(checkpoints=begun, **OTHERS[message]())


def test_checkpoints_of_fit_are_refused_and_fit_refuses_those_of_tune(begun, tmp_path):
    fit_runs.run("feed-forward", tmp_path, epochs=1)
    with pytest.raises(ValueError, match=r"tune: the checkpoints in .* were written by fit; give another folder"):
        runs.run(checkpoints=tmp_path / "checkpoints")
    with pytest.raises(ValueError, match=r"fit: the checkpoints in .* were written by tune; give another folder"):
        fit_runs.run("feed-forward", checkpoints=begun)


def test_a_method_that_asks_for_something_else_is_refused(tmp_path):
    class Moody(runs.EveryOther):
        calls = 0

        def search(self, population, space, initial, seed):
            Moody.calls += 1
            if Moody.calls == 2:
                population.advance(np.array([3, 0]), 0, runs.STEPS)
            return super().search(population, space, initial, seed)

    runs.run(checkpoints=tmp_path, method=Moody())
    with pytest.raises(ValueError, match=r"asks for updates of runs \[3, 0\] here, and of \[0, 2\] before"):
        runs.run(checkpoints=tmp_path, method=Moody())


def test_a_damaged_checkpoint_names_its_folder(begun, tmp_path):
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    newest = tmp_path / str(steps_in(tmp_path)[-1])
    (newest / "state" / "state.zip").write_bytes(b"damage")
    with pytest.raises(
        ValueError, match=rf"tune: the checkpoint of step 51 .* is damaged.*delete {re.escape(str(newest))}"
    ):
        runs.run(checkpoints=tmp_path)


def started(*command):
    return subprocess.Popen(
        [sys.executable, *map(str, command)], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )


def killed(process, folder, when):
    """Kill a process once the folder of checkpoints is as wanted, unless it has ended; whether it was killed."""
    while process.poll() is None and not when(folder):
        time.sleep(0.002)
    process.kill()
    _, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode != 0


def complete(folder):
    return sum(entry.name.isdecimal() for entry in folder.glob("*"))


def writes(folder):
    return complete(folder) and any("tmp" in entry.name for entry in folder.glob("*"))


def newest(folder):
    return max((int(entry.name) for entry in folder.glob("*") if entry.name.isdecimal()), default=0)


def finished(process):
    _, errors = process.communicate()
    assert process.returncode == 0, errors


def result(folder):
    with np.load(folder / "result.npz") as found:
        return [found[name] for name in found]


PROGRAM = Path(runs.__file__)


def test_a_search_that_is_killed_while_it_writes_ends_as_if_it_had_not_been(tmp_path, undisturbed):
    assert killed(started(PROGRAM, "halving", tmp_path), tmp_path / "checkpoints", writes)
    finished(started(PROGRAM, "halving", tmp_path))
    alone = tmp_path / "undisturbed"
    alone.mkdir()
    finished(started(PROGRAM, "halving", alone))  # in a process of its own: programs of tests are compiled otherwise
    assert_same(result(tmp_path), result(alone))


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["halving", "optuna"])
def test_kills_at_random_moments_change_nothing(kind, tmp_path):
    (alone := tmp_path / "undisturbed").mkdir()
    begin = time.monotonic()
    finished(started(PROGRAM, kind, alone))
    seconds, chance, kills = time.monotonic() - begin, random.Random(kind), 0
    for round_ in range(20):
        (folder := tmp_path / str(round_)).mkdir()
        for attempt in range(100):  # the machine may be busier than at first
            end = time.monotonic() + chance.uniform(0.3, 0.9) * seconds * (1 + attempt / 10)
            if not killed(started(PROGRAM, kind, folder), folder, lambda _, end=end: time.monotonic() > end):
                break
            kills += 1
        assert_same(result(folder), result(alone))
        if kills >= 5:
            return
    raise AssertionError(f"only {kills} kills")


COMMAND = "-m surgrad tune temporal_xor:samples=48 --hidden 4 --surrogates sigmoid,arctan --candidates 3 --steps 40"


@pytest.mark.slow
def test_the_command_goes_on_from_its_checkpoints_after_a_kill(tmp_path):
    def command(name):
        folder = tmp_path / name
        return started(*COMMAND.split(), "--checkpoints", folder, "--out", tmp_path / f"{name}.json"), folder

    kills = 0
    for _ in range(3):
        process, folder = command("killed")
        before = newest(folder)
        kills += killed(process, folder, lambda folder, before=before: newest(folder) > before and writes(folder))
    for name in "killed", "undisturbed":
        finished(command(name)[0])
    found, expected = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("killed", "undisturbed"))
    for one in found, expected:
        assert one["cost"].pop("seconds") > 0
    assert kills
    assert found == expected
