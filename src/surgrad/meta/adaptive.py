"""Surrogates that follow the training, as published: each is a pure function, for use inside a training step.

What these methods change while a network learns does not undo what a bad scale did before; calibrate first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float

from surgrad._numbers import require_real, require_share, require_whole
from surgrad._pytree import static
from surgrad._spike import membrane
from surgrad._surrogate import Surrogate, parameter
from surgrad._surrogates.relu import PiecewiseLeakyRelu
from surgrad._types import Curve, Input, Membrane, Parameter, PyTree, Slope, Spikes
from surgrad.meta.probe import Membranes, surrogates, with_surrogates

Loss = Callable[[PyTree, Any], Float[Array, ""]]
"""The loss of weights and a temperature; its gradient by the weights is that of the surrogate."""


_DRAWN = "the mask is drawn for all entries at once, and all of them decide it"


class HybridSpike(Surrogate):
    """A surrogate whose forward pass is the curve at some neurons and the spike at the others, drawn at each step.

    Adaptive smoothing gradient learning (Wang et al. 2023), m Θ(x) + (1 - m) σ(x) with m = 0 of the given probability,
    for a `Sigmoid(α)` or a rectangle, `PiecewiseLeakyRelu(c=0, w=1/(2k))`. The derivative by x is the slope everywhere,
    that by a hyperparameter the curve's, so that a width is learned with the weights. Formula verified against
    `EfficientNoisySpikeII` in model/activation.py of the authors' repository, github.com/Windere/ASGL-SNN, whose widths
    are `InvSigmoid` and `InvRectangle`. Two things differ: the mask comes from the key and the bits of x, so that it
    is drawn again where x is computed in another order; and there a layer's spikes are multiplied by its threshold.

    Parameters:
        surrogate: its curve and its slope.
        probability: of the curve at a neuron, 0 to 1; 0 is a spiking network.
        key: of the masks; give each batch its own.
    """

    references = ("wang2023adaptive",)
    waivers = {
        "hard_forward": "a share of the neurons answers with the curve, which is the method",
        "shapes": _DRAWN,
        "transforms": _DRAWN,
    }

    surrogate: Surrogate
    probability: Parameter = parameter(at_least=0, at_most=1)
    key: Array
    parameter_tangent: str = static(default="function", choices=("slope", "function", "none"), kw_only=True)

    def surrogate_fun(self, x: Membrane) -> Curve:
        return self.surrogate.surrogate_fun(x)

    def surrogate_grad(self, x: Membrane) -> Slope:
        return self.surrogate.surrogate_grad(x)

    def peak(self) -> jax.Array:
        return self.surrogate.peak()

    def __call__(self, x: Input) -> Spikes:
        """Spikes, or the curve; in the shape and dtype of x. Raises as `Surrogate` does."""
        spikes = super().__call__(x)
        x = membrane(x, type(self).__name__)
        curve = self.surrogate_fun(x)
        # A cell hands over no number of its step. Its voltages tell the steps apart.
        bits = jax.lax.bitcast_convert_type(x.astype(jnp.float32), jnp.uint32)
        key = jax.random.fold_in(self.key, jnp.sum(bits, dtype=jnp.uint32))
        return jnp.where(jax.random.bernoulli(key, self.probability, spikes.shape), curve, spikes)


def hybrid(model: PyTree, probability: Parameter, key: Array) -> Any:
    """The model with its surrogates made `HybridSpike`, each with a key of its own; the model itself stays as it is.

    A surrogate that is hybrid already gets the new probability and key. Networks are used as they are, spiking.
    The published probability falls at some epochs by a factor: `optax.piecewise_constant_schedule` gives it.
    """
    keys = iter(jax.random.split(key, max(1, len(surrogates(model)))))
    return with_surrogates(model, lambda _, s: HybridSpike(_plain(s), probability, next(keys)))


def _plain(surrogate: Surrogate) -> Surrogate:
    return surrogate.surrogate if isinstance(surrogate, HybridSpike) else surrogate


def finite_differences(loss: Callable[[PyTree], Any], weights: PyTree, step: Parameter, batch: int = 32) -> PyTree:
    """The gradient (L(w + εe) - L(w - εe))/(2ε) by each weight of a loss, which may have steps (Li et al. 2021).

    Parameters:
        loss: of the weights alone.
        weights: a tree; it takes two evaluations of the loss a weight.
        step: ε, > 0. Where it is too small no spike changes, and the gradient is 0.
        batch: number of weights that are moved at once.
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
    """The temperature among b, b + δ and b - δ whose gradient is most alike the finite differences of the loss.

    The rule of `Dspike` (Li et al. 2021), for once an epoch: the likeness is the cosine, the weights are those of the
    first layer, on one batch. Verified against the authors' account (guslab.org/projects/3_project), which leaves δ
    and ε open. A b - δ that is not positive is left out, and b stays where none is better.

    Parameters:
        loss: of the weights and the temperature.
        weights: of the first layer; any tree.
        temperature: b, > 0, of `Dspike` or of what else the loss takes it for.
        spacing: δ, > 0.
        step: ε of `finite_differences`, > 0.
        batch: as there.
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
    return candidates[jnp.argmax(jnp.where(candidates > 0, cosines, -2))]  # less than any cosine


def predicted_width(gain: Parameter, decay: Parameter) -> Parameter:
    """The half-width γ √(1 + τ²), in thresholds, of the rectangle of a layer behind batch normalisation.

    MPD-AGL (Jiang et al. 2025, Adaptive Gradient Learning for Spiking Neural Networks by Exploiting Membrane Potential
    Dynamics, theorem 2): the rectangle ends a predicted standard deviation of the membranes away from the threshold.
    Formula verified against surrogate.py of the authors' implementation, where the first step has the width γ.

    Parameters:
        gain: mean γ of the normalisation's gains, where its output has a deviation of γ thresholds, > 0.
        decay: what a step leaves of the membrane, τ there and e^(-1/τ) here, 0 to 1.
    """
    require_real("predicted_width", "gain", gain, above=0)
    require_share("predicted_width", decay=decay)
    return gain * jnp.sqrt(1 + jnp.square(decay))


def follow_membranes(model: PyTree, membranes: tuple[Membranes, ...]) -> Any:
    """The model with a rectangle for each surrogate, as wide on either side as its membranes' standard deviation.

    MPD-AGL as in `predicted_width`, but with the deviation measured, over all steps, samples and neurons, where the
    paper predicts it from batch normalisation, for the first step and for all others. Options of the surrogates are
    kept. The width is a constant for the derivative.

    Parameters:
        model: a cell, a `Sequential` most often.
        membranes: `record(model, inputs).membranes`, of the batch at hand.

    Raises:
        ValueError: there are not as many membranes as surrogates.
    """
    if len(membranes) != len(surrogates(model)):
        raise ValueError(
            f"follow_membranes: {type(model).__name__} has {len(surrogates(model))} surrogates, got {len(membranes)} "
            f"membranes; give record(model, inputs).membranes."
        )
    given = iter(membranes)
    return with_surrogates(model, lambda _, s: _rectangle(s, next(given)))


def _rectangle(surrogate: Surrogate, x: Membranes) -> PiecewiseLeakyRelu:
    """Where the membranes are all alike, the narrowest width that has a finite slope and square."""
    width = jnp.maximum(jax.lax.stop_gradient(jnp.std(x)), jnp.finfo(x.dtype).eps)
    options = {name: getattr(surrogate, name) for name in ("parameter_tangent", "second_order", "smoothed")}
    return PiecewiseLeakyRelu(c=0.0, w=width, **options)
