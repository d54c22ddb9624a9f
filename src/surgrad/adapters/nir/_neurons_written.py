"""Neurons of NIR for the cells of this library.

A cell v ← e^(-1/n) v + I is NIR's with the resistance R = 1/(1 - e^(-1/n)), or, of the same spikes, with R = 1 and a
threshold of (1 - e^(-1/n)) θ.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import nir
import numpy as np

from surgrad.adapters.nir._layout import Layout
from surgrad.adapters.nir._notes import noted, number_noted, surrogate_noted
from surgrad.adapters.nir._scheme import Scheme, fresh
from surgrad.nn._cells import LIF, CuBaLIF, LeakyIntegrator


@dataclasses.dataclass(frozen=True)
class Writing:
    """What nodes depend on besides their layer: the scheme, and the options of `to_nir`."""

    scheme: Scheme
    unit_resistance: bool
    lossy: bool


def _numbers(layer: Any, *names: str) -> dict[str, Any]:
    return {name: number_noted(getattr(layer, name)) for name in names}


def _dt(layer: Any) -> Any:
    return None if layer.dt == 1 else layer.dt


class _Filter:
    """A filter of a cell in NIR: τ in seconds, and the share of R I that enters in a step, 1 - β or dt."""

    def __init__(self, layer: Any, name: str, layout: Layout, writing: Writing) -> None:
        steps = layout.to_nir(np.asarray(getattr(layer, name), float)) / layer.dt
        self.leaks = bool(np.all(np.isfinite(steps)))
        if not self.leaks and not np.all(np.isinf(steps)):
            raise ValueError(f"{name} must be finite for all neurons or for none, as NIR has different nodes for both")
        self.fresh = fresh(steps) if self.leaks else np.full(layout.there, writing.scheme.dt)
        self.tau = writing.scheme.tau(steps) if self.leaks else steps


def leaky_integrator(layer: LeakyIntegrator, layout: Layout, writing: Writing) -> nir.NIRNode:
    leak = _Filter(layer, "tau", layout, writing)
    note = noted(numbers=_numbers(layer, "tau"), dt=_dt(layer))
    if not leak.leaks:
        return nir.I(1 / leak.fresh, metadata=note)
    return nir.LI(leak.tau, 1 / leak.fresh, np.zeros(layout.there), metadata=note)


def _spiking_note(layer: Any, writing: Writing, *names: str) -> dict[str, str]:
    """The note of spiking cells.

    Raises:
        ValueError: an option changes the spikes, has no place in NIR, and a loss was not allowed.
    """
    unknown = {"reset": (layer.reset, "zero"), "refractory": (layer.refractory, 0)}
    lost = {name: value for name, (value, there) in unknown.items() if value != there}
    if lost and not writing.lossy:
        name, value = next(iter(lost.items()))
        raise ValueError(
            f"{name}={value!r} has no place in NIR, whose neurons are reset to a value; take {name}="
            f"{unknown[name][1]!r}, or give lossy=True, which notes it as metadata that surgrad alone reads"
        )
    return noted(
        numbers=_numbers(layer, "threshold", *names),
        **lost,
        detach_reset=layer.detach_reset or None,
        dt=_dt(layer),
        surrogate=surrogate_noted(layer.surrogate),
    )


def lif(layer: LIF, layout: Layout, writing: Writing) -> nir.NIRNode:
    leak = _Filter(layer, "tau", layout, writing)
    threshold = layout.to_nir(np.asarray(layer.threshold, float))
    zeros, note = np.zeros(layout.there), _spiking_note(layer, writing, "tau")
    r = 1 / leak.fresh
    if writing.unit_resistance:
        threshold, r = threshold * leak.fresh, np.ones_like(r)
    if not leak.leaks:
        return nir.IF(r, threshold, v_reset=zeros, metadata=note)
    return nir.LIF(leak.tau, r, zeros, threshold, v_reset=zeros, metadata=note)


def cuba_lif(layer: CuBaLIF, layout: Layout, writing: Writing) -> nir.NIRNode:
    leak, synapse = (_Filter(layer, name, layout, writing) for name in ("tau", "tau_syn"))
    for name, part in (("tau", leak), ("tau_syn", synapse)):
        if not part.leaks:
            raise ValueError(f"{name} must be finite, as NIR's CubaLIF leaks")
    threshold = layout.to_nir(np.asarray(layer.threshold, float))
    zeros, r, w_in = np.zeros(layout.there), 1 / leak.fresh, 1 / synapse.fresh
    if writing.unit_resistance:
        threshold, r, w_in = threshold * leak.fresh * synapse.fresh, np.ones_like(r), np.ones_like(r)
    note = _spiking_note(layer, writing, "tau", "tau_syn")
    return nir.CubaLIF(synapse.tau, leak.tau, r, zeros, threshold, v_reset=zeros, w_in=w_in, metadata=note)
