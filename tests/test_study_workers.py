"""Workers that share a study, and are killed: the table is that of a study that nobody has disturbed."""

import contextlib
import dataclasses
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

for package in ("optax", "optuna", "rich", "sqlalchemy", "statsmodels"):
    pytest.importorskip(package)
import sqlalchemy as sql  # noqa: E402

import postgres  # noqa: E402
from studies import SETTINGS, address, but_seconds, tiny  # noqa: E402
from surgrad import study  # noqa: E402
from surgrad.study import _queue as queue  # noqa: E402

TOML = """
seeds = {seeds}
epochs = {epochs}
steps = 16
batch = 16
mapping = "map"
scales = {scales}
surrogates = {surrogates}
tasks = [{{ name = "temporal_xor", samples = 48 }}]
networks = [{{ hidden = 4 }}]
"""


def written(folder, seeds=4, epochs=40, scales=(1.0, 50.0), surrogates=("sigmoid",)):
    """A study in a file."""
    given = {"seeds": list(range(seeds)), "scales": list(scales), "surrogates": str(list(surrogates))}
    (folder / "shared.toml").write_text(TOML.format(epochs=epochs, **given))
    return study.Study.from_toml(folder / "shared.toml")


def started(folder, database, *options):
    command = sys.executable, "-m", "surgrad", "study", "shared.toml", "--database", database, *options
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(folder, database, *options):
    process = started(folder, database, *options)
    out, err = process.communicate(timeout=900)
    assert process.returncode == 0, err
    return out, err


def children(process):
    """The workers of a command, by the kernel's list."""
    try:
        return list(map(int, Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()))
    except OSError:
        return []


def rows_in(one, database):
    with contextlib.suppress(ConnectionError, sql.exc.DBAPIError):
        return one.rows(database)
    return []


def require_same(one, database, undisturbed):
    """The table has each run once, and nothing else; its rows are those of the undisturbed study."""
    engine = sql.create_engine(database)
    with engine.connect() as connection:
        keys = list(connection.scalars(sql.text("select checksum from surgrad_runs")))
    engine.dispose()
    assert sorted(keys) == sorted(run.checksum for run in one.runs)
    assert but_seconds(one.rows(database)) == but_seconds(one.rows(undisturbed))


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="workers are found in /proc")
def test_a_worker_that_is_killed_costs_nothing(tmp_path):
    one, database = written(tmp_path), address(tmp_path)
    process, killed = started(tmp_path, database, "--workers", "2", "--heartbeat", "1"), []
    while process.poll() is None:
        if not killed and rows_in(one, database):
            killed = children(process)[:1]
            for pid in killed:
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.05)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert killed
    assert out.splitlines()[1].startswith("sigmoid")
    run(tmp_path, f"sqlite:///{tmp_path / 'undisturbed.db'}")
    require_same(one, database, f"sqlite:///{tmp_path / 'undisturbed.db'}")


def test_work_does_what_is_missing_and_what_others_have_not_taken(tmp_path):
    one, database = tiny(), address(tmp_path)
    assert study.prepare(one, database, workers=2) == 6
    assert study.prepare(one, database, workers=2) == 6  # nothing is queued twice
    trained = []
    study.work(one, database, seed=1, tick=trained.extend)
    assert sorted(run.checksum for run in trained) == sorted(run.checksum for run in one.runs)
    assert study.prepare(one, database) == 0
    study.work(one, database, seed=2, tick=lambda runs: pytest.fail("a run trained twice"))


def dead_trial(dead, begun):
    """What a worker leaves behind that takes a chunk and is killed, after or before its first sign of life."""
    with queue._quiet():
        dead._trials._thread_local.in_optimize_loop = True  # else Optuna warns
        trial = dead._trials.ask()
        if begun:
            dead._storage.record_heartbeat(trial._trial_id)
            trial.set_user_attr("surgrad:begun", trial.number)
    return trial


def test_what_a_dead_worker_had_taken_goes_to_another(tmp_path):
    # A worker that dies before its first sign of life is not noticed by Optuna.
    one, database = tiny(), address(tmp_path)
    study.prepare(one, database, heartbeat=1)
    dead = queue.Queue(one, database, 0, 1)
    assert dead_trial(dead, begun=False).user_attrs["surgrad:runs"]
    begin, trained = time.monotonic(), []
    study.work(one, database, seed=1, heartbeat=1, tick=trained.extend)
    assert len(trained) == 6
    assert time.monotonic() - begin > queue.GRACE


def test_what_two_dead_workers_had_taken_one_after_the_other_goes_to_a_third(tmp_path):
    # The second one inherits from the first that it has begun, and dies before it does so itself.
    one, database = tiny(settings=dataclasses.replace(SETTINGS, seeds=(0,))), address(tmp_path)
    study.prepare(one, database, heartbeat=1)
    dead = queue.Queue(one, database, 0, 1)
    chunks = {tuple(dead_trial(dead, begun=True).user_attrs["surgrad:runs"]) for _ in range(3)}
    time.sleep(queue.GRACE + 2)
    dead.fill([])  # Optuna replaces the trials of the first
    assert {tuple(dead_trial(dead, begun=False).user_attrs["surgrad:runs"]) for _ in range(3)} == chunks
    trained = []
    study.work(one, database, seed=1, heartbeat=1, tick=trained.extend)
    assert len(trained) == 3


def test_runs_that_kill_every_worker_are_given_up_and_errors_are_raised(tmp_path, monkeypatch):
    monkeypatch.setattr(queue, "TRIES", 1)
    one, database = tiny(settings=dataclasses.replace(SETTINGS, seeds=(0,))), address(tmp_path)

    def fail(runs):
        raise FloatingPointError("no")

    for seed in range(3):  # a worker that tells of an error may begin again
        with pytest.raises(FloatingPointError, match="no"):
            study.work(one, database, seed=seed, tick=fail)
    study.prepare(one, database, heartbeat=1)
    dead = queue.Queue(one, database, 0, 1)
    while dead.has_waiting():
        dead_trial(dead, begun=False)
    time.sleep(queue.GRACE + 1)
    with pytest.raises(RuntimeError, match=r"was begun 1 times, and each time its worker was killed"):
        study.work(one, database, seed=4, heartbeat=1)


def test_a_study_lives_in_postgresql(tmp_path):
    one = tiny()
    with postgres.running() as server:
        rows = one.run(server.url)
        assert but_seconds(rows) == but_seconds(one.run(address(tmp_path)))
        assert one.run(server.url, tick=lambda runs: pytest.fail("a run trained")) == rows
        engine, told = sql.create_engine(server.url), []
        with engine.begin() as connection:
            connection.execute(sql.text("update surgrad_runs set test_loss = 'NaN' where seed = 1 and value = 50"))
        engine.dispose()
        assert but_seconds(one.run(server.url, tell=told.append)) == but_seconds(rows)
        assert len(told) == 1 and one.runs[3].checksum in told[0]

        def restart(runs):
            if not told:
                server.stop()
                told.append("stopped")

        def start_again(text):
            told.append(text)
            server.start()

        told.clear()
        other = tiny("other")
        assert but_seconds(other.run(server.url, tick=restart, tell=start_again)) == but_seconds(rows)
        assert len(told) == 2 and "trying again in 2 s" in told[1]


@pytest.mark.slow
def test_jobs_of_submitit_share_a_study_where_there_is_no_slurm(tmp_path, monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setenv("PATH", "")  # Slurm itself: test_slurm.py
    one, database = written(tmp_path), address(tmp_path)
    _, err = run(tmp_path, database, "--workers", "2", "--heartbeat", "1", "--slurm", "timeout_min=10")
    assert "there is no Slurm here (no srun): submitit runs the jobs on this machine" in err
    assert err.count("; its output is in results/jobs") == 2
    run(tmp_path, f"sqlite:///{tmp_path / 'undisturbed.db'}")
    require_same(one, database, f"sqlite:///{tmp_path / 'undisturbed.db'}")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_two_commands_that_start_at_once_share_a_study(tmp_path, kind):
    one = written(tmp_path)
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(postgres.running()) if kind == "postgresql" else None
        database = address(tmp_path) if server is None else server.url
        both = [started(tmp_path, database, "--workers", str(n), "--heartbeat", "1") for n in (1, 2)]
        printed = [process.communicate(timeout=900) for process in both]
        assert [process.returncode for process in both] == [0, 0], printed
        run(tmp_path, f"sqlite:///{tmp_path / 'undisturbed.db'}")
        require_same(one, database, f"sqlite:///{tmp_path / 'undisturbed.db'}")


@contextlib.contextmanager
def small_disk(folder):
    """A disk of 4 megabytes, in which the database is; skipped where none can be mounted."""
    disk = folder / "disk"
    disk.mkdir()
    mount = subprocess.run(("mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", disk), capture_output=True, check=False)
    if mount.returncode:
        pytest.skip(f"no small disk can be mounted: {mount.stderr.decode().strip()}")
    try:
        yield disk
    finally:
        subprocess.run(("umount", disk), check=True)


def fill(disk):
    """Fill a disk for some seconds."""
    with contextlib.suppress(OSError), (disk / "filling").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    time.sleep(8)
    (disk / "filling").unlink()


def corrupt(database):
    """Change one number of one row, as a failing disk does."""
    engine = sql.create_engine(database)
    with engine.begin() as connection:
        key = connection.scalars(sql.text("select min(checksum) from surgrad_runs")).one()
        connection.execute(sql.text("update surgrad_runs set test_loss = 7 where checksum = :key"), {"key": key})
    engine.dispose()


def disturbed(folder, one, database, fault, kills, seed=0):
    """Run a study of a file with kills at random moments, a fault at a third, and a corrupt row at two thirds of it."""
    chance, killed, faults = random.Random(seed), 0, [fault, lambda: corrupt(database)]
    process = started(folder, database, "--workers", "2", "--heartbeat", "1")
    next_kill = time.monotonic() + 5
    while process.poll() is None:
        time.sleep(0.2)
        done = len(rows_in(one, database))
        if faults and done > len(one.runs) / 3 * (3 - len(faults)):
            faults.pop(0)()
        if killed < kills and time.monotonic() > next_kill and children(process):
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(children(process)), signal.SIGKILL)
                killed += 1
            next_kill = time.monotonic() + chance.uniform(0.5, 8)
    out, err = process.communicate()
    assert process.returncode == 0, err
    assert not faults
    return killed, err


LARGE = {
    "seeds": 25,
    "epochs": 60,
    "scales": (0.1, 1.0, 10.0, 50.0),
    "surrogates": ("sigmoid", "arctan", "gaussian_grad"),
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    assert len(written(folder, **LARGE).runs) == 300
    run(folder, address(folder))
    return address(folder)


@pytest.mark.slow
def test_a_large_study_survives_kills_a_full_disk_and_a_corrupt_row(tmp_path, undisturbed):
    one = written(tmp_path, **LARGE)
    with small_disk(tmp_path) as disk:
        killed, err = disturbed(tmp_path, one, address(disk), lambda: fill(disk), kills=12)
        require_same(one, address(disk), undisturbed)
    assert killed >= 5
    assert "is corrupt, its values are not those that were written" in err
    assert "disk is full" in err


@pytest.mark.slow
def test_a_large_study_survives_kills_and_a_server_that_crashes(tmp_path, undisturbed):
    one = written(tmp_path, **LARGE)
    with postgres.running() as server:

        def crash():
            server.stop()
            time.sleep(5)
            server.start()

        killed, err = disturbed(tmp_path, one, server.url, crash, kills=12, seed=1)
        require_same(one, server.url, undisturbed)
    assert killed >= 5
    assert "is corrupt, its values are not those that were written" in err
