"""Who takes part, under which name, with which slope."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.compare.cases import Case
from benchmarks.compare.problems import Problem
from benchmarks.compare.program import Program


class Competitor(NamedTuple):
    """One way to compute the same.

    Parameters:
        label: its name on pages and plots.
        role: `"peer"`, a library; `"baseline"`, plain JAX; `"limit"`, a part of the work that no exact dense method
            can leave out; `"ours"`.
        packages: what must be installed, and whose versions are reported.
        module: its file in `peers`.
        slope: its surrogate's, a name in `problems.SLOPES`.
        sparse: whether it needs binary inputs.
    """

    label: str
    role: str
    packages: tuple[str, ...]
    module: str
    slope: str = "arctan"
    sparse: bool = False

    def build(self, architecture: str) -> Callable[[Problem], Program]:
        """The function of an architecture.

        Raises:
            NotImplementedError: it has none.
        """
        found = getattr(importlib.import_module(f"benchmarks.compare.peers.{self.module}"), architecture, None)
        if found is None:
            raise NotImplementedError(f"{self.label} has no {architecture} network.")
        return found


COMPETITORS = {
    "snntorch": Competitor("snnTorch", "peer", ("snntorch", "torch"), "snntorch"),
    "spikingjelly": Competitor("SpikingJelly", "peer", ("spikingjelly", "torch"), "spikingjelly"),
    "norse": Competitor("Norse", "peer", ("norse", "torch"), "norse", "norse"),
    "spyx": Competitor("Spyx", "peer", ("spyx", "flax", "jax"), "spyx"),
    "brainpy": Competitor("brainpy.state", "peer", ("brainpy", "brainstate", "braintools", "jax"), "brainpy"),
    "plain_scan": Competitor("plain lax.scan", "baseline", ("jax",), "plain_scan"),
    "products_xla": Competitor("products alone, XLA", "limit", ("jax",), "products_xla"),
    "products_torch": Competitor("products alone, torch", "limit", ("torch",), "products_torch"),
    "surgrad": Competitor("surgrad", "ours", ("surgrad", "jax"), "surgrad"),
    "surgrad_low_memory": Competitor("surgrad, low memory", "ours", ("surgrad", "jax"), "surgrad_low_memory"),
    "surgrad_event_driven": Competitor(
        "surgrad, event-driven", "ours", ("surgrad", "jax", "numba"), "surgrad_event_driven", "arctan window", True
    ),
    "surgrad_events_full_slope": Competitor(
        "surgrad, events, full slope", "ours", ("surgrad", "jax", "numba"), "surgrad_event_driven", sparse=True
    ),
}
"""All, by the names of the command line; their order is that of tables, colours and turns."""


LONG = ["snntorch", "spyx", "plain_scan", "surgrad", "surgrad_low_memory"]
"""Who takes part in long sequences unless told otherwise: gigabytes for each at once are more than machines have."""


def entered(case: Case, names: list[str] | None = None) -> list[str]:
    """Who takes part in a case, of some or of all."""
    names = names or (LONG if case.workload == "d" else list(COMPETITORS))
    return [name for name in names if case.activity is not None or not COMPETITORS[name].sparse]
