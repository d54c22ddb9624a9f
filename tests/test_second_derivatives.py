"""Second derivatives of losses on spikes: closed forms and finite differences, in every transformation and mode."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import logistic
import surgrad as surrogates
from surgrad import nn
from transformations import MODES, TRANSFORMATIONS, UNJITTED

pytestmark = pytest.mark.versions

X = np.array([-2.0, -1.1, -0.4, -0.05, 0.0, 0.1, 0.6, 1.7])
ALPHA = np.linspace(3.0, 1.0, X.size)
TWICE_X, TWICE_ALPHA = np.tile(X, 2), np.tile(ALPHA, 2)
SQUARED = np.repeat([1.0, 0.0], X.size)
"""The points come twice: for the loss S², and for the lopsided loss 0.7 sin(S), whose slope at S = 0 is not 0."""
STRUCTURES = list(itertools.product(("slope", "function", "none"), ("exact", "surrogate")))
DIRECTIONS = {"x": (0.0, 1.0), "alpha": (1.0, 0.0)}

EPS = float(np.finfo(float).eps)
ROUNDINGS = 100 * EPS
"""A value below takes about 100 operations on terms that are not larger than the largest value of its kind."""
STEP = 1e-5
DIFFERENCING = STEP**2 / 6 * 100 + 4 * EPS / STEP
"""Central differences: third derivatives are below 100 (alpha <= 3, |x| <= 2), and the two values below 2."""


def loss(surrogate, x):
    spikes = surrogate(x)
    return SQUARED * spikes**2 + (1 - SQUARED) * 0.7 * jnp.sin(spikes)


def by_hand(convention, order):
    """First and second derivatives of the loss l(S) at the points, by x and alpha.

    The spike's derivative is the slope s' by x and, by alpha, the t that the convention names. Exactly, spikes are
    constant and slopes smooth: l' times the derivative of s' or t. With the spike taken for its curve, l'' times two
    first derivatives comes on top.
    """
    x, a, spike = TWICE_X, TWICE_ALPHA, logistic.step(TWICE_X)
    d1 = SQUARED * 2 * spike + (1 - SQUARED) * 0.7 * np.cos(spike)
    d2 = SQUARED * 2 - (1 - SQUARED) * 0.7 * np.sin(spike)
    _, f1, f2, f3, _ = logistic.derivatives(a * x)
    slope, by_x, by_alpha = a * f1, a**2 * f2, f1 + a * x * f2
    t, t_x, t_alpha = {
        "slope": (by_alpha, 2 * a * f2 + a**2 * x * f3, 2 * x * f2 + a * x**2 * f3),
        "function": (x * f1, by_alpha, x**2 * f2),
        "none": (0 * x, 0 * x, 0 * x),
    }[convention]
    mixed = d2 if order == "surrogate" else 0 * d2
    first = {"x": d1 * slope, "alpha": d1 * t}
    return first, {
        ("x", "x"): mixed * slope**2 + d1 * by_x,
        ("x", "alpha"): mixed * slope * t + d1 * by_alpha,
        ("alpha", "x"): mixed * t * slope + d1 * t_x,
        ("alpha", "alpha"): mixed * t**2 + d1 * t_alpha,
    }


def program(transformation, mode):
    """A first derivative and its derivative, for all conventions and orders in one compiled function."""
    function, differentiate = TRANSFORMATIONS[transformation](loss), MODES[mode]

    def run(x, alpha, first, second):
        results = {}
        for convention, order in STRUCTURES:
            surrogate = logistic.Logistic(alpha, parameter_tangent=convention, second_order=order)
            structure = jax.tree.structure((surrogate, x))
            along = [structure.unflatten([c * jnp.ones_like(x) for c in direction]) for direction in (first, second)]
            results[convention, order] = differentiate(function, (surrogate, x), *along)
        return results

    return run if transformation in UNJITTED else jax.jit(run)


def central_difference(run, first, second):
    """The first derivative along `first` of all structures, differenced along `second`."""
    by_alpha, by_x = (STEP * np.array(c) for c in DIRECTIONS[second])
    along = DIRECTIONS[first]
    above = run(TWICE_X + by_x, TWICE_ALPHA + by_alpha, along, along)
    below = run(TWICE_X - by_x, TWICE_ALPHA - by_alpha, along, along)
    return {structure: (above[structure][0] - below[structure][0]) / (2 * STEP) for structure in STRUCTURES}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
def test_second_derivatives_equal_closed_forms_and_finite_differences(x64, transformation, mode):
    run = program(transformation, mode)
    for first, second in itertools.product(DIRECTIONS, DIRECTIONS):
        found = run(TWICE_X, TWICE_ALPHA, DIRECTIONS[first], DIRECTIONS[second])
        differences = central_difference(run, first, second)
        for structure in STRUCTURES:
            ours = found[structure]
            gradient, jacobian = by_hand(*structure)
            for value, truth in zip(ours, (gradient[first], jacobian[first, second]), strict=True):
                assert np.max(np.abs(value - truth)) <= ROUNDINGS * np.max(np.abs(truth))
            if "exact" in structure:
                # At the threshold itself a spike lies between the two ends of a difference.
                error = (differences[structure] - ours[1])[TWICE_X != 0]
                assert np.max(np.abs(error)) <= DIFFERENCING


def test_the_two_second_orders_are_far_apart():
    """So that the matrix above can tell them apart."""
    for convention, other in itertools.product(("slope", "function"), ("x", "alpha")):
        exact, surrogate = (by_hand(convention, order)[1]["x", other] for order in ("exact", "surrogate"))
        assert np.max(np.abs(exact - surrogate)) > 0.1 * np.max(np.abs(exact))


def forward(f):
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def reverse(f):
    return jax.grad(lambda x: f(x).sum())


@pytest.mark.parametrize("order", ["exact", "surrogate"])
@pytest.mark.parametrize("transformation", ["plain", "scan", "scan_checkpoint"])
def test_third_derivative_of_a_squared_spike_equals_its_closed_form(x64, transformation, order):
    @jax.jit
    def third(x, alpha):
        surrogate = logistic.Logistic(alpha, second_order=order)
        squared = TRANSFORMATIONS[transformation](lambda surrogate, x: surrogate(x) ** 2)
        modes = (reverse, reverse, reverse), (forward, reverse, reverse), (forward, forward, forward)
        return [outer(middle(inner(lambda x: squared(surrogate, x))))(x) for outer, middle, inner in modes]

    _, f1, f2, f3, _ = logistic.derivatives(ALPHA * X)
    truth = 2 * logistic.step(X) * ALPHA**3 * f3
    if order == "surrogate":
        truth = truth + 6 * (ALPHA * f1) * (ALPHA**2 * f2)
    for value in third(X, ALPHA):
        assert np.max(np.abs(value - truth)) <= ROUNDINGS * np.max(np.abs(truth))


def one_by_one(net, state, xs):
    outputs = []
    for x in xs:
        state, y = net(state, x)
        outputs.append(y)
    return jnp.stack(outputs)


OVER_TIME = {
    "scan": lambda net, state, xs: jax.lax.scan(net, state, xs)[1],
    "scan of checkpoints": lambda net, state, xs: jax.lax.scan(jax.checkpoint(net), state, xs)[1],
    "vmap of scan": lambda net, state, xs: jax.vmap(
        lambda xs: jax.lax.scan(net, net.init(xs.shape[1:], xs.dtype), xs)[1], 1, 1
    )(xs),
    "chunks": lambda net, state, xs: nn.unroll(net, state, xs, chunk_size=2).outputs,
    "one chunk": lambda net, state, xs: nn.unroll(net, state, xs, chunk_size=6).outputs,
    "segments": lambda net, state, xs: nn.unroll(net, state, xs, checkpoint_every=2).outputs,
    "kernels": lambda net, state, xs: nn.unroll(net, state, xs, backend="pallas").outputs,
}


@pytest.mark.parametrize(
    ("kind", "surrogate"), [("feed-forward", logistic.Logistic(3.0)), ("recurrent", surrogates.Dspike())]
)
def test_weights_before_spikes_that_the_inner_gradient_does_not_use(x64, kind, surrogate):
    """JAX before 0.12 forgets rules in loops, and gives 0 here; so the rule of a spike is one that it must keep."""
    keys = jax.random.split(jax.random.key(0), 4)
    cell = nn.LIF(surrogate)
    cell = cell if kind == "feed-forward" else nn.Recurrent.from_arrays(cell, jax.random.normal(keys[3], (5, 5)))
    hidden = nn.Sequential(nn.Linear.from_arrays(jax.random.normal(keys[0], (4, 5))), cell)
    xs, readout = jax.random.normal(keys[2], (6, 3, 4)), jax.random.normal(keys[1], (5, 2))

    def outer(run):
        def loss(hidden, readout):
            net = nn.Sequential(*hidden.parts, nn.Linear.from_arrays(readout))
            return jnp.square(run(net, net.init((3, 4), xs.dtype), xs)).sum()

        scale = jnp.arange(10.0).reshape(5, 2)
        gradient = jax.jit(jax.grad(lambda hidden: (jax.grad(loss, 1)(hidden, readout) * scale).sum()))(hidden)
        return jax.tree.leaves(gradient)

    by_hand = outer(one_by_one)
    assert all(jnp.abs(leaf).max() > 1 for leaf in by_hand[:1])
    for name, run in OVER_TIME.items():
        for found, expected in zip(outer(run), by_hand, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("along", [(0,), (1,), (0, 1)])
def test_a_rule_that_is_kept_is_mapped_along_all_arguments(x64, along):
    """In loops, over membranes, slopes or both; rules of hyperparameters too."""
    x, alpha = jnp.linspace(-0.4, 0.5, 3), jnp.asarray([3.0, 4.0, 6.0])

    def loss(readout, x, alpha, loop):
        def step(carry, now):
            return carry + readout * logistic.Logistic(alpha)(x * now).sum(), None

        times = jnp.asarray([1.0, 0.3])
        if loop:
            return jax.lax.scan(step, 0.0, times)[0] ** 2
        return sum(step(0.0, now)[0] for now in times) ** 2

    def outer(loop):
        inner = jax.grad(loss)
        mixed = jax.grad(lambda x, alpha: inner(1.3, x, alpha, loop), (0, 1))
        axes = tuple(0 if i in along else None for i in range(2))
        return jax.jit(jax.vmap(mixed, axes))(*(v if i in along else v[-1] for i, v in enumerate((x, alpha))))

    for found, expected in zip(outer(True), outer(False), strict=True):
        assert jnp.abs(expected).max() > 0.1
        np.testing.assert_allclose(found, expected, rtol=1e-12)
