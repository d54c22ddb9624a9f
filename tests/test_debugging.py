"""JAX's alarms for NaN and infinity, in compiled and in eager code: no surrogate sets them off where all is well."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import Asymmetric, Mixture, Normalized, Shift, Sigmoid, Sparse, Temperature

X = np.array([-1e4, -1.0, -0.3, 0.0, 0.3, 1.0, 1e4], np.float32)
COMBINED = [
    Asymmetric(below=surgrad.Arctan(2.0), above=surgrad.NonzeroSignLog(2.0)),
    Mixture([Sigmoid(), surgrad.ERF(2.0)]),
    Shift(surgrad.Arctan(3.0), -0.2),
    Temperature(surgrad.PiecewiseExp(), 0.5),
    Normalized(surgrad.QPseudoSpike(3.0), to="area"),
    Normalized(surgrad.InvSquareGrad(), to="peak"),
    Sparse(Sigmoid(), 0.7),
]
SURROGATES = [*(cls() for cls in surgrad.catalogue().values()), *COMBINED]


def everything(surrogate, x):
    """Values and derivatives of first and second order, by x and by hyperparameters."""
    found = [surrogate.surrogate_fun(x), surrogate.surrogate_grad(x)]
    for f in (surrogate, surrogate.surrogate_fun, surrogate.surrogate_grad):
        found.append(jax.grad(lambda x, f=f: f(x).sum())(x))
    for method in ("__call__", "surrogate_fun", "surrogate_grad"):
        found.append(jax.grad(lambda s, method=method: getattr(s, method)(x).sum())(surrogate))
    second = jax.jvp(jax.grad(lambda s, x: (s(x) ** 2).sum(), (0, 1)), (surrogate, x), (surrogate, jnp.ones_like(x)))
    return surrogate(x), found, second


QUICK = ("Sigmoid", "Arctan", "ReluGrad", "Dspike", "QPseudoSpike", "MultiGaussianGrad", "Mixture")
"""One of each family of formulas; the others are slow tests, since operations that are not compiled take seconds."""


@pytest.mark.parametrize(
    "surrogate",
    [
        pytest.param(one, id=type(one).__name__, marks=[pytest.mark.slow] * (type(one).__name__ not in QUICK))
        for one in SURROGATES
    ],
)
def test_no_surrogate_raises_a_false_alarm(surrogate):
    """Without compilation every operation is looked at, not the results alone."""
    with jax.debug_nans(True), jax.debug_infs(True):
        spikes, _, _ = everything(surrogate, X)
        assert spikes.tolist() == (X >= 0).tolist()


@pytest.mark.parametrize("surrogate", [Sigmoid(), COMBINED[0]], ids=["Sigmoid", "Asymmetric"])
def test_compiled_code_raises_none_either(surrogate):
    with jax.debug_nans(True), jax.debug_infs(True):
        jax.jit(everything)(surrogate, X)
