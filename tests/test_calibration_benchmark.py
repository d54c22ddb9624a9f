"""The benchmark of calibration: what a scale loses, how a rule is chosen, and that its programs run."""

import json
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("optax")
pytest.importorskip("matplotlib")
sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.calibration import collect, confirm, page, rules
from benchmarks.calibration.cases import NORMALISATIONS, SHAPES, Case, cases

from surgrad.meta import default_target
from surgrad.meta._inspection.calibration import root_slope

SCALES = np.geomspace(0.01, 1000, 51)


def row(peak, spread=1.0, seeds=3, noise=0.0, **case):
    """A case whose accuracy falls by 10 points a factor of e on either side of a peak."""
    fields = {"task": "digits", "shape": "sigmoid", "normalisation": "peak", "depth": 1, "recurrent": False}
    accuracy = (
        90 - 10 * np.abs(np.log(SCALES / peak))[:, None] + noise * np.random.default_rng(0).normal(size=(51, seeds))
    )
    membranes = np.broadcast_to(spread * np.linspace(-3, 1, 401), (seeds, 1, 401))
    return rules.Row(fields | {"held_out": False} | case, SCALES, accuracy, membranes, np.ones(1), np.ones(1))


@pytest.mark.parametrize("name", SHAPES)
def test_relative_slopes_are_those_of_the_surrogates(name):
    x = jnp.linspace(-4, 4, 33)
    surrogate = SHAPES[name]()
    np.testing.assert_allclose(
        rules.RELATIVE[name](np.asarray(x)), surrogate.surrogate_grad(x) / surrogate.peak(), atol=1e-6
    )


def test_what_a_scale_loses_is_the_distance_to_the_best():
    assert rules.lost(row(1.0), np.array([1.0])) == pytest.approx(0, abs=1e-9)
    assert rules.lost(row(1.0), np.array([np.exp(1.0)])) == pytest.approx(10, rel=0.15)  # but for smoothing
    assert rules.lost_beside(row(1.0), np.full(3, np.exp(-1.0))) == pytest.approx(10, rel=0.15)


def test_the_best_of_noisy_means_is_too_good_and_that_beside_other_seeds_is_not():
    noise = np.random.default_rng(1).normal(size=(40, 51, 3))
    flat = [row(1.0)._replace(accuracy=90 + 3 * each) for each in noise]  # all scales are equally good
    anywhere = [np.full(3, scale) for scale in SCALES[::5]]
    assert np.mean([rules.lost(each, scales) for each in flat for scales in anywhere]) > 1
    assert abs(np.mean([rules.lost_beside(each, scales) for each in flat for scales in anywhere])) < 0.3


def test_a_rule_that_fits_the_cases_is_found():
    rows = [row(2.0 / spread, spread) for spread in (0.3, 1.0, 3.0)]  # the best slope follows the membranes
    rule = rules.chosen("mean of its square root", rows)
    assert max(rules.lost(each, rule(each)) for each in rows) < 1.5
    fixed = rules.outcome(lambda _: np.full(3, 2.0), rows)
    assert fixed.worst > 9


def test_the_rule_of_the_page_is_that_of_the_library():
    found = row(1.0, depth=2, recurrent=True)
    case = Case(**found.case)
    network = case.network(confirm.drawn(jnp.asarray(0), case.data())[0], case.data().train, 1.0)
    value = page.LIBRARY.value * (1 + page.LIBRARY.growth * (found.in_a_row - 1))
    assert value == pytest.approx(default_target(network))
    _, seen = page.LIBRARY.statistic(found)
    place = np.abs(rules.FINE - 1.7).argmin()
    ours = root_slope(case.surrogate(rules.FINE[place]), jnp.asarray(found.membranes[0, 0]))
    np.testing.assert_allclose(seen[place, 0, 0], ours, rtol=1e-4)


def test_cases_are_enough_and_half_of_them_are_held_out():
    every = list(cases())
    assert len(set(every)) == len(every) == 80
    held = [case for case in every if case.held_out]
    assert len(held) == 40
    for half in (held, [case for case in every if not case.held_out]):
        assert {case.shape for case in half} == set(SHAPES)
        assert {case.normalisation for case in half} == set(NORMALISATIONS)
        assert {(case.depth, case.recurrent) for case in half} == {(d, r) for d in (1, 2, 3, 4) for r in (False, True)}


@pytest.mark.slow
@pytest.mark.promotes("Optax does")
def test_programs_run_from_cases_to_a_page(tmp_path, monkeypatch):
    two = [case for case in cases() if case.task == "digits" and case.depth == 1 and not case.recurrent][:2]
    monkeypatch.setattr(collect, "cases", lambda: iter(two))
    for module in (collect, confirm):
        monkeypatch.setattr(module, "UPDATES", 20)
    monkeypatch.setattr(collect, "SCALES", (0.1, 1.0, 10.0))
    monkeypatch.setattr(confirm, "SEEDS", (3, 4))
    monkeypatch.setattr(confirm, "TUNED", (3,))
    collected, confirmed = tmp_path / "collected.jsonl", tmp_path / "confirmed.jsonl"
    collect.main(collected)
    before = collected.read_text()
    collect.main(collected)
    assert collected.read_text() == before  # nothing is left to do
    confirm.main(collected, confirmed)
    page.main(collected, confirmed, tmp_path / "page")
    found = [json.loads(line) for line in confirmed.read_text().splitlines()]
    assert len(found) == 1
    assert found[0]["held_out"]
    assert 0.1 < np.mean(found[0]["calibrated"]) <= 1
    text = (tmp_path / "page" / "README.md").read_text()
    assert "1 held-out cases" in text
    assert (tmp_path / "page" / "cases.png").exists()
