"""Second derivatives of losses on spikes: closed forms and finite differences, in every transformation and mode."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import logistic
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


def test_weights_before_spikes_that_the_inner_gradient_does_not_use(x64):
    """As the page on derivatives says: in a loop they are forgotten before JAX 0.12, in one chunk they never are."""
    keys = jax.random.split(jax.random.key(0), 3)
    first, readout = jax.random.normal(keys[0], (4, 5)), jax.random.normal(keys[1], (5, 2))
    xs = jax.random.normal(keys[2], (6, 3, 4))

    def outer(run):
        def loss(first, readout):
            net = nn.Sequential(nn.Linear.from_arrays(first), nn.LIF(), nn.Linear.from_arrays(readout))
            return jnp.square(run(net, net.init((3, 4), jnp.float64))).sum()

        return jax.grad(lambda first: (jax.grad(loss, 1)(first, readout) * jnp.arange(10.0).reshape(5, 2)).sum())(first)

    def one_by_one(net, state):
        outputs = []
        for x in xs:
            state, y = net(state, x)
            outputs.append(y)
        return jnp.stack(outputs)

    expected = outer(one_by_one)
    assert jnp.abs(expected).max() > 1
    found = outer(lambda net, state: nn.unroll(net, state, xs, chunk_size=6).outputs)
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    if jax.__version_info__ < (0, 10):  # not seen
        return
    in_a_loop = outer(lambda net, state: jax.lax.scan(net, state, xs)[1])
    mended = jax.__version_info__ >= (0, 12)
    np.testing.assert_allclose(in_a_loop, expected if mended else jnp.zeros_like(expected), rtol=1e-9)
