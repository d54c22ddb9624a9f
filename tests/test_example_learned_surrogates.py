"""The example of learned surrogates: what its parts compute, its claims both ways, and that it runs from end to end."""

import dataclasses
import importlib.util
import itertools
import os
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("matplotlib")
pytest.importorskip("optax")
pytest.importorskip("scipy")

from surgrad import tasks
from surgrad.tasks._mnist import DEBIAN

EXAMPLE = Path(__file__).parent.parent / "examples" / "learned_surrogates"
sys.path.insert(0, str(EXAMPLE))

import differences  # noqa: E402
import endings  # noqa: E402
import findings  # noqa: E402
import jobs  # noqa: E402
import methods  # noqa: E402
import problem  # noqa: E402
import rows as records  # noqa: E402

# Another example has a `run` of its own.
spec = importlib.util.spec_from_file_location("run_learned_surrogates", EXAMPLE / "run.py")
run = importlib.util.module_from_spec(spec)
spec.loader.exec_module(run)

MANIFOLDS = dataclasses.replace(run.QUICK.problems[0], depth=1)
CLOTHES = dataclasses.replace(problem.CLOTHES, updates=12)
SMALL = dataclasses.replace(run.QUICK, problems=(MANIFOLDS,), seeds=(0, 1))
BOTH = dataclasses.replace(SMALL, problems=(CLOTHES, MANIFOLDS))

pytestmark = pytest.mark.promotes("Optax does")


def test_alpha_is_four_times_the_scale_and_the_slope_has_unit_peak():
    x, alpha = np.linspace(-2, 2, 41), 4 * 2.5
    slope = jax.jit(lambda scale: problem.surrogate(scale).surrogate_grad(jnp.asarray(x)))(2.5)
    np.testing.assert_allclose(slope, 1 / np.cosh(alpha * x / 2) ** 2, rtol=1e-5, atol=1e-7)


def test_samples_to_learn_from_to_validate_and_to_test_by_are_different_ones():
    found = problem.samples(MANIFOLDS, (3,))
    whole = tasks.load(MANIFOLDS.task, seed=3, **dict(MANIFOLDS.options))
    learn, validate, judge = MANIFOLDS.sizes
    np.testing.assert_array_equal(found.train.events[0], whole.train.events[:learn])
    np.testing.assert_array_equal(found.validation.events[0], whole.train.events[learn : learn + validate])
    np.testing.assert_array_equal(found.test.events[0], whole.test.events[:judge])


@pytest.mark.skipif(not os.path.isdir(DEBIAN), reason="apt-get install dataset-fashion-mnist")
def test_there_are_enough_clothes_for_the_sizes():
    found = problem.samples(CLOTHES, (0,))
    assert [len(part.labels[0]) for part in found] == list(CLOTHES.sizes)


def outcome(function, settings=SMALL):
    one = methods.samples_of(MANIFOLDS, 0, settings)
    return jax.jit(lambda scales: function(MANIFOLDS, settings, scales, 0, one))(jnp.ones(1))


def test_a_scale_that_is_learned_at_rate_zero_is_a_fixed_scale():
    fixed = outcome(methods.plain)
    learned = outcome(methods.learned, dataclasses.replace(SMALL, outer_rate=0.0))
    np.testing.assert_allclose(learned.losses, fixed.losses, rtol=1e-4)
    np.testing.assert_allclose(learned.path, np.ones((1 + MANIFOLDS.updates // SMALL.window, 1)), rtol=1e-6)


def test_one_factor_keeps_the_scales_of_all_layers_within_the_limits():
    scales = jnp.array([0.1, 10.0])
    low, high = methods._bounds(scales, apart=False)
    assert (scales * jnp.exp(low)).min() == pytest.approx(problem.LIMITS[0])
    assert (scales * jnp.exp(high)).max() == pytest.approx(problem.LIMITS[1])


def test_calibration_does_not_depend_on_the_start():
    scales = [methods.calibrated(MANIFOLDS, start, 0, SMALL) for start in (0.1, 1.0, 100.0)]
    np.testing.assert_allclose(scales, np.full((3, 1), scales[0][0]), rtol=1e-5)


@pytest.mark.slow
def test_hypergradients_are_those_of_central_differences():
    rows = differences.compare(MANIFOLDS, dataclasses.replace(SMALL, horizons=(3,)))
    assert [row["seed"] for row in rows] == list(SMALL.seeds)
    # A step of 10⁻⁶ rounds a derivative of the size of the weights by 10⁻¹⁰; those by the scale are a thousand times less.
    assert all(row["error"] < 1e-6 for row in rows)


def rows_of(accuracy, error=1e-8, end=0.2, spread=0.0, settings=BOTH):
    """Rows of all jobs, with accuracies in % by method, start and seed."""
    made = []
    for one, method in jobs.jobs(settings):
        shared = {"task": one.task, "method": method}
        if method == "differences":
            cases = itertools.product(settings.horizons, settings.seeds)
            took = {"wall_seconds": 2.0, "cpu_seconds": 1.0}
            made += [{**shared, **took, "steps": steps, "seed": seed, "error": error} for steps, seed in cases]
            continue
        starts = {"fixed": settings.scales, "hypergradient": settings.starts, jobs.APART: settings.starts}
        for start, seed in itertools.product(starts.get(method, (None,)), settings.seeds):
            scales = [start or 1.0] * one.depth
            made.append(
                shared
                | {
                    "start": start,
                    "seed": seed,
                    "scales": scales,
                    "path": [scales] * (1 + one.updates // settings.window),
                }
                | {"test_accuracy": accuracy(method, start, seed) / 100, "validation_accuracy": 0.5, "growth": 2.0}
                | {"losses": list(np.linspace(2.0, end, settings.points)), "updates": one.updates, "one_by_one": 36}
                | {"from_starts": [[1.0 + spread * i] * one.depth for i in range(len(settings.starts))]}
                | {"wall_seconds": 2.0, "cpu_seconds": 1.0, "compile_seconds": 0.5}
            )
    return made


def as_hoped(method, start, seed):
    off = {"fixed": 20 * (start != 1), "calibrate": 0, "tune": 0, jobs.BLIND: 0, jobs.APART: -4}
    return 80 + seed / 2 - off.get(method.removesuffix(jobs.CALIBRATED), -2)


def the_other_way(method, start, seed):
    off = {"fixed": 0, "calibrate": 5, "tune": 10, jobs.BLIND: 9, "hypergradient": 15, jobs.APART: 20}
    return 80 + seed / 2 - off[method.removesuffix(jobs.CALIBRATED)]


def test_claims_hold_where_every_method_does_what_it_should():
    assert [c.claim for c in findings.claims(rows_of(as_hoped), BOTH) if not c.holds] == []


def test_claims_fall_where_none_does():
    found = findings.claims(rows_of(the_other_way, error=1.0, end=1.9, spread=0.1), BOTH)
    assert [c.claim for c in found if c.holds] == []


def test_a_method_that_loses_is_printed_with_its_loss():
    text = run.report.summary(rows_of(the_other_way), BOTH)
    assert "Within 1 point of it from every start: leave it (+0.0 ± 0.0)" in text
    assert "tune (−10.0 ± 0.0)" in text


def test_a_difference_within_two_standard_errors_is_not_clear():
    assert findings.gap(np.array([80.0, 90.0, 70.0]), np.array([83.0, 93.1, 72.9])).clear
    assert not findings.gap(np.array([80.0, 90.0, 70.0]), np.array([90.0, 80.0, 79.0])).clear
    assert not findings.gap(np.array([80.0, 90.0, 70.0]), np.array([80.5, 90.6, 70.4])).clear


def test_the_grid_is_chosen_by_validation_and_costs_all_of_its_runs():
    made = rows_of(as_hoped)
    for row in made:
        if row["method"] == "fixed":
            row["validation_accuracy"] = {0.1: 0.1, 1.0: 0.2, 100.0: 0.3}[row["start"]]
    line = next(one for one in endings.lines(made, MANIFOLDS, BOTH) if one.method == endings.GRID)
    assert line.scale == pytest.approx(100.0)
    assert line.updates == len(BOTH.scales)


def test_rows_come_back_from_the_file(tmp_path):
    made = [row | {"growth": float("inf")} for row in rows_of(as_hoped)[:4]]
    records.append(tmp_path / "runs.jsonl", made[:2], BOTH)
    records.append(tmp_path / "runs.jsonl", made[2:], BOTH)
    assert records.read(tmp_path / "runs.jsonl", BOTH) == [row | {"growth": None} for row in made]
    with pytest.raises(ValueError, match="holds runs of other settings"):
        records.read(tmp_path / "runs.jsonl", problem.Settings())


def test_a_run_that_was_cut_off_goes_on_and_its_page_shows_every_claim(tmp_path, monkeypatch):
    made, asked = rows_of(as_hoped), []

    def stand_in(one, method, settings):
        asked.append((one, method))
        return [row for row in made if (row["task"], row["method"]) == (one.task, method)]

    monkeypatch.setattr(run, "work", stand_in)
    monkeypatch.setattr(run, "QUICK", BOTH)
    first = stand_in(CLOTHES, "fixed", BOTH)
    asked.clear()
    records.append(tmp_path / "runs.jsonl", first, BOTH)
    run.main(["--quick", "--out", str(tmp_path)])
    assert asked == list(jobs.jobs(BOTH))[1:]
    page = (tmp_path / "README.md").read_text()
    assert page.count("**yes**") == len(findings.claims(made, BOTH))
    pictures = {f"{name}.png" for name in ("accuracy", "losses", "scales")}
    assert {path.name for path in tmp_path.iterdir()} == {"README.md", "runs.jsonl", *pictures}


@pytest.mark.slow
def test_the_quick_run_goes_from_end_to_end(tmp_path):
    command = [sys.executable, str(EXAMPLE / "run.py"), "--quick", "--out", str(tmp_path)]
    subprocess.run(command, check=True, timeout=900)
    rows = records.read(tmp_path / "runs.jsonl", run.QUICK)
    assert {(row["task"], row["method"]) for row in rows} == {(p.task, m) for p, m in jobs.jobs(run.QUICK)}
    assert "## What was found" in (tmp_path / "README.md").read_text()
