"""`surgrad train` with several processes: one is killed, all start again, and the end is that of a run left alone."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

import surgrad
from surgrad.cli import main

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are found in /proc")
for package in ("optax", "orbax.checkpoint", "rich", "matplotlib"):
    pytest.importorskip(package)

TASK = """
task = "temporal_xor:samples=40"
epochs = {epochs}
batch_size = 16

[network]
hidden = 6
surrogate = "sigmoid:alpha=4"
"""
MODULE = """
import os, signal
import jax, numpy as np, optax

def loss(slope, batch):
    return ((slope * batch - 2 * batch) ** 2).mean()

def training(seed):
    return {"network": np.float32(seed), "data": np.arange(8, dtype=np.float32), "optimizer": optax.sgd(0.01),
            "loss": loss, "test": lambda slope: {"slope": slope}}

def dies(seed):
    os.kill(os.getpid(), signal.SIGKILL)

def fails_in_the_second(seed):
    assert jax.process_index() == 0, "this is not the first process"
    return training(seed)
"""
ENVIRONMENT = os.environ | {"XLA_FLAGS": ""}  # one device for each process


def started(here, *arguments, environment=None):
    command = [sys.executable, "-m", "surgrad", "train", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, cwd=here, env=ENVIRONMENT | (environment or {}), text=True, **pipes)


def ended(process, code=0):
    output, errors = process.communicate(timeout=300)
    assert process.returncode == code, errors
    return output, errors


def run(here, *arguments, code=0):
    return ended(started(here, *arguments), code)


def children(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def wait_for(happens, process):
    while not (found := happens()):
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)
    return found


def numbers(folder):
    weights = jax.tree.leaves(surgrad.load(folder / "seed-0" / "network.surgrad"))
    table = (folder / "seed-0" / "metrics.csv").read_text()
    return [np.asarray(leaf).tobytes() for leaf in weights], table


def assert_same(folder, undisturbed):
    assert numbers(folder) == numbers(undisturbed)


@pytest.fixture
def here(tmp_path):
    (tmp_path / "theirs.py").write_text(MODULE)
    (tmp_path / "run.toml").write_text(TASK.format(epochs=12))
    for name in ("training", "dies", "fails_in_the_second"):
        (tmp_path / f"{name}.toml").write_text(f'function = "theirs:{name}"\nepochs = 4\nbatch_size = 4\n')
    return tmp_path


def has_rows(folder, count):
    table = folder / "seed-0" / "metrics.csv"
    return table.exists() and len(table.read_text().splitlines()) > count


@pytest.mark.slow
def test_a_killed_process_brings_all_back_and_the_end_is_that_of_a_run_left_alone(here):
    process = started(here, "run.toml", "--processes", "2", "--out", "killed")
    wait_for(lambda: has_rows(here / "killed", 3), process)
    time.sleep(random.random() / 10)
    os.kill(random.choice(children(process)), signal.SIGKILL)
    output, errors = ended(process)
    assert "a process was ended by SIGKILL; all start again from the last checkpoint (3 times at most)" in errors
    assert "Traceback" not in errors
    assert output.startswith("seed 0: epoch 12, loss ")
    assert output.count("\n") == 1
    run(here, "run.toml", "--processes", "2", "--out", "undisturbed")
    assert_same(here / "killed", here / "undisturbed")
    assert json.loads((here / "killed" / "run.json").read_text())["finished"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--process", "0"), "need --processes N --process K --coordinator HOST:PORT"),
        (("--processes", "2", "--coordinator", "localhost:1"), "need --processes N --process K"),
        (("--processes", "2", "--process", "2", "--coordinator", "localhost:1"), "--process must be 0 to 1, got 2"),
    ],
)
def test_options_that_do_not_go_together_are_refused(here, options, message, capsys):
    assert main(("train", str(here / "run.toml"), *options)) == 2
    assert message in capsys.readouterr().err


def test_processes_inside_a_step_of_slurm_are_refused(here, capsys, monkeypatch):
    monkeypatch.setenv("SLURM_STEP_NUM_TASKS", "2")
    assert main(("train", str(here / "run.toml"), "--processes", "2")) == 2
    assert "the tasks of this step of Slurm are the processes already" in capsys.readouterr().err


@pytest.mark.slow
def test_a_process_that_always_dies_ends_the_run_after_so_many_restarts(here):
    _, errors = run(here, "dies.toml", "--processes", "2", "--restarts", "1", code=128 + signal.SIGKILL)
    assert "(1 times at most)" in errors
    assert "this was once too often" in errors
    assert errors.count("SIGKILL") == 2


@pytest.mark.slow
def test_errors_are_told_once_whichever_process_has_them(here):
    _, errors = run(here, "fails_in_the_second.toml", "--processes", "2", code=1)
    assert errors.count("AssertionError: this is not the first process") == 1
    _, errors = run(here, "run.toml", "--processes", "3", code=2)
    assert errors.count("mesh has 3 devices along 'data', which do not divide a batch of 16 samples") == 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_command(here, number):
    (here / "run.toml").write_text(TASK.format(epochs=100_000))
    process = started(here, "run.toml", "--processes", "2")
    wait_for(lambda: has_rows(here / "results" / "run", 1), process)
    ours = children(process)
    process.send_signal(number)
    _, errors = ended(process, 128 + number if number == signal.SIGTERM else -number)
    assert number == signal.SIGKILL or "start the same command again to go on" in errors
    begin = time.monotonic()
    while any(Path(f"/proc/{pid}").exists() for pid in ours):
        assert time.monotonic() < begin + 30
        time.sleep(0.1)


def test_a_step_of_slurm_trains_together(here):
    port_of = 4095  # JAX derives the port from the number of the job
    shared = {
        "SLURM_JOB_ID": str(os.getpid() % port_of),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_NTASKS": "2",
        "SLURM_STEP_NUM_TASKS": "2",
    }
    tasks = [
        started(here, "training.toml", environment=shared | {"SLURM_PROCID": str(k), "SLURM_LOCALID": str(k)})
        for k in range(2)
    ]
    (first, _), (second, _) = map(ended, tasks)
    assert first.startswith("seed 0: epoch 4")
    assert not second
    alone, _ = run(here, "training.toml", "--out", "alone")
    assert first == alone


@pytest.mark.slow
def test_kills_at_random_moments_change_nothing(here):
    (here / "run.toml").write_text(TASK.format(epochs=100))
    begin = time.monotonic()
    run(here, "run.toml", "--processes", "2", "--out", "undisturbed")
    seconds = time.monotonic() - begin
    process = started(here, "run.toml", "--processes", "2", "--out", "killed", "--restarts", "1000")
    chance, kills = random.Random(0), 0
    while kills < 12:
        try:
            process.wait(chance.uniform(0.1, 0.6) * seconds)
            break
        except subprocess.TimeoutExpired:
            if alive := children(process):
                os.kill(chance.choice(alive), signal.SIGKILL)
                kills += 1
    ended(process)
    print(f"{kills} kills")
    assert kills >= 3
    assert_same(here / "killed", here / "undisturbed")
