"""Whether implicit hypergradients can be had: stationary points of surrogate gradients, and their Jacobians.

`python -m benchmarks.stationary_points` trains small spiking networks with full batches in double precision, and prints
the gradient's norm and the loss along the way, the asymmetry |J - Jᵀ|/|J| of the Jacobian J of the surrogate gradient
by the weights, how its eigenvalues lie, and the implicit hypergradient -(∂outer/∂w) J⁻¹ (∂g/∂h) by direct solution.
Beside it stand central differences of where training goes on to from the same point with alpha a little larger and
smaller, which is what the implicit function theorem speaks of.
"""

from __future__ import annotations

import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

import surgrad
from surgrad.meta import exact
from surgrad.nn import LIF, LeakyIntegrator, Linear, Recurrent, Sequential

INPUTS, HIDDEN, CLASSES, TIME, BATCH = 12, 8, 3, 20, 24
PERIOD = 2000
LOG_ALPHA, BY = np.log(4.0), 1e-3


def data(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy prototypes of three classes as spikes."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, CLASSES, BATCH)
    prototypes = np.random.default_rng(0).random((CLASSES, TIME, INPUTS)) < 0.2
    spikes = prototypes[labels] ^ (random.random((BATCH, TIME, INPUTS)) < 0.1)
    return spikes.transpose(1, 0, 2).astype(float), labels


def start(kind: str, seed: int) -> dict[str, np.ndarray]:
    """Initial weights."""
    random = np.random.default_rng(seed)
    shapes = {"into": (INPUTS, HIDDEN), "out": (HIDDEN, CLASSES)}
    shapes |= {"back": (HIDDEN, HIDDEN)} if kind == "recurrent" else {}
    return {name: random.normal(size=shape) / shape[0] ** 0.5 for name, shape in shapes.items()}


def loss(weights: dict, log_alpha: jax.Array, batch: tuple) -> jax.Array:
    """Cross-entropy of the mean voltages, with a little decay of the weights, so that there can be a minimum."""
    inputs, labels = batch
    cell = LIF(surgrad.Sigmoid(jnp.exp(log_alpha)), 6.0)
    cell = Recurrent.from_arrays(cell, weights["back"]) if "back" in weights else cell
    dense = [Linear.from_arrays(weights[name], jnp.zeros(weights[name].shape[1])) for name in ("into", "out")]
    logits = Sequential(dense[0], cell, dense[1], LeakyIntegrator(6.0)).outputs(inputs)[-1].mean(axis=0)
    decay = 1e-3 * sum(jnp.sum(w**2) for w in jax.tree.leaves(weights))
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean() + decay


def fields(kind: str, seed: int) -> tuple:
    """The gradient by flat weights as a function of those and log alpha, training, and the outer gradient."""
    flat, unravel = ravel_pytree(jax.tree.map(jnp.asarray, start(kind, seed)))
    inner, held_out = data(seed + 1), data(seed + 100)

    def gradient(w: jax.Array, log_alpha: jax.Array) -> jax.Array:
        return jax.grad(lambda w: loss(unravel(w), log_alpha, inner))(w)

    @jax.jit
    def trained(w: jax.Array, log_alpha: jax.Array, rate: float) -> jax.Array:
        return jax.lax.scan(lambda w, _: (w - rate * gradient(w, log_alpha), None), w, length=PERIOD)[0]

    def outer(w: jax.Array) -> jax.Array:
        return loss(unravel(w), LOG_ALPHA, held_out)

    value = jax.jit(lambda w: loss(unravel(w), LOG_ALPHA, inner))
    return flat, jax.jit(gradient), trained, jax.jit(jax.grad(outer)), value


@exact()
def measure(kind: str, seed: int, rates: tuple[float, ...] = (0.3, 0.03, 0.003, 0.0003)) -> None:
    """Print all that is measured of one network; the learning rate falls tenfold after each period."""
    w, gradient, trained, outer, value = fields(kind, seed)
    norms, losses = [float(jnp.linalg.norm(gradient(w, LOG_ALPHA)))], [float(value(w))]
    for rate in rates:
        w = trained(w, LOG_ALPHA, rate)
        norms.append(float(jnp.linalg.norm(gradient(w, LOG_ALPHA))))
        losses.append(float(value(w)))
    sides = [w, w]
    for rate in rates[1:]:
        sides = [trained(s, LOG_ALPHA + sign * BY, rate) for s, sign in zip(sides, (1, -1), strict=True)]
    apart = float(jnp.linalg.norm(sides[0] - sides[1]) / jnp.linalg.norm(w))
    jacobian = np.asarray(jax.jit(jax.jacfwd(gradient))(w, LOG_ALPHA))
    by_alpha = np.asarray(jax.jit(jax.jacfwd(gradient, argnums=1))(w, LOG_ALPHA))
    eigenvalues = np.linalg.eigvals(jacobian)
    asymmetry = np.linalg.norm(jacobian - jacobian.T) / np.linalg.norm(jacobian)
    gradient_of_outer = np.asarray(outer(w))
    implicit = -gradient_of_outer @ np.linalg.solve(jacobian, by_alpha)
    difference = gradient_of_outer @ np.asarray(sides[0] - sides[1]) / (2 * BY)
    shown = " ".join(f"{n:.2g}" for n in norms), " ".join(f"{v:.3f}" for v in losses)
    print(
        f"{kind:12} seed {seed} | gradient {shown[0]} | loss {shown[1]} | asymmetry {asymmetry:.2f} | real parts of "
        f"eigenvalues {eigenvalues.real.min():.3g} to {eigenvalues.real.max():.3g}, {np.sum(eigenvalues.real < 0)} of "
        f"{len(eigenvalues)} negative, condition {np.linalg.cond(jacobian):.1e} | implicit {implicit:.3g}, "
        f"differences {difference:.3g}, |Δw|/|w| {apart:.1g}",
        flush=True,
    )


def main(seeds: int = 3) -> None:
    """All networks."""
    jax.config.update("jax_enable_x64", True)
    for kind in ("feed-forward", "recurrent"):
        for seed in range(seeds):
            measure(kind, seed)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
