"""surgrad as it comes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import surgrad
from benchmarks.compare.peers import on_jax
from benchmarks.compare.problems import DECAY, WINDOW, Problem
from benchmarks.compare.program import Program
from surgrad.nn import LIF, AvgPool2d, Conv2d, Flatten, LeakyIntegrator, Linear, Recurrent, Sequential, unroll

ENTRIES = {
    "surgrad": {"label": "surgrad", "role": "ours", "packages": ("surgrad", "jax"), "colour": "#1F3D99", "long": True},
}

TAU = -1 / np.log(DECAY)

Options = Mapping[str, Any]
NONE: Options = {}
"""No options of layers: those that they have by default."""


def cells(problem: Problem) -> LIF:
    """Neurons with the problem's slope."""
    arctan = surgrad.Arctan(alpha=2.0)
    return LIF(surgrad.Sparse(arctan, WINDOW) if problem.slope == "arctan window" else arctan, TAU)


def program(problem: Problem, network: Callable[[Any], Sequential], **options: Any) -> Program:
    """The derivative by the parameters from which a network is made."""

    def readout(p, xs):
        made = network(p)
        return unroll(made, made.init(xs.shape[1:]), xs, **options)[1], []

    def spikes(p, xs):
        made = network(p)
        pairs = zip(made.parts, made.outputs(xs), strict=True)
        return [fired for part, fired in pairs if isinstance(part, (LIF, Recurrent))]

    return on_jax.program(problem, readout, spikes)


def neurons(problem: Problem, **options: Any) -> Program:
    return on_jax.neurons(problem, lambda xs: unroll(cells(problem), xs, **options).outputs)


def feedforward(problem: Problem, layers: Options = NONE, **options: Any) -> Program:
    def network(p):
        return Sequential(Linear.from_arrays(p["weights"], p["bias"], **layers), cells(problem))

    return program(problem, network, **options)


def layered(problem: Problem, layers: Options = NONE, **options: Any) -> Program:
    def network(p):
        linear = [Linear.from_arrays(w, zeros(w), **layers) for w in p.values()]
        hidden = [part for layer in linear[:-1] for part in (layer, cells(problem))]
        return Sequential(*hidden, linear[-1], LeakyIntegrator(TAU))

    return program(problem, network, **options)


def recurrent(problem: Problem, layers: Options = NONE, **options: Any) -> Program:
    def network(p):
        return Sequential(
            Linear.from_arrays(p["input"], zeros(p["input"]), **layers),
            Recurrent.from_arrays(cells(problem), p["recurrent"], **layers),
            Linear.from_arrays(p["readout"], zeros(p["readout"]), **layers),
            LeakyIntegrator(TAU),
        )

    return program(problem, network, **options)


def convolutional(problem: Problem, layers: Options = NONE, **options: Any) -> Program:
    def network(p):
        return Sequential(
            Conv2d.from_arrays(p["first"], zeros(p["first"]), padding="VALID", **layers),
            cells(problem),
            AvgPool2d((2, 2)),
            Conv2d.from_arrays(p["second"], zeros(p["second"]), padding="VALID", **layers),
            cells(problem),
            AvgPool2d((2, 2)),
            Flatten(3),
            Linear.from_arrays(p["dense"].reshape(-1, p["dense"].shape[-1]), zeros(p["dense"]), **layers),
            cells(problem),
        )

    return program(problem, network, **options)


def zeros(weights: jax.Array) -> jax.Array:
    """No bias."""
    return jnp.zeros(weights.shape[-1])
