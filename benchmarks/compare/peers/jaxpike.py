"""jaxpike, `unroll` as it comes, and `unroll_checkpointed`, which computes the forward pass twice.

Its neurons multiply their input by 1 - decay, 1/8. Membrane potentials are therefore an eighth of the others', and so
is the threshold. It stores the logarithm of τ, from which float32 does not get 7/8 back, so subclasses state the decay.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax
import jaxpike

from benchmarks.compare.peers import on_jax
from benchmarks.compare.problems import DECAY, Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "jaxpike": {"label": "jaxpike", "role": "peer", "packages": ("jaxpike", "jax"), "colour": "#332288"},
}

SCALE = 1 - DECAY
KEY = jax.random.key(0)

Unroll = Callable[..., tuple[jax.Array, Any]]
"""`jaxpike.unroll`, or another with its signature."""


class LIF(jaxpike.LIF):
    """jaxpike's neuron, with the decay 7/8."""

    alpha = DECAY


class Integrator(jaxpike.LeakyIntegrator):
    """jaxpike's readout, with the decay 7/8."""

    alpha = DECAY


def lif() -> LIF:
    """Neurons with a soft reset and a threshold of 1/8, whose slope by their input is the others'.

    They look at τ when they are made, so that they cannot be made inside of a compiled function.
    """
    return LIF(threshold=SCALE, surrogate=jaxpike.ATan(alpha=2 / SCALE))


def dense(weights: jax.Array, bias: jax.Array | None = None) -> jaxpike.Dense:
    """A layer that has weights `(inputs, outputs)`."""
    layer = jaxpike.Dense(*weights.shape, use_bias=bias is not None, key=KEY)
    return filled(layer, weights.T, bias)


def convolution(kernel: jax.Array) -> jaxpike.Conv2d:
    """A layer that has a kernel `(height, width, inputs, outputs)`."""
    layer = jaxpike.Conv2d(*kernel.shape[2:], kernel.shape[:2], padding="VALID", use_bias=False, key=KEY)
    return filled(layer, kernel)


def filled(layer: Any, weight: jax.Array, bias: jax.Array | None = None) -> Any:
    """A layer with other weights."""
    if bias is None:
        return eqx.tree_at(lambda layer: layer.weight, layer, weight)
    return eqx.tree_at(lambda layer: (layer.weight, layer.bias), layer, (weight, bias))


def neurons(problem: Problem, unroll: Unroll = jaxpike.unroll) -> Program:
    network = jaxpike.Sequential(lif())
    return on_jax.neurons(problem, lambda xs: unroll(network, xs)[0])


def feedforward(problem: Problem, unroll: Unroll = jaxpike.unroll) -> Program:
    cells = lif()

    def network(p, xs):
        spikes = unroll(jaxpike.Sequential(dense(p["weights"], p["bias"]), cells), xs)[0]
        return spikes, [spikes]

    return on_jax.program(problem, network)


def layered(problem: Problem, unroll: Unroll = jaxpike.unroll) -> Program:
    cells, integrator = lif(), Integrator()

    def network(p, xs):
        *hidden, readout = p.values()
        parts = [part for weights in hidden for part in (dense(weights), cells)]
        last = [dense(readout / SCALE), integrator]
        outputs = unroll(jaxpike.Sequential(*parts, *last), xs)[0]
        # The compiler drops them from the step, which does not ask for them.
        ends = range(2, len(parts) + 1, 2)
        return outputs, [unroll(jaxpike.Sequential(*parts[:end]), xs)[0] for end in ends]

    return on_jax.program(problem, network)


def recurrent(problem: Problem, unroll: Unroll = jaxpike.unroll) -> Program:
    cells, integrator = lif(), Integrator()
    edges = [("input", "hidden"), ("hidden", "weights"), ("weights", "hidden")]

    def network(p, xs):
        currents = dense(p["input"]).parallel_apply(None, xs)[1]
        graph = jaxpike.Graph({"hidden": cells, "weights": dense(p["recurrent"])}, edges, "hidden")
        spikes = unroll(graph, currents)[0]
        return unroll(jaxpike.Sequential(dense(p["readout"] / SCALE), integrator), spikes)[0], [spikes]

    return on_jax.program(problem, network)


def convolutional(problem: Problem, unroll: Unroll = jaxpike.unroll) -> Program:
    cells, halve = lif(), jaxpike.Pool2d(2)

    def network(p, xs):
        weights = p["dense"].reshape(-1, p["dense"].shape[-1])
        parts = [convolution(p["first"]), cells, halve, convolution(p["second"]), cells, halve]
        parts += [jaxpike.Flatten(), dense(weights), cells]
        spikes = [unroll(jaxpike.Sequential(*parts[:end]), xs)[0] for end in (2, 5, 9)]
        return spikes[-1], spikes

    return on_jax.program(problem, network)
