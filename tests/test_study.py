"""Studies: what shares a program, rows that depend on nothing but their own run, and their summary."""

import dataclasses
import doctest
import importlib
import itertools
import statistics

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad._colours import colour_of

pytest.importorskip("sklearn")
study = pytest.importorskip("surgrad.study")
_epoch = pytest.importorskip("surgrad.study._programs")._epoch

TINY = study.Settings(seeds=(0, 1), epochs=2, steps=8, hidden=12, batch=256)
CATALOGUE = surgrad.catalogue()


def scaled(kind, *scales):
    return [study.Variant(kind.__name__, "scale", s, study.at_unit_peak(kind(), s)) for s in scales]


def but_seconds(rows):
    return [dataclasses.replace(row, seconds=0.0) for row in rows]


@pytest.fixture(scope="module")
def ticks():
    return []


@pytest.fixture(scope="module")
def families(ticks):
    """Two families of a tiny study, the first with two scales."""
    variants = [*scaled(surgrad.Sigmoid, 1.0, 50.0), *scaled(surgrad.Arctan, 1.0)]
    return list(study.run(variants, TINY, lambda family: ticks.append(len(family))))


@pytest.mark.parametrize("scale", [0.1, 7.0])
def test_a_scaled_surrogate_is_steeper_and_keeps_a_peak_of_one(scale):
    x = np.linspace(-2, 2, 81, dtype=np.float32)
    z = 4.0 * scale * x.astype(float)
    expected = 4 / (1 + np.exp(z)) / (1 + np.exp(-z))
    np.testing.assert_allclose(study.at_unit_peak(surgrad.Sigmoid(4.0), scale).surrogate_grad(x), expected, rtol=1e-5)


@pytest.mark.parametrize("kind", CATALOGUE.values(), ids=CATALOGUE.keys())
def test_every_surrogate_can_be_brought_to_a_peak_of_one(kind):
    side = np.logspace(-6, 2, 400, dtype=np.float32)
    peaks = [x / 3 for x in kind.peaks or () if np.isfinite(x)]
    slope = study.at_unit_peak(kind(), 3.0).surrogate_grad(np.concatenate([-side, peaks, side]).astype(np.float32))
    np.testing.assert_allclose(np.max(slope), 1, rtol=1e-5)


def test_surrogates_that_differ_in_numbers_alone_are_a_family():
    fourier = [
        study.Variant("fourier", "n", n, surgrad.SquarewaveFourierSeries(n=n, t_period=p))
        for n in (1, 2)
        for p in (4, 8)
    ]
    sigmoid = scaled(surgrad.Sigmoid, 1.0, 2.0)
    assert study.families([sigmoid[0], *fourier, sigmoid[1]]) == [sigmoid, fourier[:2], fourier[2:]]


def test_rows_come_family_by_family_in_the_order_of_variants_and_seeds(families):
    named = [[(row.surrogate, row.value, row.seed) for row in rows] for rows in families]
    sigmoid = [("Sigmoid", 1.0, 0), ("Sigmoid", 1.0, 1), ("Sigmoid", 50.0, 0), ("Sigmoid", 50.0, 1)]
    assert named == [sigmoid, [("Arctan", 1.0, 0), ("Arctan", 1.0, 1)]]
    for row in itertools.chain(*families):
        assert 0 < row.test_accuracy < 1
        assert 0 < row.firing_rate < 1
        assert np.isfinite([row.test_loss, row.train_loss]).all()


def test_every_epoch_of_a_family_is_told(families, ticks):
    assert ticks == [2, 2, 1, 1]


def test_a_run_does_not_depend_on_its_neighbours(families):
    (alone,) = study.run(scaled(surgrad.Sigmoid, 50.0), dataclasses.replace(TINY, seeds=(1,)))
    assert but_seconds(alone) == but_seconds([families[0][3]])


def test_runs_all_at_once_learn_like_runs_one_by_one(families):
    # Only nearly: training spikes is chaotic, and the order of a sum may decide a spike.
    (at_once,) = study.run(scaled(surgrad.Arctan, 1.0), dataclasses.replace(TINY, mapping="vmap"))
    for a, b in zip(at_once, families[1], strict=True):
        np.testing.assert_allclose(a.train_loss, b.train_loss, rtol=0.01)


def test_a_study_ends_with_what_the_tick_raises(families):
    def stop(family):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        list(study.run(scaled(surgrad.Arctan, 1.0), TINY, stop))


def row(surrogate, value, seed, accuracy, seconds=1.0):
    return study.Row(surrogate, "scale", value, seed, accuracy, 0.5, 0.25, 0.1, seconds)


def test_a_summary_has_means_and_deviations_over_seeds():
    rows = [row("b", 1.0, 0, 0.9), row("b", 1.0, 1, 0.8), row("a", 1.0, 0, 0.7), row("b", 1.0, 2, 0.94)]
    b, a = study.summarise(rows)
    assert (b.surrogate, b.runs, a.surrogate, a.runs) == ("b", 3, "a", 1)
    assert b.test_accuracy == statistics.fmean([0.9, 0.8, 0.94])
    assert b.test_accuracy_sd == pytest.approx(np.std([0.9, 0.8, 0.94], ddof=1))
    assert a.test_accuracy_sd is None
    assert (b.seconds, b.test_loss, b.train_loss, b.firing_rate) == pytest.approx((3.0, 0.5, 0.25, 0.1))


def test_the_picture_shows_the_means_against_the_scale():
    plot = pytest.importorskip("surgrad.plot")
    rows = [
        row("sigmoid", scale, seed, 0.9 - scale / 100 + seed / 100) for scale in (0.1, 1.0, 10.0) for seed in (0, 2)
    ]
    figure = plot.study(study.summarise(rows))
    upper, lower = figure.axes
    shown = np.array(upper.lines[0].get_xydata(), float)
    np.testing.assert_allclose(shown, [(0.1, 90.9), (1, 90.0), (10, 81.0)])
    np.testing.assert_allclose(lower.lines[0].get_ydata(), [0.5] * 3)
    assert "mean ± sd of 2 seeds" in upper.get_ylabel()
    assert all(axes.get_ylabel() for axes in figure.axes)
    assert "scale" in lower.get_xlabel()


def test_values_of_different_parameters_have_a_panel_each():
    plot = pytest.importorskip("surgrad.plot")
    lines = study.summarise(
        [row("sigmoid", 1.0, 0, 0.9), dataclasses.replace(row("arctan", -1, 0, 0.9), parameter="alpha")]
    )
    figure = plot.study(lines)
    assert [axes.get_xlabel() for axes in figure.axes[2:]][1] == "alpha (dimensionless)"
    assert [axes.get_xscale() for axes in figure.axes[:2]] == ["log", "linear"]


class Cosine(surgrad.Surrogate):
    """A user's own: the slope is a raised cosine of some width."""

    width: float = surgrad.parameter(1.0, above=0)

    def surrogate_grad(self, x):
        inside = jnp.abs(x) < self.width
        return jnp.where(inside, (1 + jnp.cos(jnp.pi * jnp.where(inside, x, 0) / self.width)) / 2, 0)


@surgrad.from_grad
def tent(x, width=1.0):
    """A user's own, out of a function."""
    return jnp.maximum(1 - jnp.abs(x) / width, 0)


@pytest.fixture(scope="module")
def of_the_user():
    """A study of surrogates of the user beside one of ours, under names of the user's."""
    named = {"my cosine": Cosine(), "tent": tent, "sigmoid": surgrad.Sigmoid(), "sigmoid, wide": surgrad.Sigmoid(1.0)}
    variants = [
        study.Variant(name, "scale", scale, study.at_unit_peak(one, scale))
        for name, one in named.items()
        for scale in (0.3, 1.0, 3.0)
    ]
    settings = dataclasses.replace(TINY, epochs=1)
    return study.summarise(itertools.chain.from_iterable(study.run(variants, settings)))


def test_rows_name_the_class_of_a_surrogate_of_the_user(of_the_user):
    kinds = {line.surrogate: line.kind for line in of_the_user}
    assert kinds == {
        "my cosine": f"{__name__}.Cosine",
        "tent": "surgrad._from_function.FromGrad",
        "sigmoid": "Sigmoid",
        "sigmoid, wide": "Sigmoid",
    }


def test_a_surrogate_of_the_user_is_drawn_in_a_study_as_in_every_other_picture(of_the_user):
    plot = pytest.importorskip("surgrad.plot")
    figure = plot.study(of_the_user)
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["my cosine", "sigmoid", "sigmoid, wide", "tent"]
    looks = [(line.get_color(), line.get_linestyle(), line._dash_pattern) for line in figure.axes[1].get_lines()]
    assert len(set(map(str, looks))) == 4
    alone = [plot.surrogate(one).axes[-1].get_lines() for one in (Cosine(), surgrad.Sigmoid(), surgrad.Sigmoid(), tent)]
    colours = [next(line for line in lines if line.get_label().startswith("slope")).get_color() for lines in alone]
    assert [colour for colour, *_ in looks] == colours


def test_rows_without_a_class_are_drawn_by_their_names():
    plot = pytest.importorskip("surgrad.plot")
    figure = plot.study(study.summarise([row("nobody's", 1.0, 0, 0.9), row("arctan", 1.0, 0, 0.8)]))
    assert figure.axes[1].get_lines()[0].get_color() == colour_of(surgrad.Arctan)


def test_a_study_without_results_is_refused():
    plot = pytest.importorskip("surgrad.plot")
    with pytest.raises(ValueError, match=r"study: nothing to show; give lines of surgrad\.study\.summarise"):
        plot.study([])


@pytest.mark.parametrize("wrong", [{"mapping": "pmap"}, {"epochs": 0}, {"seeds": ()}])
def test_settings_refuse_what_cannot_be_run(wrong):
    with pytest.raises(ValueError, match="Settings: "):
        study.Settings(**wrong)


def test_one_program_serves_all_runs_of_a_family(families):
    before = _epoch._cache_size()
    list(study.run(scaled(surgrad.Sigmoid, 2.0, 3.0), TINY))
    assert _epoch._cache_size() == before


def test_no_mapping_means_what_suits_the_backend(families):
    backend = jax.default_backend()
    mapping = "map" if backend == "cpu" else "vmap"
    (rows,) = study.run(scaled(surgrad.Arctan, 1.0), dataclasses.replace(TINY, mapping=mapping))
    assert but_seconds(rows) == but_seconds(families[1])


@pytest.mark.promotes("examples, as their readers run them")
@pytest.mark.parametrize("module", ["study._rows", "study._settings", "train._classifier", "train._fit"])
def test_examples_print_what_they_say(module):
    found = doctest.testmod(importlib.import_module(f"surgrad.{module}"))
    assert found.attempted
    assert not found.failed
