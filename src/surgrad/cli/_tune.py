"""Choose the surrogate, its scale, the learning rate and the time constant while a network trains.

Several candidates start to train, one of them calibrated; the better ones go on, and the best is trained to the end
(successive halving). Learning rate and time constant are chosen only if they are given as ranges. A function of yours
returns a training, a space and, optionally, a list of initial candidates, see surgrad.meta.Training and
surgrad.meta.tune; the options of the network then have no effect.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surgrad._numbers import require_real
from surgrad.cli import _specs as specs
from surgrad.cli import _subject as subject
from surgrad.cli._usage import UsageError, at_least, reported, require, writing

RETURNS = "(training, space) or (training, space, initial_candidates)"
BATCH = 64
SAMPLES = 256
CHECKPOINTS = 20
"""Checkpoints of a whole run, besides those after each comparison."""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    subject.arguments(parser, RETURNS)
    add = parser.add_argument
    text = f"{specs.LIST}; one of them is chosen, with a largest slope of 1"
    add("--surrogates", default="sigmoid", type=specs.parse, metavar="LIST", help=text)
    add("--scale", default="0.01:1000", metavar="LOW:HIGH", help="range of the steepness relative to the default shape")
    add("--per-layer", action="store_true", help="choose a scale for each layer")
    add(
        "--learning-rate",
        default="0.005",
        metavar="RATE",
        help="learning rate of Adam: a number, or LOW:HIGH to choose it",
    )
    add("--tune-tau", metavar="LOW:HIGH", help="range of the time constant in time steps, instead of --tau")
    add("--candidates", default=8, type=at_least(1), metavar="N", help="number of runs that start")
    add("--steps", default=400, type=at_least(1), metavar="N", help="number of updates of a whole run")
    add(
        "--method",
        default="halving",
        choices=("halving", "optuna"),
        help="halving fills the space evenly; optuna proposes candidates from earlier losses",
    )
    add(
        "--checkpoints",
        metavar="FOLDER",
        help="folder of checkpoints; started again after an interruption, the command goes on where it was",
    )
    add("--out", metavar="FILE", help="file for the result, as JSON")


def run(options: argparse.Namespace) -> int:
    """Tune, and print the comparisons and the result."""
    further = {"optuna": options.method == "optuna", "orbax": options.checkpoints}
    require("optax", "rich", *[name for name, needed in further.items() if needed])
    from surgrad import meta, train

    if options.out:
        with writing(Path(options.out)):
            Path(options.out).parent.mkdir(parents=True, exist_ok=True)
            Path(options.out).open("a").close()
    task = None if subject.is_function(options.subject) else _Task(options)
    if task is None:
        training, space, *given = subject.returned(options.subject, RETURNS, _trains, _maps, _lists, more=1)
        initial = given[0] if given else []
    else:
        with reported(ValueError):
            training, space, initial = task.training(), task.space, task.calibrated()
    method = {"halving": meta.Halving, "optuna": meta.Optuna}[options.method]
    with reported(FloatingPointError, OSError, TypeError, ValueError):
        often = max(1, training.steps // CHECKPOINTS)
        done = meta.tune(
            training,
            space,
            method=method(options.candidates),
            initial_candidates=initial,
            seed=options.seed,
            checkpoints=train.Checkpoints(options.checkpoints, every_steps=often) if options.checkpoints else None,
        )
    result = _result(done) | ({} if task is None else {"test_accuracy": task.accuracy(done)})
    _print(done, space, result)
    if options.out:
        with writing(Path(options.out)):
            Path(options.out).write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(f"written to {options.out}", file=sys.stderr)
    return 0


def _trains(found: Any) -> bool:
    from surgrad.meta import Training

    return isinstance(found, Training)


def _maps(found: Any) -> bool:
    return isinstance(found, Mapping)


def _lists(found: Any) -> bool:
    return isinstance(found, (list, tuple))


class _Task:
    """The tuning of a task: its data, the space, and the network as a function of hyperparameters."""

    def __init__(self, options: argparse.Namespace):
        from surgrad.meta import Choice

        self.options, self.sizes = options, subject.network_options(options)
        self.shapes = tuple(s for spec in options.surrogates for s in spec.surrogates())
        layers = (self.sizes["depth"],) if options.per_layer else ()
        self.space: dict[str, Any] = {"scale": _range("scale", options.scale, layers)}
        if len(self.shapes) > 1:
            self.space["shape"] = Choice(self.shapes)
        for name, text in (("learning_rate", options.learning_rate), ("tau", options.tune_tau)):
            if text and ":" in text:
                self.space[name] = _range(name, text)
        self.learning_rate = None if "learning_rate" in self.space else _learning_rate(options.learning_rate)
        self.data = subject.load(options.subject, options.seed)

    def build(self, hyper: dict[str, Any]) -> tuple[Any, Any]:
        """The network and the optimiser."""
        import jax
        import jax.numpy as jnp
        import optax

        from surgrad import train
        from surgrad._combine import Normalized

        shape, sizes = hyper.get("shape", self.shapes[0]), self.sizes | {"tau": hyper.get("tau", self.sizes["tau"])}
        scales = jnp.broadcast_to(hyper["scale"], sizes["depth"])
        spikes = [Normalized(shape, to="peak").steeper(scale) for scale in scales]
        network = train.classifier(spikes, self.data.train, key=jax.random.key(self.options.seed), **sizes)
        return network, optax.adam(hyper.get("learning_rate", self.learning_rate))

    def training(self) -> Any:
        """The training that is tuned; its loss is the cross-entropy."""
        from surgrad import train
        from surgrad.meta import Training

        batch = min(BATCH, len(self.data.train))
        kept = {"steps": self.options.steps, "batch": batch, "seed": self.options.seed}

        def loss(network: Any, some: Any) -> Any:
            return train.score(network, some).loss

        return Training.of_network(self.build, self.data.train, loss, **kept)

    def calibrated(self) -> list[dict[str, Any]]:
        """One candidate for each shape: its calibrated scale, and the middle of every other range."""
        import jax.numpy as jnp

        from surgrad.meta import LogRange, calibrate

        ranges = {name: one for name, one in self.space.items() if isinstance(one, LogRange)}
        middle = {name: one.middle() for name, one in ranges.items()}
        batch, found = self.data.train[jnp.arange(min(SAMPLES, len(self.data.train)))], []
        for index, shape in enumerate(self.shapes[: self.options.candidates]):
            factors = calibrate(self.build(middle | {"scale": 1.0, "shape": shape})[0], batch).factors
            factors = jnp.clip(factors, ranges["scale"].low, ranges["scale"].high)
            scale = factors if self.options.per_layer else jnp.exp(jnp.log(factors).mean())
            found.append(middle | {"scale": scale} | ({"shape": index} if "shape" in self.space else {}))
        return found

    def accuracy(self, done: Any) -> float:
        """The accuracy of the best network on the test samples, 0 to 1."""
        from surgrad import train

        network = self.build(done.hyper)[0].with_connections(done.state[0])
        return float(train.score(network, self.data.test).accuracy)


def _range(name: str, text: str, shape: tuple[int, ...] = ()) -> Any:
    from surgrad.meta import LogRange

    low, colon, high = text.partition(":")
    if not colon:
        raise UsageError(f"{name} must be LOW:HIGH, got {text!r}.")
    try:
        return LogRange(_number(name, low), _number(name, high), shape=shape)
    except ValueError as error:
        raise UsageError(str(error).partition(";")[0].replace("LogRange", name, 1)) from error


def _learning_rate(text: str) -> float:
    learning_rate = _number("learning rate", text)
    with reported(ValueError):
        require_real("--learning-rate", "a number", learning_rate, above=0)
    return learning_rate


def _number(name: str, text: str) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise UsageError(f"{name} must be a number, got {text!r}.") from error


def _result(done: Any) -> dict[str, Any]:
    """The contents of the file."""
    import numpy as np

    def plain(value: Any) -> Any:
        return repr(value) if not hasattr(value, "dtype") else np.asarray(value).tolist()

    return {
        "hyper": {name: plain(value) for name, value in done.hyper.items()},
        "candidates": {name: plain(values) for name, values in done.candidates.items()},
        "rungs": [rung._asdict() for rung in done.rungs],
        "cost": done.cost._asdict() | {"ratio": done.cost.ratio},
    }


def _print(done: Any, space: Any, result: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    from surgrad.meta import pick, resolve

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200
    table = Table("candidate", *space, box=None, pad_edge=False)
    for rung in done.rungs:
        table.add_column(f"loss at {rung.steps}", justify="right", no_wrap=True)
    order = sorted(done.rungs[0].runs, key=lambda run: [run not in rung.runs for rung in done.rungs])
    for run in order:
        values = resolve(space, pick(done.candidates, run))
        losses = [f"{rung.losses[rung.runs.index(run)]:.4g}" if run in rung.runs else "" for rung in done.rungs]
        table.add_row(str(run), *(_shown(value) for value in values.values()), *losses)
    console.print(table)
    for name, value in done.hyper.items():
        console.print(f"{name}: {_shown(value)}", soft_wrap=True, markup=False)
    if "test_accuracy" in result:
        console.print(f"test accuracy: {100 * result['test_accuracy']:.1f} %")
    console.print(
        f"{done.cost.updates} updates in {done.cost.seconds:.0f} s, {done.cost.ratio:.2f} times one run of "
        f"{done.cost.plain}; training all candidates to the end would have taken {done.cost.one_by_one}",
        soft_wrap=True,
    )


def _shown(value: Any) -> str:
    import numpy as np

    if not hasattr(value, "dtype"):
        return repr(value)
    return ", ".join(f"{number:.4g}" for number in np.ravel(np.asarray(value)))
