"""brainpy.state with a surrogate of braintools, in brainstate's loop, derivative and compiler, and in units.

Its LIF divides a current by 1/(1 - decay) = 8; the resistance is 8 Ω, so that currents are those of the others.
"""

from __future__ import annotations

from collections.abc import Callable

import brainpy
import brainstate
import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from braintools import surrogate

from benchmarks.compare.peers import on_jax
from benchmarks.compare.peers.plain_scan import convolve, pool
from benchmarks.compare.problems import DECAY, Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "brainpy": {
        "label": "brainpy.state",
        "role": "peer",
        "packages": ("brainpy", "brainstate", "braintools", "jax"),
        "devices": ("cpu",),
        "colour": "#7F7F1A",
    },
    "brainpy_newest": {
        "label": "brainpy.state, newest JAX",
        "role": "peer",
        "packages": ("brainpy", "brainstate", "braintools", "jax"),
        "devices": ("cpu",),
        "environment": ".venv-peers-newest",
        "colour": "#B8B84D",
    },
}

brainstate.environ.set(dt=1.0 * u.ms)

Parameters = dict[str, brainstate.ParamState]


def cells(problem: Problem, *shape: int) -> brainpy.state.LIF:
    """Neurons of a shape, at rest."""
    tau, resistance = -1 / np.log(DECAY) * u.ms, 1 / (1 - DECAY) * u.ohm
    neurons = brainpy.state.LIF(shape, R=resistance, tau=tau, spk_fun=surrogate.Arctan(alpha=2.0))
    neurons.init_state(problem.inputs.shape[1])
    return neurons


def spikes(neurons: brainpy.state.LIF, currents: jax.Array) -> jax.Array:
    """All spikes of neurons that are driven by `(time, batch, ...)`."""
    neurons.reset_state(currents.shape[1])
    return brainstate.transform.for_loop(lambda current: neurons(current * u.mA), currents)


def program(problem: Problem, network: Callable[[Parameters, jax.Array], tuple[jax.Array, list[jax.Array]]]) -> Program:
    """The derivative by states of brainstate that hold the problem's parameters."""
    p = {name: brainstate.ParamState(jnp.asarray(value)) for name, value in problem.parameters.items()}
    xs = jnp.asarray(problem.inputs)
    gradient = brainstate.transform.grad(
        lambda xs: on_jax.loss(problem, network(p, xs)[0]), grad_states=p, return_value=True
    )
    step = brainstate.transform.jit(gradient)
    forward = brainstate.transform.jit(lambda xs: network(p, xs)[1])
    return Program(
        lambda: jax.block_until_ready(step(xs)),
        lambda: [np.asarray(spikes) for spikes in forward(xs)],
        lambda: {name: np.asarray(value) for name, value in step(xs)[0].items()},
    )


def feedforward(problem: Problem) -> Program:
    neurons = cells(problem, problem.parameters["bias"].size)

    def network(p, xs):
        fired = spikes(neurons, xs @ p["weights"].value + p["bias"].value)
        return fired, [fired]

    return program(problem, network)


def layered(problem: Problem) -> Program:
    sizes = [weights.shape[1] for weights in problem.parameters.values()]
    hidden = [cells(problem, size) for size in sizes[:-1]]
    integral = brainstate.HiddenState(jnp.zeros((problem.inputs.shape[1], sizes[-1])))

    def network(p, xs):
        def integrate(current):
            integral.value = DECAY * integral.value + current
            return integral.value

        *first, last = (state.value for state in p.values())
        fired = [xs]
        for neurons, weights in zip(hidden, first, strict=True):
            fired.append(spikes(neurons, fired[-1] @ weights))
        integral.value = jnp.zeros_like(integral.value)
        return brainstate.transform.for_loop(integrate, fired[-1] @ last), fired[1:]

    return program(problem, network)


def recurrent(problem: Problem) -> Program:
    neurons = cells(problem, len(problem.parameters["recurrent"]))
    integral = brainstate.HiddenState(jnp.zeros((problem.inputs.shape[1], problem.parameters["readout"].shape[1])))
    previous = brainstate.HiddenState(jnp.zeros((problem.inputs.shape[1], neurons.varshape[0])))

    def network(p, xs):
        def step(current):
            fired = neurons((current + previous.value @ p["recurrent"].value) * u.mA)
            integral.value = DECAY * integral.value + fired @ p["readout"].value
            previous.value = fired
            return integral.value, fired

        neurons.reset_state(xs.shape[1])
        integral.value, previous.value = jnp.zeros_like(integral.value), jnp.zeros_like(previous.value)
        readout, fired = brainstate.transform.for_loop(step, xs @ p["input"].value)
        return readout, [fired]

    return program(problem, network)


def convolutional(problem: Problem) -> Program:
    p, side = problem.parameters, problem.inputs.shape[2] - 4
    first = cells(problem, side, side, p["first"].shape[-1])
    second = cells(problem, side // 2 - 4, side // 2 - 4, p["second"].shape[-1])
    last = cells(problem, p["dense"].shape[-1])

    def network(p, xs):
        a = spikes(first, jax.vmap(convolve, (0, None))(xs, p["first"].value))
        b = spikes(second, jax.vmap(lambda x: convolve(pool(x), p["second"].value))(a))
        c = spikes(last, jax.vmap(lambda x: jnp.tensordot(pool(x), p["dense"].value, 3))(b))
        return c, [a, b, c]

    return program(problem, network)
