"""Pictures show what the surrogates are, in the same colours everywhere, and leave the settings of Matplotlib alone."""

import itertools
import math
import subprocess
import sys

import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import _colours

matplotlib = pytest.importorskip("matplotlib")
plot = pytest.importorskip("surgrad.plot")

CATALOGUE = surgrad.catalogue()
KINDS = pytest.mark.parametrize("kind", CATALOGUE.values(), ids=CATALOGUE.keys())


class SlopeOnly(surgrad.Surrogate):
    def __init__(self, width=1.0):
        super().__init__()
        self.width = width

    def surrogate_grad(self, x):
        return jnp.exp(-((x / self.width) ** 2))


@pytest.fixture(scope="module")
def figures():
    """One picture of each sort."""
    return {
        "surrogate": plot.surrogate(surrogate_with_all()),
        "slope only": plot.surrogate(SlopeOnly),
        "compare": plot.compare([*CATALOGUE.values(), SlopeOnly()]),
        "sweep": plot.sweep(surgrad.Sigmoid, "alpha", [1, 2, 4.5]),
        "gallery": plot.gallery(),
    }


def surrogate_with_all():
    return surgrad.Mixture((surgrad.Sigmoid(), surgrad.Shift(surgrad.Arctan(), 0.5)))


def visible(figure):
    return [axes for axes in figure.axes if axes.get_visible()]


def data_lines(axes):
    """The sampled lines of a panel; steps, markers and guides have few points."""
    return [line for line in axes.get_lines() if len(line.get_xdata()) > 100]


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def rounding(values):
    """64 units of float32 rounding of the largest value: a formula rounds otherwise when it is compiled as a whole."""
    return 64 * np.finfo(np.float32).eps * np.abs(values).max()


@pytest.mark.parametrize("suffix", ["png", "svg"])
@pytest.mark.parametrize("name", ["surrogate", "slope only", "compare", "sweep", "gallery"])
def test_a_picture_is_saved_without_a_warning(figures, name, suffix, tmp_path):
    target = tmp_path / f"picture.{suffix}"
    figures[name].savefig(target)
    assert target.stat().st_size > 10_000


@pytest.mark.parametrize("name", ["surrogate", "slope only", "compare", "sweep", "gallery"])
def test_axes_are_labelled_and_x_is_said_to_be_dimensionless(figures, name):
    figure = figures[name]
    if name == "gallery":
        assert figure.get_supylabel()
        assert figure.get_supxlabel() == plot._surrogates.X
    else:
        assert all(axes.get_ylabel() for axes in figure.axes)
        assert figure.axes[-1].get_xlabel() == plot._surrogates.X
    assert "(voltage − threshold) / scale" in plot._surrogates.X
    assert "dimensionless" in plot._surrogates.X


@KINDS
def test_drawn_lines_are_the_values_of_the_surrogate(kind):
    one = kind()
    upper, lower = plot.surrogate(one).axes
    for axes, method in ((upper, one.surrogate_fun), (lower, one.surrogate_grad)):
        (line,) = data_lines(axes)
        expected = np.asarray(method(line.get_xdata()))
        np.testing.assert_allclose(line.get_ydata(), expected, rtol=0, atol=rounding(expected))
        assert line.get_color() == _colours.colour_of(kind)


def test_the_step_is_zero_below_the_threshold_and_one_from_it_on(figures):
    (step,) = [line for line in figures["surrogate"].axes[0].get_lines() if line.get_label() == "spike H(x)"]
    x, y = step.get_data()
    assert list(y) == [0, 0, 1, 1]
    assert x[1] == x[2] == 0


@pytest.mark.parametrize(
    ("one", "width"),
    [
        (surgrad.Sigmoid(2.0), 4 * math.asinh(1) / 2),
        (surgrad.Arctan(3.0), 4 / (math.pi * 3)),
        (surgrad.ERF(0.5), 2 * math.sqrt(math.log(2)) / 0.5),
        (surgrad.GaussianGrad(sigma=0.3), 2 * math.sqrt(2 * math.log(2)) * 0.3),
        (surgrad.PiecewiseExp(2.0), 2 * math.log(2) / 2),
        (surgrad.PiecewiseQuadratic(4.0), 1 / 4),
        (surgrad.InvSquareGrad(), 2 * (math.sqrt(2) - 1) / 100),
        (surgrad.ReluGrad(width=0.7), 0.7),
        (surgrad.Shift(surgrad.Sigmoid(2.0), 1.0), 4 * math.asinh(1) / 2),
    ],
    ids=repr,
)
def test_full_width_at_half_maximum_is_the_closed_form(one, width):
    (label,) = [text for text in texts(plot.surrogate(one)) if text.startswith("FWHM")]
    # Three digits are printed; half a unit of the third is at most 0.5 %.
    assert float(label.removeprefix("FWHM ")) == pytest.approx(width, rel=0.005)


def test_peak_and_area_are_annotated():
    shown = texts(plot.surrogate(surgrad.SlayerGrad(4.0)))
    assert {"peak 1 at x = 0", "area 0.5"} <= set(shown)
    assert "area ∞" in texts(plot.surrogate(surgrad.LeakyRelu()))
    shifted = texts(plot.surrogate(surgrad.Shift(surgrad.Sigmoid(), 0.25)))
    assert any(text.startswith("peak 1 at x = 0.25") for text in shifted)


def test_what_has_no_width_gets_no_number():
    assert not any(text.startswith("FWHM") for text in texts(plot.surrogate(surgrad.LeakyRelu())))


def test_the_area_of_a_slope_without_a_curve_is_its_integral():
    (label,) = [text for text in texts(plot.surrogate(SlopeOnly())) if text.startswith("area")]
    assert float(label.removeprefix("area ")) == pytest.approx(math.sqrt(math.pi), rel=0.005)


def test_a_surrogate_without_a_curve_shows_its_slope_alone(figures):
    (axes,) = figures["slope only"].axes
    (line,) = data_lines(axes)
    np.testing.assert_allclose(line.get_ydata(), np.exp(-(line.get_xdata() ** 2.0)), atol=1e-6)


def test_a_comparison_has_all_slopes_and_the_curves_that_exist(figures):
    upper, lower = figures["compare"].axes
    assert len(data_lines(lower)) == len(CATALOGUE) + 1
    assert len(data_lines(upper)) == len(CATALOGUE)
    assert upper.get_shared_x_axes().joined(upper, lower)
    (legend,) = figures["compare"].legends
    assert len(legend.get_texts()) == len(CATALOGUE) + 2
    assert len(plot.compare([SlopeOnly(), SlopeOnly(2.0)]).axes) == 1


def test_a_mapping_gives_the_labels_of_a_comparison():
    figure = plot.compare({"steep": surgrad.Sigmoid(8.0), "flat": surgrad.Sigmoid})
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["steep", "flat", "spike H(x)"]


def test_colours_are_the_same_in_every_picture(figures):
    in_gallery = {axes.get_title("left"): axes for axes in visible(figures["gallery"])}
    in_comparison = data_lines(figures["compare"].axes[1])
    for (name, kind), line in zip(CATALOGUE.items(), in_comparison, strict=False):
        colours = {_colours.colour_of(kind), _colours.colour_of(kind()), line.get_color()}
        colours |= {line.get_color() for line in data_lines(in_gallery[name])}
        assert len(colours) == 1, name


def test_colour_and_line_style_tell_all_surrogates_apart():
    styles = [(_colours.colour_of(kind), _colours.dashes_of(kind)) for kind in CATALOGUE.values()]
    assert len(set(styles)) == len(CATALOGUE)


def test_objects_of_one_class_share_its_colour_and_differ_in_line_style():
    lines = data_lines(plot.compare([surgrad.Sigmoid(a) for a in (1.0, 2.0, 4.0)]).axes[1])
    assert {line.get_color() for line in lines} == {_colours.colour_of(surgrad.Sigmoid)}
    assert len({str(line.get_linestyle()) + str(line._dash_pattern) for line in lines}) == 3


def test_a_class_of_the_user_has_a_lasting_colour_and_moves_no_other():
    before = [_colours.colour_of(kind) for kind in CATALOGUE.values()]
    mine = _colours.colour_of(SlopeOnly)

    class AAA(SlopeOnly):
        pass

    assert _colours.colour_of(AAA()) in _colours.PALETTE
    assert [_colours.colour_of(kind) for kind in CATALOGUE.values()] == before
    assert _colours.colour_of(SlopeOnly(3.0)) == mine


# Machado, Oliveira and Fernandes (2009), severity 1, for linear RGB.
VISION = {
    "normal": np.eye(3),
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}


def cielab(colour, vision):
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.asarray(VISION[vision]) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen
    f = np.cbrt(xyz / np.array([0.9505, 1, 1.089]))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("vision", VISION)
def test_colours_stay_apart_for_the_colour_blind(vision):
    # A difference of 2.3 is just noticeable; Okabe and Ito's eight keep 15 or so.
    seen = [cielab(colour, vision) for colour in (*_colours.PALETTE, "white")]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > 15


def test_a_sweep_shows_every_value_from_dark_to_light(figures):
    figure = figures["sweep"]
    (legend,) = figure.legends
    assert legend.get_title().get_text() == "alpha"
    assert [t.get_text() for t in legend.get_texts()] == ["1", "2", "4.5", "spike H(x)"]
    lines = data_lines(figure.axes[1])
    # The slope of a logistic step is alpha/4 at the threshold.
    assert [line.get_ydata().max() for line in lines] == pytest.approx([0.25, 0.5, 1.125], rel=1e-6)
    lightness = [cielab(line.get_color(), "deutan")[0] for line in lines]
    assert lightness == sorted(lightness)


def test_a_sweep_takes_objects_and_structural_parameters():
    figure = plot.sweep(surgrad.SquarewaveFourierSeries(t_period=4.0), "n", range(1, 4))
    # n cosines of height 4/T.
    assert [line.get_ydata().max() for line in data_lines(figure.axes[1])] == pytest.approx([1, 2, 3], rel=1e-6)


def test_the_gallery_shows_the_whole_catalogue_and_every_slope_is_seen(figures):
    panels = visible(figures["gallery"])
    # Another test may have entered a class of its own.
    assert [name for axes in panels if (name := axes.get_title("left")) in CATALOGUE] == list(CATALOGUE)
    for axes in panels:
        slope = data_lines(axes)[0]
        x, y = slope.get_data()
        high = x[y >= y.max() / 2]
        assert high.max() - high.min() > 0.1 * np.ptp(axes.get_xlim()), axes.get_title("left")


def test_the_gallery_marks_an_x_axis_of_its_own_and_every_curve_that_goes_on(figures):
    panels = {axes.get_title("left"): axes for axes in visible(figures["gallery"])}
    for name, axes in panels.items():
        usual = axes.get_xlim() == (-3.0, 3.0)
        assert {label.get_fontweight() for label in axes.get_xticklabels()} == {"normal" if usual else "bold"}, name
        low, high = axes.get_ylim()
        marks = {line.get_marker() for line in axes.get_lines()} & {"^", "v"}
        lines = np.concatenate([line.get_ydata() for line in data_lines(axes)])
        assert marks == {m for m, beyond in (("^", lines > high), ("v", lines < low)) if beyond.any()}, name
    assert panels["InvSquareGrad"].get_xlim()[1] < 0.1
    assert "^" in {line.get_marker() for line in panels["LeakyRelu"].get_lines()}


def test_x_range_sets_the_axis():
    assert plot.surrogate(surgrad.Sigmoid, x_range=7).axes[0].get_xlim() == (-7, 7)
    assert plot.compare(surgrad.Sigmoid, x_range=(-1, 0.5)).axes[0].get_xlim() == (-1, 0.5)


@pytest.mark.parametrize("x_range", [0, -1.0, (1, -1), (0, 0), float("nan"), (0, float("inf"))])
def test_an_x_range_without_extent_is_refused(x_range):
    with pytest.raises(ValueError, match="x_range must be a positive number or"):
        plot.surrogate(surgrad.Sigmoid, x_range=x_range)


def test_an_unknown_parameter_is_the_librarys_own_error():
    with pytest.raises(TypeError, match="Sigmoid has no parameter 'alfa'; it has 'alpha'"):
        plot.sweep(surgrad.Sigmoid, "alfa", [1.0])
    with pytest.raises(ValueError, match="alpha must be > 0"):
        plot.sweep(surgrad.Sigmoid, "alpha", [-1.0])


@pytest.mark.parametrize("draw", [lambda: plot.compare([]), lambda: plot.sweep(surgrad.Sigmoid, "alpha", [])])
def test_nothing_to_show_is_refused(draw):
    with pytest.raises(ValueError, match="nothing to show"):
        draw()


@pytest.mark.unchecked("wrong types on purpose")
@pytest.mark.parametrize("wrong", ["Sigmoid", int, 3.0, None])
def test_what_is_no_surrogate_is_refused(wrong):
    with pytest.raises(TypeError, match="expected a surrogate or its class"):
        plot.surrogate(wrong)


def test_one_value_a_neuron_is_refused():
    with pytest.raises(ValueError, match=r"one value of every hyperparameter, got one a neuron \(3\)"):
        plot.surrogate(surgrad.Sigmoid(jnp.array([1.0, 2.0, 3.0])))


SPIKES = np.random.default_rng(0).random((30, 4, 12)) < np.linspace(0, 0.6, 12)


def marks(axes):
    """Time steps and neurons of the spikes that are drawn in a panel."""
    (lines,) = axes.collections
    return sorted((float(x), float((low + high) / 2)) for (x, low), (_, high) in lines.get_segments())


def expected(train):
    return sorted((float(step), float(neuron)) for step, neuron in zip(*np.nonzero(train), strict=True))


@pytest.mark.parametrize("dtype", [bool, np.uint8, jnp.float32, jnp.bfloat16])
def test_a_raster_has_a_line_for_each_spike(dtype):
    (axes,) = plot.raster(jnp.asarray(SPIKES, dtype), sample=3).axes
    assert marks(axes) == expected(SPIKES[:, 3])
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time step", "neuron")
    assert axes.get_xlim() == (-0.5, 29.5)
    assert axes.get_ylim() == (-0.5, 11.5)
    assert marks(plot.raster(SPIKES[:, 3]).axes[0]) == marks(axes)


def test_layers_stand_above_each_other_in_colours_of_their_own():
    layers = {"input": SPIKES, "hidden": SPIKES[..., :5], "silent": 0 * SPIKES}
    figure = plot.raster(layers, sample=1)
    assert [axes.get_title("left") for axes in figure.axes] == list(layers)
    assert [marks(axes) for axes in figure.axes] == [expected(layer[:, 1]) for layer in layers.values()]
    assert [t.get_text() for t in figure.axes[2].texts] == ["no spikes"]
    colours = {tuple(axes.collections[0].get_colors()[0]) for axes in figure.axes[:2]}
    assert len(colours) == 2


def test_a_network_shows_the_firing_rates_of_all_samples():
    layers = {"input": SPIKES, "hidden": SPIKES[..., 6:]}
    figure = plot.network(layers, sample=2)
    for i, layer in enumerate(layers.values()):
        left, right = figure.axes[2 * i : 2 * i + 2]
        assert marks(left) == expected(layer[:, 2])
        assert [bar.get_width() for bar in right.patches] == pytest.approx(layer.mean((0, 1)))
        assert f"{layer.mean():.3g} spikes a time step" in left.get_title("left")
    assert figure.axes[-1].get_xlabel() == "firing rate\n(spikes a time step)"


def test_membranes_are_drawn_with_threshold_and_spikes():
    v = np.random.default_rng(1).normal(size=SPIKES.shape)
    figure = plot.membrane(v, SPIKES, threshold=0.5 * np.arange(12), sample=1, neurons=[7, 2])
    for axes, neuron in zip(figure.axes, [7, 2], strict=True):
        trace, threshold = axes.get_lines()
        np.testing.assert_array_equal(trace.get_ydata(), v[:, 1, neuron].astype(np.float32))
        assert set(threshold.get_ydata()) == {0.5 * neuron}
        assert [x for x, _ in marks(axes)] == np.flatnonzero(SPIKES[:, 1, neuron]).tolist()
        assert axes.get_title("left") == f"neuron {neuron}"
    assert [t.get_text() for t in figure.legends[0].get_texts()] == ["membrane potential", "threshold", "spike"]
    readout = plot.membrane(v[:, 0], threshold=None)
    assert [len(axes.get_lines()) for axes in readout.axes] == [1, 1, 1, 1]
    assert readout.get_supylabel() == "membrane potential"


def test_every_kth_membrane_potential_stands_at_its_time_step():
    v = np.random.default_rng(0).normal(size=(len(SPIKES), 4, 12))[::3]
    (axes,) = plot.membrane(v, SPIKES, sample=1, neurons=[7], every=3).axes
    np.testing.assert_array_equal(axes.get_lines()[0].get_xdata(), 3 * np.arange(len(v)))
    assert [x for x, _ in marks(axes)] == np.flatnonzero(SPIKES[:, 1, 7]).tolist()


def test_histograms_of_firing_rates_count_each_neuron_once():
    rates = np.array([[0.0, 0.1, 0.5, 0.0], [0.0, 0.3, 0.5, 0.2]])
    figure = plot.firing_rates({"a": rates, "b": rates[0, :2]}, bins=5)
    upper, lower = figure.axes
    assert [patch.get_height() for patch in upper.patches] == np.histogram(rates.mean(0), np.linspace(0, 0.5, 6))[
        0
    ].tolist()
    assert sum(patch.get_height() for patch in lower.patches) == 2
    assert upper.get_title("left") == "a: mean 0.2, 1 of 4 neurons silent"
    assert lower.get_xlabel().startswith("firing rate (spikes a time step)")
    counted = plot.histogram(np.array([[1, 0, 3], [0, 0, 4]]), [0.0, 0.5, 1.0, 2.0])
    (stairs,) = counted.axes[0].patches
    np.testing.assert_allclose(stairs.get_data().values, [1 / 8, 0, 7 / 8])
    assert counted.axes[0].get_xlabel() == "membrane potential (in the unit of the threshold)"


@pytest.mark.parametrize(
    ("draw", "said"),
    [
        (lambda: plot.raster(0.5 * SPIKES), r"raster: spikes must be 0 or 1, got 0 to 0\.5; other signals are drawn"),
        (lambda: plot.raster(SPIKES[..., None]), r"must be \(time, neurons\) or \(time, batch, neurons\).*, 12, 1\)"),
        (lambda: plot.raster(SPIKES[..., None]), r"one by x.reshape\(\*x.shape\[:2\], -1\)"),
        (lambda: plot.raster(SPIKES, sample=4), "raster: sample must be an integer from 0 to 3, got 4"),
        (lambda: plot.raster({}), "the same number of time steps, one layer at least, got"),
        (lambda: plot.network({"a": SPIKES, "b": SPIKES[1:]}), r"network: .* time steps, .* got \[29, 30\]"),
        (lambda: plot.membrane(SPIKES, SPIKES[1:]), "membrane: spikes must have the shape of v"),
        (lambda: plot.membrane(SPIKES[::3], SPIKES, every=2), "membrane: spikes must have 2 time steps for each of v"),
        (lambda: plot.firing_rates({}), "firing_rates: nothing to show"),
        (lambda: plot.firing_rates([0.1, -0.1]), r"rates must be finite numbers >= 0, \(neurons,\) or .* got \(2,\)"),
        (
            lambda: plot.histogram(np.ones((3, 4)), np.arange(4)),
            r"counts must be \(..., bins\) .* got \(3, 4\) and \(4,",
        ),
        (lambda: plot.histogram({}, np.arange(4)), "histogram: nothing to show"),
        (lambda: plot.membrane(SPIKES, neurons=[12]), "membrane: neuron must be an integer from 0 to 11, got 12"),
        (lambda: plot.membrane(SPIKES, neurons=[]), "membrane: nothing to show"),
        (lambda: plot.membrane(SPIKES, neurons=3), r"membrane: neurons must be a sequence of integers, \[3\] for one"),
        (lambda: plot.network([SPIKES]), r"network: give the spikes of each layer by its name, .* got list"),
        (lambda: plot.raster(SPIKES, None), r"raster takes \(spikes\) by position, got 2 arguments; by name sample"),
    ],
)
@pytest.mark.unchecked("wrong types on purpose")
def test_what_cannot_be_drawn_over_time_is_refused(draw, said):
    with pytest.raises((TypeError, ValueError), match=said):
        draw()


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_pictures_over_time_are_saved_without_a_warning(suffix, tmp_path):
    figures = plot.raster({"a": SPIKES}), plot.network({"a": SPIKES, "b": SPIKES}), plot.membrane(1.0 * SPIKES)
    for figure in figures:
        figure.savefig(tmp_path / f"picture.{suffix}")


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_picture_in_a_script_says_how_it_is_saved(figures):
    with pytest.raises(AttributeError, match=r"opens no window: in a script save it, figure\.savefig"):
        figures["surrogate"].show()


def test_a_picture_is_shown_by_a_notebook(figures):
    for figure in [*figures.values(), plot.raster(np.eye(3)), plot.membrane(np.ones(3))]:
        assert figure._repr_png_().startswith(b"\x89PNG")


def test_pictures_leave_pyplot_unimported_and_settings_unchanged():
    done = run(
        "import sys, surgrad\n"
        "assert 'matplotlib' not in sys.modules\n"
        "import matplotlib\n"
        "before = matplotlib.rcParams.copy()\n"
        "from surgrad import plot\n"
        "erf = surgrad.ERF\n"
        "for figure in (plot.surrogate(erf), plot.compare(erf), plot.sweep(erf, 'alpha', [1]), plot.gallery()):\n"
        "    figure.savefig('/dev/null', format='png')\n"
        "assert matplotlib.rcParams.copy() == before\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    assert done.returncode == 0, done.stderr


def test_a_missing_matplotlib_is_told_with_the_command_that_installs_it():
    done = run("import sys; sys.modules['matplotlib'] = None; import surgrad; import surgrad.plot")
    assert done.returncode != 0
    assert 'ImportError: surgrad.plot needs Matplotlib: pip install "surgrad[plot]"' in done.stderr


def test_activity_is_drawn_into_given_axes():
    from matplotlib.figure import Figure

    figure = Figure()
    upper, lower = figure.subplots(2, 1)
    assert plot.raster(SPIKES, ax=upper) is figure
    assert plot.membrane(1.0 * SPIKES, SPIKES, ax=lower) is figure
    assert upper.collections or upper.lines
    assert lower.lines
    with pytest.raises(ValueError, match="ax holds one layer"):
        plot.raster({"a": SPIKES}, ax=upper)
    with pytest.raises(ValueError, match="ax holds one neuron"):
        plot.membrane(1.0 * SPIKES, neurons=[0, 1], ax=lower)
