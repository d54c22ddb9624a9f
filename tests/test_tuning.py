"""Tuning finds what is best where that is known, at the cost that it reports."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad as sg
from surgrad import meta, tasks, train
from surgrad.meta import Choice, Halving, LogRange, Optuna, Range, Training, tune
from surgrad.meta._search.rungs import default_rungs
from surgrad.meta._search.space import sample

optax = pytest.importorskip("optax")


def valley(best=3.0, steps=40):
    """Runs whose loss is the distance of log(scale) from its best, less a little at each update."""

    def update(hyper, state, index):
        return state + 1, jnp.abs(jnp.log(hyper["scale"] / best)) + 1 / (1.0 + index)

    return Training(lambda hyper: jnp.zeros((), int), update, steps)


def test_halving_ends_at_the_candidate_nearest_to_the_best():
    done = tune(valley(), {"scale": LogRange(0.01, 1000)}, method=Halving(16))
    scales = done.candidates["scale"]
    assert done.hyper["scale"] == pytest.approx(scales[np.argmin(abs(np.log(scales / 3)))], rel=1e-6)
    assert done.state == 40


def test_cost_is_the_number_of_updates():
    plan = [(5, 4), (10, 1)]
    done = tune(valley(), {"scale": LogRange(0.01, 1000)}, method=Halving(rungs=plan))
    assert done.cost.updates == 8 * 5 + 4 * 5 + 30
    assert (done.cost.plain, done.cost.one_by_one) == (40, 8 * 40)
    assert done.cost.ratio == 90 / 40
    assert [len(rung.runs) for rung in done.rungs] == [8, 4, 1]


def test_default_rungs_cost_as_much_as_two_fifths_of_a_run_besides_it():
    for candidates in (2, 3, 4, 8, 12, 40):
        plan = default_rungs(1000, candidates)
        alive = [candidates, *(left for _, left in plan)]
        ends = [*(at for at, _ in plan), 1000]
        updates = sum(runs * (end - begin) for runs, begin, end in zip(alive, [0, *ends], ends, strict=False))
        assert 1.35 <= updates / 1000 <= 1.4
    assert default_rungs(400, 8) == [(11, 2), (91, 1)]
    assert default_rungs(400, 1) == default_rungs(1, 8) == []
    assert default_rungs(40, 8) == [(2, 2), (9, 1)]  # the loss before the first update is that of the initial weights
    assert tune(valley(steps=400), {"scale": LogRange(0.01, 1000)}).cost.ratio <= 1.4


def test_a_candidate_that_is_given_is_tried():
    done = tune(
        valley(best=7.25), {"scale": LogRange(0.01, 1000)}, method=Halving(5), initial_candidates=[{"scale": 7.25}]
    )
    assert done.hyper["scale"] == pytest.approx(7.25)


def test_only_a_lead_beyond_the_margin_beats_a_candidate_that_is_given():
    def update(hyper, state, index):
        return state, hyper["loss"]

    def best(lead, **options):
        losses = Choice((1.0, 1.0 - lead))
        plain = Training(lambda hyper: jnp.zeros(()), update, 40)
        done = tune(plain, {"loss": losses}, method=Halving(**options), initial_candidates=[{"loss": 0}])
        return float(done.hyper["loss"])

    assert best(0.1) == 1.0
    assert best(0.3) == pytest.approx(0.7)
    assert best(0.3, margin=0.5) == 1.0
    assert best(0.1, margin=0) == pytest.approx(0.9)


@pytest.mark.parametrize("mapping", ["map", "vmap"])
def test_both_mappings_give_the_same(mapping):
    done = tune(valley(), {"scale": LogRange(0.01, 1000)}, mapping=mapping)
    base = tune(valley(), {"scale": LogRange(0.01, 1000)}, mapping="map")
    assert [rung.runs for rung in done.rungs] == [rung.runs for rung in base.rungs]


def test_what_diverges_ends_and_nothing_else_is_lost():
    def update(hyper, state, index):
        return state, jnp.where(hyper["scale"] < 10, jnp.nan, jnp.log(hyper["scale"]))

    space = {"scale": LogRange(0.01, 1000)}
    done = tune(Training(lambda hyper: jnp.zeros(()), update, 40), space, method=Halving(16))
    assert done.hyper["scale"] == pytest.approx(min(s for s in done.candidates["scale"] if s >= 10), rel=1e-6)
    with pytest.raises(FloatingPointError, match="no run has a finite loss"):
        tune(Training(lambda hyper: jnp.zeros(()), lambda *_: (jnp.zeros(()), jnp.nan), 40), space)


def test_all_runs_share_one_compiled_program():
    traced = []

    def update(hyper, state, index):
        traced.append(1)
        return state, hyper["scale"]

    plain = Training(lambda hyper: jnp.zeros(()), update, 400)
    tune(plain, {"scale": LogRange(0.01, 1000)}, method=Halving(12), mapping="map")
    assert len(traced) <= 2  # once for shapes, once to compile, for any number of rungs


def test_candidates_fill_their_ranges():
    space = {"scale": LogRange(0.01, 1000, shape=(2,)), "share": Range(-1, 1), "shape": Choice((1.0, 2.0, 5.0))}
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
        chosen = jax.jit(lambda i: sg.Chosen(options, i))(index)
        np.testing.assert_allclose(chosen.surrogate_grad(x), option.surrogate_grad(x), rtol=1e-6)
        np.testing.assert_allclose(chosen.surrogate_fun(x), option.surrogate_fun(x), rtol=1e-6)
        np.testing.assert_allclose(chosen.peak(), option.peak(), rtol=1e-6)


def digits_training(steps):
    data = tasks.load("digits").train
    key = jax.random.key(0)

    def build(hyper):
        surrogate = hyper.get("shape", sg.Sigmoid()).steeper(hyper["scale"])
        return train.classifier(surrogate, data, key=key, hidden=32, tau=20.0, gain=3.0), optax.adam(hyper["rate"])

    return Training.of_network(build, data, lambda network, batch: train.score(network, batch).loss, steps=steps)


def test_seeds_of_a_training_may_be_mapped_over():
    data = tasks.load("digits").train[jnp.arange(50)]
    network = train.classifier(sg.Sigmoid(), data, key=jax.random.key(0), hidden=2, tau=20.0, gain=3.0)

    def first_loss(seed):
        build, loss = lambda hyper: (network, optax.sgd(0.1)), lambda network, batch: batch.labels.mean()
        training = Training.of_network(build, data, loss, steps=1, batch=8, seed=seed)
        return training.update({}, training.start({}), jnp.int32(0))[1]

    alone = [first_loss(seed) for seed in range(3)]
    assert len(set(map(float, alone))) > 1
    np.testing.assert_array_equal(jax.vmap(first_loss)(jnp.arange(3)), alone)


@pytest.mark.parametrize("method", [Halving, pytest.param(Optuna, marks=pytest.mark.slow)])
def test_a_network_is_tuned_in_shape_scale_and_learning_rate(method):
    if method is Optuna:
        pytest.importorskip("optuna")
    shapes = (sg.Sigmoid(), sg.Arctan(), sg.ReluGrad())
    space = {"scale": LogRange(0.01, 1000), "rate": LogRange(1e-4, 1e-1), "shape": Choice(shapes)}
    done = tune(digits_training(60), space, method=method(6, rungs=[(6, 2), (18, 1)]))
    assert done.hyper["shape"] in shapes
    assert done.rungs[-1].losses[0] < 0.8 * np.log(10)
    assert (
        len({tuple(np.round(v, 6)) for v in zip(done.candidates["scale"], done.candidates["rate"], strict=True)}) == 6
    )


SPACE = {"scale": LogRange(0.01, 1000)}
MISTAKES = {
    "the space is empty": lambda: tune(valley(), {}),
    "must be a Range, a LogRange or a Choice": lambda: tune(valley(), {"scale": (0.01, 1000)}),
    "mapping must be": lambda: tune(valley(), SPACE, mapping="pmap"),
    "margin must be >= 0": lambda: Halving(margin=-0.1),
    "Halving: candidates must be an integer >= 1, got 0": lambda: Halving(0),
    "Optuna: candidates must be an integer >= 1, got 2.5": lambda: Optuna(2.5),
    "Optuna: batch must be an integer >= 1, got 0": lambda: Optuna(batch=0),
    "as many candidates as there are initial_candidates, 2, at least, got candidates=1": lambda: tune(
        valley(), SPACE, method=Halving(1), initial_candidates=[{"scale": 1.0}] * 2
    ),
    "seed must be an integer >= 0, got -1": lambda: tune(valley(), SPACE, seed=-1),
    "updates of rungs must be an integer >= 1, got 2.5": lambda: Halving(rungs=[(2.5, 1)]),
    "runs of rungs must be an integer >= 1, got 0": lambda: Halving(rungs=[(2, 0)]),
    "must name": lambda: initially({"alpha": 1.0}),
    "scale of each of initial_candidates must lie from 0.01": lambda: initially({"scale": float("nan")}),
    r"in shape \(\), got array": lambda: initially({"scale": np.ones(3)}),
    "to 1000, in shape": lambda: initially({"scale": 1e9}),
    "must be the number of an option, 0 to 1": lambda: initially({"scale": 2}, Choice((1.0, 2.0))),
    "of an option, 0 to 0, got 0.0": lambda: initially({"scale": 0.0}, Choice((1.0,))),
    r"rungs must be \(updates, runs\) with rising updates, 0 < updates < 40": lambda: tune(
        valley(), SPACE, method=Halving(rungs=[(50, 1)])
    ),
}


def initially(candidate, dimension=SPACE["scale"]):
    return tune(valley(), {"scale": dimension}, initial_candidates=[candidate])


@pytest.mark.parametrize("message", MISTAKES)
@pytest.mark.unchecked("wrong types on purpose")
def test_mistakes_get_a_message(message):
    with pytest.raises((TypeError, ValueError), match=message):
        MISTAKES[message]()


FORMER = {
    "method must be an object, method=meta.Halving": {"method": "optuna"},
    "no keyword 'candidates'; it is an option of the method: write method=meta.Halving": {"candidates": 4},
    "no keyword 'first'; write initial_candidates=": {"first": [{"scale": 1.0}]},
    "no keyword 'schedule'; write method=meta.Halving": {"schedule": [(5, 1)]},
    "no keyword 'margin'; it is an option of the method": {"margin": 0.1},
}


@pytest.mark.parametrize("message", FORMER)
@pytest.mark.unchecked("wrong types on purpose")
def test_strings_and_keywords_in_place_of_methods_are_answered_by_what_to_write(message):
    with pytest.raises(TypeError, match=message):
        tune(valley(), SPACE, **FORMER[message])


class Exhaustive(meta.SearchMethod):
    """All candidates to the end: a method that the package does not have."""

    candidates = 4

    def search(self, population, space, initial, seed):
        steps = population.training.steps
        losses = np.asarray(population.advance(np.arange(self.candidates), 0, steps))
        order = np.argsort(losses)
        rung = meta.Rung(steps, tuple(map(int, order)), tuple(map(float, losses[order])))
        return meta.Search((rung,), self.candidates * steps)


def test_a_method_needs_nothing_but_its_own_class():
    done = tune(valley(), SPACE, method=Exhaustive())
    scales = done.candidates["scale"]
    assert done.hyper["scale"] == pytest.approx(scales[np.argmin(abs(np.log(scales / 3)))], rel=1e-6)
    assert done.cost.updates == done.cost.one_by_one == 160


@pytest.mark.parametrize("dimension", [Range(-1, 3, shape=(2,)), LogRange(0.01, 1000), Choice((1.0, 5.0, 9.0))])
def test_values_go_to_the_unit_cube_and_back(dimension):
    u = np.linspace(0.05, 0.95, 7)[:, None] * np.ones(dimension.coordinates)
    values = dimension.from_cube(u)
    again = dimension.from_cube(np.stack([dimension.to_cube(value) for value in values]))
    np.testing.assert_allclose(again, values, rtol=1e-12)


def test_a_linear_range_is_even_in_differences_and_a_logarithmic_one_in_factors():
    u = np.linspace(0, 1, 5)[:, None]
    np.testing.assert_allclose(np.diff(Range(1, 9).from_cube(u), axis=0), 2)
    factors = LogRange(1, 81).from_cube(u)
    np.testing.assert_allclose(factors[1:] / factors[:-1], 3)
    assert (Range(1, 9).middle(), LogRange(1, 81).middle()) == pytest.approx((5, 9))
