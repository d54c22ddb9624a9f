"""`train.fit` over several processes: the numbers of one process, one table, checkpoints for any number of them."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.promotes("Optax does")
for package in ("optax", "orbax.checkpoint"):
    pytest.importorskip(package)

import fit_runs as runs  # noqa: E402

PROGRAM = Path(__file__).parent / "fit_processes.py"
EPOCHS = 3


def run_together(processes, folder, epochs=EPOCHS):
    """The results of processes that train together, and have all ended well."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    folder.mkdir(exist_ok=True)
    command = [sys.executable, PROGRAM]
    started = [
        subprocess.Popen(
            [*command, str(k), str(processes), port, folder, str(epochs)], stderr=subprocess.PIPE, text=True
        )
        for k in range(processes)
    ]
    errors = [process.communicate(timeout=300)[1] for process in started]
    assert not any(process.returncode for process in started), "\n".join(errors)
    results = []
    for k in range(processes):
        with np.load(folder / f"result-{k}.npz") as found:
            results.append([found[name] for name in found])
    return results


def assert_near(found, expected):
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def assert_equal(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.tobytes() == b.tobytes()


@pytest.fixture(scope="module")
def alone():
    return runs.numbers(runs.run("recurrent", epochs=EPOCHS))


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    folder = tmp_path_factory.mktemp("two")
    return folder, run_together(2, folder)


def test_two_processes_learn_what_one_learns(two, alone):
    _, (first, second) = two
    assert_equal(second, first)
    assert_near(first, alone)


def test_one_process_writes_the_table_and_the_checkpoints(two):
    folder, _ = two
    steps = [line.partition(",")[0] for line in (folder / "metrics.csv").read_text().splitlines()]
    assert steps == ["step", "3", "6", "9"]
    assert sorted(path.name for path in (folder / "checkpoints").iterdir()) == ["8", "9"]


def test_one_process_goes_on_from_the_checkpoint_of_two(two, tmp_path, alone):
    folder, _ = two
    done = runs.run("recurrent", checkpoints=folder / "checkpoints", epochs=EPOCHS)
    assert done.stopped
    assert_near(runs.numbers(done), alone)


def test_all_processes_are_told_what_is_wrong(two):
    first, second = (json.loads((two[0] / f"mistakes-{k}.json").read_text()) for k in range(2))
    for told in (first, second):
        assert "mesh has 2 devices along 'data', which do not divide a batch of 7 samples" in told["batch"]
        assert "fit: key in process 1 is not that of process 0; give all processes the same arguments" in told["key"]
        assert "the network in process 1 is not" in told["weights"]
        assert "the number of epochs in process 1 is not" in told["epochs"]
        assert told["NaN"].startswith(
            "NotFiniteError: fit: in epoch 1, update 1, outputs of layer 2 is NaN or Inf at time"
        )
    assert first["NaN"] == second["NaN"]
    assert first["folder"].startswith("FileExistsError")
    assert second["folder"] == "OSError: fit: process 0 cannot open the folder of checkpoints; its message says why."
    assert first["disk"].startswith("fit: cannot write the checkpoint of step 2 to ")
    assert second["disk"] == "fit: process 0 cannot write the checkpoint of step 2; its message says why."
    assert "mesh has devices of the processes [1], and this is process 0 of 2; give a mesh of all" in first["mesh"]


@pytest.mark.slow
def test_four_processes_learn_what_one_learns_and_two_go_on(two, tmp_path, alone):
    results = run_together(4, tmp_path)
    for found in results:
        assert_equal(found, results[0])
    assert_near(results[0], alone)
    assert_near(results[0], two[1][0])
    assert_equal(run_together(4, tmp_path / "again")[0], results[0])
