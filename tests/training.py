"""Small networks to be trained, and a training loop in plain Python: what `meta` is compared with."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

import surgrad
from surgrad.nn import LIF, LeakyIntegrator, Linear, Recurrent, Sequential

INPUTS, HIDDEN, CLASSES, TIME, BATCH, STEPS = 20, 16, 3, 20, 8, 20
AFTER = (1, 5, 20)
"""Numbers of training steps after which derivatives are compared."""
RANDOM = np.random.default_rng(5)
SPIKES = (RANDOM.random((STEPS + 1, TIME, BATCH, INPUTS)) < 0.15).astype(float)
TARGETS = RANDOM.normal(size=(STEPS + 1, BATCH, CLASSES))
BATCHES, VALIDATION = (SPIKES[1:], TARGETS[1:]), (SPIKES[0], TARGETS[0])
GAINS = {
    "feed-forward": {"into": 0.8, "between": 0.8, "out": 0.4},
    "recurrent": {"into": 0.7, "back": 0.5, "between": 0.8, "out": 0.4},
}
"""Standard deviations of weights times the square root of the number of inputs: about one in seven neurons spikes."""
MEANS = {"into": 0.5, "back": 0.0, "between": 0.5, "out": 0.0}
SHAPES = dict.fromkeys(("back", "between"), (HIDDEN, HIDDEN)) | {
    "into": (INPUTS, HIDDEN),
    "out": (HIDDEN, CLASSES),
}
WEIGHTS = {
    kind: {n: g / SHAPES[n][0] ** 0.5 * (MEANS[n] + RANDOM.normal(size=SHAPES[n])) for n, g in gains.items()}
    for kind, gains in GAINS.items()
}
OPTIMIZERS = {
    "sgd": lambda hyper: optax.sgd(jnp.exp(hyper["log_rate"])),
    "momentum": lambda hyper: optax.sgd(jnp.exp(hyper["log_rate"]), momentum=0.9),
    "adam": lambda hyper: optax.adam(0.3 * jnp.exp(hyper["log_rate"]), eps_root=1e-3),
}


def hyperparameters(alphas=(2.0, 4.0), rate=0.02, **options):
    """A surrogate a layer, and the logarithm of the learning rate."""
    return {"spikes": tuple(surgrad.Sigmoid(a, **options) for a in alphas), "log_rate": float(np.log(rate))}


def network(weights, spikes):
    """Two layers of spiking neurons, the first of them recurrent if there are weights back, and leaky readouts."""
    first, second = (LIF(spike, 6.0) for spike in spikes)
    into, between, out = (Linear.from_arrays(weights[n], jnp.zeros(SHAPES[n][1])) for n in ("into", "between", "out"))
    first = Recurrent.from_arrays(first, weights["back"]) if "back" in weights else first
    return Sequential(into, first, between, second, out, LeakyIntegrator(6.0))


def loss_and_spikes(weights, hyper, batch):
    inputs, targets = batch
    _, first, _, second, _, readout = network(weights, hyper["spikes"]).outputs(inputs)
    return jnp.mean((jnp.mean(readout, axis=0) - targets) ** 2), (first, second)


def loss(weights, hyper, batch):
    return loss_and_spikes(weights, hyper, batch)[0]


def outer(weights, hyper):
    return loss(weights, hyper, VALIDATION)


@functools.partial(jax.jit, static_argnums=0)
def step(optimizer, now, hyper, batch):
    weights, state = now
    gradient, spikes = jax.grad(loss_and_spikes, has_aux=True)(weights, hyper, batch)
    with jax.numpy_dtype_promotion("standard"):  # Optax promotes within
        updates, state = OPTIMIZERS[optimizer](hyper).update(gradient, state, weights)
        return (optax.apply_updates(weights, updates), state), spikes


gradient_of_outer = jax.jit(jax.value_and_grad(outer))


def trained(kind, optimizer, hyper):
    """Weights and all spikes after each number of steps of a loop in Python."""
    weights = jax.tree.map(jnp.asarray, WEIGHTS[kind])
    now = weights, OPTIMIZERS[optimizer](hyper).init(weights)
    for index in range(STEPS):
        now, spikes = step(optimizer, now, hyper, jax.tree.map(lambda x, i=index: x[i], BATCHES))
        yield now[0], jax.device_get(spikes)


@functools.cache
def differences(kind, optimizer, by=1e-6):
    """The outer loss and its derivative by all hyperparameters after each number of steps.

    The last link is the surrogate gradient of the outer loss, as it always is where a loss depends on weights through
    spikes alone. What training does to the weights comes from central differences. Spikes are piecewise constant in
    the hyperparameters: where all are the same on both sides, nothing jumps in between.
    """
    flat, unravel = ravel_pytree(hyperparameters())
    values, gradients = zip(
        *(gradient_of_outer(w, unravel(flat)) for w, _ in trained(kind, optimizer, unravel(flat))), strict=True
    )
    columns = []
    for direction in by * np.eye(flat.size):
        sides = [trained(kind, optimizer, unravel(flat + sign * direction)) for sign in (1, -1)]
        columns.append([])
        for gradient, (above, up), (below, down) in zip(gradients, *sides, strict=True):
            assert jax.tree.all(jax.tree.map(np.array_equal, up, down))
            change = jax.tree.map(lambda s, a, b: jnp.vdot(s, a - b) / (2 * by), gradient, above, below)
            columns[-1].append(sum(jax.tree.leaves(change)))
    return np.array(values), np.array(columns).T


def first(steps):
    """The batches of the first steps."""
    return jax.tree.map(lambda x: x[:steps], BATCHES)
