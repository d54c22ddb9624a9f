"""Published methods that adapt surrogates during training: pure functions, for use inside a training step.

They do not undo the damage that a bad scale has done before; calibrate first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from surgrad._hybrid import HybridSpike
from surgrad._numbers import require_real, require_share, require_whole
from surgrad._surrogate import Surrogate, options_of
from surgrad._surrogates.relu import PiecewiseLeakyRelu
from surgrad._types import Parameter, PyTree
from surgrad.meta._inspection.recording import Membranes, surrogates, with_surrogates

Loss = Callable[[PyTree, Any], Float[Array, ""]]
"""A loss of weights and a temperature; its gradient by the weights is the surrogate gradient."""


def hybrid(model: PyTree, probability: Parameter, key: Array) -> Any:
    """A copy of the model in which each surrogate is a `HybridSpike`, with a key of its own, for training.

    A surrogate that is hybrid already gets the new probability and key. For inference use the model without it, which
    spikes. The published probability falls by a factor at some epochs: `optax.piecewise_constant_schedule` gives it.

    Parameters:
        model: a tree with surrogates.
        probability: of the curve at a neuron, 0 to 1.
        key: of the masks; give each batch its own.

    Raises:
        ValueError: the probability is out of range.
    """
    keys = jax.random.split(key, max(1, len(surrogates(model))))
    return with_surrogates(model, lambda i, s: HybridSpike(_plain(s), probability, keys[i]))


def _plain(surrogate: Surrogate) -> Surrogate:
    return surrogate.surrogate if isinstance(surrogate, HybridSpike) else surrogate


def finite_differences(loss: Callable[[PyTree], Any], weights: PyTree, step: Parameter, batch: int = 32) -> PyTree:
    """The central differences (L(w + εe) - L(w - εe))/(2ε) of a loss by each weight (Li et al. 2021).

    The loss may have steps, as one of spikes has.

    Parameters:
        loss: of the weights alone.
        weights: a tree of arrays; the loss is evaluated twice for each number.
        step: ε, > 0. If it is too small no spike changes, and the differences are 0.
        batch: number of weights that are moved at once, >= 1.

    Raises:
        ValueError: step or batch are out of range.
    """
    require_real("finite_differences", "step", step, above=0)
    require_whole("finite_differences", batch=batch)
    flat, restore = ravel_pytree(weights)

    def by(index: Array) -> Array:
        moved = jnp.zeros_like(flat).at[index].set(step)
        return (loss(restore(flat + moved)) - loss(restore(flat - moved))) / (2 * step)

    return restore(jax.lax.map(by, jnp.arange(flat.size), batch_size=batch))


def adapt_temperature(
    loss: Loss, weights: PyTree, temperature: Parameter, *, spacing: Parameter, step: Parameter, batch: int = 32
) -> Float[Array, ""]:
    """The temperature among b, b + δ, b - δ whose gradient is nearest in direction to finite differences of the loss.

    The rule of `Dspike` (Li et al. 2021), to be applied once an epoch: the largest cosine between the surrogate
    gradient and the finite differences, by the weights of the first layer, on one batch. Checked against the authors'
    account (guslab.org/projects/3_project), which does not give δ and ε. A b - δ that is not positive is left out, and
    b stays if none is better.

    Parameters:
        loss: of the weights and the temperature.
        weights: of the first layer; any tree.
        temperature: b, > 0, of `Dspike` or of any other surrogate.
        spacing: δ, > 0.
        step: ε of `finite_differences`, > 0.
        batch: of `finite_differences`, >= 1.

    Raises:
        ValueError: an argument is out of range.
    """
    for name, value in {"temperature": temperature, "spacing": spacing, "step": step}.items():
        require_real("adapt_temperature", name, value, above=0)
    b = jnp.asarray(temperature)
    target, _ = ravel_pytree(finite_differences(lambda w: loss(w, b), weights, step, batch))

    def cosine(candidate: Array) -> Array:
        gradient, _ = ravel_pytree(jax.grad(loss)(weights, candidate))
        norms = jnp.linalg.norm(gradient) * jnp.linalg.norm(target)
        return jnp.where(norms > 0, gradient @ target / jnp.where(norms > 0, norms, 1), 0)

    candidates = jnp.stack([b, b + spacing, b - spacing])
    cosines = jax.lax.map(cosine, jnp.where(candidates > 0, candidates, b))
    return candidates[jnp.argmax(jnp.where(candidates > 0, cosines, -2))]  # -2 is less than any cosine


def predicted_width(gain: Parameter, decay: Parameter) -> Parameter:
    """The half-width γ √(1 + τ²), in thresholds, of the rectangle of a layer behind batch normalisation.

    MPD-AGL (Jiang et al. 2025, Adaptive Gradient Learning for Spiking Neural Networks by Exploiting Membrane Potential
    Dynamics, theorem 2): the rectangle ends one predicted standard deviation of the membrane potentials away from the
    threshold. The formula was checked against surrogate.py of the authors' implementation, where the first step has the
    width γ.

    Parameters:
        gain: mean γ of the gains of the normalisation, whose output has a standard deviation of γ thresholds, > 0.
        decay: factor of the membrane potential in one step, 0 to 1: τ in the paper, e^(-1/τ) here.

    Raises:
        ValueError: an argument is out of range.
    """
    require_real("predicted_width", "gain", gain, above=0)
    require_share("predicted_width", decay=decay)
    return gain * jnp.sqrt(1 + jnp.square(decay))


def follow_membranes(model: PyTree, membranes: tuple[Membranes, ...]) -> Any:
    """The model with a rectangle for each surrogate, whose half-width is the standard deviation of its membranes.

    MPD-AGL as in `predicted_width`, but the deviation is measured, over all time steps, samples and neurons, where the
    paper predicts it from batch normalisation. Options of the surrogates are kept. Derivatives take the width for a
    constant.

    Parameters:
        model: a cell, usually a `Sequential`.
        membranes: `record(model, inputs).membranes`, of the current batch.

    Raises:
        ValueError: there are not as many membranes as surrogates.
    """
    if len(membranes) != len(surrogates(model)):
        raise ValueError(
            f"follow_membranes: {type(model).__name__} has {len(surrogates(model))} surrogates, got {len(membranes)} "
            f"membranes; give record(model, inputs).membranes."
        )
    return with_surrogates(model, lambda i, s: _rectangle(s, membranes[i]))


def _rectangle(surrogate: Surrogate, x: Membranes) -> PiecewiseLeakyRelu:
    """If all membranes are equal, the rectangle is the narrowest that has a finite slope, and a finite square of it."""
    width = jnp.maximum(jax.lax.stop_gradient(jnp.std(x)), jnp.finfo(x.dtype).eps)
    return PiecewiseLeakyRelu(c=0.0, w=width, **options_of(surrogate))
