"""Neurons without a reset: their membrane potentials are sums, and all time steps at once are those one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import agrees
from surgrad import nn

TIME, BATCH, NEURONS = 13, 2, 3
X = np.random.default_rng(0).normal(0.2, 0.5, (TIME, BATCH, NEURONS))
TAU = np.array([2.0, 7.0, np.inf])


def sums(x, tau):
    """v[t] = Σ_s e^(-(t - s)/τ) I[s], written out."""
    return np.array([sum(np.exp(-(t - s) / tau) * x[s] for s in range(t + 1)) for t in range(len(x))])


run = jax.jit(lambda cell, x: nn.unroll(cell, x, chunk_size=len(x)))


@pytest.mark.usefixtures("x64")
class TestParallelLIF:
    def test_spikes_are_those_of_leaky_sums_above_the_threshold(self):
        state, spikes = run(nn.ParallelLIF(surgrad.Arctan(2.0), TAU, 0.7), X)
        v = sums(X, TAU)
        agrees(state.v, v[-1], of=nn.ParallelLIF, reference="closed form", rtol=1e-12)
        np.testing.assert_array_equal(spikes, v >= 0.7)

    def test_below_the_threshold_the_potentials_are_those_of_LIF(self):  # noqa: N802
        quiet = 1e-3 * X
        np.testing.assert_allclose(run(nn.ParallelLIF(tau=TAU), quiet).state.v, run(nn.LIF(tau=TAU), quiet).state.v)

    def test_gradients_are_those_of_a_scan_by_hand(self):
        spike = surgrad.Sigmoid(2.0)

        def by_hand(tau, x):
            def step(v, now):
                v = jnp.exp(-1 / tau)[None] * v + now
                return v, spike((v - 1) / 1)

            return jax.lax.scan(step, jnp.zeros_like(x[0]), x)[1]

        tau = jnp.array([2.0, 7.0, 30.0])
        pull = np.cos(np.arange(X.size)).reshape(X.shape)
        found = jax.jit(jax.grad(lambda tau, x: (run(nn.ParallelLIF(spike, tau), x).outputs * pull).sum(), (0, 1)))
        expected = jax.jit(jax.grad(lambda tau, x: (by_hand(tau, x) * pull).sum(), (0, 1)))
        for ours, theirs in zip(found(tau, X), expected(tau, X), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-11)

    def test_a_sequence_may_be_cut_anywhere_and_may_be_empty(self):
        cell = nn.ParallelLIF(tau=5.0)
        whole = run(cell, X)
        state, before = run(cell, X[:4])
        state, after = jax.jit(cell.over_time)(state, X[4:])
        np.testing.assert_array_equal(np.concatenate([before, after]), whole.outputs)
        np.testing.assert_allclose(state.v, whole.state.v, rtol=1e-13)
        assert cell.over_time(state, X[:0])[1].shape == (0, BATCH, NEURONS)

    def test_additions_one_after_the_other_grow_with_the_logarithm_of_the_time(self):
        def additions(time):
            """Twice as many as there are one after the other: down and up a tree."""
            cell, x = nn.ParallelLIF(), jax.ShapeDtypeStruct((time, 2, 3), float)
            return str(jax.make_jaxpr(lambda x: cell.over_time(cell.init((2, 3)), x)[1])(x)).count("add")

        assert additions(64) - additions(32) == additions(1024) - additions(512) > 0


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda: nn.ParallelLIF(tau=-1.0), "ParallelLIF: tau must be > 0, got -1.0"),
        (
            lambda: nn.ParallelLIF(beta=1.5),
            "ParallelLIF: beta, the decay of a time step, must be > 0 and <= 1, got 1.5",
        ),
        (
            lambda: nn.ParallelLIF().over_time(nn.ParallelLIF().init((3,)), np.ones((9, 4))),
            r"ParallelLIF: the input of a step has shape \(4,\) and the state \(3,\)",
        ),
        (lambda: nn.LIF(reset="none"), r"spikes without a reset are surgrad\.nn\.ParallelLIF"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(mistake, message):
    with pytest.raises(ValueError, match=message):
        mistake()
