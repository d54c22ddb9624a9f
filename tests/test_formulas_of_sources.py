"""Slopes beside the formulas of libraries and papers that are not installed, in their own variables: v and a threshold.

Each function says which file its formula was read in. x of our surrogates is (v - threshold)/scale.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import surgrad
from ledger import agrees

V = np.linspace(-3.013, 6.021, 301)


def rockpool_periodic_exponential(v, threshold, window):
    """rockpool/nn/modules/torch/lif_torch.py: below the threshold the distance to it, above it the remainder."""
    shifted = v - threshold / 2
    inside = np.where(v < threshold, shifted, np.mod(shifted, threshold))
    return np.exp(-np.abs(inside - threshold / 2) / window) / threshold


def rockpool_step_pwl(v, threshold, window):
    """rockpool/nn/modules/torch/lif_torch.py."""
    return (v >= threshold - window) / threshold


def sinabs_heaviside(v, threshold, window):
    """sinabs/activation/surrogate_gradient_fn.py; the window is in thresholds in its text, in units of v in its code."""
    return (v >= threshold - window) / threshold


def sinabs_single_exponential(v, threshold, width, scale):
    """sinabs/activation/surrogate_gradient_fn.py."""
    return scale / (threshold * width) * np.exp(-np.abs(v - threshold) / (threshold * width))


def lava_exponential(v, threshold, tau, scale):
    """lava-dl, src/lava/lib/dl/slayer/spike/spike.py, without graded spikes."""
    return scale / 2 / tau * np.exp(-np.abs(v - threshold) / tau)


def stork_super_spike(u, beta):
    """stork/activations.py, SuperSpike and SuperSpike_asymptote; u is v - threshold."""
    return 1 / (beta * np.abs(u) + 1) ** 2, beta / (beta * np.abs(u) + 1) ** 2


def stork_esser(u, beta):
    """stork/activations.py, EsserSpike."""
    return np.maximum(0, 1 - np.abs(beta * u))


def bellec_pseudo_derivative(v, threshold, dampening):
    """The code of Bellec et al. (2018): v relative to the threshold, in units of the threshold."""
    return dampening * np.maximum(1 - np.abs((v - threshold) / threshold), 0)


def deng_zif(u, gamma):
    """temporal_efficient_training, models/layers.py, ZIF."""
    return np.maximum(gamma - np.abs(u), 0) / gamma**2


def perez_fast_sigmoid(u, scale, window):
    """SparseSpikingBackprop, SurrGradSpike.py, for the active neurons of Perez-Nieves and Goodman (2021)."""
    return np.where(np.abs(u) < window, 1 / (scale * np.abs(u) + 1) ** 2, 0)


U = V - 1.0
CASES = [
    *((surgrad.PeriodicExponential(0.5, 1.0, t), V - t, rockpool_periodic_exponential(V, t, 0.5), "Rockpool")
      for t in (1.0, 1.3, 0.7)),
    *((surgrad.StepPiecewiseLinear(0.5, t), V - t, rockpool_step_pwl(V, t, 0.5), "Rockpool") for t in (1.0, 1.3)),
    (surgrad.StepPiecewiseLinear(1.0, 1.0), U, sinabs_heaviside(V, 1.0, 1.0), "Sinabs"),
    (surgrad.Slayer(2 * 0.7, 0.5 * 1.3), V - 1.3, sinabs_single_exponential(V, 1.3, 0.5, 0.7), "Sinabs"),
    (surgrad.Slayer(0.7, 0.4), V - 1.3, lava_exponential(V, 1.3, 0.4, 0.7), "lava-dl"),
    (surgrad.SuperSpike(20.0), U, stork_super_spike(U, 20.0)[0], "stork"),
    (surgrad.SuperSpike(20.0, scaling="steepness"), U, stork_super_spike(U, 20.0)[1], "stork"),
    (surgrad.Triangle(1.0, 0.5), U, stork_esser(U, 2.0), "stork"),
    (surgrad.Triangle(0.3), (V - 1.3) / 1.3, bellec_pseudo_derivative(V, 1.3, 0.3), "Bellec et al. 2018"),
    (surgrad.ZIF(0.7), U, deng_zif(U, 0.7), "Deng et al. 2022"),
    (surgrad.SparseFastSigmoid(100.0, 0.4), U, perez_fast_sigmoid(U, 100.0, 0.4), "Perez-Nieves and Goodman 2021"),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "x", "theirs", "source"), CASES, ids=lambda case: case if type(case) is str else "")
def test_slopes_are_those_of_the_formula_that_was_read(ours, x, theirs, source):
    with jax.enable_x64(True):
        agrees(ours.surrogate_grad(jnp.asarray(x)), theirs, of=ours, reference=f"formula of {source}", rtol=1e-11)
