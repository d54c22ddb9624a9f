"""Studies in TOML files, and the command that runs them."""

import contextlib
import json
import re
import sqlite3
import sys
import textwrap

import pytest

import surgrad

for package in ("optax", "rich", "sqlalchemy", "statsmodels"):
    pytest.importorskip(package)
with contextlib.suppress(ModuleNotFoundError):  # here, since it writes where standard error is when it is imported
    import submitit  # noqa: F401
from studies import SETTINGS, but_seconds, tiny  # noqa: E402
from surgrad import meta, study, train  # noqa: E402
from surgrad.cli import main  # noqa: E402

TINY = """
seeds = [0, 1]
epochs = 1
steps = 16
batch = 16
mapping = "map"
scales = [1.0, 50.0]
surrogates = ["sigmoid"]
tasks = [{ name = "temporal_xor", samples = 48 }]
networks = [{ hidden = 4 }]
"""

MINE = """
import jax.numpy as jnp, surgrad
from surgrad import study, train

class Cosine(surgrad.Surrogate):
    '''A surrogate of a user.'''
    width: float = 1.0
    def surrogate_grad(self, x):
        return jnp.where(jnp.abs(x) < self.width, 1.0, 0.0)

wide = Cosine(3.0)

def network(surrogate, data, *, key, **sizes):
    return train.classifier(surrogate, data, key=key, **sizes)

def made():
    return study.Study.from_toml("tiny.toml")

def wrong():
    return 3
"""


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write a TOML file, and read it as a study, in a folder with a module of the user."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "users_module.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "users_module", raising=False)

    def write(text):
        (tmp_path / "tiny.toml").write_text(textwrap.dedent(text))
        return study.Study.from_toml("tiny.toml")

    return write


def test_a_file_is_the_study_that_python_makes(written):
    variants = study.scaled(surgrad.Sigmoid(), (1.0, 50.0))
    assert written(TINY).configuration == study.Study("tiny", variants, SETTINGS).configuration
    assert written(TINY.replace("[0, 1]", "[1, 0]")).checksum != written(TINY).checksum


def test_tasks_networks_and_hyperparameters_are_multiplied(written):
    one = written("""
        name = "grid"
        seeds = [3]
        scales = [2.0]
        surrogates = ["arctan", { name = "sigmoid", alpha = [1, 4] }, { name = "q_pseudo_spike", alpha = 2.0 }]
        tasks = ["temporal_xor", { name = "digits", code = "rate" }]
        networks = [{ hidden = 8 }, { hidden = 4, depth = 2, recurrent = 1.0 }]
        halving = { rungs = [[10, 2]] }
    """)
    assert one.name == "grid"
    assert [(v.name, v.parameter, v.value) for v in one.variants] == [
        ("arctan", "scale", 2.0),
        ("sigmoid", "alpha", 1.0),
        ("sigmoid", "alpha", 4.0),
        ("q_pseudo_spike", "scale", 2.0),
    ]
    assert one.variants[2].surrogate == surgrad.Sigmoid(4)
    assert one.variants[3].surrogate == study.at_unit_peak(surgrad.QPseudoSpike(2.0), 2.0)
    assert [(s.task, s.network) for s in one.grid] == [
        ("temporal_xor", "8 neurons"),
        ("temporal_xor", "2 x 4 neurons, recurrent"),
        ("digits:code=rate", "8 neurons"),
        ("digits:code=rate", "2 x 4 neurons, recurrent"),
    ]
    assert one.halving == meta.Halving(rungs=((10, 2),))
    assert len(one.runs) == 16


def test_surrogates_and_networks_of_the_user_are_found(written):
    one = written("""
        surrogates = [
            "users_module:wide", { name = "users_module:Cosine", width = [1, 2] }, { name = "users_module:wide", width = 4 }
        ]
        networks = [{ build = "users_module:network" }]
        scales = [3.0]
    """)
    wide, *cosines, four = one.variants
    assert (wide.name, wide.parameter, wide.surrogate.surrogate.surrogate.width) == ("wide", "scale", 3.0)
    assert [(v.name, v.parameter, v.value) for v in cosines] == [("Cosine", "width", 1.0), ("Cosine", "width", 2.0)]
    assert four.surrogate.surrogate.surrogate.width == 4
    assert one.grid[0].build.__module__ == "users_module"
    assert one.configuration["settings"][0]["build"] == "users_module:network"
    assert study.Settings.build is train.classifier


MISTAKES = {
    'seds = [1]\nsurrogates = ["sigmoid"]': "the study has no key 'seds'; the nearest is 'seeds'",
    'xyz = 1\nsurrogates = ["sigmoid"]': "the study has no key 'xyz'; it has name, surrogates",
    'surrogates = ["sigmoid"]\nnetworks = [{ hiden = 3 }]': "a network has no key 'hiden'; the nearest is 'hidden'",
    'surrogates = ["sigmoid"]\nhidden = 16': "hidden is a key of each network; write networks = [{ hidden = ... }]",
    'surrogates = ["sigmoyd"]': "no surrogate 'sigmoyd'",
    'surrogates = [{ name = "sigmoid", alfa = [1] }]': "Sigmoid has no parameter 'alfa'",
    'surrogates = "sigmoid"': "surrogates must be a list",
    "seeds = [1]": "surrogates must be a list",
    "surrogates = [{ alpha = 1 }]": "each of surrogates must be a name or a table",
    'surrogates = [{ name = "q_pseudo_spike", alpha = [1], a = [2] }]': "one hyperparameter can be a list",
    'surrogates = ["nothing_here:x"]': "surrogates: cannot import 'nothing_here': No module named",
    'surrogates = ["json:dump"]\nnetworks = [{ build = "json:dumpz" }]': "build: module 'json' has no 'dumpz'; the nearest is",
    'surrogates = ["sigmoid"]\nnetworks = [{ build = ":f" }]': "build: a name of yours is written MODULE:NAME, got ':f'",
    'surrogates = ["sigmoid"]\nnetworks = [{ build = 3 }]': "build must be a name of yours",
    'surrogates = ["sigmoid"]\ntasks = ["digts"]': "no task 'digts'; the nearest: digits",
    'surrogates = ["sigmoid"]\nnetworks = ["big"]': "each of networks must be a table",
    'surrogates = ["sigmoid"]\nseeds = 3': "seeds must be a list of numbers",
    'surrogates = ["sigmoid"]\nepochs = 0': "epochs must be an integer >= 1, got 0",
    'surrogates = ["sigmoid"]\nhalving = { rung = [[1, 1]] }': "halving has no key 'rung'; the nearest is 'rungs'",
    'surrogates = ["sigmoid"]\nhalving = 3': "halving must be true, or a table",
    "surrogates = [": "tiny.toml: ",
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.items(), ids=MISTAKES.values())
def test_a_mistake_in_a_file_costs_one_line_and_no_training(written, capsys, text, said):
    with pytest.raises((KeyError, TypeError, ValueError), match=r"tiny\.toml: ") as error:
        written(text)
    assert said in str(error.value)
    assert main(["study", "tiny.toml"]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert said in printed.err


COMMANDS = {
    "none.toml": "there is no file none.toml",
    "nothing": "STUDY must be FILE.toml or MODULE:FUNCTION",
    "users_module:wrong": "users_module:wrong must return a surgrad.study.Study, got int",
    "tiny.toml --against arctan": "--against: the study has no surrogate 'arctan'; it has sigmoid",
    "tiny.toml --against sigmoid:x": "--against: the value must be a number, got 'x'",
    "tiny.toml --slurm": "--slurm needs the number of jobs, --workers N",
    "tiny.toml --database mysql://a/b": "must be SQLite or PostgreSQL",
    "tiny.toml --database sqlite:////no/where.db": "nothing has been trained",
    "tiny.toml --database sqlite:////no/where.db --workers 2": "nothing has been trained",
}


@pytest.mark.parametrize(("command", "said"), COMMANDS.items(), ids=COMMANDS.keys())
def test_a_mistake_in_the_command_costs_one_line_and_no_training(written, capsys, command, said):
    written(TINY)
    assert main(["study", *command.split()]) == 2
    printed = capsys.readouterr()
    assert printed.err.count("\n") == 1
    assert said in printed.err


OF_JOBS = {
    "tasks_per_node=2": "--slurm: a worker is a job with one task, so tasks_per_node cannot be given; see --workers.",
    "timeout_min=soon": '--slurm: Parameter "timeout_min" expected type <class \'int\'> (but value: "soon")',
    "timeout_min": "--slurm takes OPTION=VALUE,OPTION=VALUE, got 'timeout_min'.",
}


@pytest.mark.parametrize(("options", "said"), OF_JOBS.items(), ids=OF_JOBS.keys())
def test_a_mistake_in_the_options_of_jobs_costs_one_line_and_no_training(written, capsys, options, said):
    pytest.importorskip("submitit")
    pytest.importorskip("optuna")
    written(TINY)
    assert main(["study", "tiny.toml", "--workers", "2", "--slurm", options]) == 2
    assert capsys.readouterr().err == f"surgrad study: {said}\n"


def test_the_command_trains_prints_compares_and_goes_on(written, capsys):
    written(TINY)
    assert main(["study", "tiny.toml", "--against", "sigmoid:1"]) == 0
    printed = capsys.readouterr()
    table = [line.split() for line in printed.out.splitlines()]
    assert [line[:2] for line in table[1:3]] == [["sigmoid", "1"], ["sigmoid", "50"]]
    assert table[-1][:4] == ["sigmoid", "scale", "=", "50"]
    assert "sigmoid: 4 runs finished (4 of 4)\n4 runs in " in printed.err
    assert printed.err.endswith("; kept in sqlite:///results/tiny.db\n")
    rows = written(TINY).rows("sqlite:///results/tiny.db")
    assert but_seconds(rows) == but_seconds(
        study.Study("tiny", tiny().variants[:2], SETTINGS).run("sqlite:///results/other.db")
    )
    assert main(["study", "users_module:made", "--database", "sqlite:///results/tiny.db"]) == 0
    again = capsys.readouterr()
    assert again.out.splitlines()[:3] == printed.out.splitlines()[:3]
    assert "finished (" not in again.err


COMPARE = (
    "compare --data temporal_xor:samples=200 --surrogates sigmoid,arctan --scales 1 --seeds 2 --epochs 1 --out out"
)


def test_compare_goes_on_where_it_was(written, capsys, tmp_path):
    pytest.importorskip("matplotlib")
    assert main(COMPARE.split()) == 0
    first = capsys.readouterr()
    files = {name: (tmp_path / "out" / name).read_bytes() for name in ("runs.csv", "results.json")}
    with sqlite3.connect(tmp_path / "out" / "runs.db") as connection:  # as if it had been interrupted
        connection.execute("delete from surgrad_runs where surrogate = 'arctan'")
    assert main(COMPARE.split()) == 0
    second = capsys.readouterr()
    assert second.err.startswith(
        "2 of 4 runs had finished before; delete out/runs.db to begin anew\narctan: 2 runs in "
    )
    without_seconds = [[line.rsplit(maxsplit=1)[0] for line in one.out.splitlines()[:3]] for one in (first, second)]
    assert without_seconds[0] == without_seconds[1]
    assert main(COMPARE.split()) == 0
    third = capsys.readouterr()
    assert third.out == second.out
    assert re.search(r"4 of 4 runs had finished before.*\n4 runs in \d+ s; written to out\n$", third.err)
    assert (tmp_path / "out" / "runs.csv").read_bytes().count(b"\n") == files["runs.csv"].count(b"\n") == 5
    assert (tmp_path / "out" / "runs.csv").read_bytes().splitlines()[0] == files["runs.csv"].splitlines()[0]
    # Other options are another study, and its files replace those of the first.
    assert main([*COMPARE.split(), "--seed", "1"]) == 0
    assert "had finished before" not in capsys.readouterr().err
    settings = json.loads((tmp_path / "out" / "results.json").read_text())["settings"]
    assert settings["data"] == "temporal_xor" and settings["seeds"] == [1, 2]
