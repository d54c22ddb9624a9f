"""Tuning finds what is best where that is known, at the cost that it reports."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad as sg
from surgrad import tasks, train
from surgrad.meta.chosen import Chosen
from surgrad.meta.population import Training, training
from surgrad.meta.space import Choice, Range, sample
from surgrad.meta.tuning import rungs, tune

optax = pytest.importorskip("optax")


def valley(best=3.0, steps=40):
    """Runs whose loss is the distance of log(scale) from its best, less a little at each update."""

    def update(hyper, state, index):
        return state + 1, jnp.abs(jnp.log(hyper["scale"] / best)) + 1 / (1.0 + index)

    return Training(lambda hyper: jnp.zeros((), int), update, steps)


def test_halving_ends_at_the_candidate_nearest_to_the_best():
    done = tune(valley(), {"scale": Range(0.01, 1000)}, candidates=16)
    scales = done.candidates["scale"]
    assert done.hyper["scale"] == pytest.approx(scales[np.argmin(abs(np.log(scales / 3)))], rel=1e-6)
    assert done.state == 40


def test_cost_is_the_number_of_updates():
    plan = [(5, 4), (10, 1)]
    done = tune(valley(), {"scale": Range(0.01, 1000)}, candidates=8, schedule=plan)
    assert done.cost.updates == 8 * 5 + 4 * 5 + 30
    assert (done.cost.plain, done.cost.one_by_one) == (40, 8 * 40)
    assert done.cost.ratio == 90 / 40
    assert [len(rung.runs) for rung in done.rungs] == [8, 4, 1]


def test_default_rungs_cost_as_much_as_two_fifths_of_a_run_besides_it():
    for candidates in (2, 3, 4, 8, 12, 40):
        plan = rungs(1000, candidates)
        alive = [candidates, *(left for _, left in plan)]
        ends = [*(at for at, _ in plan), 1000]
        updates = sum(runs * (end - begin) for runs, begin, end in zip(alive, [0, *ends], ends, strict=False))
        assert 1.35 <= updates / 1000 <= 1.4
    assert rungs(400, 8) == [(11, 2), (91, 1)]
    assert rungs(400, 1) == rungs(1, 8) == []
    assert rungs(40, 8) == [(2, 2), (9, 1)]  # the loss before the first update is that of the initial weights
    assert tune(valley(steps=400), {"scale": Range(0.01, 1000)}, candidates=8).cost.ratio <= 1.4


def test_a_candidate_that_is_given_is_tried():
    done = tune(valley(best=7.25), {"scale": Range(0.01, 1000)}, candidates=5, first=[{"scale": 7.25}])
    assert done.hyper["scale"] == pytest.approx(7.25)


def test_only_a_lead_beyond_the_margin_beats_a_candidate_that_is_given():
    def update(hyper, state, index):
        return state, hyper["loss"]

    def best(lead, **options):
        losses = Choice((1.0, 1.0 - lead))
        done = tune(Training(lambda hyper: jnp.zeros(()), update, 40), {"loss": losses}, first=[{"loss": 0}], **options)
        return float(done.hyper["loss"])

    assert best(0.1) == 1.0
    assert best(0.3) == pytest.approx(0.7)
    assert best(0.3, margin=0.5) == 1.0
    assert best(0.1, margin=0) == pytest.approx(0.9)


@pytest.mark.parametrize("mapping", ["map", "vmap"])
def test_both_mappings_give_the_same(mapping):
    done = tune(valley(), {"scale": Range(0.01, 1000)}, candidates=8, mapping=mapping)
    base = tune(valley(), {"scale": Range(0.01, 1000)}, candidates=8, mapping="map")
    assert [rung.runs for rung in done.rungs] == [rung.runs for rung in base.rungs]


def test_what_diverges_ends_and_nothing_else_is_lost():
    def update(hyper, state, index):
        return state, jnp.where(hyper["scale"] < 10, jnp.nan, jnp.log(hyper["scale"]))

    space = {"scale": Range(0.01, 1000)}
    done = tune(Training(lambda hyper: jnp.zeros(()), update, 40), space, candidates=16)
    assert done.hyper["scale"] == pytest.approx(min(s for s in done.candidates["scale"] if s >= 10), rel=1e-6)
    with pytest.raises(FloatingPointError, match="no run has a finite loss"):
        tune(Training(lambda hyper: jnp.zeros(()), lambda *_: (jnp.zeros(()), jnp.nan), 40), space)


def test_all_runs_share_one_compiled_program():
    traced = []

    def update(hyper, state, index):
        traced.append(1)
        return state, hyper["scale"]

    tune(Training(lambda hyper: jnp.zeros(()), update, 400), {"scale": Range(0.01, 1000)}, candidates=12, mapping="map")
    assert len(traced) <= 2  # once for shapes, once to compile, for any number of rungs


def test_candidates_fill_their_ranges():
    space = {"scale": Range(0.01, 1000, shape=(2,)), "share": Range(-1, 1, log=False), "shape": Choice((1.0, 2.0, 5.0))}
    found = sample(space, 64, seed=0)
    assert found["scale"].shape == (64, 2)
    for values, low, high in ((np.log10(found["scale"]), -2, 3), (found["share"], -1, 1)):
        counts, _ = np.histogram(values, 4, (low, high))
        assert counts.min() > 0.7 * values.size / 4
    assert set(found["shape"]) == {0, 1, 2}
    np.testing.assert_array_equal(found["scale"], sample(space, 64, seed=0)["scale"])


def test_shapes_differ_within_one_program():
    options = (sg.Sigmoid(), sg.Arctan(), sg.ReluGrad())
    x = jnp.linspace(-2, 2, 17)
    for index, option in enumerate(options):
        chosen = jax.jit(lambda i: Chosen(options, i))(index)
        np.testing.assert_allclose(chosen.surrogate_grad(x), option.surrogate_grad(x), rtol=1e-6)
        np.testing.assert_allclose(chosen.surrogate_fun(x), option.surrogate_fun(x), rtol=1e-6)
        np.testing.assert_allclose(chosen.peak(), option.peak(), rtol=1e-6)


def digits_training(steps):
    data = tasks.load("digits").train
    key = jax.random.key(0)

    def build(hyper):
        slope = sg.Temperature(hyper.get("shape", sg.Sigmoid()), 1 / hyper["scale"])
        return train.classifier(slope, data, key=key, hidden=32, tau=20.0, gain=3.0), optax.adam(hyper["rate"])

    return training(build, data, lambda network, batch: train.score(network, batch).loss, steps=steps)


@pytest.mark.parametrize("method", ["halving", pytest.param("optuna", marks=pytest.mark.slow)])
def test_a_network_is_tuned_in_shape_scale_and_learning_rate(method):
    if method == "optuna":
        pytest.importorskip("optuna")
    shapes = (sg.Sigmoid(), sg.Arctan(), sg.ReluGrad())
    space = {"scale": Range(0.01, 1000), "rate": Range(1e-4, 1e-1), "shape": Choice(shapes)}
    done = tune(digits_training(60), space, method=method, candidates=6, schedule=[(6, 2), (18, 1)])
    assert done.hyper["shape"] in shapes
    assert done.rungs[-1].losses[0] < 0.8 * np.log(10)
    assert (
        len({tuple(np.round(v, 6)) for v in zip(done.candidates["scale"], done.candidates["rate"], strict=True)}) == 6
    )


SPACE = {"scale": Range(0.01, 1000)}
MISTAKES = {
    "the space is empty": ({}, {}),
    "must be a Range or a Choice": ({"scale": (0.01, 1000)}, {}),
    "method must be one of": (SPACE, {"method": "grid"}),
    "mapping must be": (SPACE, {"mapping": "pmap"}),
    "margin must be >= 0": (SPACE, {"margin": -0.1}),
    "candidates must be an integer >= 1, got 0": (SPACE, {"candidates": 0}),
    "candidates must be an integer >= 1, got 2.5": (SPACE, {"candidates": 2.5}),
    "candidates must hold the 2 of first, got 1": (SPACE, {"candidates": 1, "first": [{"scale": 1.0}] * 2}),
    "seed must be an integer >= 0, got -1": (SPACE, {"seed": -1}),
    "updates of schedule must be an integer >= 1, got 2.5": (SPACE, {"schedule": [(2.5, 1)]}),
    "runs of schedule must be an integer >= 1, got 0": (SPACE, {"schedule": [(2, 0)]}),
    "must name": (SPACE, {"first": [{"alpha": 1.0}]}),
    "scale of a candidate of first must lie from 0.01": (SPACE, {"first": [{"scale": float("nan")}]}),
    r"in shape \(\), got array": (SPACE, {"first": [{"scale": np.ones(3)}]}),
    "to 1000, in shape": (SPACE, {"first": [{"scale": 1e9}]}),
    "must be the number of an option, 0 to 1": ({"scale": Choice((1.0, 2.0))}, {"first": [{"scale": 2}]}),
    "of an option, 0 to 0, got 0.0": ({"scale": Choice((1.0,))}, {"first": [{"scale": 0.0}]}),
    r"schedule must be \(updates, runs\)": (SPACE, {"schedule": [(50, 1)]}),
}


@pytest.mark.parametrize("message", MISTAKES)
@pytest.mark.unchecked("wrong types on purpose")
def test_mistakes_get_a_message(message):
    space, options = MISTAKES[message]
    with pytest.raises((TypeError, ValueError), match=message):
        tune(valley(), space, **options)
