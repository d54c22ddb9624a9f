"""Whether competitors compute the same: their spikes and gradients beside those of a reference in double precision.

The reference is the plain scan in float64. Currents are exact in float32 as well (see `problems`), so spikes can differ
only where rounding of v ← 7/8 v + I, some 2^-24 relative, carries a voltage across the threshold. Voltages spread over
a few thresholds, so that happens to about one in 10^7 of them; then the neuron, and those behind it, may spike at
another step. A wrong reset, decay or threshold moves percents of the spikes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks.compare.program import Program


class Limits(NamedTuple):
    """What passes.

    Parameters:
        spikes: the fraction of spikes, of all neurons and steps, that may differ.
        gradient: how far a gradient may be off, as a norm relative to the reference's. Rounding alone stays below 1e-5.
            A spike that differs changes the slopes of its neuron for some steps; the other slopes, resets and losses
            that we tried change a gradient by 5 % and more.
    """

    spikes: float = 1e-5
    gradient: float = 1e-2


LIMITS = Limits()

LARGEST = 2**24
"""Numbers of a gradient that are compared; of larger ones, every so many rows are."""


def save(path: Path, program: Program) -> None:
    """Spikes of a program as bits, and its gradients, in a file."""
    spikes = [np.asarray(layer) != 0 for layer in program.spikes()]
    saved: dict[str, Any] = {f"spikes {i}": np.packbits(layer) for i, layer in enumerate(spikes)}
    saved |= {f"shape {i}": np.array(layer.shape) for i, layer in enumerate(spikes)}
    gradients = {name: value[:: value.size // LARGEST + 1] for name, value in program.gradients().items()}
    saved |= {f"gradient {name}": value for name, value in gradients.items()}
    np.savez(path, **saved)


class Outputs:
    """Spikes and gradients from a file that `save` wrote."""

    def __init__(self, path: Path) -> None:
        with np.load(path) as file:
            count = sum(key.startswith("spikes") for key in file)
            shapes = [tuple(file[f"shape {i}"]) for i in range(count)]
            self.spikes = [
                np.unpackbits(file[f"spikes {i}"], count=int(np.prod(shape))).reshape(shape)
                for i, shape in enumerate(shapes)
            ]
            self.gradients = {key.removeprefix("gradient "): file[key] for key in file if key.startswith("gradient")}


def compare(found: Outputs, reference: Outputs, limits: Limits = LIMITS) -> dict[str, Any]:
    """Numbers of spikes that differ and of all, errors of gradients, and whether they pass.

    A competitor without neurons has nothing to compare; its numbers are None, and it passes.
    """
    if not found.spikes:
        return {"passes": True, "spikes_that_differ": None, "spikes": None, "entries": None, "gradient_error": None}
    shapes = [[layer.shape for layer in outputs.spikes] for outputs in (found, reference)]
    if shapes[0] != shapes[1] or found.gradients.keys() != reference.gradients.keys():
        raise ValueError(f"parity: spikes of shapes {shapes[0]} where the reference has {shapes[1]}.")
    pairs = list(zip(found.spikes, reference.spikes, strict=True))
    differ = sum(int(np.count_nonzero(ours != theirs)) for ours, theirs in pairs)
    entries = sum(theirs.size for _, theirs in pairs)
    error = max(relative_error(found.gradients[name], value) for name, value in reference.gradients.items())
    return {
        "passes": bool(differ <= limits.spikes * entries and error <= limits.gradient),
        "spikes_that_differ": differ,
        "spikes": sum(int(np.count_nonzero(theirs)) for _, theirs in pairs),
        "entries": entries,
        "gradient_error": error,
    }


def relative_error(found: np.ndarray, exact: np.ndarray) -> float:
    """The norm of a difference relative to that of the exact values; infinite where shapes differ or a value is NaN.

    If all exact values are 0, so must be those that were found.
    """
    if found.shape != exact.shape or not np.isfinite(found).all():
        return float("inf")
    error, size = np.linalg.norm(found - exact), np.linalg.norm(exact)
    return float(error / size) if size else float("inf") if error else 0.0
