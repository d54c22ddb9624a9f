"""What a JAX user writes without a library: `lax.scan` over the step of the whole network, and a rule for the spike."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp

from benchmarks.compare.peers import on_jax
from benchmarks.compare.problems import DECAY, Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "plain_scan": {
        "label": "plain lax.scan",
        "role": "baseline",
        "packages": ("jax",),
        "colour": "#44AA99",
        "long": True,
    },
}


def spike(problem: Problem) -> Callable[[jax.Array], jax.Array]:
    """A step whose derivative is a slope."""
    slope = on_jax.slope(problem)

    @jax.custom_jvp
    def step(x):
        return (x >= 0).astype(x.dtype)

    step.defjvp(lambda x, dx: (step(*x), slope(*x) * dx[0]))
    return step


def neurons(problem: Problem) -> Program:
    fire = spike(problem)

    def run(xs):
        def step(voltage, x):
            voltage = DECAY * voltage + x
            spikes = fire(voltage - 1)
            return voltage - spikes, spikes.astype(xs.dtype)

        # Half precision cannot hold what is summed over time.
        rest = jnp.zeros(xs.shape[1:], jnp.promote_types(xs.dtype, jnp.float32))
        return jax.lax.scan(step, rest, xs)[1]

    return on_jax.neurons(problem, run)


def feedforward(problem: Problem) -> Program:
    fire = spike(problem)

    def network(p, xs):
        def step(voltage, x):
            voltage = DECAY * voltage + (x @ p["weights"] + p["bias"])
            spikes = fire(voltage - 1)
            return voltage - spikes, spikes

        rest = jnp.zeros((xs.shape[1], p["bias"].size), xs.dtype)
        spikes = jax.lax.scan(step, rest, xs)[1]
        return spikes, [spikes]

    return on_jax.program(problem, network)


def layered(problem: Problem) -> Program:
    fire = spike(problem)

    def network(p, xs):
        *hidden, readout = p.values()

        def step(state, x):
            voltages, integral = state
            left, fired = [], [x]
            for voltage, weights in zip(voltages, hidden, strict=True):
                voltage = DECAY * voltage + fired[-1] @ weights
                fired.append(fire(voltage - 1))
                left.append(voltage - fired[-1])
            integral = DECAY * integral + fired[-1] @ readout
            return (left, integral), (integral, fired[1:])

        *rest, integral = (jnp.zeros((xs.shape[1], weights.shape[1]), xs.dtype) for weights in p.values())
        return jax.lax.scan(step, (rest, integral), xs)[1]

    return on_jax.program(problem, network)


def recurrent(problem: Problem) -> Program:
    fire = spike(problem)

    def network(p, xs):
        def step(state, x):
            voltage, spikes, integral = state
            voltage = DECAY * voltage + (x @ p["input"] + spikes @ p["recurrent"])
            spikes = fire(voltage - 1)
            integral = DECAY * integral + spikes @ p["readout"]
            return (voltage - spikes, spikes, integral), (integral, spikes)

        hidden = jnp.zeros((xs.shape[1], len(p["recurrent"])), xs.dtype)
        rest = hidden, hidden, jnp.zeros((xs.shape[1], p["readout"].shape[1]), xs.dtype)
        readout, spikes = jax.lax.scan(step, rest, xs)[1]
        return readout, [spikes]

    return on_jax.program(problem, network)


def convolutional(problem: Problem) -> Program:
    fire = spike(problem)

    def network(p, xs):
        def currents(x, spikes):
            yield convolve(x, p["first"])
            yield convolve(pool(spikes[0]), p["second"])
            yield jnp.tensordot(pool(spikes[1]), p["dense"], 3)

        def step(voltages, x):
            spikes, left = [], []
            for voltage, current in zip(voltages, currents(x, spikes), strict=True):
                voltage = DECAY * voltage + current
                spikes.append(fire(voltage - 1))
                left.append(voltage - spikes[-1])
            return left, spikes

        shapes = jax.eval_shape(lambda x: step([0.0, 0.0, 0.0], x)[0], xs[0])
        spikes = jax.lax.scan(step, [jnp.zeros(rest.shape, rest.dtype) for rest in shapes], xs)[1]
        return spikes[-1], spikes

    return on_jax.program(problem, network)


def convolve(x: jax.Array, kernel: jax.Array) -> jax.Array:
    """A convolution without padding, of `(batch, height, width, channels)`."""
    return jax.lax.conv_general_dilated(x, kernel, (1, 1), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def pool(x: jax.Array) -> jax.Array:
    """Means of squares of 2 x 2."""
    return jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, 2, 2, 1), (1, 2, 2, 1), "VALID") / 4
