"""Hypergradients through the training of spiking networks, against central differences in double precision.

Differences take steps of 10⁻⁶: the weights are rounded by 10⁻¹⁶ of themselves a step, which a derivative divides by
10⁻⁶, so that 10⁻⁹ of a derivative of the size of the weights is lost in 20 steps, and more of a smaller one; the
derivative by alpha is 10⁻² to 10⁻³ of that. The truncation, 10⁻¹²/6 times the third derivative, is below that.
"""

import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import training
from surgrad.meta import Forward, Reverse, hypergradient

TOLERANCE = 1e-6
METHODS = {"reverse": Reverse(checkpoint_every=1), "forward": Forward()}
QUICK = {("recurrent", "adam", 20, "reverse")}
CASES = [
    pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow)
    for kind in training.GAINS
    for optimizer in training.OPTIMIZERS
    for steps in training.AFTER
    for method in METHODS
    for case in [(kind, optimizer, steps, method)]
]


@pytest.mark.parametrize(("kind", "optimizer", "steps", "method"), CASES)
def test_derivatives_by_surrogates_and_learning_rate_equal_central_differences(x64, kind, optimizer, steps, method):
    values, derivatives = training.differences(kind, optimizer)
    arguments = (
        training.WEIGHTS[kind],
        training.hyperparameters(),
        training.first(steps),
        training.OPTIMIZERS[optimizer],
    )
    result = hypergradient(training.loss, training.outer, *arguments, method=METHODS[method])
    np.testing.assert_allclose(result.value, values[steps - 1], rtol=1e-12)
    found, expected = ravel_pytree(result.gradient)[0], derivatives[steps - 1]
    rate, alphas = slice(0, 1), slice(1, None)
    for part in (rate, alphas):
        assert np.linalg.norm(found[part] - expected[part]) < TOLERANCE * np.linalg.norm(expected[part])
        assert np.all(expected[part] != 0)


@pytest.mark.parametrize("checkpoint_every", [None, 1, 7])
@pytest.mark.slow
def test_checkpoints_change_nothing(x64, checkpoint_every):
    arguments = (
        training.WEIGHTS["recurrent"],
        training.hyperparameters(),
        training.first(20),
        training.OPTIMIZERS["adam"],
    )
    whole, parts = (
        hypergradient(training.loss, training.outer, *arguments, method=Reverse(each)).gradient
        for each in ("auto", checkpoint_every)
    )
    np.testing.assert_allclose(ravel_pytree(parts)[0], ravel_pytree(whole)[0], rtol=1e-9)
