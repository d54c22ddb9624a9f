"""Runs of `fit` in processes that are killed, and started again: the same weights and numbers, bit by bit."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

for package in ("optax", "orbax.checkpoint"):
    pytest.importorskip(package)

PROGRAM = Path(__file__).parent / "fit_runs.py"
KINDS = ("feed-forward", "recurrent", "convolutional")


def started(kind, folder, epochs=6):
    folder.mkdir(exist_ok=True)
    return subprocess.Popen([sys.executable, PROGRAM, kind, folder, str(epochs)], stderr=subprocess.PIPE, text=True)


def finished(process):
    """Whether a process ended by itself."""
    _, errors = process.communicate()
    assert process.returncode in (0, -signal.SIGKILL), errors
    return process.returncode == 0


def writes_a_checkpoint(folder, after):
    """Whether a checkpoint is being written while so many are complete."""
    names = [entry.name for entry in folder.glob("checkpoints/*")]
    return any("tmp" in name for name in names) and sum(name.isdecimal() for name in names) >= after


def assert_same(folder, undisturbed):
    with np.load(folder / "result.npz") as found, np.load(undisturbed / "result.npz") as expected:
        assert list(found) == list(expected)
        for name in expected:
            assert found[name].tobytes() == expected[name].tobytes()
    assert (folder / "metrics.csv").read_text() == (undisturbed / "metrics.csv").read_text()


def test_a_run_that_is_killed_while_it_writes_a_checkpoint_ends_as_if_it_had_not_been(tmp_path):
    undisturbed = tmp_path / "undisturbed"
    for attempt in range(10):  # the checkpoint may be complete before the signal arrives
        killed = tmp_path / f"killed-{attempt}"
        process = started("recurrent", killed)
        while not writes_a_checkpoint(killed, after=2):
            assert process.poll() is None, process.stderr.read()
            time.sleep(0.001)
        process.kill()
        assert not finished(process)
        if writes_a_checkpoint(killed, after=1):
            break
    else:
        raise AssertionError("each kill came after the checkpoint was complete")
    assert finished(started("recurrent", killed))
    assert finished(started("recurrent", undisturbed))
    assert_same(killed, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_kills_at_random_moments_change_nothing(kind, tmp_path):
    seconds = []
    for folder in "first", "undisturbed":  # the second one finds its programs compiled
        begin = time.monotonic()
        assert finished(started(kind, tmp_path / folder, epochs=60))
        seconds.append(time.monotonic() - begin)
    chance, kills, rounds = random.Random(kind), 0, 0
    while kills < 3:  # a run that is lucky is followed by another
        rounds += 1
        folder = tmp_path / f"killed-{rounds}"
        kills += killed_until_finished(kind, folder, lambda: chance.uniform(0.4, 0.9) * min(seconds))
        assert_same(folder, tmp_path / "undisturbed")
    print(f"{kills} kills in {rounds} runs")


def killed_until_finished(kind, folder, wait):
    """Start a run again and again, and kill it after a time, until it ends first; the number of kills."""
    for kills in range(100):
        process = started(kind, folder, epochs=60)
        try:
            process.wait(wait() * (1 + kills / 10))  # the machine may be busier than at first
        except subprocess.TimeoutExpired:
            process.kill()
        if finished(process):
            return kills
    raise AssertionError("a run makes no progress between kills")
