"""`surgrad train`: a folder that says what was done, goes on where it was, and refuses what it cannot do."""

import csv
import json
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import surgrad
from surgrad._extras import missing
from surgrad.cli import main

pytestmark = [pytest.mark.promotes("Optax does"), pytest.mark.unchecked("a program, as its users run it")]
for package in ("optax", "orbax.checkpoint", "rich", "matplotlib"):
    pytest.importorskip(package)

TASK = """
task = "temporal_xor:samples=60"
epochs = 2
seeds = [3, 4]
batch_size = 16

[network]
hidden = 6
surrogate = "sigmoid:alpha=4"

[optimizer]
learning_rate = {name = "cosine_decay_schedule", init_value = 0.01, decay_steps = 100}
clip_norm = 1.0
"""
FUNCTION = 'function = "theirs:training"\nepochs = 3\nbatch_size = 4\n'
MODULE = """
import jax, numpy as np, optax
from surgrad import nn

class Points:
    def __len__(self):
        return 9
    def __getitem__(self, indices):
        return np.asarray(indices, np.float32)

def loss(slope, batch):
    return ((slope * batch - 2 * batch) ** 2).mean()

def training(seed):
    return {"network": np.float32(seed), "data": Points(), "optimizer": optax.sgd(0.01), "loss": loss,
            "test": lambda slope: {"slope": slope}}

def short(seed):
    return {"network": np.float32(0)}

def more(seed):
    return training(seed) | {"epochs": 3}

def nothing(seed):
    return None

def unnamed(seed):
    def loss(net, batch):
        return ((net.outputs(batch[None, :, None])[-1] - 2) ** 2).mean()
    network = nn.Sequential(nn.Linear(1, 1, key=jax.random.key(0)), lambda x: 2 * x)
    return training(seed) | {"network": network, "loss": loss, "test": lambda net: {}}

def explodes(seed):
    return training(seed) | {"optimizer": optax.sgd(1e30)}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    (tmp_path / "theirs.py").write_text(MODULE)
    (tmp_path / "run.toml").write_text(TASK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield tmp_path
    sys.modules.pop("theirs", None)


def run(*arguments):
    try:
        return main(("train", *arguments))
    except SystemExit as end:
        return end.code


def rows(folder):
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_task_is_trained_into_a_folder_that_says_what_was_done(here, capsys):
    assert run("run.toml") == 0
    said = capsys.readouterr()
    assert [line.partition(":")[0] for line in said.out.splitlines()] == ["seed 3", "seed 4"]
    folder = here / "results" / "run"
    about = json.loads((folder / "run.json").read_text())
    assert about["finished"]
    assert about["seeds"] == [3, 4]
    assert about["versions"]["surgrad"] == surgrad.__version__
    assert about["configuration"]["network"]["hidden"] == 6
    assert about["configuration"]["network"]["tau"] == 20.0
    assert [result["seed"] for result in about["results"]] == [3, 4]
    for seed, result in zip((3, 4), about["results"], strict=True):
        last = rows(folder / f"seed-{seed}")[-1]
        assert (last["epoch"], float(last["loss"])) == ("2", result["loss"])
        assert float(last["validation_accuracy"]) == result["validation_accuracy"]
        assert 0 <= result["test_accuracy"] <= 1
        assert surgrad.load(folder / f"seed-{seed}" / "network.surgrad")[1].surrogate == surgrad.Sigmoid(4.0)
    assert (folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    before = (folder / "run.json").read_text()
    assert run("run.toml") == 0  # all is done
    assert (folder / "run.json").read_text() == before

    (here / "run.toml").write_text(TASK.replace("hidden = 6", "hidden = 7"))
    assert run("run.toml") == 2
    assert "another configuration: network.hidden was 6, and is 7 now" in capsys.readouterr().err
    assert (folder / "run.json").read_text() == before


def test_a_function_of_the_user_is_trained(here, capsys):
    (here / "own.toml").write_text(FUNCTION)
    assert run("own.toml", "--out", "deep/folder") == 0
    (result,) = json.loads((here / "deep/folder/run.json").read_text())["results"]
    assert 0 < result["slope"] < 2
    assert result["step"] == 6
    assert f"slope {result['slope']:.4g}" in capsys.readouterr().out


def test_a_network_that_no_file_can_hold_is_trained_and_told(here, capsys):
    (here / "own.toml").write_text(FUNCTION.replace("training", "unnamed"))
    assert run("own.toml") == 0
    said = capsys.readouterr().err
    assert "seed 0: the trained network is in the checkpoints alone; save: parts[1].function is <function" in said
    about = json.loads((here / "results/own/run.json").read_text())
    assert about["finished"]
    about["versions"]["jax"] = "0.1"
    (here / "results/own/run.json").write_text(json.dumps(about))
    assert run("own.toml") == 0
    assert "was begun with other versions: jax was '0.1', and is" in capsys.readouterr().err


def test_a_command_that_is_killed_goes_on(here):
    text = FUNCTION.replace("epochs = 3", "epochs = 15")
    for name in "killed", "whole":
        (here / f"{name}.toml").write_text(text)
    command = [sys.executable, "-m", "surgrad", "train"]
    process = subprocess.Popen([*command, "killed.toml"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    table = here / "results/killed/seed-0/metrics.csv"
    while not table.exists() or len(table.read_text().splitlines()) < 4:
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert len(rows(table.parent)) < 15
    for name in "killed", "whole":
        subprocess.run([*command, f"{name}.toml"], check=True, capture_output=True)
    found, expected = (json.loads((here / f"results/{name}/run.json").read_text()) for name in ("killed", "whole"))
    assert found["results"] == expected["results"]
    assert table.read_text() == (here / "results/whole/seed-0/metrics.csv").read_text()


MISTAKES = {
    "a key": ("epoch = 3", "unknown key epoch; the nearest is epochs"),
    "a key of the network": ("[network]\nhiden = 3", "unknown key network.hiden; the nearest is network.hidden"),
    "a key of a table": ("hidden = 3", r"hidden is a key of the table \[network\]; write it below this line"),
    "a far key": ("colour = 3", "unknown key colour; there are epochs, seeds"),
    "an optimiser": ('[optimizer]\nname = "adm"', "no optimizer.name = 'adm'; the nearest: adam"),
    "an option": (
        "[optimizer]\nlearning_rat = 3",
        "unknown key optimizer.learning_rat; the nearest is optimizer.learning_r",
    ),
    "a schedule": ('[optimizer]\nlearning_rate = {name = "cosine"}', "no optimizer.learning_rate.name = 'cosine'"),
    "a norm": ("[optimizer]\nclip_norm = 0", "optimizer.clip_norm must be a number > 0, got 0"),
    "a type": ('epochs = "3"', "epochs must be a whole number, got '3'"),
    "a truth": ("check_numbers = 1", "check_numbers must be true or false, got 1"),
    "seeds": ("seeds = [1, 1]", "seeds must be different whole numbers >= 0"),
    "no epochs": ("epochs = 0", "epochs must be an integer >= 1, got 0"),
    "a size": ("[network]\nhidden = 0", "hidden must be an integer >= 1, got 0"),
    "a surrogate": ('[network]\nsurrogate = "sigmoyd"', "no surrogate 'sigmoyd'"),
    "both": ('function = "theirs:training"', "give task = .* or function = .*, and not both"),
    "a share": ("validation_share = 1.0", "validation_share must be 0 to below 1, got 1.0"),
    "patience": ("patience = 2\nvalidation_share = 0.0", "patience needs a validation_share above 0"),
    "TOML": ("epochs 3", "run.toml is no TOML file"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_in_the_file_take_one_line(name, here, capsys):
    text, message = MISTAKES[name]
    (here / "run.toml").write_text('task = "temporal_xor:samples=60"\n' + text)
    assert run("run.toml") == 2
    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert re.search(message, said), said
    assert not (here / "results").exists()


OF_FUNCTIONS = {
    "theirs:short": "there is no data and no optimizer",
    "theirs:more": "returns epochs, which surgrad train does not take from a function",
    "theirs:nothing": "must return a dict of arguments of surgrad.train.fit",
    "theirs:absent": "module 'theirs' has no 'absent'",
    "nowhere:training": "No module named 'nowhere'",
    "training": 'function must be "MODULE:FUNCTION"',
}


@pytest.mark.parametrize("name", OF_FUNCTIONS)
def test_mistakes_of_functions_take_one_line(name, here, capsys):
    (here / "run.toml").write_text(f'function = "{name}"')
    assert run("run.toml") == 2
    assert OF_FUNCTIONS[name] in capsys.readouterr().err


def test_a_missing_file_takes_one_line(here, capsys):
    assert run("none.toml") == 2
    assert "cannot read none.toml: No such file or directory" in capsys.readouterr().err


def test_nan_is_told_in_one_line(here, capsys):
    (here / "run.toml").write_text('function = "theirs:explodes"\ncheck_numbers = true\nbatch_size = 4')
    assert run("run.toml") == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "surgrad train: fit: in epoch 1, update" in said[0]


def test_all_that_the_command_needs_is_in_extras_that_are_named_together():
    assert 'pip install "surgrad[checkpoint]"' in missing("this command", "orbax")
    assert 'pip install "surgrad[checkpoint,demo]"' in missing("this command", "orbax", "rich", "matplotlib")


@pytest.mark.slow
def test_a_recipe_is_trained(here):
    pytest.importorskip("sklearn")
    (here / "digits.toml").write_text('function = "recipes.digits:RECIPE.training"\nepochs = 2')
    assert run("digits.toml") == 0
    (result,) = json.loads((here / "results/digits/run.json").read_text())["results"]
    assert np.isfinite(result["loss"])
    assert result["test_accuracy"] > 0.5
