"""Machines of the model: two cores as the benchmark measured them, and a cluster of GPUs as its data sheet has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks.scale.model import Machine

GPU = Machine(
    name="cluster of H200 (data sheet, not measured)",
    # 6 operations forwards and backwards, at half of 494 TFLOP/s in TF32; small products are slower.
    synapse_seconds=6 / 247e12,
    # 16 bytes: currents in, spikes out, both again backwards with gradients.
    neuron_seconds=16 / 4.8e12,
    kept_bytes=5.0,
    memory_bytes=141e9,
    memory_rate=4.8e12,
    link_rate=50e9,  # 400 Gbit/s between machines
    latency=20e-6,
)
NETWORK_OF_CPUS = {"memory_bytes": 24e9, "memory_rate": 10e9, "link_rate": 1.25e9, "latency": 50e-6}
"""Assumed for machines like the one that was measured: their memory, and Ethernet of 10 Gbit/s."""


def cases(results: Mapping[str, Any], workload: str, activity: float | None) -> list[tuple[dict[str, Any], Any]]:
    """The cases of a workload with such inputs, and what was measured of surgrad as it comes."""
    runs = [run for run in results["runs"] if run["workload"] == workload and run["activity"] == activity]
    return [(run, run["competitors"]["surgrad"]) for run in runs if run["competitors"]["surgrad"]["status"] == "timed"]


def fitted(results: Mapping[str, Any], activity: float | None) -> Machine:
    """Two cores: seconds of a synapse and of a neuron, by least squares of relative errors, and bytes that are kept."""
    rows, times, kept = [], [], []
    for run, found in cases(results, "a", activity):
        (inputs, neurons), each = run["sizes"], run["steps"] * run["batch"]
        rows.append([inputs * neurons * each, neurons * each])
        times.append(found["wall_s"]["median"])
        kept.append(found["memory_bytes"] / (neurons * each))
    relative = np.array(rows) / np.array(times)[:, None]
    synapse, neuron = np.linalg.lstsq(relative, np.ones(len(times)), rcond=None)[0]
    inputs = "dense input" if activity is None else f"{activity:.0%} spikes"
    return Machine(
        f"two cores, {inputs} (measured)", float(synapse), float(neuron), float(np.median(kept)), **NETWORK_OF_CPUS
    )


def predicted(machine: Machine, run: Mapping[str, Any]) -> float:
    """The seconds of a step of a feed-forward case, by the model."""
    pairs = list(zip(run["sizes"], run["sizes"][1:], strict=False))
    each = run["steps"] * run["batch"]
    return each * sum(i * o * machine.synapse_seconds + o * machine.neuron_seconds for i, o in pairs)
