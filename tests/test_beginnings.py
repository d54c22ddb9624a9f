"""IKUN, MP-Init and TrSG against their formulas, and layers of them under all laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from surgrad import meta, nn

CELL = nn.LIF(surgrad.Sigmoid(2.0), tau=np.inf, threshold=0.5)


@pytest.mark.parametrize(("fan", "terms"), [("in", 30 * 40), ("both", 30 * 40 + 50)])
def test_the_variance_of_weights_is_one_over_mean_slope_and_fan(fan, terms):
    """1/(1 + x²), which the authors' code averages, has the mean π/4 from -1 to 1."""
    slope = surgrad.from_grad(lambda x: 1 / (1 + x**2))
    weights = np.asarray(meta.ikun(slope, fan)(jax.random.key(0), (30, 40, 50), jnp.float32))
    # The variance of 60,000 numbers has a standard error of √(2/60,000) of itself; the mean at 1000 points, of 1e-3.
    assert weights.var() * terms * np.pi / 4 == pytest.approx(1, abs=4 * np.sqrt(2 / weights.size) + 1e-3)


def test_layers_take_the_initializer():
    layer = nn.Linear(300, 200, key=jax.random.key(1), weight_init=meta.ikun(surgrad.Arctan(2.0)))
    mean = float(surgrad.Arctan(2.0).surrogate_fun(1.0) - surgrad.Arctan(2.0).surrogate_fun(-1.0)) / 2
    assert float(layer.weight.var()) * 300 * mean == pytest.approx(1, abs=0.03)


@pytest.mark.unchecked  # arguments of other types than the annotated ones
def test_mistakes_in_beginnings_are_answered():
    with pytest.raises(TypeError, match="ikun: expected a Surrogate object"):
        meta.ikun(jnp.tanh)
    with pytest.raises(ValueError, match="fan"):
        meta.ikun(surgrad.Sigmoid(), "out")
    with pytest.raises(ValueError, match=r"the slope of .* is 0"):
        meta.ikun(surgrad.from_grad(lambda x: 0 * x))
    with pytest.raises(ValueError, match="rate"):
        meta.initial_membrane(0.0, jnp.zeros(2), jnp.zeros((3, 2)), rate=1.5)
    with pytest.raises(TypeError, match="expected a cell with a threshold"):
        meta.ThresholdRobust(nn.LeakyIntegrator())


def test_the_initial_membrane_is_the_running_mean_over_neurons_that_spiked():
    v = jnp.array([[0.2, -0.4, 0.7], [0.6, 0.1, 0.3]])
    spikes = jnp.zeros((4, 2, 3)).at[1, 0, 0].set(1.0).at[:, 1, 2].set(1.0)
    assert float(meta.initial_membrane(0.5, v, spikes)) == pytest.approx(0.9 * 0.5 + 0.1 * (0.2 + 0.3) / 2)
    assert float(meta.initial_membrane(0.5, v, 0 * spikes)) == pytest.approx(0.9 * 0.5)
    assert jax.grad(lambda v: meta.initial_membrane(0.0, v, spikes))(v).max() == 0


def test_a_membrane_that_begins_at_its_mean_has_no_transient():
    """Constant current: the rate of the first half is that of the second only where membranes begin at their mean."""
    drawn = jax.random.uniform(jax.random.key(0), (100, 8, 20), maxval=0.2)
    cell, mean = nn.LIF(tau=20.0), jnp.float32(0.0)
    for _ in range(30):
        state, spikes = nn.unroll(cell, cell.init((8, 20))._replace(v=jnp.full((8, 20), mean)), drawn)
        mean = meta.initial_membrane(mean, state.v, spikes)
    early = {
        begin: nn.unroll(cell, cell.init((8, 20))._replace(v=jnp.full((8, 20), begin)), drawn)[1][:10].mean()
        for begin in (0.0, float(mean))
    }
    stationary = spikes[50:].mean()
    assert abs(early[float(mean)] - stationary) < 0.5 * abs(early[0.0] - stationary)


@pytest.mark.parametrize("threshold", [0.1, 1.0, 7.0])
def test_gradients_of_threshold_robust_spikes(x64, threshold):
    """By v: σ'(x). By θ: s - σ'(x) v/θ, as in the authors' trsg.py."""
    spike = surgrad.Sigmoid(2.0)

    def output(v, threshold):
        cell = meta.ThresholdRobust(nn.LIF(spike, tau=np.inf, threshold=threshold))
        return cell(cell.init((), float), v)[1]

    for v in (0.6 * threshold, 1.3 * threshold):
        slope, spikes = float(spike.surrogate_grad(v / threshold - 1)), float(v >= threshold)
        assert float(output(v, threshold)) == spikes * threshold
        by_v, by_threshold = jax.grad(output, (0, 1))(v, threshold)
        assert float(by_v) == pytest.approx(slope, rel=1e-12)
        assert float(by_threshold) == pytest.approx(spikes - slope * v / threshold, rel=1e-12)


def test_threshold_robust_cells_keep_the_laws_of_layers():
    given = np.random.default_rng(0).uniform(0, 0.6, (8, 2, 4)).astype(np.float32)
    surgrad.check(
        meta.ThresholdRobust(CELL),
        given,
        laws=["elementwise", "unroll_is_scan", "own_promises", "strict", "second_derivatives"],
    ).raise_if_failed()
