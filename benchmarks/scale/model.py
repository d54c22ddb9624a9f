"""A model of what one update of a large network costs: memory, computing and communication, for each way to divide it.

A network has N neurons with K inputs each, S = N K synapses, and is trained by backpropagation through T time steps
with batches of B samples. Devices divide it in three ways at once: the batch, the neurons, and time, as a pipeline of
pieces of the sequence. Nothing overlaps: computing and communication are added up, so that times are upper bounds of
those of a program that hides one behind the other.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import NamedTuple

FLOAT = 4
OPTIMIZER = 16
"""Bytes a synapse in training: weight, gradient, and the two means of Adam."""
UPDATED = 28
"""Bytes a synapse that an update of Adam moves: four numbers are read, three are written."""


class Network(NamedTuple):
    """What is trained.

    Parameters:
        neurons: N.
        fan_in: K, inputs of a neuron.
        steps: T.
        batch: B.
        activity: share of the neurons that spike in a time step.
        slope_support: share of the neurons whose slope is not 0 in a time step; 1 for a slope without finite support.
    """

    neurons: float
    fan_in: int = 1000
    steps: int = 250
    batch: int = 64
    activity: float = 0.02
    slope_support: float = 1.0

    @property
    def synapses(self) -> float:
        """S."""
        return self.neurons * self.fan_in


class Machine(NamedTuple):
    """A device, and what connects several.

    Parameters:
        name: for tables.
        synapse_seconds: computing time of a synapse, sample and time step, forwards and backwards.
        neuron_seconds: the same of a neuron: membrane potential, spike, slope.
        kept_bytes: bytes that the backward pass keeps for a neuron, sample and time step.
        memory_bytes: memory of a device.
        memory_rate: bytes a second between memory and processor.
        link_rate: bytes a second that a device sends, and receives at the same time.
        latency: seconds of the start of a collective operation.
    """

    name: str
    synapse_seconds: float
    neuron_seconds: float
    kept_bytes: float
    memory_bytes: float
    memory_rate: float
    link_rate: float
    latency: float


class Division(NamedTuple):
    """Numbers of devices among which the batch, the neurons and time are divided."""

    batch: int
    neurons: int
    time: int

    @property
    def devices(self) -> int:
        """All devices."""
        return math.prod(self)


class Cost(NamedTuple):
    """What an update costs.

    Parameters:
        memory_bytes: of the device that needs most.
        computing: seconds.
        gradients: seconds that the sum of the gradients over devices takes.
        spikes: seconds that spikes forwards and their gradients backwards take.
        waiting: seconds that the pipeline over time is not full.
    """

    memory_bytes: float
    computing: float
    gradients: float
    spikes: float
    waiting: float

    @property
    def seconds(self) -> float:
        """All of an update."""
        return self.computing + self.gradients + self.spikes + self.waiting


def cost(network: Network, machine: Machine, division: Division) -> Cost:
    """The cost of an update of a network that is divided so."""
    samples, steps = network.batch / division.batch, network.steps / division.time
    neurons, synapses = network.neurons / division.neurons, network.synapses / division.neurons
    work = samples * steps * (synapses * machine.synapse_seconds + neurons * machine.neuron_seconds)
    update = UPDATED * synapses / machine.memory_rate
    # One sample after the other goes through the pieces of time, forwards and then backwards.
    waiting = work * (division.time - 1) / samples
    return Cost(
        OPTIMIZER * synapses + activations(network, machine, division),
        work + update,
        summed_gradients(synapses, division.batch * division.time, machine),
        exchanged_spikes(network, samples * steps, division.neurons, machine) + handed_on(network, division, machine),
        waiting,
    )


def activations(network: Network, machine: Machine, division: Division) -> float:
    """Bytes that the backward pass keeps, with a checkpoint every √T time steps."""
    samples, steps = network.batch / division.batch, network.steps / division.time
    segment = math.sqrt(steps)
    each = machine.kept_bytes * segment + FLOAT * steps / segment
    return network.neurons / division.neurons * samples * each


def summed_gradients(synapses: float, devices: int, machine: Machine) -> float:
    """Seconds of a ring that sums gradients: each device sends 2 (D - 1)/D of them."""
    if devices == 1:
        return 0.0
    return 2 * (devices - 1) * (FLOAT * synapses / devices / machine.link_rate + machine.latency)


def exchanged_spikes(network: Network, samples_and_steps: float, devices: int, machine: Machine) -> float:
    """Seconds in which each device gets the spikes of all neurons, and gives back their gradients, in each time step.

    Forwards a spike is a bit, or 4 bytes for each neuron that spikes; backwards a number for each neuron whose slope is
    not 0, with its place if those are few.
    """
    if devices == 1:
        return 0.0
    forwards = min(1 / 8, FLOAT * network.activity)
    backwards = min(FLOAT, 2 * FLOAT * network.slope_support)
    moved = network.neurons * samples_and_steps * (devices - 1) / devices * (forwards + backwards)
    return moved / machine.link_rate + 2 * network.steps * machine.latency


def handed_on(network: Network, division: Division, machine: Machine) -> float:
    """Seconds in which states are handed on between pieces of time, forwards, and their gradients backwards."""
    if division.time == 1:
        return 0.0
    state = 2 * FLOAT * network.neurons / division.neurons * network.batch / division.batch
    return state / machine.link_rate + 2 * machine.latency


def divisions(devices: int, network: Network) -> Iterator[Division]:
    """All ways to divide a network among a power of two of devices."""
    powers = [2**k for k in range(devices.bit_length()) if devices % 2**k == 0]
    for batch, neurons in itertools.product(powers, powers):
        time, rest = divmod(devices, batch * neurons)
        if rest == 0 and time and batch <= network.batch and time <= network.steps and neurons <= network.neurons:
            yield Division(batch, neurons, time)


def best(network: Network, machine: Machine, devices: int) -> tuple[Division, Cost] | None:
    """The fastest division whose memory suffices; None if there is none."""
    priced = [(division, cost(network, machine, division)) for division in divisions(devices, network)]
    fitting = [one for one in priced if one[1].memory_bytes <= machine.memory_bytes]
    return min(fitting, key=lambda one: one[1].seconds, default=None)
