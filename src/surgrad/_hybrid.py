"""`HybridSpike`: the curve at randomly drawn neurons, and spikes at all others."""

from __future__ import annotations

from typing import ClassVar, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array

from surgrad._elementwise import membrane
from surgrad._pytree import static
from surgrad._surrogate import Surrogate, parameter
from surgrad._types import Curve, Input, Membrane, Parameter, Slope, Spikes

_DRAWN = "the mask is drawn for all entries at once, and all of them decide it"


class HybridSpike(Surrogate):
    """A surrogate whose forward pass is the curve at randomly drawn neurons and the spike at all others.

    Adaptive smoothing gradient learning (Wang et al. 2023): m Θ(x) + (1 - m) σ(x), where m = 0 with the given
    probability. σ is a `Sigmoid(α)` in the paper, or a rectangle, `PiecewiseLeakyRelu(c=0, w=1/(2k))`. The derivative
    by x is the slope everywhere, that by a hyperparameter is the curve's, so that a width is learned with the weights.
    In the authors' code the two widths are those of `InvSigmoid` and `InvRectangle`. Two things differ: here the mask
    depends on the key and on the bits of x, so that it changes where x is computed in another order; and there the
    spikes of a layer are multiplied by its threshold.

        >>> import jax, surgrad
        >>> float(surgrad.HybridSpike(surgrad.Sigmoid(4.0), probability=1.0, key=jax.random.key(0))(0.0))
        0.5

    Parameters:
        surrogate: curve and slope.
        probability: probability of the curve at a neuron, 0 to 1; with 0 all neurons spike.
        key: key of the masks; give each batch its own.
    """

    references: ClassVar[tuple[str, ...]] = ("wang2023adaptive",)
    verified: ClassVar[str] = (
        "`EfficientNoisySpikeII` in model/activation.py of the authors' code, github.com/Windere/ASGL-SNN"
    )
    tags: ClassVar[frozenset[str]] = frozenset({"stochastic"})
    waivers: ClassVar[dict[str, str]] = {
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

    def _narrowed(self, factor: Parameter) -> Self:
        return self.replace(surrogate=self.surrogate.steeper(factor))

    def _stretched_by(self, factor: Parameter) -> Self:
        return self.replace(surrogate=self.surrogate._stretched_by(factor))

    def _scaled_by(self, factor: Parameter) -> Self:
        return self.replace(surrogate=self.surrogate._scaled_by(factor))

    def __call__(self, x: Input) -> Spikes:
        """Return spikes, or the curve, in the shape and dtype of x; raises as `Surrogate` does."""
        spikes = super().__call__(x)
        x = membrane(x, type(self).__name__)
        curve = self.surrogate_fun(x)
        # A cell does not pass the index of the time step; the bits of the membrane potentials give each step its key.
        bits = jax.lax.bitcast_convert_type(x.astype(jnp.float32), jnp.uint32)
        key = jax.random.fold_in(self.key, jnp.sum(bits, dtype=jnp.uint32))
        return jnp.where(jax.random.bernoulli(key, self.probability, spikes.shape), curve, spikes)
