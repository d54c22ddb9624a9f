"""The same training step in every framework: the hyperparameter is trained where it should be, and compiled once."""

import jax.numpy as jnp
import numpy as np
import pytest
from frameworks import FIRST, FRAMEWORKS, RATE, SECOND, X, Y

import surgrad

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
ALPHA = 4.0


@pytest.fixture(params=FRAMEWORKS)
def framework(request):
    return FRAMEWORKS[request.param]()


def closed_form():
    """The derivative of the loss by the steepness, in double precision, and the sum of the sizes of its terms."""
    x, y, first, second = (np.asarray(a, np.float64) for a in (X, Y, FIRST, SECOND))
    v = x @ first - 0.5
    error = (v >= 0) @ second - y
    s = 1 / (1 + np.exp(-ALPHA * v))
    terms = 2 / error.size * (error @ second.T) * s * (1 - s) * (1 + ALPHA * v * (1 - 2 * s))
    return terms.sum(), np.abs(terms).sum()


GRADIENT, SIZE = closed_form()
EPS = np.finfo(np.float32).eps
TOLERANCE = 64 * EPS * SIZE
"""A term has some forty roundings, most of them in the exponent: αv, which is below 20, has an error of that many."""


def test_the_gradient_of_a_trained_hyperparameter_is_that_of_the_closed_form(framework):
    model, gradient = framework.step(framework.start(surgrad.Sigmoid(ALPHA), trained=True))
    np.testing.assert_allclose(gradient, GRADIENT, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(framework.alpha(model), ALPHA - RATE * GRADIENT, rtol=0, atol=TOLERANCE + ALPHA * EPS)


def test_a_constant_hyperparameter_has_no_gradient_and_stays(framework):
    model, gradient = framework.step(framework.start(surgrad.Sigmoid(ALPHA), trained=False))
    assert gradient is None
    assert framework.alpha(model) == ALPHA


@pytest.mark.parametrize("trained", [True, False])
def test_the_second_step_compiles_nothing(framework, trained):
    model, _ = framework.step(framework.start(surgrad.Sigmoid(ALPHA), trained))
    framework.step(framework.step(model)[0])
    assert framework.traces == 1


@pytest.mark.parametrize("trained", [True, False])
@pytest.mark.parametrize("framework", sorted(FRAMEWORKS.keys() - {"brainstate"}), indirect=True)
def test_a_new_model_with_an_equal_surrogate_compiles_nothing(framework, trained):
    """A step of brainstate belongs to one model."""
    for _ in range(2):
        framework.step(framework.start(surgrad.Sigmoid(ALPHA), trained))
    assert framework.traces == 1


def test_brainstate_compiles_nothing_for_an_equal_surrogate_as_an_argument():
    brainstate, traces = pytest.importorskip("brainstate"), []

    @brainstate.transform.jit
    def spikes(sg, x):
        traces.append(sg)
        return sg(x)

    for alpha in (ALPHA, ALPHA, 2.0):
        np.testing.assert_array_equal(spikes(surgrad.Sigmoid(alpha), jnp.array([-0.1, 0.1])), [0, 1])
    assert len(traces) == 1
