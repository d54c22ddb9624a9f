"""One of the processes that train together, for tests: `python fit_processes.py PROCESS PROCESSES PORT FOLDER EPOCHS`.

It writes its result, and what it is told of mistakes, into the folder.
"""

import contextlib
import json
import os
import resource
import sys
from pathlib import Path

os.environ["XLA_FLAGS"] = ""  # one device for each process

import jax
import numpy as np
from jax.sharding import Mesh

process, processes = int(sys.argv[1]), int(sys.argv[2])
jax.distributed.initialize(f"127.0.0.1:{sys.argv[3]}", processes, process)

import fit_runs as runs  # noqa: E402

folder, epochs = Path(sys.argv[4]), int(sys.argv[5])
mesh = Mesh(np.array(jax.devices()), ("data",))


def result():
    """The numbers of a run whose callback, in the last process alone, ends it after so many epochs."""
    events = []

    def callback(event):
        events.append(event)
        return process == processes - 1 and event.epoch == epochs

    done = runs.run("recurrent", folder, mesh=mesh, callbacks=[callback])
    assert [event.values for event in events] == done.history[-len(events) :]
    weights = [leaf for leaf in jax.tree.leaves((done.fit, events[-1].fit)) if isinstance(leaf, jax.Array)]
    assert all(leaf.is_fully_addressable for leaf in weights)
    return runs.numbers(done)


def reciprocal(x):
    return 1 / x


@contextlib.contextmanager
def full_disk():
    """No file of this process may be longer than 100 bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def mistakes():
    """What a process is told when all or one of them are given something wrong."""
    parts = runs.network("recurrent").parts
    file = folder / "file"
    file.touch()
    other = parts[0].replace(weight=parts[0].weight + process)
    given = {
        "batch": {"batch_size": 7},
        "key": {"key": jax.random.key(process)},
        "weights": {"network": runs.Sequential(other, *parts[1:])},
        "epochs": {"epochs": 2 + process},
        "folder": {"checkpoints": file},
        "NaN": {"network": runs.Sequential(*parts[:2], reciprocal, *parts[2:]), "check_numbers": True},
    }
    found = {}
    for name, options in given.items():
        try:
            runs.run("recurrent", mesh=mesh, **options)
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    try:
        with full_disk() if process == 0 else contextlib.nullcontext():
            runs.run("recurrent", folder / "full", mesh=mesh, track=())
    except OSError as error:
        found["disk"] = str(error)
    try:
        runs.run("recurrent", mesh=Mesh(np.array(jax.devices()[1 - process :][:1]), ("data",)))
    except ValueError as error:
        found["mesh"] = str(error)
    return found


if __name__ == "__main__":
    np.savez(folder / f"result-{process}.npz", *result())
    if processes == 2:
        (folder / f"mistakes-{process}.json").write_text(json.dumps(mistakes()))
