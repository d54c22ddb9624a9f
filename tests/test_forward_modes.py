"""Forward modes: what surrogates return, and that derivatives of all orders hold it constant."""

import math
import pickle

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats

import surgrad
from forward_modes import DRAWN, GAP, KEY, MODES, MOST, RATE, STEEPNESS, Graded, Sharpened, slope_of
from surgrad import forward, meta

pytestmark = pytest.mark.versions

X = np.array([-2.717, -1.618, -1.313, -0.577, -0.0123, 0.0456, 0.333, 0.871, 1.234, 2.345])
"""Away from kinks and jumps of all surrogates and modes."""
ALPHA, H = 2.5, 1e-5
DIFFERENCES = {"rtol": 1e-6, "atol": 1e-7}
"""Central differences at a distance of 1e-5: errors of the order of 1e-10 by the formula, 1e-11 by rounding, each
times third derivatives of up to some thousands."""


def differences(function, x):
    return (function(x + H) - function(x - H)) / (2 * H)


def squares(spike):
    return lambda x: jnp.sum(spike(x) ** 2)


LOOPED = [
    mode if mode in ("Bernoulli", "a user's own") else pytest.param(mode, marks=pytest.mark.slow) for mode in MODES
]
SOME = {"Ternary", "Bernoulli", "EscapeNoise", "a user's own"}
SOONEST = [mode if mode in SOME else pytest.param(mode, marks=pytest.mark.slow) for mode in MODES]


@pytest.mark.parametrize("mode", SOONEST)
def test_every_surrogate_has_two_derivatives_in_every_mode(x64, mode):
    """The gradient of the sum of s² is 2 s σ', the second derivative 2 s σ'', with s held constant."""
    for name, cls in surgrad.catalogue(without="stochastic").items():
        surrogate = cls()
        spike, x = surrogate.with_forward(MODES[mode]), jnp.asarray(X)
        with jax.disable_jit():
            values, slope = np.asarray(spike(x)), slope_of(mode, surrogate, X)
            gradient, second = jax.jvp(jax.grad(squares(spike)), (x,), (jnp.ones_like(x),))
            forwards = jax.jvp(spike, (x,), (jnp.ones_like(x),))[1]
            bend = (slope_of(mode, surrogate, X + H) - slope_of(mode, surrogate, X - H)) / (2 * H)
        np.testing.assert_allclose(forwards, slope, rtol=1e-9, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(gradient, 2 * values * slope, rtol=1e-9, atol=1e-12, err_msg=name)
        np.testing.assert_allclose(second, 2 * values * bend, **DIFFERENCES, err_msg=name)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("convention", ["slope", "function", "none"])
def test_derivatives_by_hyperparameters_are_those_of_slope_curve_or_nothing(x64, mode, convention):
    spike = surgrad.Sigmoid(ALPHA, parameter_tangent=convention).with_forward(MODES[mode])

    def by_alpha(alpha):
        return jnp.sum(spike.replace(alpha=alpha)(jnp.asarray(X)) * X)

    def wanted(alpha):
        of = spike.replace(alpha=alpha)
        method = {"slope": MODES[mode].slope, "function": MODES[mode].curve}[convention]
        return float(jnp.sum(method(jnp.asarray(X), of) * X))

    truth = 0.0 if convention == "none" else differences(wanted, ALPHA)
    np.testing.assert_allclose(jax.grad(by_alpha)(ALPHA), truth, **DIFFERENCES)
    with meta.exact():
        assert jax.grad(by_alpha)(ALPHA) == 0


@pytest.mark.parametrize("mode", LOOPED)
def test_a_loop_changes_no_value_and_no_derivative(x64, mode):
    spike, xs = surgrad.Sigmoid(ALPHA).with_forward(MODES[mode]), jnp.asarray(X).reshape(5, 2)
    ways = {
        "one by one": lambda xs: jnp.stack([spike(x) for x in xs]),
        "scan": lambda xs: jax.lax.scan(lambda c, x: (c, spike(x)), 0.0, xs)[1],
        "vmap": jax.vmap(spike),
    }

    @jax.jit
    def all_of(xs):
        found = {}
        for way, values in ways.items():
            gradient = jax.grad(lambda xs, values=values: jnp.sum(values(xs) ** 2))
            found[way] = (values(xs), *jax.jvp(gradient, (xs,), (jnp.ones_like(xs),)))
        return found

    found = all_of(xs)
    for way in ways:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-14), found[way], found["scan"])


@pytest.mark.parametrize("mode", ["Ternary", "EscapeNoise", "a user's own"])
def test_numbers_of_a_mode_are_hyperparameters(x64, mode):
    """The derivative by a number of the mode is that of its slope, and `vmap` over it gives each its own."""
    spike = surgrad.Sigmoid(ALPHA).with_forward(MODES[mode])
    name, number = {"Ternary": ("gap", GAP), "EscapeNoise": ("steepness", STEEPNESS), "a user's own": ("gain", 0.5)}[
        mode
    ]

    def total(value, method=None):
        of = spike.with_forward(MODES[mode].replace(**{name: value}))
        return jnp.sum(of(jnp.asarray(X)) if method is None else of.forward_mode.slope(jnp.asarray(X), of))

    np.testing.assert_allclose(jax.grad(total)(number), differences(lambda v: total(v, "slope"), number), **DIFFERENCES)
    several = jnp.asarray([number, 2 * number])
    np.testing.assert_allclose(jax.vmap(total)(several), [total(v) for v in several])
    np.testing.assert_allclose(jax.vmap(jax.grad(total))(several), [jax.grad(total)(v) for v in several])


@pytest.mark.parametrize("mode", MODES)
def test_the_symmetric_hessian_is_that_of_the_curve_of_the_mode(x64, mode):
    spike = surgrad.Sigmoid(ALPHA, second_order="surrogate").with_forward(MODES[mode])
    x, curve = jnp.asarray(X), lambda x: MODES[mode].curve(x, surgrad.Sigmoid(ALPHA))
    second = jax.jvp(jax.grad(squares(spike)), (x,), (jnp.ones_like(x),))[1]
    slope = differences(curve, x)
    bend = differences(lambda x: MODES[mode].slope(x, surgrad.Sigmoid(ALPHA)), x)
    np.testing.assert_allclose(second, 2 * slope**2 + 2 * spike(x) * bend, rtol=1e-5, atol=1e-6)


def test_values_of_levels():
    x = jnp.array([-jnp.inf, -5.0, -2.0, -1.9, -0.1, 0.0, 0.9, 1.0, 2.5, jnp.inf, jnp.nan])
    spike = surgrad.Sigmoid(4.0)
    ternary = [-1, -1, -1, 0, 0, 1, 1, 1, 1, 1, 0]
    np.testing.assert_array_equal(spike.with_forward(forward.Ternary())(x), ternary)
    counts = [0, 0, 0, 0, 0, 1, 1, 2, 3, 3, 0]
    np.testing.assert_array_equal(spike.with_forward(forward.MultiSpike(3))(x), counts)
    unlimited = spike.with_forward(forward.MultiSpike())(x)
    np.testing.assert_array_equal(unlimited, [*counts[:-2], jnp.inf, 0])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_values_have_the_dtype_of_x_and_are_finite_everywhere(mode, dtype):
    spike = surgrad.Sigmoid(4.0).with_forward(MODES[mode])
    x = jnp.array([-1e4, -3.0, -0.5, 0.0, 0.5, 3.0, 1e4], dtype)
    values, gradient = spike(x), jax.grad(lambda x: spike(x).sum())(x)
    assert values.dtype == gradient.dtype == x.dtype
    assert jnp.isfinite(values).all() and jnp.isfinite(gradient).all()
    assert jnp.isfinite(jax.grad(lambda x: jax.grad(lambda x: (spike(x) ** 2).sum())(x).sum())(x)).all()


def test_smooth_and_hard_are_modes():
    one = surgrad.Sigmoid(ALPHA)
    smooth = one.with_forward(forward.Smooth())
    assert smooth == one.smooth() == surgrad.Sigmoid(ALPHA, smoothed=True)
    assert smooth == surgrad.Sigmoid(ALPHA, forward_mode=forward.Smooth())
    assert smooth.smoothed and smooth.forward_mode is None
    assert one == smooth.with_forward(forward.Hard()) == smooth.hard() == smooth.replace(smoothed=False)
    assert one.with_forward(MODES["Ternary"]).smooth() == smooth
    assert smooth.with_forward(MODES["Ternary"]) == one.with_forward(MODES["Ternary"])


def test_a_subclass_of_a_mode_is_no_mode_of_ours():
    spike = surgrad.Sigmoid().with_forward(Sharpened())
    assert spike.forward_mode == Sharpened() and float(spike(0.05)) == 0.0


@pytest.mark.parametrize("mode", MODES)
def test_a_surrogate_with_a_mode_is_kept_as_any_other(mode, tmp_path):
    spike = surgrad.Sigmoid(jnp.float32(ALPHA)).with_forward(MODES[mode])
    copies = {
        "leaves": jax.tree.unflatten(*reversed(jax.tree.flatten(spike))),
        "replace": spike.replace(),
        "pickle": pickle.loads(pickle.dumps(spike)),
        "config": surgrad.Surrogate.from_config(spike.to_config(), [Graded, Sharpened]),
    }
    surgrad.save(tmp_path / "spike", spike)
    copies["file"] = surgrad.load(tmp_path / "spike", spike)
    for how, copy in copies.items():
        assert copy == spike and hash(copy) == hash(spike) and repr(copy) == repr(spike), how
    assert spike.steeper(2.0).forward_mode == spike.forward_mode


def test_representations_name_the_mode():
    ternary = surgrad.Sigmoid(4.0).with_forward(forward.Ternary())
    assert repr(ternary) == "Sigmoid(alpha=4.0, forward_mode=Ternary(gap=2.0))"
    drawn = surgrad.Sigmoid(4.0).with_forward(forward.Bernoulli(jax.random.key(0)))
    assert repr(drawn) == "Sigmoid(alpha=4.0, forward_mode=Bernoulli(key=key<fry>[]))"


MISTAKES = {
    "a name": (lambda: surgrad.Sigmoid().with_forward("ternary"), TypeError, "object of surgrad.forward, such as"),
    "a class": (lambda: surgrad.Sigmoid().with_forward(forward.Ternary), TypeError, "object of surgrad.forward"),
    "two modes": (
        lambda: surgrad.Sigmoid(smoothed=True, forward_mode=forward.Ternary()),
        ValueError,
        "with_forward(mode) returns a copy",
    ),
    "smoothed beside a mode": (
        lambda: surgrad.Sigmoid(forward_mode=forward.Ternary()).replace(smoothed=True),
        ValueError,
        "there can be no other one",
    ),
    "no key": (lambda: forward.Bernoulli(4), TypeError, "key must be one key"),
    "no gap": (lambda: forward.Ternary(0.0), ValueError, "gap must be > 0"),
    "no spikes": (lambda: forward.MultiSpike(0), ValueError, "maximum must be an integer >= 1"),
    "a rate below 0": (lambda: forward.Poisson(KEY, -1.0), ValueError, "rate must be > 0"),
    "no value": (lambda: surgrad.Sigmoid().with_forward(forward.Mode())(0.0), NotImplementedError, "defines no value"),
    "a broad number": (
        lambda: surgrad.Sigmoid().with_forward(forward.Ternary(jnp.ones(3)))(jnp.ones(2)),
        ValueError,
        "forward_mode.gap of shape (3,) does not broadcast",
    ),
}


@pytest.mark.unchecked  # arguments of other types than the annotated ones
@pytest.mark.parametrize("mistake", MISTAKES)
def test_mistakes_are_answered(mistake):
    make, error, message = MISTAKES[mistake]
    with pytest.raises(error) as caught:
        make()
    assert message in str(caught.value)


def test_a_value_that_is_broader_than_x_is_refused():
    class Doubled(forward.Mode):
        def value(self, x, surrogate):
            return jnp.concatenate([x, x])

    with pytest.raises(ValueError, match="the value has shape"):
        surgrad.Sigmoid().with_forward(Doubled())(jnp.ones(2))


MEANS = {
    "Bernoulli": lambda x: 1 / (1 + math.exp(-ALPHA * x)),
    "EscapeNoise": lambda x: -math.expm1(-RATE * math.exp(STEEPNESS * x)),
    "Poisson": lambda x: float(
        np.minimum(np.arange(200), MOST) @ scipy.stats.poisson.pmf(np.arange(200), RATE * math.exp(STEEPNESS * x))
    ),
}
"""Expected values at a membrane potential x, in closed form."""
DRAWS, SIGMAS = 40_000, 4


@pytest.mark.parametrize("mode", DRAWN)
@pytest.mark.parametrize("x", [-0.8, 0.0, 0.4])
def test_drawn_rates_are_those_of_the_closed_form(mode, x):
    values = np.asarray(surgrad.Sigmoid(ALPHA).with_forward(MODES[mode])(jnp.full(DRAWS, x)))
    assert abs(values.mean() - MEANS[mode](x)) < SIGMAS * values.std() / math.sqrt(DRAWS)
    assert set(np.unique(values)) <= (set(range(MOST + 1)) if mode == "Poisson" else {0, 1})
    curve = MODES[mode].curve(jnp.float32(x), surgrad.Sigmoid(ALPHA))
    assert float(curve) == pytest.approx(MEANS[mode](x), rel=1e-5)


@pytest.mark.parametrize("mode", DRAWN)
def test_neurons_and_time_steps_draw_independently(mode):
    """64 equal membranes that decay over 120 steps: no pair of neurons, nor of steps, is correlated."""
    spike = surgrad.Sigmoid(ALPHA).with_forward(MODES[mode])
    steps = 120
    x = 0.1 * 0.95 ** jnp.arange(float(steps))[:, None] * jnp.ones((1, 64))
    values = np.asarray(jax.lax.scan(lambda c, x: (c, spike(x)), 0.0, x)[1])
    values = (values - values.mean()) / values.std()
    of_neurons = values.T @ values / len(values) - np.eye(64)
    of_steps = (values[1:] * values[:-1]).mean()
    pairs = of_neurons[np.triu_indices(64, 1)]
    assert abs(of_steps) < SIGMAS / math.sqrt(values[1:].size)
    assert abs(pairs.mean()) < SIGMAS / math.sqrt(pairs.size * len(values))
    assert pairs.std() == pytest.approx(1 / math.sqrt(len(values)), rel=0.1)


@pytest.mark.parametrize("mode", DRAWN)
def test_a_key_gives_the_same_draws_and_another_one_others(mode):
    x, spike = jnp.linspace(-0.5, 0.5, 200), surgrad.Sigmoid(ALPHA).with_forward(MODES[mode])
    other = spike.with_forward(MODES[mode].replace(key=jax.random.key(4)))
    np.testing.assert_array_equal(spike(x), spike(x))
    assert (spike(x) != other(x)).mean() > 0.2
    moved = x.at[0].add(1e-6)  # one bit of one neuron is another
    assert (spike(x) != spike(moved)).mean() > 0.2
    fixed = spike.with_forward(MODES[mode].replace(reads_x=False))
    np.testing.assert_array_equal(fixed(x)[1:], fixed(moved)[1:])


def test_escape_noise_is_a_poisson_count_of_one_at_most(x64):
    x = jnp.asarray(X)
    one, many = forward.EscapeNoise(KEY, RATE, STEEPNESS), forward.Poisson(KEY, RATE, STEEPNESS, maximum=1)
    for method in ("value", "slope", "curve"):
        np.testing.assert_array_equal(getattr(one, method)(x, None), getattr(many, method)(x, None))


@pytest.mark.parametrize("mode", MODES)
def test_laws_hold_in_every_mode(mode):
    report = surgrad.check(
        surgrad.Sigmoid(4.0).with_forward(MODES[mode]),
        laws=["hard_forward", "slope_is_gradient", "shapes", "transforms"],
    )
    assert report.ok, report


def test_a_promise_that_a_mode_breaks_is_found():
    class NoSpike(forward.Mode):
        spiking = elementwise = True

        def value(self, x, surrogate):
            return jnp.where(x >= 0, 0.5, 0.0)

    class Together(forward.Mode):
        elementwise = True

        def value(self, x, surrogate):
            return jnp.where(x >= jnp.mean(x), 1.0, 0.0)

    assert (
        surgrad.check(surgrad.Sigmoid().with_forward(NoSpike()), laws=["hard_forward"])["hard_forward"].outcome
        == "failed"
    )
    assert surgrad.check(surgrad.Sigmoid().with_forward(Together()), laws=["shapes"])["shapes"].outcome == "failed"
