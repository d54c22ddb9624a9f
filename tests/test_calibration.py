"""Calibration puts slopes where the membranes are, from any start, and changes nothing else."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad as sg
from surgrad import tasks
from surgrad.meta import HybridSpike, calibrate, default_target, hybrid, record, surrogates
from surgrad.nn import LIF, Cell, LeakyIntegrator, Linear, Recurrent, Sequential

KEY = jax.random.key(1)
SPIKES = jax.random.bernoulli(KEY, 0.2, (20, 16, 30)).astype(jnp.float32)


COMPILED = jax.jit(calibrate)


def network(surrogate, gain=3.0):
    first, second, third, back = jax.random.split(KEY, 4)
    return Sequential(
        Linear(30, 40, key=first, gain=gain), LIF(surrogate), Linear(40, 40, key=second, gain=gain),
        Recurrent(LIF(surrogate), 40, key=back), Linear(40, 5, key=third), LeakyIntegrator(),
    )  # fmt: skip


class Passing(Cell):
    """A cell whose membrane potentials, less the threshold, are its inputs."""

    surrogate: sg.Surrogate

    def init(self, shape, dtype=None):
        return jnp.zeros(shape)

    def __call__(self, state, x):
        return state, self.surrogate(x)


def at_peak(scale):
    return sg.Normalized(sg.Temperature(sg.Sigmoid(), 1 / scale), to="peak")


def test_mean_root_slope_meets_the_target():
    net = network(at_peak(1.0))
    done = calibrate(net, SPIKES, target=0.06)
    for (path, surrogate), x in zip(surrogates(done.model).items(), record(net, SPIKES).membranes, strict=True):
        # The slope of a logistic curve of steepness k relative to its peak is 1/cosh(kx/2)², here by hand.
        k = 4.0 / float(surrogate.surrogate.temperature)
        assert abs(np.mean(1 / np.cosh(np.clip(k * np.asarray(x, float) / 2, -300, 300))) / 0.06 - 1) < 0.05, path
    np.testing.assert_allclose(done.after, 0.06, rtol=0.05)


@pytest.mark.parametrize("start", [0.0001, 0.01, 1000.0, 10000.0])
def test_it_ends_at_the_same_scale_wherever_it_begins(start):
    ends = [
        [float(s.surrogate.temperature) for s in surrogates(calibrate(network(at_peak(k)), SPIKES).model).values()]
        for k in (start, 1.0)
    ]
    np.testing.assert_allclose(*ends, rtol=0.07)  # a step of the grid, 10^(1/40), and rounding


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(sg.catalogue()))
def test_every_surrogate_of_finite_width_can_be_calibrated(name):
    surrogate = sg.catalogue()[name]()
    done = COMPILED(network(surrogate), SPIKES)
    if name in {"LeakyRelu", "LeakySpikeOperator", "StraightThrough", "StochasticSpikeOperator"}:  # without a scale
        np.testing.assert_allclose(done.factors, 1, rtol=1e-5)
    else:
        np.testing.assert_allclose(done.after, done.target, rtol=0.25)


class OneSide(sg.Surrogate):
    """A user's own: 1 from the threshold to a width."""

    width: float = 1.0

    def surrogate_grad(self, x):
        return jnp.where((x >= 0) & (x < self.width), 1.0, 0.0)


class WithALeak(OneSide):
    """A tenth everywhere, and 1 within the width on both sides."""

    def surrogate_grad(self, x):
        return jnp.where(jnp.abs(x) < self.width, 1.0, 0.1)


class Alternating(OneSide):
    """1 within the width on both sides, -1/4 up to twice the width, and so on, without an end."""

    def surrogate_grad(self, x):
        return jnp.where(jnp.floor(jnp.abs(x) / self.width) % 2 == 0, 1.0, -0.25)


@pytest.mark.parametrize("kind", [OneSide, WithALeak, Alternating])
def test_slopes_that_do_not_vanish_on_both_sides_are_as_wide_as_those_that_do(kind):
    x = np.random.default_rng(0).normal(-0.5, 1.0, (50, 4, 30))
    passed = Passing(kind())
    (factor,) = calibrate(passed, jnp.asarray(x, jnp.float32), target=0.2).factors
    inside = np.abs(x) < 1 / float(factor)
    if kind is OneSide:
        assert inside[x >= 0].mean() == pytest.approx(0.5, abs=0.02)  # half of what there is
    elif kind is WithALeak:
        assert inside.mean() * (1 - 0.1**0.5) == pytest.approx(0.2, abs=0.02)
    else:  # roots of 1 and of -1/4: steep ones have as much of each, so that their mean is 1/4
        roots = np.where(np.floor(np.abs(x) * float(factor)) % 2 == 0, 1, -0.5)
        assert roots.mean() - 0.25 == pytest.approx(0.2, abs=0.03)
        assert 0.2 < inside.mean() < 0.7


def test_an_oscillating_slope_has_the_membrane_potentials_in_its_first_wave_wherever_it_begins():
    x = jnp.asarray(np.random.default_rng(0).normal(-0.5, 1.0, (50, 4, 30)), jnp.float32)
    periods = 0.5, 8.0
    cells = [Passing(sg.SquarewaveFourierSeries(2, period)) for period in periods]
    ends = [p / float(calibrate(cell, x, target=0.2).factors[0]) for p, cell in zip(periods, cells, strict=True)]
    np.testing.assert_allclose(*ends, rtol=0.2)  # float32 holds the phase of the steepest waves badly
    assert np.mean(np.abs(x) < ends[0] / 2) > 0.6  # the first positive wave and half of the negative one


class Rectangle(OneSide):
    """1 within the width on both sides."""

    def surrogate_grad(self, x):
        return jnp.where(jnp.abs(x) < self.width, 1.0, 0.0)


class Below(Passing):
    """A cell of a user that rests at a distance from the threshold."""

    distance: float = 1.0

    def __call__(self, state, x):
        return state, self.surrogate(x - self.distance)


def widths(model):
    return [float(sg.width(surrogate)) for surrogate in surrogates(model).values()]


@pytest.mark.parametrize("surrogate", [sg.Sigmoid(), sg.Arctan(100.0), sg.Boxcar(), sg.LogTailedRelu(), Rectangle()])
def test_no_slope_is_wider_than_the_distance_from_rest_to_the_threshold(surrogate):
    inputs = 4 * jax.random.normal(KEY, (20, 16, 30))
    for cell, rest in ((LIF(surrogate, v_th=1.0), 1.0), (Below(surrogate, 3.0), 3.0)):
        done = calibrate(cell, inputs)
        assert widths(done.model)[0] <= 1.101 * rest
        if type(cell) is LIF:
            assert widths(done.model)[0] == pytest.approx(1.1, 1e-3) or done.after == pytest.approx(0.167, 0.05)
            assert done.after > 0.19 * done.target
    free = calibrate(Below(surrogate, -3.0), inputs)  # above the threshold at rest
    assert free.after == pytest.approx(0.167, 0.05)


@pytest.mark.parametrize("surrogate", [sg.Sigmoid(), sg.Arctan(100.0), sg.Boxcar()])
def test_a_fifth_of_the_target_is_left_where_potentials_are_far_apart(surrogate):
    inputs = jax.random.normal(KEY, (20, 16, 30))
    done = [calibrate(LIF(surrogate), scale * inputs) for scale in (200, 2000)]
    np.testing.assert_allclose([each.after[0] for each in done], 0.2 * 0.167, rtol=0.1)
    first, second = (widths(each.model)[0] for each in done)
    assert 8 < second / first < 12


def test_a_slope_that_would_be_negative_at_rest_may_be_wider():
    done = calibrate(LIF(sg.SquarewaveFourierSeries()), 3 * jax.random.normal(KEY, (20, 16, 30)))
    assert widths(done.model)[0] > 1.2
    assert surrogates(done.model)["surrogate"].surrogate_grad(-1.0) >= 0


def test_a_slope_that_nothing_would_be_left_of_may_be_wider():
    silent = calibrate(Below(Rectangle(), 1.0), 0 * SPIKES)
    assert widths(silent.model)[0] > 1.9
    assert silent.after > 0.9


def test_a_rectangle_is_half_as_wide_in_a_recurrent_layer_as_in_another_one():
    net = network(Rectangle(), gain=2.0)  # with more, the first would be too wide
    done = calibrate(net, SPIKES, target=0.12)
    pairs = zip(record(net, SPIKES).membranes, done.factors, strict=True)
    shares = [np.mean(np.abs(np.asarray(x)) < 1 / float(factor)) for x, factor in pairs]
    np.testing.assert_allclose(shares, [0.12, 0.06], atol=0.01)
    np.testing.assert_allclose(done.after, shares, atol=0.01)


class Echo(Cell):
    """A user's own layer: the outputs of its cell, less a tenth, come back."""

    feeds_back = True
    cell: LIF

    def init(self, shape, dtype=None):
        return self.cell.init(shape, dtype), jnp.zeros(shape)

    def __call__(self, state, x):
        inside, outputs = self.cell(state[0], x - 0.1 * state[1])
        return (inside, outputs), outputs


def test_a_layer_of_a_user_that_promises_to_feed_back_bounds_rectangles_too():
    net = Sequential(Linear(30, 40, key=KEY, gain=3.0), Echo(LIF(Rectangle())))
    ((x,), (factor,)) = record(net, SPIKES).membranes, calibrate(net, SPIKES, target=0.2).factors
    assert np.mean(np.abs(np.asarray(x)) < 1 / float(factor)) == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("name", ["Sigmoid", "Arctan", "FastSigmoid", "PiecewiseQuadratic", "ERF", "PiecewiseExp"])
def test_the_usual_bumps_meet_the_target_in_recurrent_layers(name):
    done = calibrate(network(getattr(sg, name)(), gain=2.0), SPIKES)
    np.testing.assert_allclose(done.after, done.target, rtol=0.1)


def test_the_default_target_grows_with_the_slopes_in_a_row():
    cell = LIF(at_peak(1.0))
    layer = Linear(40, 40, key=KEY), cell
    back = Linear(40, 40, key=KEY), Recurrent(cell, 40, key=KEY)
    by_slopes = {1: layer, 2: (*layer, *layer), 3: (*layer, *back), 4: (*back, Sequential(*back))}
    one = default_target(Sequential(*layer))
    for slopes, parts in by_slopes.items():
        assert default_target(Sequential(*parts)) == pytest.approx(one * (1 + 0.1 * (slopes - 1)))
    assert default_target(Sequential(*(layer * 40))) == 0.5


def test_a_slope_whose_scale_does_not_matter_stays():
    done = calibrate(network(sg.LeakyRelu(1.0, 1.0)), SPIKES)
    np.testing.assert_allclose(done.factors, 1, rtol=1e-5)


def test_spikes_stay():
    net = network(at_peak(1.0))
    np.testing.assert_array_equal(
        record(net, SPIKES).membranes[1] >= 0, record(calibrate(net, SPIKES).model, SPIKES).membranes[1] >= 0
    )


def test_shape_normalisation_and_options_stay():
    given = sg.Normalized(sg.Arctan(), to="area", parameter_tangent="none")
    (found, _) = surrogates(calibrate(network(given), SPIKES).model).values()
    assert (type(found), found.to, found.parameter_tangent) == (sg.Normalized, "area", "none")
    assert found.surrogate.surrogate == sg.Arctan()


def test_scales_multiply():
    twice = sg.Sigmoid().steeper(2.0).steeper(3.0)
    x = jnp.linspace(-2, 2, 9)
    np.testing.assert_allclose(twice.surrogate_fun(x), sg.Sigmoid(24.0).surrogate_fun(x), atol=1e-6)


def test_a_steeper_surrogate_keeps_area_or_normalisation_and_options(x64):
    x, options = jnp.linspace(-2, 2, 9), {"parameter_tangent": "none", "second_order": "surrogate"}
    plain = sg.Sigmoid(4.0, **options).steeper(3.0)
    np.testing.assert_allclose(plain.surrogate_grad(x), 3 * sg.Sigmoid(4.0).surrogate_grad(3 * x), rtol=1e-12)
    assert (plain.parameter_tangent, plain.second_order) == ("none", "surrogate")
    peak = sg.Normalized(sg.Arctan(), to="peak").steeper(3.0)
    np.testing.assert_allclose(
        peak.surrogate_grad(x), sg.Arctan().surrogate_grad(3 * x) / sg.Arctan().peak(), rtol=1e-12
    )
    assert type(peak) is sg.Normalized


def test_it_is_printed_as_a_table_that_flags_what_misses_the_target():
    done = calibrate(network(at_peak(1.0)), SPIKES)
    head, *rows = str(done).splitlines()
    assert all(word in head for word in ("surrogate", "times steeper", "root slope before", "after", "target"))
    assert [row.split()[:2] for row in rows] == [[path, "Sigmoid"] for path in surrogates(done.model)]
    for row, *numbers in zip(rows, done.factors, done.before, done.after, strict=True):
        shown = [float(number) for number in row.split()[2:6]]
        np.testing.assert_allclose(shown, [*numbers, done.target], rtol=5e-3)
        assert "off the target" not in row
    leaking = calibrate(network(sg.LeakyRelu(1.0, 1.0)), SPIKES)
    assert all(row.endswith("<- off the target") for row in str(leaking).splitlines()[1:])


def test_a_hybrid_surrogate_stays_hybrid():
    (found, _) = surrogates(calibrate(hybrid(network(sg.Sigmoid()), 0.5, KEY), SPIKES).model).values()
    assert isinstance(found, HybridSpike)
    assert isinstance(found.surrogate, sg.Temperature)


def test_a_data_set_and_a_compiled_call_give_the_same():
    data = tasks.load("digits").train[jnp.arange(32)]
    net = Sequential(Linear(64, 20, key=KEY, gain=3.0), LIF(at_peak(1.0)), Linear(20, 10, key=KEY), LeakyIntegrator())
    eager, compiled = calibrate(net, data), jax.jit(calibrate)(net, data.spikes())
    np.testing.assert_allclose(eager.factors, compiled.factors)


@pytest.mark.parametrize("target", [0, 1, -0.1, float("nan"), 2])
def test_targets_out_of_range_are_refused(target):
    with pytest.raises(ValueError, match="target must be above 0 and below 1"):
        calibrate(network(at_peak(1.0)), SPIKES, target=target)


@pytest.mark.parametrize("batch", [SPIKES[:0], SPIKES[:, :0]])
def test_empty_batches_are_refused(batch):
    with pytest.raises(ValueError, match="the inputs are empty"):
        calibrate(network(at_peak(1.0)), batch)


@pytest.mark.unchecked("wrong types on purpose")
def test_what_is_no_batch_is_refused():
    with pytest.raises(TypeError, match=r"a whole split; give some of its samples, data.train\[:64\]"):
        calibrate(network(at_peak(1.0)), tasks.load("digits", steps=3))
    with pytest.raises(TypeError, match="must be a Dataset or inputs, time first, got NoneType"):
        calibrate(network(at_peak(1.0)), None)


def test_parameters_a_neuron_and_half_precision_are_calibrated():
    a_neuron = calibrate(network(sg.Sigmoid(jnp.full(40, 4.0))), SPIKES)
    np.testing.assert_allclose(a_neuron.factors, calibrate(network(sg.Sigmoid(4.0)), SPIKES).factors, rtol=0.07)
    half = jax.tree.map(lambda x: jnp.asarray(x, jnp.float16), network(sg.Sigmoid(4.0)))
    found = calibrate(half, SPIKES.astype(jnp.float16))
    np.testing.assert_allclose(found.after, found.target, rtol=0.1)


def test_membranes_that_are_not_finite_count_as_far_away():
    done = calibrate(network(at_peak(1.0)), SPIKES.at[0, 0, 0].set(jnp.nan))
    assert np.all(np.isfinite(done.factors))
