"""The command line, as a person at a terminal meets it: mistakes in one line, results that stay, the same each time."""

import contextlib
import csv
import dataclasses
import io
import json
import re
import signal
import subprocess
import sys

import pytest

import surgrad
from surgrad.cli import _specs as specs
from surgrad.cli import main
from surgrad.cli._folder import Folder
from surgrad.cli._signals import StoppedError, stop_on_signals
from surgrad.cli._table import print_table
from surgrad.cli._usage import UsageError

for package in ("optax", "sklearn", "rich", "matplotlib"):
    pytest.importorskip(package)
Summary = pytest.importorskip("surgrad.study").Summary

COMMAND = (sys.executable, "-m", "surgrad")
SURROGATE, SMALL = "sigmoid:alpha=2,20", ("--seeds", "2", "--seed", "5", "--epochs", "2")


def run(*arguments):
    """The exit code of a command, whether it comes back or exits."""
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code


def start(*arguments):
    return subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def rows_of(folder):
    with (folder / "runs.csv").open(newline="") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


@pytest.fixture
def untrained(monkeypatch):
    """A study that must not begin."""

    def fail(*arguments, **options):
        raise AssertionError("the training began")

    monkeypatch.setattr("surgrad.study.Study.run", fail)


MISTAKES = {
    "compare --surrogates sigmoyd": ["no surrogate 'sigmoyd'", "sigmoid"],
    "compare --surrogates arctan,sigmoid:alfa=1": ["Sigmoid has no parameter 'alfa'", "'alpha'"],
    "compare --surrogates sigmoid:alpha=-1": ["Sigmoid: alpha must be > 0, got -1"],
    "compare --surrogates sigmoid:alpha=1,2x": ["alpha must be a number, got '2x'"],
    "compare --surrogates sigmoid:alpha=": ["alpha must be a number, got ''"],
    "compare --surrogates sigmoid:4": ["cannot read 'sigmoid:4'", "NAME:PARAMETER=VALUE"],
    "compare --surrogates sigmoid,,arctan": ["cannot read ''"],
    "compare --surrogates squarewave_fourier_series:n=2.5": ["n must be an integer, got 2.5"],
    "compare --data digts": ["no task 'digts'", "digits"],
    "compare --scales 1,x": ["a scale must be a number, got 'x'"],
    "compare --scales -1,1": ["a scale must be 1e-06 to 1e+06, got -1"],
    "compare --scales -.5": ["a scale must be 1e-06 to 1e+06, got -0.5"],
    "compare --scales=-1,1": ["a scale must be 1e-06 to 1e+06, got -1"],
    "compare --seeds -1,2": ["--seeds: must be an integer >= 1, got '-1,2'"],
    "check sigmoid -1,1": ["unrecognized arguments: -1,1"],
    "compare --scales 0": ["a scale must be 1e-06 to 1e+06, got 0"],
    "compare --scales nan": ["a scale must be 1e-06 to 1e+06, got nan"],
    "compare --seeds 0": ["--seeds: must be an integer >= 1, got '0'"],
    "compare --seed -1": ["--seed: must be an integer >= 0, got '-1'"],
    "compare --seed 9223372036854775807": ["--seed: must be an integer <= 1000000000"],
    "compare --surrogates sigmoid:smoothed=1": ["'smoothed' is an option, not a number"],
    "compare --epochs many": ["--epochs: must be an integer >= 1, got 'many'"],
    "compare --mapping pmap": ["'pmap'", "'vmap'"],
    "compare --out {file}/results": ["cannot write to", "Not a directory"],
    "compare --out {file}": ["cannot write to", "not a folder"],
    "compare --epoch": ["expected one argument"],
    "compere": ["'compere'", "'compare'"],
    "check softsine": ["no surrogate 'softsine'", "soft_sign"],
    "show sigmoid:alpha=0": ["Sigmoid: alpha must be > 0, got 0"],
    "show sigmoid --out {folder}/picture.xyz": ["xyz", "png"],
    "explore --surrogates sigmoyd": ["no surrogate 'sigmoyd'"],
    "explore --study {folder}/none": ["there is no study at", "none"],
    "explore --study {file}": ["is not what `surgrad compare` writes"],
    "explore --surrogates sigmoid --output {file}/page.html": ["cannot write to", "not a folder"],
    "show sigmoid --out {file}/picture.png": ["cannot write to", "not a folder"],
}


@pytest.mark.usefixtures("untrained")
@pytest.mark.parametrize(("command", "said"), MISTAKES.items(), ids=MISTAKES.keys())
def test_a_mistake_costs_one_line_and_no_training(command, said, tmp_path, capsys):
    (tmp_path / "file").touch()
    folders = {"file": tmp_path / "file", "folder": tmp_path}
    out = [] if "--out" in command or not command.startswith("compare") else ["--out", str(tmp_path / "out")]
    assert run(*(part.format(**folders) for part in command.split()), *out) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.count("\n") == 1
    assert printed.err.startswith("surgrad")
    for words in said:
        assert words in printed.err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("untrained")
def test_a_missing_package_is_said_before_any_training(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name in ("rich", "optax") else name)
    assert run("compare", "--out", str(tmp_path)) == 2
    assert capsys.readouterr().err == 'surgrad compare: this command needs Optax, Rich: pip install "surgrad[cli]"\n'


def test_the_version_is_that_of_the_package(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"surgrad {surgrad.__version__}\n"


def test_without_a_command_the_usage_is_printed(capsys):
    assert run() == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("usage: surgrad [-h] [--version] COMMAND ...\n")
    assert all(
        f"\n    {command}" in printed.err for command in ("compare", "calibrate", "tune", "check", "show", "explore")
    )


def test_a_negative_value_is_a_value_in_a_list_of_surrogates():
    parsed = specs.parse("sigmoid:alpha=-1,-.5,2,arctan")
    assert [(s.name, s.values) for s in parsed] == [("sigmoid", (-1, -0.5, 2)), ("arctan", ())]


def test_a_list_of_surrogates_is_split_at_names_and_not_at_values():
    parsed = specs.parse("sigmoid,Arctan:alpha=1,2.5,.5,gaussian_grad,sigmoid")
    assert [(s.name, s.parameter, s.values) for s in parsed] == [
        ("sigmoid", None, ()),
        ("arctan", "alpha", (1, 2.5, 0.5)),
        ("gaussian_grad", None, ()),
    ]
    assert parsed[1].surrogates() == [surgrad.Arctan(1), surgrad.Arctan(2.5), surgrad.Arctan(0.5)]
    with pytest.raises(UsageError, match="no surrogate 'inf'"):
        specs.parse("arctan:alpha=1,inf")


@pytest.mark.parametrize("name", surgrad.catalogue())
def test_every_surrogate_of_the_catalogue_can_be_named(name):
    (spec,) = specs.parse(name)
    assert spec.surrogates() == [surgrad.catalogue()[name]()]
    assert specs.parse(spec.name) == [spec]


def test_help_needs_no_optional_package():
    code = (
        "import sys; from surgrad.cli import main\ntry: main(['--help'])\nexcept SystemExit: pass\n"
        "print({'optax', 'sklearn', 'rich', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert "compare" in done.stdout
    assert done.stdout.endswith("set()\n")


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A small study in this process: exit code, what it prints, its folder."""
    folder = tmp_path_factory.mktemp("results") / "deeper" / "finished"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run("compare", "--surrogates", f"{SURROGATE},Sigmoid:alpha=20", *SMALL, "--out", str(folder))
    return code, out.getvalue(), err.getvalue(), folder


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory):
    """The same and one more surrogate in another process, which gets an interrupt when the first is ready."""
    folder = tmp_path_factory.mktemp("interrupted")
    process = start("compare", "--surrogates", f"{SURROGATE},arctan", *SMALL, "--out", str(folder))
    first = process.stderr.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, first + err, folder


def test_compare_prints_a_table_and_writes_what_it_found(finished):
    code, out, err, folder = finished
    assert code == 0
    assert re.fullmatch(rf"sigmoid: 4 runs in .*\n4 runs in \d+ s; written to {folder}\n", err)
    assert [line.split()[:4] for line in out.splitlines()[1:3]] == [["sigmoid", "alpha", "=", n] for n in ("2", "20")]
    assert "\x1b" not in out
    rows = rows_of(folder)
    varied = [(row["parameter"], row["value"], row["seed"]) for row in rows]
    assert varied == [("alpha", value, seed) for value in ("2.0", "20.0") for seed in ("5", "6")]
    results = json.loads((folder / "results.json").read_text())
    assert results["finished"]
    assert results["versions"]["surgrad"] == surgrad.__version__
    assert results["variants"][1]["surrogate"] == {"class": "Sigmoid", "alpha": 20.0}
    assert [row["test_accuracy"] for row in results["rows"]] == [float(row["test_accuracy"]) for row in rows]
    assert (folder / "compare.png").read_bytes().startswith(b"\x89PNG")


def test_a_study_that_is_interrupted_keeps_the_rows_that_are_finished(interrupted):
    code, out, err, folder = interrupted
    assert code == 130
    assert err.endswith(f"\nstopped: the 4 runs of 10 that had finished are in {folder}\n")
    assert [row["surrogate"] for row in rows_of(folder)] == ["sigmoid"] * 4
    assert out.splitlines()[1].startswith("sigmoid")
    assert not json.loads((folder / "results.json").read_text())["finished"]


def test_the_same_seed_gives_the_same_table_in_another_process(finished, interrupted):
    tables = [[line.rsplit(maxsplit=1)[0] for line in out.splitlines()[:3]] for _, out, _, _ in (finished, interrupted)]
    assert tables[0] == tables[1]
    assert rows_of(finished[3]) == rows_of(interrupted[3])


def test_nothing_is_cut_where_the_width_is_unknown(capsys):
    names = [spec.name for spec in specs.parse(",".join(surgrad.catalogue()))]
    print_table([Summary(name, "t_period", 0.00012345, 3, 0.9, 0.01, 1, 2, 0.1, 1234.5) for name in names])
    table = [line.split() for line in capsys.readouterr().out.splitlines()[1 : len(names) + 1]]
    rest = ["t_period", "=", "0.00012345", "90.0", "±", "1.0", "1.000", "2.000", "0.100", "1234.5"]
    assert table == [[name, *rest] for name in names]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_the_first_signal_is_noted_and_the_second_acts(number):
    class ActedError(Exception):
        pass

    def act(*_):
        raise ActedError

    before = signal.signal(number, act)
    try:
        with stop_on_signals() as stop:
            stop.obey()
            signal.raise_signal(number)
            with pytest.raises(StoppedError):
                stop.obey()
            assert stop.signal == number
            with pytest.raises(ActedError):
                signal.raise_signal(number)
        assert signal.getsignal(number) is act
    finally:
        signal.signal(number, before)


def test_check_prints_a_report_a_surrogate(capsys):
    assert run("check", "sigmoid:alpha=1,4") == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("Sigmoid(alpha=")] == [
        f"Sigmoid(alpha={alpha}): 13 ok" for alpha in (1.0, 4.0)
    ]


def test_check_exits_with_success_where_it_only_advises(capsys, monkeypatch):
    monkeypatch.setattr(surgrad.Sigmoid, "__doc__", None)
    assert run("check", "sigmoid") == 0
    assert "\nadvice    documented" in capsys.readouterr().out


def test_check_fails_where_a_law_is_broken(capsys):
    # Of area 2, its curve ends at -1/2 and 3/2.
    assert run("check", "inv_square_grad:alpha=1") == 1
    assert "FAILED" in capsys.readouterr().out


@pytest.mark.parametrize("names", [(), ("sigmoid",), ("arctan:alpha=1,4",), ("sigmoid,arctan",)], ids=str)
def test_show_writes_a_picture(names, tmp_path, capsys):
    path = tmp_path / "pictures" / "it.png"
    assert run("show", *names, "--out", str(path)) == 0
    assert path.read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().err == f"written to {path}\n"


def test_a_reader_who_leaves_is_no_error():
    with start("check", "sigmoid") as process:
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 128 + 13


def test_results_of_an_earlier_study_stay_until_the_first_new_rows(tmp_path):
    for name in ("runs.csv", "results.json", "compare.png"):
        (tmp_path / name).write_text("earlier")
    folder = Folder(str(tmp_path), ["surrogate", "seed"])
    assert {file.read_text() for file in tmp_path.iterdir()} == {"earlier"}
    row = dataclasses.make_dataclass("Row", ["surrogate", "seed"])("sigmoid", 0)
    folder.append([row])
    folder.append([row])
    assert [file.name for file in tmp_path.iterdir()] == ["runs.csv"]
    assert (tmp_path / "runs.csv").read_text().split() == ["surrogate,seed", "sigmoid,0", "sigmoid,0"]


def test_a_folder_that_was_tried_is_left_as_it_was(tmp_path):
    Folder(str(tmp_path / "new"), ["surrogate"])
    assert list((tmp_path / "new").iterdir()) == []
