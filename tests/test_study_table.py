"""Studies in a table: what is done stays done, what is missing or corrupt is computed, and nothing else."""

import dataclasses
import math
import sqlite3
import subprocess
import sys
import threading

import jax
import pytest

import surgrad

pytest.importorskip("optax")
pytest.importorskip("sqlalchemy")
from studies import SETTINGS, address, but_seconds, tiny
from surgrad import meta, study, train
from surgrad.study import _programs as programs
from surgrad.study._table import Table


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished study: itself, the address of its database, its rows, and the sizes of its chunks."""
    database, sizes = address(tmp_path_factory.mktemp("finished")), []
    rows = tiny().run(database, finished=lambda rows: sizes.append(len(rows)))
    return tiny(), database, rows, sizes


@pytest.fixture
def copied(finished, tmp_path):
    """The same in a database of its own."""
    with (
        sqlite3.connect(finished[1].removeprefix("sqlite:///")) as there,
        sqlite3.connect(tmp_path / "results.db") as here,
    ):
        there.backup(here)
    return tiny(), address(tmp_path), finished[2]


def change(database, text, *values):
    with sqlite3.connect(database.removeprefix("sqlite:///")) as connection:
        assert connection.execute(text, values).rowcount > 0


def test_rows_are_those_of_a_study_in_memory_in_the_order_of_the_runs(finished):
    one, _, rows, sizes = finished
    in_memory = [row for family in study.run(one.variants, SETTINGS) for row in family]
    assert but_seconds(rows) == but_seconds(in_memory)
    assert sizes == [4, 2]
    assert [(row.surrogate, row.value, row.seed) for row in rows] == [
        (run.variant.name, run.variant.value, run.seed) for run in one.runs
    ]


def test_a_finished_study_trains_nothing_and_gives_the_same_rows(finished):
    one, database, rows, _ = finished

    def fail(runs):
        raise AssertionError("a run trained")

    assert one.run(database, tick=fail) == rows == one.rows(database)


def test_a_study_goes_on_where_it_was_interrupted(finished, tmp_path):
    class StopError(Exception):
        pass

    def stop(runs):
        trained.append([run.variant.name for run in runs])
        if len(trained) == 2:
            raise StopError

    trained = []
    with pytest.raises(StopError):
        tiny().run(address(tmp_path), tick=stop)
    assert [row.surrogate for row in tiny().rows(address(tmp_path))] == ["sigmoid"] * 4
    rows = tiny().run(address(tmp_path), tick=stop)
    assert trained[2:] == [["arctan"] * 2]
    assert but_seconds(rows) == but_seconds(finished[2])


def test_a_row_says_what_made_it(finished):
    one, database, rows, _ = finished
    stored = study.read(database, "tiny")
    assert {each.checksum: each.row for each in stored} == {
        run.checksum: row for run, row in zip(one.runs, rows, strict=True)
    }
    first = next(each for each in stored if each.checksum == one.runs[0].checksum)
    assert (first.study, first.surgrad, first.jax) == ("tiny", surgrad.__version__, jax.__version__)
    assert first.python == ".".join(map(str, sys.version_info[:3]))
    assert first.configuration == one.runs[0].configuration
    assert first.configuration["settings"]["options"] == {"samples": 48}
    assert first.finished.endswith("+00:00")
    assert not first.older


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("test_loss", "abc", "its test_loss is 'abc'"),
        ("seed", None, "its seed is None"),
        ("test_accuracy", 0.123, "its values are not those that were written"),
        ("configuration", "{}", "its values are not those that were written"),
        ("digest", b"\x00", r"its digest is b'\\x00'"),
    ],
)
def test_a_corrupt_row_is_reported_and_computed_again(copied, column, value, said):
    one, database, rows = copied
    key, told = one.runs[-1].checksum, []
    change(database, f"update surgrad_runs set {column} = ? where checksum = ?", value, key)
    assert len(one.rows(database)) == len(rows) - 1
    trained = []
    assert but_seconds(one.run(database, tick=trained.extend, tell=told.append)) == but_seconds(rows)
    assert [run.checksum for run in trained] == [key]
    (message,) = told
    assert key in message and said.replace("\\\\", "\\") in message and "computed again" in message


def test_rows_of_an_older_version_are_marked_and_kept_and_not_taken_for_done(copied, monkeypatch):
    one, database, rows = copied
    now = surgrad.__version__
    monkeypatch.setattr(surgrad, "__version__", "99.0")
    assert all(each.older for each in study.read(database, "tiny"))
    assert one.rows(database) == []
    assert one.rows(database, older=True) == one.run(database, older=True) == rows
    again = one.run(database)
    assert but_seconds(again) == but_seconds(rows)
    versions = [(each.surgrad, each.older) for each in study.read(database, "tiny")]
    assert sorted(versions) == sorted([("99.0", False)] * 6 + [(now, True)] * 6)


def test_a_second_study_of_one_name_is_refused_with_what_differs(copied):
    one, database, rows = copied
    longer = tiny(settings=dataclasses.replace(SETTINGS, epochs=2))
    with pytest.raises(ValueError, match=r"another study of the name 'tiny': settings\[0\]\.epochs is 1 there, 2 here"):
        longer.run(database)
    with pytest.raises(ValueError, match="variants is 3 of them there, 1 of them here; give this one another name"):
        study.Study("tiny", one.variants[:1], SETTINGS).run(database)
    assert one.run(database) == rows


def test_two_studies_share_a_table(copied):
    one, database, rows = copied
    other = tiny("other", dataclasses.replace(SETTINGS, seeds=(1,)))
    assert but_seconds(other.run(database)) == but_seconds([row for row in rows if row.seed == 1])
    assert one.rows(database) == rows


@pytest.mark.parametrize(
    ("database", "kind", "said"),
    [
        ("sqlite:////nowhere/at/all.db", ConnectionError, "nothing has been trained: unable to open database file"),
        ("postgresql+psycopg://me:secret@127.0.0.1:1/x", ConnectionError, r"me:\*\*\*@127.*nothing has been trained"),
        ("postgresql://127.0.0.1:1/x", ConnectionError, "nothing has been trained"),
        ("mysql://host/name", ValueError, "must be SQLite or PostgreSQL"),
        ("results.db", ValueError, "must be an address, sqlite:///results.db or"),
        ("sqlite://", ValueError, "a database in memory keeps nothing"),
        ("postgresql+nothing://host/name", ValueError, "no driver 'postgresql.nothing'"),
    ],
)
def test_a_database_that_cannot_be_used_is_said_before_any_training(database, kind, said):
    if "psycopg" in database or database.startswith("postgresql://"):
        pytest.importorskip("psycopg")
    with pytest.raises(kind, match=said):
        tiny().run(database, tick=lambda runs: pytest.fail("the training began"))


def test_a_file_that_is_no_database_is_left_as_it_is(tmp_path):
    (tmp_path / "results.db").write_text("my notes, which are long enough to be no header of a database " * 20)
    with pytest.raises(ConnectionError, match="file is not a database"):
        tiny().run(address(tmp_path))
    assert (tmp_path / "results.db").read_text().startswith("my notes")


def test_rows_wait_for_a_database_that_is_locked(finished, tmp_path, monkeypatch):
    monkeypatch.setattr("surgrad.study._database.connect_args", lambda sqlite: {"timeout": 0.01})
    one, told = tiny(), []
    one.rows(address(tmp_path))  # creates the table
    locker = sqlite3.connect(tmp_path / "results.db", check_same_thread=False)

    def lock(runs):
        if not told:
            locker.execute("begin exclusive")
            threading.Timer(3, locker.rollback).start()

    try:
        assert but_seconds(one.run(address(tmp_path), tick=lock, tell=told.append)) == but_seconds(finished[2])
    finally:
        locker.close()
    assert "database is locked; trying again in 2 s" in told[0]


FULL = """
import resource, sys, threading
from studies import tiny
one, database = tiny(), sys.argv[1]
one.rows(database)
before = resource.getrlimit(resource.RLIMIT_FSIZE)
def fill(runs):
    if runs[0].variant.name == "sigmoid":
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
def told(text):
    print(text, flush=True)
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
print(len(one.run(database, tick=fill, tell=told)))
"""


def test_rows_wait_for_a_disk_that_is_full(finished, tmp_path):
    command = [sys.executable, "-c", FULL, address(tmp_path)]
    done = subprocess.run(command, cwd=__file__.rpartition("/")[0], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said, _, count = done.stdout.strip().rpartition("\n")
    assert "disk" in said and "trying again" in said
    assert count == "6"
    assert len(tiny().rows(address(tmp_path))) == 6


def test_numbers_that_are_not_finite_come_back(tmp_path):
    one = tiny()
    row = study.Row("sigmoid", "scale", 1, 0, 0.5, math.inf, math.nan, 0.25, 1.0)
    table = Table(address(tmp_path))
    table.add(one, one.runs[:1], [row])
    ((back, *_),) = [dataclasses.astuple(each) for each in study.read(address(tmp_path), "tiny")]
    assert back[5] == math.inf and math.isnan(back[6]) and back[7] == 0.25


def test_a_row_that_is_there_is_not_written_twice(copied):
    one, database, rows = copied
    other = [dataclasses.replace(row, test_accuracy=0.0) for row in rows]
    Table(database).add(one, one.runs, other)
    assert one.rows(database) == rows


def test_a_program_is_as_wide_as_memory_allows(finished, tmp_path):
    fit = programs._start(tiny().runs[0], study.load(SETTINGS).train)
    data, static = study.load(SETTINGS).train, programs._static(SETTINGS)
    needed = {width: programs._needed(fit, width, static, data) for width in (1, 2, 4)}
    assert 0 < needed[1] < needed[2] < needed[4]
    assert programs._width([fit] * 4, static, data, needed[4]) == 4
    assert programs._width([fit] * 4, static, data, needed[4] - 1) in (2, 3)
    assert programs._width([fit] * 4, static, data, 1) == 1
    sizes = []
    rows = tiny().run(address(tmp_path), memory=1, finished=lambda rows: sizes.append(len(rows)))
    assert sizes == [1] * 6
    assert but_seconds(rows) == but_seconds(finished[2])


def test_free_memory_is_some():
    assert programs.free_memory() > 2**20


def own_network(surrogate, data, *, key, hidden, **_):
    """A network of a user."""
    return train.classifier(surrogate, data, key=key, hidden=hidden + 1, tau=3.0, gain=2.0)


@surgrad.from_grad
def bump(x, width=1.0):
    """A user's own surrogate."""
    return 1 / (1 + abs(x) / width) ** 2


def test_networks_and_surrogates_of_the_user_are_studied(tmp_path):
    settings = dataclasses.replace(SETTINGS, build=own_network, seeds=(0,))
    one = study.Study("own", study.scaled(bump, (1.0,), "bump"), settings)
    (row,) = one.run(address(tmp_path))
    assert (row.surrogate, row.network, row.task) == ("bump", "own_network, 4 neurons", "temporal_xor:samples=48")
    (stored,) = study.read(address(tmp_path), "own")
    assert stored.configuration["settings"]["build"] == f"{__name__}:own_network"
    assert "from_grad(bump, width=1.0)" in stored.configuration["variant"]["surrogate"]["text"]


def test_what_cannot_be_found_again_by_its_name_is_refused():
    with pytest.raises(TypeError, match=r"Study: .*<lambda>.*top of a module"):
        tiny(settings=dataclasses.replace(SETTINGS, build=lambda *a, **k: None))
    with pytest.raises(TypeError, match=r"Study: .*<lambda>.* has no name of its own"):
        study.Study("x", study.scaled(surgrad.from_grad(lambda x: 1 / (1 + x * x)), (1.0,), "x"), SETTINGS)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: study.Study("x", [], SETTINGS), "there are no variants"),
        (lambda: study.Study("x", tiny().variants, []), "there are no settings"),
        (lambda: study.Study("", tiny().variants), "the name is empty"),
        (lambda: study.Study("x", [*tiny().variants, tiny().variants[0]], SETTINGS), "two runs are the same, sigmoid"),
    ],
)
def test_a_study_of_nothing_or_of_the_same_twice_is_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_successive_halving_ends_the_worse_variants_with_all_of_their_seeds(finished, tmp_path):
    settings = dataclasses.replace(SETTINGS, epochs=4)
    scales = study.scaled(surgrad.Sigmoid(), (1e-4, 1.0, 50.0))
    one = study.Study("halved", scales, settings, meta.Halving(rungs=((2, 2), (4, 1))))
    rows = one.run(address(tmp_path))
    by_value = {}
    for row in rows:
        by_value.setdefault(row.value, set()).add(row.epochs)
    assert all(len(epochs) == 1 for epochs in by_value.values())
    batches = len(study.load(SETTINGS).train) // SETTINGS.batch
    assert sorted(epochs for (epochs,) in by_value.values()) == [2 / batches, 4 / batches, 4.0]
    with pytest.raises(ValueError, match=r"different numbers of epochs.*row\.epochs == 4"):
        study.compare(rows, against=("sigmoid", 1.0))
    # A row that is lost costs all of those that halving compares, and nothing else comes out.
    change(address(tmp_path), "delete from surgrad_runs where value = 50 and seed = 0")
    assert but_seconds(one.run(address(tmp_path))) == but_seconds(rows)


def test_rungs_beyond_the_last_update_are_refused_before_any_training(tmp_path):
    with pytest.raises(ValueError, match="rungs must be"):
        tiny(halving=meta.Halving(rungs=((1000, 1),))).run(address(tmp_path))
