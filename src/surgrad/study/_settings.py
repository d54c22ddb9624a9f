"""What a study trains: surrogates, and what all of its runs share."""

from __future__ import annotations

import dataclasses
from typing import Any

from surgrad._combine import Normalized, Temperature
from surgrad._numbers import require_real, require_whole
from surgrad._surrogate import Surrogate

MAPPINGS = ("map", "vmap")


@dataclasses.dataclass(frozen=True)
class Variant:
    """A surrogate to train with, and what tables call it: its name, the parameter that varies, and its value.

    The surrogate may be of a class of your own, and the name any text.
    """

    name: str
    parameter: str
    value: float
    surrogate: Surrogate


@dataclasses.dataclass(frozen=True)
class Settings:
    """What all runs of a study share.

    Parameters:
        data: name of the task.
        options: of the task, as pairs of name and value; they go before `steps` and `split_seed`.
        seeds: one run a variant and seed; a seed sets the initial weights and the order of the batches.
        split_seed: of the split in samples to train and to test, the same for all runs.
        epochs: passes through the samples.
        steps: length of a sample, in steps.
        hidden: number of hidden neurons.
        tau: time constant of all neurons, in steps.
        gain: of the initial hidden weights; at 3 about one neuron in twenty spikes at each step.
        batch: samples an update.
        learning_rate: of Adam.
        mapping: `"map"`, one run after the other, or `"vmap"`, all at once; None: what suits the machine.
    """

    data: str = "digits"
    options: tuple[tuple[str, Any], ...] = ()
    seeds: tuple[int, ...] = (0, 1, 2)
    split_seed: int = 0
    epochs: int = 12
    steps: int = 20
    hidden: int = 128
    tau: float = 20.0
    gain: float = 3.0
    batch: int = 64
    learning_rate: float = 5e-3
    mapping: str | None = None

    def __post_init__(self) -> None:
        if self.mapping not in (None, *MAPPINGS):
            raise ValueError(f"Settings: mapping must be one of 'map', 'vmap' or None, got {self.mapping!r}.")
        sizes = {name: getattr(self, name) for name in ("epochs", "steps", "hidden", "batch")}
        require_whole("Settings", **sizes, **{"the number of seeds": len(self.seeds)})
        require_whole("Settings", 0, split_seed=self.split_seed)
        for seed in self.seeds:
            require_whole("Settings", 0, **{"each of seeds": seed})
        for name in ("tau", "gain", "learning_rate"):
            require_real("Settings", name, getattr(self, name), above=0)


def at_unit_peak(surrogate: Surrogate, scale: float) -> Surrogate:
    """A surrogate `scale` times steeper, > 0, of largest slope 1: the slope is σ'(scale·x)/max σ'."""
    require_real("at_unit_peak", "scale", scale, above=0)
    return Normalized(Temperature(surrogate, 1 / scale), to="peak")
