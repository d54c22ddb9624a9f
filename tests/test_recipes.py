"""Recipes: they run from end to end, their table says what the files of results hold, and goals are reached."""

import dataclasses
import importlib.util
import json
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

for package in ("optax", "sklearn"):
    pytest.importorskip(package)

from recipes import _page, _run  # noqa: E402

from surgrad import events, tasks  # noqa: E402

pytestmark = [pytest.mark.promotes("Optax does"), pytest.mark.unchecked("programs, as their users run them")]
FOLDER = Path(_page.__file__).parent
RECIPES = _page.all_recipes()
RESULTS = {file.stem: json.loads(file.read_text()) for file in (FOLDER / "results").glob("*.json")}
TINY = 24
vowels = pytest.mark.skipif(importlib.util.find_spec("aeon") is None, reason="pip install --no-deps aeon")
# Convolutions take longest to compile.
CONVOLUTIONS = {"fashion_mnist_conv", "n_mnist"}
ONCE = [pytest.param(name, marks=[pytest.mark.slow] * (name in CONVOLUTIONS)) for name in RECIPES]


def some(data):
    """The first and the last few samples of a data set."""
    return data[np.r_[: TINY // 2, len(data) - TINY // 2 : len(data)]]


def recordings(num_units, classes):
    random = np.random.default_rng(0)
    times = [np.sort(random.uniform(0, 1.3, 200)) for _ in range(TINY)]
    units = [random.integers(np.prod(num_units), size=200) for _ in range(TINY)]
    data = events.from_arrays(times, units, np.arange(TINY) % classes, num_units=num_units, classes=classes)
    return data, data


RECORDINGS = {"shd": (700, 20), "n_mnist": ((34, 34, 2), 10)}


def loaded(name):
    """Few samples of the data of a recipe, or random ones in place of data that nothing installs."""
    if name in RECORDINGS:
        return recordings(*RECORDINGS[name])
    try:
        if "fashion" in name:  # all images take seconds to read
            return tasks.fashion_mnist(code="intensity", limit=TINY)
        return tuple(map(some, RECIPES[name].load(0)))
    except FileNotFoundError as missing:
        pytest.skip(f"needs the data: {missing}")


@pytest.mark.parametrize("name", ONCE)
def test_a_recipe_runs_from_end_to_end(name, tmp_path, capsys):
    data = loaded(name)
    small = dataclasses.replace(RECIPES[name], load=lambda seed: data, batch=8)
    assert _run.main(name, small, ["--seeds", "1", "--epochs", "1", "--out", str(tmp_path)]) == 0
    (run,) = json.loads((tmp_path / "results" / f"{name}.json").read_text())["runs"]
    assert np.isfinite(run["train_loss"]) and 0 <= run["accuracy"] <= 1
    assert f"| {_page.spread([run['accuracy']])} |" in (tmp_path / "README.md").read_text()
    assert "seed 0: " in capsys.readouterr().out


def test_the_page_says_what_the_files_of_results_hold():
    assert (FOLDER / "README.md").read_text() == _page.page(FOLDER)


def test_every_file_of_results_is_of_a_recipe_and_of_whole_runs():
    assert RESULTS.keys() <= RECIPES.keys()
    for name, results in RESULTS.items():
        assert results["epochs"] == RECIPES[name].epochs, name
        assert [run["seed"] for run in results["runs"]] == list(range(len(results["runs"]))), name


GOALS = [name for name, recipe in RECIPES.items() if recipe.goal is not None]


@pytest.mark.parametrize("name", GOALS)
def test_goals_are_reached_by_the_means_of_the_results(name):
    if name not in RESULTS:
        pytest.skip("not run yet")
    assert np.mean([run["accuracy"] for run in RESULTS[name]["runs"]]) >= RECIPES[name].goal


@pytest.mark.slow
@vowels
def test_japanese_vowels_are_told_apart():
    recipe = RECIPES["japanese_vowels"]
    run = _run.trained(recipe, 0, recipe.epochs, recipe.load(0))
    assert run["accuracy"] > 0.94  # the goal is one of the mean over seeds, and rounding differs between machines


def test_without_the_data_a_recipe_says_so_and_writes_nothing(tmp_path, capsys):
    def load(seed):
        raise FileNotFoundError("get them there")

    lacking = dataclasses.replace(RECIPES["digits"], load=load)
    assert _run.main("digits", lacking, ["--out", str(tmp_path)]) == 2
    assert "not run here: needs the data. get them there" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_validation_never_sees_the_samples_to_test_by(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(_run, "trained", lambda recipe, seed, epochs, data: seen.append(data) or {"seed": seed, "accuracy": 0.5, "wall_seconds": 1.0})  # fmt: skip
    learn, test = tasks.digits(steps=5)
    recipe = dataclasses.replace(RECIPES["digits"], load=lambda seed: (learn, test))
    assert _run.main("digits", recipe, ["--validate", "--seeds", "2", "--out", str(tmp_path)]) == 0
    assert not list(tmp_path.iterdir())
    for rest, fifth in seen:
        assert len(rest) + len(fifth) == len(learn) and len(fifth) == len(learn) // 5
        both = np.concatenate([rest.events, fifth.events])
        np.testing.assert_array_equal(np.sort(both.sum(1)), np.sort(np.asarray(learn.events).sum(1)))


class Numbers(NamedTuple):
    """A stand-in for a batch, whose samples are their own classes."""

    labels: jax.Array


def test_accuracy_counts_each_sample_once_also_in_a_block_that_is_not_full():
    recipe = dataclasses.replace(
        RECIPES["digits"],
        batch=4,
        draw=lambda data, indices: Numbers(jnp.asarray(data[indices])),
        logits=lambda network, batch, key: jax.nn.one_hot(batch.labels % 2, 3),
    )
    # All but the last two are right; ten samples in blocks of four.
    assert _run.accuracy_of(None, np.array([0, 1] * 4 + [2, 2]), recipe) == pytest.approx(0.8)
