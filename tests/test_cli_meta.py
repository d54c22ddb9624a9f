"""`surgrad calibrate` and `surgrad tune`, on tasks and on functions of the user; mistakes take one line."""

import json
import sys

import pytest

from surgrad.cli import main

for package in ("optax", "sklearn", "rich"):
    pytest.importorskip(package)

SMALL = ("--hidden", "16", "--steps", "20", "--candidates", "3")

MODULE = """
import jax, jax.numpy as jnp
import surgrad as sg
from surgrad.meta import LogRange, Training
from surgrad.nn import LeakyIntegrator, LIF, Linear, Sequential

def network():
    key = jax.random.key(0)
    net = Sequential(Linear(5, 8, key=key, gain=3.0), LIF(sg.Arctan()), Linear(8, 2, key=key), LeakyIntegrator())
    return net, jax.random.bernoulli(key, 0.3, (10, 4, 5)).astype(float)

def valley():
    update = lambda hyper, state, index: (state + 1, jnp.abs(jnp.log(hyper["scale"])))
    return Training(lambda hyper: jnp.zeros(()), update, 40), {"scale": LogRange(0.1, 10)}

def guessed():
    return *valley(), [{"scale": 1.0}]

def swapped():
    return valley()[::-1]

def asks(why):
    return valley()

def nothing():
    return None

number = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module of the user's in the current folder."""
    (tmp_path / "theirs.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    yield "theirs"
    sys.modules.pop("theirs", None)


def run(*arguments):
    try:
        return main(arguments)
    except SystemExit as end:
        return end.code


def test_a_task_is_calibrated(capsys):
    assert run("calibrate", "digits:steps=10", "--hidden", "16", "--depth", "2") == 0
    said = capsys.readouterr().out
    assert "parts[1].surrogate" in said
    assert "parts[3].surrogate" in said
    assert "Normalized(surrogate=Temperature(surrogate=Sigmoid(" in said


def test_a_model_of_the_user_is_calibrated(module, capsys):
    assert run("calibrate", f"{module}:network", "--target", "0.1") == 0
    assert "Temperature(surrogate=Arctan(" in capsys.readouterr().out


@pytest.mark.slow
def test_a_task_is_tuned_in_everything(tmp_path, capsys):
    out = tmp_path / "deep" / "result.json"
    wide = ("--surrogates", "sigmoid,arctan", "--learning-rate", "1e-3:1e-1", "--tune-tau", "5:50", "--per-layer")
    assert run("tune", "digits:steps=10", *SMALL, *wide, "--depth", "2", "--out", str(out)) == 0
    found = json.loads(out.read_text())
    assert set(found["hyper"]) == {"scale", "shape", "learning_rate", "tau"}
    assert len(found["hyper"]["scale"]) == 2
    assert 0 <= found["test_accuracy"] <= 1
    assert found["cost"]["one_by_one"] == 60
    assert "times one run of 20" in capsys.readouterr().out


@pytest.mark.parametrize("method", ["halving", "optuna"])
def test_a_training_of_the_user_is_tuned(module, method, capsys):
    if method == "optuna":
        pytest.importorskip("optuna")
    assert run("tune", f"{module}:valley", "--method", method) == 0
    assert "scale: " in capsys.readouterr().out


def test_a_good_guess_of_the_user_is_kept(module, capsys):
    assert run("tune", f"{module}:guessed") == 0
    assert "scale: 1\n" in capsys.readouterr().out


MISTAKES = {
    "calibrate digts": ["no task 'digts'", "digits"],
    "calibrate --surrogate sigmoid,arctan": ["--surrogate: takes one surrogate, got 2"],
    "calibrate --target 2": ["target must be above 0 and below 1, got 2"],
    "calibrate --tau -1": ["--tau must be > 0, got -1"],
    "calibrate missing:network": ["No module named 'missing'"],
    "calibrate theirs:nobody": ["module 'theirs' has no 'nobody'"],
    "calibrate theirs:number": ["theirs:number is no function, but int"],
    "calibrate theirs:nothing": ["theirs:nothing must return (model, batch), got NoneType"],
    "calibrate theirs:valley": ["must return (model, batch), got (Training, dict)"],
    "tune theirs:nothing": [
        "theirs:nothing must return (training, space) or (training, space, initial_candidates), got NoneType"
    ],
    "tune theirs:swapped": ["or (training, space, initial_candidates), got (dict, Training)"],
    "tune theirs:asks": ["theirs:asks must be called without arguments: missing a required argument: 'why'"],
    "tune --tune-tau 0:5": ["tau is logarithmic, so low must be > 0, got 0"],
    "tune --scale 3": ["scale must be LOW:HIGH, got '3'"],
    "tune --scale x:3": ["scale must be a number, got 'x'"],
    "tune --scale 3:2": ["scale must have low < high"],
    "tune --learning-rate 0": ["--learning-rate: a number must be > 0, got 0"],
    "tune --learning-rate -0.1": ["--learning-rate: a number must be > 0, got -0.1"],
    "tune --learning-rate inf": ["--learning-rate: a number must be > 0 and finite, got inf"],
    "tune --learning-rate -1:1": ["learning_rate is logarithmic, so low must be > 0, got -1"],
    "tune --scale -3:2": ["scale is logarithmic, so low must be > 0, got -3"],
    "tune --gain inf": ["--gain must be > 0 and finite, got inf"],
    "calibrate --recurrent -1": ["--recurrent must be >= 0, got -1"],
    "tune --learning-rate fast": ["learning rate must be a number, got 'fast'"],
    "tune --candidates 0": ["--candidates: must be an integer >= 1, got '0'"],
    "tune --method grid": ["invalid choice: 'grid'"],
}


@pytest.mark.parametrize("command", MISTAKES)
def test_mistakes_take_one_line(command, module, capsys):
    assert run(*command.split()) == 2
    said = capsys.readouterr().err.strip()
    assert len(said.splitlines()) == 1
    for part in MISTAKES[command]:
        assert part in said
