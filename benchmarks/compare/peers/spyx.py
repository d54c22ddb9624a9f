"""Spyx, its containers, scan and surrogate's rule, with the slope of the others.

Its own neurons spike a step late and leak before they reset. Those below integrate, spike and reset in one step like
the others', in as many operations.
"""

from __future__ import annotations

import jax.numpy as jnp
import spyx
from flax import nnx

from benchmarks.compare.peers import on_jax
from benchmarks.compare.problems import DECAY, Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "spyx": {"label": "Spyx", "role": "peer", "packages": ("spyx", "flax", "jax"), "colour": "#117733", "long": True},
}


class LIF(spyx.nn.LIF):
    """Spyx's neuron, prompt."""

    def __call__(self, x, voltage):
        voltage = jnp.clip(self.beta[...], 0, 1) * voltage + x
        spikes = self.spike(voltage - self.threshold)
        return spikes, voltage - spikes * self.threshold


class RLIF(spyx.nn.RLIF):
    """Spyx's recurrent neuron, prompt."""

    def __call__(self, x, state):
        voltage, spikes = state
        voltage = jnp.clip(self.beta[...], 0, 1) * voltage + x + spikes @ self.recurrent_w[...]
        spikes = self.spike(voltage - self.threshold)
        return spikes, (voltage - spikes * self.threshold, spikes)

    def initial_state(self, batch_size):
        return super().initial_state(batch_size), super().initial_state(batch_size)


def cells(problem: Problem, *shape: int, kind: type[nnx.Module] = LIF) -> nnx.Module:
    """Neurons of a shape."""
    return kind(shape, beta=DECAY, activation=spyx.axn.custom(on_jax.slope(problem)), rngs=nnx.Rngs(0))


def filled(module: nnx.Module, **values) -> nnx.Module:
    """A copy of a module with other values in its parameters."""
    copy = nnx.merge(*nnx.split(module))
    for name, value in values.items():
        setattr(copy, name, nnx.Param(value))
    return copy


def neurons(problem: Problem) -> Program:
    cell = spyx.nn.Sequential(cells(problem, problem.inputs.shape[-1]))
    return on_jax.neurons(problem, lambda xs: spyx.nn.run(cell, xs)[0])


def feedforward(problem: Problem) -> Program:
    linear = nnx.Linear(*problem.parameters["weights"].shape, rngs=nnx.Rngs(0))
    neurons = spyx.nn.Sequential(cells(problem, problem.parameters["bias"].size))

    def network(p, xs):
        currents = filled(linear, kernel=p["weights"], bias=p["bias"])(xs)
        spikes = spyx.nn.run(neurons, currents)[0]
        return spikes, [spikes]

    return on_jax.program(problem, network)


def layered(problem: Problem) -> Program:
    p = problem.parameters
    dense = {name: nnx.Linear(*w.shape, use_bias=False, rngs=nnx.Rngs(0)) for name, w in p.items()}
    hidden = [spyx.nn.Sequential(cells(problem, w.shape[1])) for w in list(p.values())[:-1]]
    integrator = spyx.nn.LI(list(p.values())[-1].shape[1:], beta=DECAY, rngs=nnx.Rngs(0))

    def network(p, xs):
        *first, last = (filled(dense[name], kernel=w) for name, w in p.items())
        spikes = [xs]
        for linear, neurons in zip(first, hidden, strict=True):
            spikes.append(spyx.nn.run(neurons, linear(spikes[-1]))[0])
        return spyx.nn.run(integrator, last(spikes[-1]))[0], spikes[1:]

    return on_jax.program(problem, network)


def recurrent(problem: Problem) -> Program:
    p = problem.parameters
    dense = {k: nnx.Linear(*p[k].shape, use_bias=False, rngs=nnx.Rngs(0)) for k in ("input", "readout")}
    neurons = cells(problem, len(p["recurrent"]), kind=RLIF)
    integrator = spyx.nn.LI(p["readout"].shape[1:], beta=DECAY, rngs=nnx.Rngs(0))

    def network(p, xs):
        currents = filled(dense["input"], kernel=p["input"])(xs)
        spikes = spyx.nn.run(filled(neurons, recurrent_w=p["recurrent"]), currents)[0]
        return spyx.nn.run(integrator, filled(dense["readout"], kernel=p["readout"])(spikes))[0], [spikes]

    return on_jax.program(problem, network)


def convolutional(problem: Problem) -> Program:
    p, side = problem.parameters, problem.inputs.shape[2] - 4
    kernels = {
        k: nnx.Conv(*p[k].shape[2:], (5, 5), padding="VALID", use_bias=False, rngs=nnx.Rngs(0))
        for k in ("first", "second")
    }
    dense = nnx.Linear(p["dense"][..., 0].size, p["dense"].shape[-1], use_bias=False, rngs=nnx.Rngs(0))
    first = cells(problem, side, side, p["first"].shape[-1])
    second = cells(problem, side // 2 - 4, side // 2 - 4, p["second"].shape[-1])
    last = cells(problem, p["dense"].shape[-1])

    def network(p, xs):
        one, two = (filled(kernel, kernel=p[k]) for k, kernel in kernels.items())
        three = filled(dense, kernel=p["dense"].reshape(-1, dense.out_features))
        a = spyx.nn.run(first, one(xs))[0]
        b = spyx.nn.run(second, two(halve(a)))[0]
        c = spyx.nn.run(last, three(halve(b).reshape(*b.shape[:2], -1)))[0]
        return c, [a, b, c]

    return on_jax.program(problem, network)


def halve(x):
    """Means of squares of 2 x 2."""
    return nnx.avg_pool(x, (2, 2), (2, 2))
