"""Norse, its LIF "box" neuron (without a synaptic current) in a loop: derivatives through its `Lift` take time squared.

It scales its input by 1 - decay, 1/8. Voltages are therefore an eighth of the others', and so is the threshold. Its
surrogate is SuperSpike without a steepness, 1/(1 + |v - θ|)², which is 1/8 · 1/(1 + |x|/8)² in units of the threshold.
"""

from __future__ import annotations

import torch
from norse.torch import LIFBoxCell, LIFBoxParameters
from norse.torch.functional.leaky_integrator_box import LIBoxParameters, LIBoxState, li_box_feed_forward_step
from norse.torch.functional.reset import reset_subtract

from benchmarks.compare.peers import on_torch
from benchmarks.compare.problems import DECAY, Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "norse": {
        "label": "Norse",
        "role": "peer",
        "packages": ("norse", "torch"),
        "devices": ("cpu",),
        "slope": "norse",
        "colour": "#AA4499",
    },
}

RATE = (1 - DECAY) / 0.001
"""1/τ, for the default step of a millisecond."""


def box() -> LIFBoxCell:
    """Neurons with a soft reset and a threshold of 1/8."""
    return LIFBoxCell(
        LIFBoxParameters(
            tau_mem_inv=torch.tensor(RATE), v_th=torch.tensor(1 - DECAY), method="super", reset_method=reset_subtract
        )
    )


def over_time(currents: torch.Tensor) -> torch.Tensor:
    """All spikes of neurons that are driven by `(time, ...)`."""
    cell, state, spikes = box(), None, []
    for current in currents:
        fired, state = cell(current, state)
        spikes.append(fired)
    return torch.stack(spikes)


def feedforward(problem: Problem) -> Program:
    xs = on_torch.inputs(problem)
    linear = torch.nn.Linear(*problem.parameters["weights"].shape)

    def network():
        spikes = over_time(linear(xs))
        return spikes, [spikes]

    return on_torch.program(problem, {"weights": linear.weight, "bias": linear.bias}, network)


def integrated(currents: torch.Tensor) -> torch.Tensor:
    """Leaky integrators, whose input is not scaled, over `(time, ...)`."""
    state, values = LIBoxState(torch.zeros(())), []
    leak = LIBoxParameters(tau_mem_inv=torch.tensor(RATE))
    for current in currents / (1 - DECAY):
        value, state = li_box_feed_forward_step(current, state, leak)
        values.append(value)
    return torch.stack(values)


def layered(problem: Problem) -> Program:
    xs = on_torch.inputs(problem)
    layers = {name: torch.nn.Linear(*w.shape, bias=False) for name, w in problem.parameters.items()}

    def network():
        *hidden, last = layers.values()
        spikes = [xs]
        for layer in hidden:
            spikes.append(over_time(layer(spikes[-1])))
        return integrated(last(spikes[-1])), spikes[1:]

    return on_torch.program(problem, {name: layer.weight for name, layer in layers.items()}, network)


def recurrent(problem: Problem) -> Program:
    xs, cell = on_torch.inputs(problem), box()
    layers = {name: torch.nn.Linear(*w.shape, bias=False) for name, w in problem.parameters.items()}

    def network():
        state, hidden = None, []
        fired = torch.zeros(xs.shape[1], layers["recurrent"].in_features)
        for current in layers["input"](xs):
            fired, state = cell(current + layers["recurrent"](fired), state)
            hidden.append(fired)
        return integrated(layers["readout"](torch.stack(hidden))), [hidden]

    return on_torch.program(problem, {name: layer.weight for name, layer in layers.items()}, network)


def convolutional(problem: Problem) -> Program:
    xs, sizes = on_torch.inputs(problem), problem.parameters
    first, second = (torch.nn.Conv2d(*sizes[k].shape[2:], 5, bias=False) for k in ("first", "second"))
    dense = torch.nn.Linear(sizes["dense"][..., 0].size, sizes["dense"].shape[-1], bias=False)
    halve = torch.nn.AvgPool2d(2)
    layers = [first, lambda x: second(halve(x)), lambda x: dense(halve(x).flatten(1))]

    def network():
        spikes = [xs]
        for layer in layers:
            currents = layer(spikes[-1].flatten(0, 1))
            spikes.append(over_time(currents.unflatten(0, xs.shape[:2])))
        return spikes[-1], spikes[1:]

    return on_torch.program(problem, {"first": first.weight, "second": second.weight, "dense": dense.weight}, network)
