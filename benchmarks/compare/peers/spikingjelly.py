"""SpikingJelly, layer by layer in its multi-step mode, on the implementation that it chooses for a device."""

from __future__ import annotations

import torch
from spikingjelly.activation_based import functional, layer, neuron, surrogate

from benchmarks.compare.peers import on_torch
from benchmarks.compare.problems import DECAY, Problem
from benchmarks.compare.program import Program

ENTRIES = {
    "spikingjelly": {
        "label": "SpikingJelly",
        "role": "peer",
        "packages": ("spikingjelly", "torch"),
        "colour": "#882255",
    },
}

TAU = 1 / (1 - DECAY)


def lif(step_mode: str = "m") -> neuron.LIFNode:
    """Neurons with a soft reset, whose input is not scaled."""
    atan = surrogate.ATan(alpha=2.0)
    return neuron.LIFNode(tau=TAU, decay_input=False, v_reset=None, surrogate_function=atan, step_mode=step_mode)


def chosen() -> str:
    """The implementation of the neurons: Triton's kernels on NVIDIA cards, unless native ones were built."""
    return functional.neuron_implementation("lif", on_torch.DEVICE)["implementation"]


def neurons(problem: Problem) -> Program:
    atan = surrogate.ATan(alpha=2.0)

    def run(currents):
        # In half precision its node keeps half a membrane potential, which its kernels do not take.
        rest = currents.new_zeros(currents.shape[1:], dtype=torch.float32)
        return functional.lif_multi_step(currents, rest, TAU, False, 1.0, None, atan)[0]

    return on_torch.neurons(problem, run)._replace(implementation=chosen)


def feedforward(problem: Problem) -> Program:
    xs = on_torch.inputs(problem)
    linear = layer.Linear(*problem.parameters["weights"].shape, step_mode="m")
    model = torch.nn.Sequential(linear, lif())

    def network():
        functional.reset_net(model)
        spikes = model(xs)
        return spikes, [spikes]

    made = on_torch.program(problem, {"weights": linear.weight, "bias": linear.bias}, network)
    return made._replace(implementation=chosen)


def layered(problem: Problem) -> Program:
    xs, p = on_torch.inputs(problem), problem.parameters
    layers = {name: layer.Linear(*w.shape, bias=False, step_mode="m") for name, w in p.items()}
    *hidden, last = layers
    blocks = [torch.nn.Sequential(layers[name], lif()) for name in hidden]
    integrator = neuron.NonSpikingLIFNode(tau=TAU)

    def network():
        spikes = [xs]
        for block in blocks:
            functional.reset_net(block)
            spikes.append(block(spikes[-1]))
        # These neurons divide their input by τ, others do not.
        readout = integrator(layers[last](spikes[-1]) * TAU)
        return torch.stack(readout), spikes[1:]

    made = on_torch.program(problem, {name: found.weight for name, found in layers.items()}, network)
    return made._replace(implementation=chosen)


def recurrent(problem: Problem) -> Program:
    xs, cell = on_torch.inputs(problem), lif("s")
    layers = {name: layer.Linear(*w.shape, bias=False) for name, w in problem.parameters.items()}
    integrator = neuron.NonSpikingLIFNode(tau=TAU)

    def network():
        functional.reset_net(cell)
        fired, hidden = xs.new_zeros(xs.shape[1], layers["recurrent"].in_features), []
        for current in layers["input"](xs):
            fired = cell(current + layers["recurrent"](fired))
            hidden.append(fired)
        # These neurons divide their input by τ, others do not.
        readout = integrator(layers["readout"](torch.stack(hidden)) * TAU)
        return torch.stack(readout), [hidden]

    return on_torch.program(problem, {name: found.weight for name, found in layers.items()}, network)


def convolutional(problem: Problem) -> Program:
    xs, sizes = on_torch.inputs(problem), problem.parameters
    first, second = (layer.Conv2d(*sizes[k].shape[2:], 5, bias=False, step_mode="m") for k in ("first", "second"))
    dense = layer.Linear(sizes["dense"][..., 0].size, sizes["dense"].shape[-1], bias=False, step_mode="m")
    halve, flatten = layer.AvgPool2d(2, step_mode="m"), layer.Flatten(step_mode="m")
    blocks = [
        torch.nn.Sequential(first, lif()),
        torch.nn.Sequential(halve, second, lif()),
        torch.nn.Sequential(halve, flatten, dense, lif()),
    ]

    def network():
        spikes = [xs]
        for block in blocks:
            functional.reset_net(block)
            spikes.append(block(spikes[-1]))
        return spikes[-1], spikes[1:]

    weights = {"first": first.weight, "second": second.weight, "dense": dense.weight}
    return on_torch.program(problem, weights, network)._replace(implementation=chosen)
