"""snnTorch, `Leaky` in a loop over time as its tutorials write it, the weighted sums of all steps before the loop.

Its own reset comes a step late and is a constant for the derivative. Here the loop resets, at once and with a
derivative like that of the others, in as many operations.
"""

from __future__ import annotations

import snntorch
import torch
from snntorch import surrogate
from torch.nn.functional import avg_pool2d

from benchmarks.compare.peers import on_torch
from benchmarks.compare.problems import DECAY, Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "snntorch": {
        "label": "snnTorch",
        "role": "peer",
        "packages": ("snntorch", "torch"),
        "colour": "#CC6677",
        "long": True,
    },
}


def leaky() -> snntorch.Leaky:
    """Neurons whose reset is left to the loop."""
    return snntorch.Leaky(beta=DECAY, spike_grad=surrogate.atan(alpha=2.0), reset_mechanism="none")


def over_time(currents: torch.Tensor) -> torch.Tensor:
    """All spikes of neurons that are driven by `(time, ...)`."""
    cell, voltage, spikes = leaky(), torch.zeros(()), []
    for current in currents:
        fired, voltage = cell(current, voltage)
        voltage = voltage - fired
        spikes.append(fired)
    return torch.stack(spikes)


def neurons(problem: Problem) -> Program:
    return on_torch.neurons(problem, over_time)


def feedforward(problem: Problem) -> Program:
    xs = on_torch.inputs(problem)
    linear = torch.nn.Linear(*problem.parameters["weights"].shape)

    def network():
        spikes = over_time(linear(xs))
        return spikes, [spikes]

    return on_torch.program(problem, {"weights": linear.weight, "bias": linear.bias}, network)


def layered(problem: Problem) -> Program:
    xs = on_torch.inputs(problem)
    layers = {name: torch.nn.Linear(*w.shape, bias=False) for name, w in problem.parameters.items()}
    integrator = snntorch.Leaky(beta=DECAY, reset_mechanism="none")

    def network():
        *hidden, last = layers.values()
        spikes, integral, readout = [xs], torch.zeros(()), []
        for layer in hidden:
            spikes.append(over_time(layer(spikes[-1])))
        for current in last(spikes[-1]):
            _, integral = integrator(current, integral)
            readout.append(integral)
        return torch.stack(readout), spikes[1:]

    return on_torch.program(problem, {name: layer.weight for name, layer in layers.items()}, network)


def recurrent(problem: Problem) -> Program:
    xs, cell = on_torch.inputs(problem), leaky()
    layers = {name: torch.nn.Linear(*w.shape, bias=False) for name, w in problem.parameters.items()}
    integrator = snntorch.Leaky(beta=DECAY, reset_mechanism="none")

    def network():
        voltage, integral, hidden, readout = torch.zeros(()), torch.zeros(()), [], []
        fired = xs.new_zeros(xs.shape[1], layers["recurrent"].in_features)
        for current in layers["input"](xs):
            fired, voltage = cell(current + layers["recurrent"](fired), voltage)
            voltage = voltage - fired
            _, integral = integrator(layers["readout"](fired), integral)
            hidden.append(fired)
            readout.append(integral)
        return torch.stack(readout), [hidden]

    return on_torch.program(problem, {name: layer.weight for name, layer in layers.items()}, network)


def convolutional(problem: Problem) -> Program:
    xs, cell = on_torch.inputs(problem), leaky()
    first, second = (torch.nn.Conv2d(*problem.parameters[k].shape[2:], 5, bias=False) for k in ("first", "second"))
    dense = torch.nn.Linear(problem.parameters["dense"][..., 0].size, problem.parameters["dense"].shape[-1], bias=False)
    layers = [first, lambda s: second(avg_pool2d(s, 2)), lambda s: dense(avg_pool2d(s, 2).flatten(1))]

    def network():
        voltages, spikes = [torch.zeros(())] * 3, [[], [], []]
        for fired in xs:
            for i, layer in enumerate(layers):
                fired, voltage = cell(layer(fired), voltages[i])
                voltages[i] = voltage - fired
                spikes[i].append(fired)
        return torch.stack(spikes[-1]), spikes

    return on_torch.program(problem, {"first": first.weight, "second": second.weight, "dense": dense.weight}, network)
