"""The examples: what their parts compute, and that they run from end to end."""

import dataclasses
import itertools
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("optax")

from surgrad.nn import LIF, Recurrent, Sequential

EXAMPLE = Path(__file__).parent.parent / "examples" / "zenke_vogels_2021"
sys.path.insert(0, str(EXAMPLE))

import claims  # noqa: E402
import experiment  # noqa: E402
import records  # noqa: E402
import run  # noqa: E402
from experiment import DetachedRecurrent, Family  # noqa: E402

X, BETA = np.linspace(-2, 2, 41), 3.0
SLOPES = {
    Family("SuperSpike", 3): 1 / (1 + BETA * np.abs(X)) ** 2,
    Family("sigmoid'", 3): 4 / (1 + np.exp(BETA * X)) / (1 + np.exp(-BETA * X)),
    Family("triangle", 3): np.maximum(0, 1 - BETA * np.abs(X)),
    Family("SuperSpike", 3, "β"): BETA / (1 + BETA * np.abs(X)) ** 2,
    Family("constant", 3): np.ones_like(X),
}


@pytest.mark.parametrize("family", SLOPES, ids=lambda f: f"{f.shape}, peak {f.peak}")
def test_slopes_are_those_of_the_paper(family):
    slope = jax.jit(lambda beta: experiment.surrogate(family, beta).surrogate_grad(X))(BETA)
    np.testing.assert_allclose(slope, SLOPES[family], rtol=1e-5, atol=1e-6)


def derivatives(layer, weights, inputs):
    """Those of a weighted sum of all spikes by recurrent weights and inputs, and the spikes."""
    importance = jax.random.normal(jax.random.key(2), inputs.shape)

    @jax.jit
    def total(weights, inputs):
        spikes = layer(weights, inputs)
        return (importance * spikes).sum(), spikes

    return jax.grad(total, argnums=(0, 1), has_aux=True)(weights, inputs)


def test_a_detached_recurrence_has_the_derivatives_of_spikes_that_are_given():
    cell = LIF(experiment.surrogate(Family("SuperSpike", 3), BETA), 6.0)
    inputs, weights = (jax.random.normal(jax.random.key(i), s) / 2**i for i, s in enumerate([(12, 3, 5), (5, 5)]))
    through, spikes = derivatives(
        lambda w, x: Sequential(Recurrent.from_arrays(cell, w)).outputs(x)[0], weights, inputs
    )
    detached, same = derivatives(
        lambda w, x: Sequential(DetachedRecurrent.from_arrays(cell, w)).outputs(x)[0], weights, inputs
    )
    before = jnp.concatenate([jnp.zeros_like(spikes[:1]), spikes[:-1]])
    given, _ = derivatives(lambda w, x: Sequential(cell).outputs(x + before @ w)[0], weights, inputs)
    np.testing.assert_array_equal(spikes, same)
    for ours, expected, other in zip(detached, given, through, strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-5)
        assert np.abs(ours - other).max() > 0.1


def test_a_family_has_a_row_for_each_scale_and_seed():
    rows = experiment.run(Family("SuperSpike", 3), run.QUICK)
    assert [(row["beta"], row["seed"]) for row in rows] == [(1.0, 0), (1.0, 1), (100.0, 0), (100.0, 1)]
    assert all(0 <= row["test_accuracy"] <= 1 and np.isfinite(row["train_loss"]) for row in rows)


@pytest.mark.slow
def test_a_run_does_not_depend_on_the_others_of_its_family():
    family = Family("SuperSpike", 3, recurrence="detached")
    row = experiment.run(family, run.QUICK)[3]
    data = jax.tree.map(lambda x: x[1], experiment.manifolds(3, run.QUICK))
    loss, score = jax.jit(experiment.trained, static_argnums=(3, 4))(100.0, 1, data, family, run.QUICK)
    assert row["train_loss"] == pytest.approx(float(loss), rel=1e-5)
    assert row["test_accuracy"] == pytest.approx(float(score.accuracy))


def rows_of(accuracy, settings=run.QUICK):
    """Rows of all families, each of an accuracy in %, by family, β and seed."""
    return [
        {**dataclasses.asdict(family), "beta": beta, "seed": seed, "test_accuracy": accuracy(family, beta, seed) / 100}
        | {"train_loss": 0.1, "wall_seconds": 2.0, "cpu_seconds": 1.0}
        for family in experiment.families(settings)
        for beta, seed in itertools.product(experiment.betas(family, settings), settings.seeds)
    ]


def as_published(family, beta, seed):
    through = "through" in (family.reset, family.recurrence)
    hurt = through * (0.3 * beta * (family.peak == "β") + 10 * (beta == 1))
    return 90 + seed - (beta == 1) * 10 - hurt - (family.shape == "constant") * 60


def the_other_way(family, beta, seed):
    high = {"SuperSpike": 50, "sigmoid'": 90, "triangle": 70, "constant": 95}[family.shape]
    detached = (family.reset == "detached") + (family.recurrence == "none")
    return high + seed - (family.peak == "β") * 10 * detached + (family.peak == "β") * (family.reset == "through") * 40


def test_claims_hold_where_the_paper_is_right():
    assert all(claim.holds for claim in claims.claims(rows_of(as_published), run.QUICK))


def test_claims_fall_where_it_is_not():
    found = {claim.claim: claim.holds for claim in claims.claims(rows_of(the_other_way), run.QUICK)}
    kept = [claim for claim, holds in found.items() if holds]
    assert kept == [f"Slopes of peak one learn with gradients through {what}" for what in claims.WORDS.values()]


def test_a_difference_within_two_standard_errors_does_not_count():
    assert claims.gap(np.array([80.0, 90.0, 70.0]), np.array([83.0, 93.1, 72.9])).below
    assert not claims.gap(np.array([80.0, 90.0, 70.0]), np.array([90.0, 80.0, 79.0])).below
    assert not claims.gap(np.array([80.0, 90.0, 70.0]), np.array([81.0, 91.1, 70.9])).below


def test_rows_come_back_from_the_file(tmp_path):
    rows = [row | {"train_loss": float("nan")} for row in rows_of(as_published)[:4]]
    records.append(tmp_path / "runs.jsonl", rows[:2], run.QUICK)
    records.append(tmp_path / "runs.jsonl", rows[2:], run.QUICK)
    np.testing.assert_equal(records.read(tmp_path / "runs.jsonl", run.QUICK), rows)
    with pytest.raises(ValueError, match="holds runs of other settings"):
        records.read(tmp_path / "runs.jsonl", experiment.Settings())


def test_a_run_that_was_cut_off_goes_on(tmp_path, monkeypatch):
    made, asked = rows_of(as_published), []

    def stand_in(family, settings):
        asked.append(family)
        return [row for row in made if records.family_of(row) == family]

    monkeypatch.setattr(run, "run", stand_in)
    records.append(tmp_path / "runs.jsonl", made[:4], run.QUICK)
    run.main(["--quick", "--out", str(tmp_path)])
    assert asked == experiment.families(run.QUICK)[1:]
    page = (tmp_path / "README.md").read_text()
    assert page.count("**yes**") == len(claims.claims(made, run.QUICK))
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "runs.jsonl", "accuracy.png", "classes.png"}


@pytest.mark.slow
def test_the_quick_run_goes_from_end_to_end(tmp_path):
    command = [sys.executable, str(EXAMPLE / "run.py"), "--quick", "--out", str(tmp_path)]
    subprocess.run(command, check=True, timeout=900)
    rows = records.read(tmp_path / "runs.jsonl", run.QUICK)
    assert set(records.curves(rows)) == set(experiment.families(run.QUICK))
    assert "## What holds" in (tmp_path / "README.md").read_text()
