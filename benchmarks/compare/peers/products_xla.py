"""The matrix products alone, in XLA: what no exact dense method can do without."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from benchmarks.compare.peers.plain_scan import convolve
from benchmarks.compare.problems import Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "products_xla": {"label": "products alone, XLA", "role": "limit", "packages": ("jax",), "colour": "#555555"},
}


def _program(products, *operands) -> Program:
    products = jax.jit(products)
    return Program(lambda: jax.block_until_ready(products(*operands)), list, dict)


def feedforward(problem: Problem) -> Program:
    weights = jnp.asarray(problem.parameters["weights"])
    x = jnp.asarray(problem.inputs).reshape(-1, len(weights))
    return _program(lambda x, w, g: (x @ w, x.T @ g), x, weights, jnp.ones((len(x), weights.shape[1])))


def layered(problem: Problem) -> Program:
    weights = [jnp.asarray(value) for value in problem.parameters.values()]
    inputs = [jnp.asarray(problem.inputs), *(jnp.ones((*problem.inputs.shape[:2], len(w))) for w in weights[1:])]

    def products(weights, inputs):
        forward = [x @ w for x, w in zip(inputs, weights, strict=True)]
        backward = [y @ w.T for y, w in zip(forward[1:], weights[1:], strict=True)]
        gradients = [jnp.tensordot(x, y, ([0, 1], [0, 1])) for x, y in zip(inputs, forward, strict=True)]
        return forward, backward, gradients

    return _program(products, weights, inputs)


def recurrent(problem: Problem) -> Program:
    p, xs = jax.tree.map(jnp.asarray, problem.parameters), jnp.asarray(problem.inputs)
    hidden = jnp.ones((*xs.shape[:2], len(p["recurrent"])))
    readout = jnp.ones((*xs.shape[:2], p["readout"].shape[1]))

    def in_turn(xs, weights):
        return jax.lax.scan(lambda _, x: (None, x @ weights), None, xs)[1]

    def products(p, xs, hidden, readout):
        forward = xs @ p["input"], hidden @ p["readout"], in_turn(hidden, p["recurrent"])
        backward = readout @ p["readout"].T, in_turn(hidden, p["recurrent"].T)
        gradients = [
            jnp.tensordot(x, g, ([0, 1], [0, 1])) for x, g in ((xs, hidden), (hidden, hidden), (hidden, readout))
        ]
        return forward, backward, gradients

    return _program(products, p, xs, hidden, readout)


def convolutional(problem: Problem) -> Program:
    p = jax.tree.map(jnp.asarray, problem.parameters)
    xs = jnp.asarray(problem.inputs).reshape(-1, *problem.inputs.shape[2:])
    side = (xs.shape[1] - 4) // 2
    inputs = [xs, jnp.ones((len(xs), side, side, p["second"].shape[2])), jnp.ones((len(xs), *p["dense"].shape[:3]))]

    def products(p, inputs):
        first, backward_first = jax.vjp(lambda w: convolve(inputs[0], w), p["first"])
        second, backward_second = jax.vjp(convolve, inputs[1], p["second"])
        last, backward_last = jax.vjp(lambda x, w: jnp.tensordot(x, w, 3), inputs[2], p["dense"])
        return backward_first(first), backward_second(second), backward_last(last)

    return _program(products, p, inputs)
