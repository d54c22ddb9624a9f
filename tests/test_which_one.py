"""The study of all shapes: what is equal, what is measured, how it goes on, and that a part of it says that it is one."""

import dataclasses
import functools
import json
import math
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

pytest.importorskip("optax")
pytest.importorskip("matplotlib")
pytest.importorskip("scipy")
pytest.importorskip("statsmodels")
sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.which_one import __main__ as command
from benchmarks.which_one import cart_pole, plan, problems, runs, shapes, statistics, summary, training
from benchmarks.which_one.page import write
from benchmarks.which_one.rules import RULES

import surgrad
from surgrad import tasks

TINY = problems.Classification(
    "xor", updates=16, batch=8, hidden=8, load=functools.partial(tasks.temporal_xor, samples=20, steps=15)
)
NET = problems.NETS["1 layer"]


def named(name):
    return next(shape for shape in shapes.shapes() if name in shape.names)


slope_of = jax.jit(lambda surrogate, x: surrogate.surrogate_grad(x))


def to_half(slope):
    """The number of entries until a slope, from its peak on, has fallen to half."""
    return np.argmax(slope <= slope[0] / 2)


@pytest.mark.parametrize("shape", shapes.shapes(), ids=lambda shape: shape.name)
def test_shapes_have_the_width_and_the_height_or_area_that_they_are_given(shape):
    x = np.linspace(-40, 40, 400_001, dtype=np.float32)
    for size in shape.sizes:
        slope = np.asarray(slope_of(shapes.at(shape.name, size, 0.5), jnp.asarray(x)), float)
        peak = slope.argmax()
        if shape.has_width:
            entries = to_half(slope[peak:]) + to_half(slope[peak::-1])
            assert entries * 80 / 400_000 == pytest.approx(0.5, abs=2e-3)
        if size == "height":
            assert slope.max() == pytest.approx(1, rel=2e-3)
        else:  # heavy tails have some of their area beyond
            assert np.trapezoid(slope, x) == pytest.approx(1, abs=0.03)


def test_a_size_that_a_shape_cannot_have_is_refused():
    with pytest.raises(KeyError, match="no shape 'LeakyRelu' of unit area"):
        shapes.at("LeakyRelu", "area", 1.0)


CLOSED = {
    "Sigmoid": lambda x: 1 / np.cosh(np.arccosh(np.sqrt(2)) * x) ** 2,
    "Arctan": lambda x: 1 / (1 + x**2),
    "SuperSpike": lambda x: 1 / (1 + (np.sqrt(2) - 1) * np.abs(x)) ** 2,
    "PiecewiseQuadratic": lambda x: np.maximum(1 - np.abs(x) / 2, 0),
    "GaussianGrad": lambda x: 2.0 ** -(x**2),
    "PiecewiseExp": lambda x: 2.0 ** -np.abs(x),
}
"""Slopes of height 1 that have fallen to half at x = ±1."""


@pytest.mark.parametrize("name", CLOSED)
def test_slopes_of_equal_width_and_height_have_their_closed_form(name):
    x = np.linspace(-3, 3, 41, dtype=np.float32)
    found = slope_of(shapes.at(name, "height", 0.7), jnp.asarray(x))
    np.testing.assert_allclose(found, CLOSED[name](x / 0.35), atol=1e-5)


class Mine(surgrad.Surrogate):
    """A sigmoid's slope under another name and at another scale."""

    def surrogate_grad(self, x):
        return 5 / jnp.cosh(3 * x) ** 2


def test_shapes_that_are_one_function_at_another_scale_are_found():
    assert {"FastSigmoid", "SuperSpike", "SoftSign"} <= set(named("SoftSign").names)
    assert named("Sigmoid") != named("Arctan")
    found = shapes.distinct([shapes.measured("Sigmoid", surgrad.Sigmoid()), shapes.measured("Mine", Mine())])
    assert [one.names for one in found] == [("Sigmoid", "Mine")]
    found = shapes.distinct([shapes.measured("ERF", surgrad.ERF()), shapes.measured("Mine", Mine())])
    assert [one.names for one in found] == [("ERF",), ("Mine",)]


def test_a_cart_moves_as_the_equations_of_motion_of_cart_and_pole_demand():
    state = np.random.default_rng(0).normal(size=(5, 4)) * 0.3
    right = np.array([True, False, True, True, False])
    found = np.asarray(cart_pole.moved(jnp.asarray(state), jnp.asarray(right)))
    for before, after, push in zip(state, found, np.where(right, 10.0, -10.0), strict=True):
        _, speed, angle, turning = before
        # Both equations of motion, as a linear system in both accelerations.
        system = [[1.1, 0.05 * np.cos(angle)], [np.cos(angle), 4 / 3 * 0.5]]
        pull, spin = np.linalg.solve(system, [push + 0.05 * turning**2 * np.sin(angle), 9.8 * np.sin(angle)])
        np.testing.assert_allclose(after, before + 0.02 * np.array([speed, pull, turning, spin]), rtol=1e-5, atol=1e-6)


def test_advantages_weigh_only_steps_at_which_the_pole_stood():
    alive = jnp.asarray([[True, True], [True, False], [True, False]])
    found = np.asarray(cart_pole.advantages(alive))
    assert found[0, 0] > 0 > found[0, 1]
    np.testing.assert_allclose(found[0].sum(), 0, atol=1e-6)
    np.testing.assert_array_equal(found[1:], 0)  # one episode is its own baseline


def result(seed, accuracy, width=1.0, rule="fixed", shape="Sigmoid", task="digits", size="height"):
    run = runs.Run(task, "1 layer", rule, shape, size, width, seed)
    return runs.Result(run, accuracy / 100, 0.5, 0.5, 0.1, (width or 0.8,), 1.0, 0.0)


def grid(best=80.0, noise=0.0, seeds=4, chance=0, **options):
    """Rows in which a width of 1 is best, and the others lose 10 and 20 points."""
    random = np.random.default_rng(chance)
    drops = {0.1: 10.0, 1.0: 0.0, 10.0: 20.0}
    return [
        result(seed, best - drop + noise * random.normal(), width, **options)
        for width, drop in drops.items()
        for seed in range(seeds)
    ]


def calibrated(accuracy, seeds=4, **options):
    return [result(seed, accuracy + 0.1 * (-1) ** seed, 0.0, "calibrate", **options) for seed in range(seeds)]


def test_what_a_choice_loses_is_measured_against_the_best_width():
    (loss,) = statistics.losses([*grid(), *calibrated(77.0)], "calibrate")
    assert loss.best == 1.0
    assert loss.beside == loss.over == pytest.approx(3.0)
    assert loss.fails
    fixed = statistics.fixed_losses(grid())
    assert {width: found[0].beside for width, found in fixed.items()} == pytest.approx({0.1: 10, 1.0: 0, 10.0: 20})


def test_a_case_that_loses_too_much_is_judged_once_more_with_fresh_seeds():
    rows = [*grid(), *calibrated(77.0)]
    (loss,) = statistics.losses(rows, "calibrate")
    runs_again = statistics.again(loss)
    assert {run.seed for run in runs_again} == set(plan.FRESH) and not set(plan.FRESH) & set(plan.SEEDS)
    assert {(run.rule, run.width) for run in runs_again} == {("fixed", 1.0), ("calibrate", 0.0)}
    assert "fresh" not in summary.summarised(rows, 3, 10)["calibrate"]["fails"][0]
    for accuracy, fails in ((79.5, False), (78.0, True)):
        more = [result(run.seed, 80.0 if run.width else accuracy, run.width, run.rule) for run in runs_again]
        found = summary.summarised([*rows, *more], 3, 10)["calibrate"]
        fresh = {"seeds": len(plan.FRESH), "points": 80 - accuracy, "error": 0.0, "fails": fails}
        assert found["fails"][0]["fresh"] == fresh
        assert (found["mean"], found["fails"][0]["points"]) == (3.0, 3.0)  # what all cases have counts alone


def test_the_best_of_noisy_widths_is_too_good_and_that_beside_other_seeds_is_not():
    random = np.random.default_rng(0)
    found = []
    for _ in range(300):
        rows = [result(s, 50 + random.normal(), w) for w in np.geomspace(0.1, 10, 9) for s in range(3)]
        ours = [result(s, 50 + random.normal(), 0.0, "calibrate") for s in range(3)]
        found += statistics.losses([*rows, *ours], "calibrate")
    assert np.mean([loss.over for loss in found]) > 0.5
    assert np.mean([loss.beside for loss in found]) == pytest.approx(0, abs=0.15)


def test_a_case_that_lacks_a_run_of_a_seed_counts_with_the_other_seeds():
    rows = [*grid(), *calibrated(77.0)]
    rows = [one for one in rows if (one.run.width, one.run.seed) != (10.0, 3)]
    assert statistics.losses(rows, "calibrate")[0].seeds == 3
    assert statistics.losses([*grid(seeds=1), *calibrated(77.0)], "calibrate") == []


def test_widths_and_seeds_that_have_just_begun_hide_no_case():
    rows = [*grid(), *calibrated(77.0), result(0, 99.0, 0.5), result(4, 99.0, 1.0)]
    assert statistics.losses(rows, "calibrate")[0].seeds == 4
    assert statistics.losses(rows, "calibrate")[0].beside == pytest.approx(3.0)
    assert [len(of) for of in statistics.at_best(rows).values()] == [4]


def test_shapes_are_compared_by_seed_and_under_any_of_their_names():
    worse = grid(75.0, shape="Arctan", noise=0.3, chance=1)
    accuracies = statistics.at_best([*grid(noise=0.3), *worse])
    (found,) = statistics.compared(accuracies, "height", "Sigmoid")
    assert (found.surrogate, found.significant) == ("Arctan", True)
    assert found.difference == pytest.approx(-5, abs=0.5)
    alias = named("SoftSign").names[-1]
    assert {case.shape for case in statistics.curves(grid(shape=alias))} == {named("SoftSign").name}


def test_means_of_shapes_are_those_of_the_same_tasks():
    case = functools.partial(statistics.Case, net="1 layer", size="height")
    whole = {case(task=task, shape=shape) for task in ("a", "b") for shape in ("one", "two")}
    assert statistics.complete(whole | {case(task="c", shape="one"), case(task="a", shape="rare")}) == whole
    assert statistics.complete([]) == set()


def test_tasks_of_which_the_rule_was_chosen_are_known():
    assert not summary.unseen("digits")
    assert not summary.unseen("delayed memory")
    assert summary.unseen("cart-pole")


def test_the_summary_recommends_what_the_rows_say():
    worse = [result(r.run.seed, 60 + r.run.seed, r.run.width, shape="Arctan") for r in grid()]
    rows = [*grid(noise=0.2), *calibrated(79.9), *worse]
    found = summary.summarised(rows, 3, 10)
    assert list(found["shapes"]) == ["Sigmoid", "Arctan"]
    assert found["calibrate"]["mean"] == pytest.approx(0.1, abs=0.3)
    assert found["worse"][0]["shape"] == "Arctan"
    assert found["unseen"] is None
    assert not found["enough"]


def test_deep_networks_with_few_shapes_hide_none_of_the_others():
    rows = [*grid(), *grid(75.0, shape="Arctan"), *grid(70.0, shape="Circ")]
    deep = [
        dataclasses.replace(row, run=dataclasses.replace(row.run, net=net))
        for net in ("3 layers", "6 layers")
        for row in [*grid(60.0), *grid(52.0, shape="Arctan")]
    ]
    found = summary.summarised([*rows, *deep], 3, 10)
    assert list(found["shapes"]) == ["Sigmoid", "Arctan", "Circ"]
    assert found["shapes"]["Circ"]["mean"] == pytest.approx(10)  # of one layer alone
    assert found["nets"] == {
        "1 layer": {"Arctan": 5.0, "Circ": 10.0}, "3 layers": {"Arctan": 8.0}, "6 layers": {"Arctan": 8.0}
    }  # fmt: skip


def test_a_usual_shape_is_recommended_unless_another_is_better_by_more_than_chance():
    cases = [statistics.Case(f"task {i}", "1 layer", "", "height") for i in range(12)]
    lost = {"Dspike": 0.0, "Arctan": 0.1, "Sigmoid": 0.2}
    noise = np.random.default_rng(0).normal(0, 1, (3, 12))

    def relative(scale):
        return {
            case._replace(shape=name): points + scale * by
            for (name, points), row in zip(lost.items(), noise, strict=True)
            for case, by in zip(cases, row, strict=True)
        }

    ranked = list(lost)
    # Arctan and Sigmoid do not differ by more than chance, and Sigmoid comes first.
    assert summary.taken(ranked, relative(1.0)) == "Sigmoid"
    assert summary.taken(ranked, relative(0.01)) == "Arctan"
    assert summary.taken(["Dspike"], relative(1.0)) == "Dspike"
    assert summary.taken([], {}) == ""


def test_rows_are_enough_once_each_task_has_several_shapes_with_three_seeds():
    best = {
        statistics.Case(task, "1 layer", shape, "height"): dict.fromkeys(range(3), 50.0)
        for task in problems.problems()
        for shape in ("Sigmoid", "Arctan")
    }
    assert summary.enough(best)
    assert not summary.enough(
        {case: of for case, of in best.items() if case[:1] + case[2:3] != ("cart-pole", "Arctan")}
    )
    assert not summary.enough({case: {0: 50.0, 1: 50.0} for case in best})


@pytest.fixture
def tiny(monkeypatch):
    """A study of one small task and three shapes."""
    some = tuple(named(name) for name in ("Sigmoid", "Arctan", "LeakyRelu"))
    stage = plan.Stage("tiny", ("1 layer",), widths=(0.3, 3.0), seeds=(0, 1), tasks=("xor",))
    monkeypatch.setattr(shapes, "shapes", lambda: some)
    monkeypatch.setattr(plan, "STAGES", {"tiny": stage})
    for module in (problems, training, plan, command, statistics, summary):
        monkeypatch.setattr(module, "problems", lambda: {"xor": TINY})
    monkeypatch.setattr("benchmarks.which_one.page.problems", lambda: {"xor": TINY})
    with jax.numpy_dtype_promotion("standard"):  # Optax promotes
        yield


def test_a_study_goes_on_where_it_was_stopped_and_its_page_says_what_is_missing(tiny, tmp_path, monkeypatch, capsys):
    table, done = command.table_of(tmp_path / "study.db"), []
    finished = training.finished

    def interrupted(run, data):
        if len(done) == 12:
            raise KeyboardInterrupt
        done.append(run)
        return finished(run, data)

    monkeypatch.setattr(training, "finished", interrupted)
    with pytest.raises(KeyboardInterrupt):
        command.run(table, ["tiny"])
    write(table.results(), tmp_path / "page", ["tiny"])
    page = (tmp_path / "page" / "README.md").read_text()
    assert "**Unfinished: 12 of 14 planned runs" in page
    monkeypatch.setattr(training, "finished", finished)
    command.run(command.table_of(tmp_path / "study.db"), ["tiny"])
    rows = command.table_of(tmp_path / "study.db").results()
    assert [one.run for one in rows[:12]] == done
    assert len({one.run for one in rows}) == len(rows) == 14
    assert "2 of 14 runs missing; 0.00 h" in capsys.readouterr().out
    write(rows, tmp_path / "page", ["tiny"])
    page = (tmp_path / "page" / "README.md").read_text()
    assert page.startswith("# Which surrogate?\n\n**So far, from too few rows to rely on: Take `")
    assert "All 14 planned runs are done" in page
    for picture in ("widths-height.png", "shapes-best-height.png", "choices.png"):
        assert f"]({picture})" in page
        assert (tmp_path / "page" / picture).stat().st_size > 5000
    assert json.loads((tmp_path / "page" / "summary.json").read_text())["done"] == 14


def test_rows_of_another_design_do_not_count(tmp_path):
    one, where = result(0, 50.0), ("digits", "1 layer")
    runs.Table(tmp_path / "a.db", {where: "old"}).add(one)
    assert runs.Table(tmp_path / "a.db", {where: "new"}).missing([one.run]) == [one.run]
    assert runs.Table(tmp_path / "a.db", {where: "old"}).missing([one.run]) == []
    assert runs.design(TINY, NET) != runs.design(TINY, problems.NETS["3 layers"])
    assert runs.design(TINY, NET) != runs.design(dataclasses.replace(TINY, updates=17), NET)


def test_a_new_table_begins_with_the_rows_that_are_kept_with_the_code(tiny, tmp_path, monkeypatch):
    kept, first_table = tmp_path / "rows.csv.gz", command.table_of(tmp_path / "a.db")
    found = [
        dataclasses.replace(result(seed, 50.0 + seed / 3), test_loss=math.inf, widths=(0.3, 2.0)) for seed in (1, 0)
    ]
    found = [dataclasses.replace(one, run=dataclasses.replace(one.run, task="xor", net="1 layer")) for one in found]
    for one in found:
        first_table.add(one)
    first_table.write(kept)
    first = kept.read_bytes()
    monkeypatch.setattr(command, "ROWS", kept)
    table = command.table_of(tmp_path / "b.db")
    assert [one.run for one in table.results()] == [one.run for one in reversed(found)]
    assert [one.test_accuracy for one in table.results()] == [one.test_accuracy for one in reversed(found)]
    assert all(math.isnan(one.test_loss) and one.widths == (0.3, 2.0) for one in table.results())
    table.read(kept)  # once more: nothing is there twice
    table.write(kept)
    assert kept.read_bytes() == first


def test_the_committed_summary_is_that_of_the_committed_rows(tmp_path):
    kept = json.loads((command.ROWS.parent / "summary.json").read_text())
    results = command.table_of(tmp_path / "study.db").results()
    found = summary.plain(summary.summarised(results, kept["done"], kept["planned"]))
    assert len(results) >= kept["done"] > 0
    assert found["take"] == kept["take"]
    for name in ("calibrate", "unseen"):
        assert found[name]["mean"] == pytest.approx(kept[name]["mean"], abs=0.01)
        assert found[name]["cases"] == kept[name]["cases"]
    for name in ("fixed", "shapes"):
        means = {one: of["mean"] for one, of in kept[name].items()}
        assert {one: of["mean"] for one, of in found[name].items()} == pytest.approx(means, abs=0.01)


def test_a_loss_that_has_overflowed_is_kept_as_unknown(tmp_path):
    table = runs.Table(tmp_path / "a.db", {("digits", "1 layer"): "one"})
    table.add(dataclasses.replace(result(0, 50.0), test_loss=math.inf))
    assert math.isnan(table.results()[0].test_loss)


def test_every_stage_plans_each_run_once_and_the_last_ones_have_five_seeds():
    everything = plan.planned([name for name in plan.STAGES if name != "tiny"])
    assert len(set(everything)) == len(everything)
    assert {run.seed for run in everything} == set(range(5))
    assert {run.task for run in everything} == set(problems.problems())
    assert {run.net for run in everything} == set(problems.NETS)
    assert {run.shape for run in everything} == {shape.name for shape in shapes.shapes()}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in RULES if name not in ("fixed", "calibrate")])
def test_rules_that_adapt_change_what_is_learned(name, tiny):
    problem = dataclasses.replace(TINY, hidden=32, batch=32)
    data, seed = problem.data(), jnp.asarray(0)
    surrogate = shapes.at("Sigmoid", RULES[name].size, 0.3)
    found = training.program(problem, NET, RULES[name])(data, surrogate, seed)
    plain = training.program(problem, NET, RULES["calibrate"])(data, surrogate, seed)
    assert all(np.isfinite(found[one]).all() for one in ("test_accuracy", "test_loss", "widths"))
    same = name == "tune" and np.array_equal(found["widths"], plain["widths"])  # it may keep the calibrated width
    assert (float(found["test_loss"]) == float(plain["test_loss"])) == same


def test_shapes_are_compared_over_all_tasks_and_architectures():
    rows = [(f"task {i}", "1 layer") for i in range(12)]
    noise = np.random.default_rng(0).normal(size=12)
    lost = {"first": np.zeros(12), "worse": 1 + np.abs(noise), "alike": noise, "the same": np.zeros(12)}
    points = {
        statistics.Case(task, net, name, "height"): float(value)
        for name, values in lost.items()
        for (task, net), value in zip(rows, values, strict=True)
    }
    found = statistics.over_cases(points, "first")
    assert found["worse"] == (pytest.approx(lost["worse"].mean()), True)  # p = 2/2¹², by hand
    assert not found["alike"][1]
    assert "the same" not in found
