"""sparx (PyPI: sparxml), its neuron layers over time between layers of Flax linen, as its own models are written."""

from __future__ import annotations

from typing import Any

import flax.linen as linen
import jax
import jax.numpy as jnp
import numpy as np
import sparx
import sparx.nn
from sparx.surrogate import ATan

from benchmarks.compare.peers import on_jax
from benchmarks.compare.problems import DECAY, Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "sparx": {
        "label": "sparx",
        "role": "peer",
        "packages": ("sparxml", "flax", "jax"),
        "devices": ("cpu",),
        "environment": ".venv-sparx",
        "colour": "#DDCC77",
    },
}

TAU = float(-1 / np.log(DECAY))


def lif() -> sparx.nn.LIF:
    """Neurons with a soft reset through which derivatives pass."""
    return sparx.nn.LIF(tau=TAU, surrogate=ATan(2.0))


def applied(layer: linen.Module, xs: jax.Array, **parameters: Any) -> jax.Array:
    """The outputs of a layer with parameters, at all time steps."""
    return layer.apply({"params": parameters}, xs)


def dense(weights: jax.Array, xs: jax.Array) -> jax.Array:
    return applied(linen.Dense(weights.shape[-1], use_bias=False), xs, kernel=weights)


def neurons(problem: Problem) -> Program:
    return on_jax.neurons(problem, lambda xs: applied(lif(), xs))


def feedforward(problem: Problem) -> Program:
    def network(p, xs):
        spikes = applied(lif(), applied(linen.Dense(p["bias"].size), xs, kernel=p["weights"], bias=p["bias"]))
        return spikes, [spikes]

    return on_jax.program(problem, network)


def layered(problem: Problem) -> Program:
    def network(p, xs):
        *hidden, readout = p.values()
        spikes = [xs]
        for weights in hidden:
            spikes.append(applied(lif(), dense(weights, spikes[-1])))
        return applied(sparx.nn.LI(TAU), dense(readout, spikes[-1])), spikes[1:]

    return on_jax.program(problem, network)


def recurrent(problem: Problem) -> Program:
    def network(p, xs):
        spikes = applied(sparx.nn.Recurrent(lif()), dense(p["input"], xs), recurrent=p["recurrent"])
        return applied(sparx.nn.LI(TAU), dense(p["readout"], spikes)), [spikes]

    return on_jax.program(problem, network)


def convolutional(problem: Problem) -> Program:
    def convolved(kernel, xs):
        return applied(linen.Conv(kernel.shape[-1], (5, 5), padding="VALID", use_bias=False), xs, kernel=kernel)

    def halved(xs):
        return linen.avg_pool(xs, (2, 2), (2, 2))

    def network(p, xs):
        a = applied(lif(), convolved(p["first"], xs))
        b = applied(lif(), convolved(p["second"], halved(a)))
        flat = jnp.reshape(halved(b), (*xs.shape[:2], -1))
        c = applied(lif(), dense(p["dense"].reshape(flat.shape[-1], -1), flat))
        return c, [a, b, c]

    return on_jax.program(problem, network)
