"""The surrogates that a study compares, and the settings that all of its runs share."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from surgrad import train
from surgrad._catalogue import kind_name, snake_case
from surgrad._combine import Normalized, Temperature
from surgrad._kinds import called, require_callable, require_choice
from surgrad._mapping import MAPPINGS
from surgrad._numbers import require_real, require_whole
from surgrad._surrogate import Surrogate


@dataclasses.dataclass(frozen=True)
class Variant:
    """A surrogate of a study, and its labels in tables and pictures.

    Parameters:
        name: name of the surrogate, any text; variants of one name share a line in a picture.
        parameter: name of the number that varies, `"scale"` or a hyperparameter.
        value: the value of that number.
        surrogate: what the network is trained with; its class may be your own.
    """

    name: str
    parameter: str
    value: float
    surrogate: Surrogate

    @property
    def kind(self) -> str:
        """The name of the class, without the combinators of `at_unit_peak`; pictures choose the colour by it."""
        shape = self.surrogate
        while isinstance(shape, (Normalized, Temperature)):
            shape = shape.surrogate
        return kind_name(shape)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings that all runs of a study share.

    Parameters:
        data: name of the task.
        options: options of the task, as pairs of name and value; they override `steps` and `split_seed`.
        seeds: seeds of the runs, >= 0; each variant has one run for each seed, which sets the initial weights and the
            order of the batches.
        split_seed: seed of the split into training and test samples, >= 0.
        epochs: passes through the training samples, >= 1.
        steps: length of a sample in time steps, >= 1.
        hidden: number of hidden neurons, >= 1.
        tau: time constant of all neurons in time steps, > 0.
        gain: standard deviation of the initial hidden weights times √inputs, > 0; at 3 about one neuron in twenty
            spikes at each time step.
        batch: samples of an update, >= 1.
        learning_rate: learning rate of Adam, > 0.
        mapping: `"map"` computes one run after the other, `"vmap"` all at once; None chooses what suits the machine.
        depth: number of hidden layers, >= 1.
        recurrent: standard deviation of the recurrent weights times √hidden, >= 0; 0 means layers without recurrence.
        build: a function that makes the network, `build(surrogate, data, key=, hidden=, tau=, gain=, depth=,
            recurrent=)`, as `train.classifier` does; yours may ignore what it does not need.

    Raises:
        TypeError: a setting is not a number.
        ValueError: a setting is out of range.
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
    depth: int = 1
    recurrent: float = 0.0
    build: Callable[..., Any] = train.classifier

    def __post_init__(self) -> None:
        require_choice("Settings", "mapping", self.mapping, MAPPINGS)
        sizes = {name: getattr(self, name) for name in ("epochs", "steps", "hidden", "batch", "depth")}
        require_whole("Settings", **sizes, **{"the number of seeds": len(self.seeds)})
        require_whole("Settings", 0, split_seed=self.split_seed)
        for seed in self.seeds:
            require_whole("Settings", 0, **{"each of seeds": seed})
        for name in ("tau", "gain", "learning_rate"):
            require_real("Settings", name, getattr(self, name), above=0)
        require_real("Settings", "recurrent", self.recurrent, at_least=0)
        require_callable("Settings: build", self.build, "a function that makes a network")

    @property
    def task(self) -> str:
        """The task as it is written on the command line, `digits:steps=10`; options by name."""
        options = ",".join(f"{name}={value}" for name, value in sorted(self.options))
        return f"{self.data}:{options}" if options else self.data

    @property
    def network(self) -> str:
        """The network in a few words, `128 neurons` or `2 x 64 neurons, recurrent`."""
        own = "" if self.build is train.classifier else f"{called(self.build)}, "
        layers = f"{self.depth} x {self.hidden}" if self.depth > 1 else f"{self.hidden}"
        return f"{own}{layers} neurons{', recurrent' if self.recurrent else ''}"


def scaled(surrogate: Surrogate, scales: Sequence[float], name: str = "") -> tuple[Variant, ...]:
    """A variant of a surrogate for each scale, as `at_unit_peak` makes it.

        >>> import surgrad
        >>> [variant.value for variant in scaled(surrogate=surgrad.Sigmoid(), scales=(1.0, 100.0))]
        [1.0, 100.0]

    Parameters:
        surrogate: the shape; its class may be your own.
        scales: factors along x, > 0.
        name: the name in tables and pictures; that of the class, as in the catalogue, if it is left out.

    Raises:
        ValueError: a scale is not > 0 and finite.
    """
    name = name or snake_case(kind_name(surrogate).rpartition(".")[2])
    return tuple(Variant(name, "scale", float(scale), at_unit_peak(surrogate, scale)) for scale in scales)


def at_unit_peak(surrogate: Surrogate, scale: float) -> Surrogate:
    """A surrogate that is `scale` times steeper, and whose largest slope is 1: its slope is σ'(scale·x)/max σ'.

        >>> import surgrad
        >>> steep = at_unit_peak(surrogate=surgrad.Sigmoid(4.0), scale=10.0)
        >>> float(steep.surrogate_grad(0.0))
        1.0

    Parameters:
        surrogate: the shape.
        scale: factor along x, > 0.

    Raises:
        ValueError: the scale is not > 0 and finite.
    """
    require_real("at_unit_peak", "scale", scale, above=0)
    return Normalized(surrogate.steeper(scale), to="peak")
