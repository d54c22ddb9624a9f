"""Train a network as a TOML file says, with checkpoints, and write a folder that says what was done.

The file names a task and a network for it, or a function of yours that makes both; see docs/how-to/train.md. The
folder gets the configuration, the versions and the commit (run.json), for each seed the numbers of each epoch
(metrics.csv), checkpoints and the trained network, and a picture of the curves. Started again, the command goes on
where it was. With --processes, and as a step of Slurm with several tasks, processes train each network together.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from surgrad.cli import _configuration as configuration
from surgrad.cli import _processes as processes
from surgrad.cli import _specs as specs
from surgrad.cli import _subject as subject
from surgrad.cli._run_folder import RunFolder
from surgrad.cli._usage import UsageError, reported, require

RETURNS = "a dict of arguments of surgrad.train.fit: network, data and optimizer, and others by choice"
NEEDED = ("network", "data", "optimizer")
TAKEN = (
    "loss",
    "validation",
    "metrics",
    "patience",
    "accumulate",
    "loss_scale",
    "batch_size",
    "batch_axes",
    "also",
    "test",
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add = parser.add_argument
    add("file", metavar="FILE.toml", type=Path, help="the configuration")
    add("--out", metavar="FOLDER", help="folder of the results; results/NAME for NAME.toml if it is left out")
    processes.arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Train all seeds that are not done yet. Mistakes are reported before the training begins."""
    require("optax", "orbax", "rich", "matplotlib")
    if processes.wanted(options):
        return processes.supervise(options)
    with processes.joined(options) as leads:
        return _train_all(options, leads)


def _train_all(options: argparse.Namespace, leads: bool) -> int:
    given = configuration.read(options.file)
    seeds = configuration.seeds(options.file, given)
    training = _Task(options.file, given) if "task" in given else _Function(options.file, given)
    training.check(seeds[0])
    place = Path(options.out or Path("results") / options.file.stem)
    folder = RunFolder(place, options.file, given, seeds, leads)
    for seed in seeds:
        if seed not in folder.results:
            try:
                _train(training, folder, seed)
            except KeyboardInterrupt:
                print(f"stopped; start the same command again to go on from {folder.path}", file=sys.stderr)
                raise
        if leads:
            print(folder.line(seed), flush=True)
    if leads:
        folder.draw()
        print(f"written to {folder.path}", file=sys.stderr)
    return 0


def _train(training: _Task | _Function, folder: RunFolder, seed: int) -> None:
    import jax

    from surgrad import save, train

    place = folder.of_seed(seed)
    with reported(FloatingPointError, OSError, TypeError, ValueError):
        given = training.given(seed)
        done = train.fit(
            **given,
            key=jax.random.fold_in(jax.random.key(seed), 1),
            epochs=training.configuration["epochs"],
            check_numbers=training.configuration["check_numbers"],
            checkpoints=place / "checkpoints",
            track=train.CSV(place / "metrics.csv"),
            mesh=processes.mesh(),
        )
    if not folder.writes:
        return
    try:
        save(place / "network.surgrad", done.network)
    except TypeError as error:  # such as a lambda in a network of the user
        print(f"seed {seed}: the trained network is in the checkpoints alone; {error}", file=sys.stderr)
    folder.finish(seed, done.history, training.tested(done.network))


class _Task:
    """The training of a task: a classifier for it, the cross-entropy, and the test samples at the end."""

    def __init__(self, path: Path, given: Mapping[str, Any]) -> None:
        self.configuration = given
        self.optimizer = configuration.optimizer(path, given["optimizer"])
        sizes = dict(given["network"])
        with reported(UsageError):
            self.surrogate = specs.one(sizes.pop("surrogate"))
        self.sizes, self.data = sizes, subject.load(given["task"], 0)
        if not 0 <= given["validation_share"] < 1:
            raise UsageError(f"{path}: validation_share must be 0 to below 1, got {given['validation_share']}.")
        if "patience" in given and not given["validation_share"]:
            raise UsageError(f"{path}: patience needs a validation_share above 0.")

    def check(self, seed: int) -> None:
        """Find mistakes in the sizes of the network before anything is written."""
        with reported(TypeError, ValueError):
            self.given(seed)

    def given(self, seed: int) -> dict[str, Any]:
        """The arguments of `train.fit`."""
        import jax
        import numpy as np

        from surgrad import train

        self.data = subject.load(self.configuration["task"], seed)
        learn = self.data.train
        held_out = round(self.configuration["validation_share"] * len(learn))
        order = np.random.default_rng(seed).permutation(len(learn))
        key = jax.random.fold_in(jax.random.key(seed), 0)
        found = {
            "network": train.classifier(self.surrogate, learn, key=key, **self.sizes),
            "data": learn[order[held_out:]],
            "optimizer": self.optimizer,
        }
        if held_out:
            found |= {"validation": learn[order[:held_out]], "metrics": {"validation_accuracy": accuracy}}
        shared = ("batch_size", "patience", "accumulate")
        return found | {name: self.configuration[name] for name in shared if name in self.configuration}

    def tested(self, network: Any) -> dict[str, float]:
        """The scores on the test samples."""
        from surgrad import train

        scores = train.score(network, self.data.test)
        return {"test_accuracy": float(scores.accuracy), "test_loss": float(scores.loss)}


class _Function:
    """The training that a function of the user describes, which takes a seed."""

    def __init__(self, path: Path, given: Mapping[str, Any]) -> None:
        self.configuration, self.name = given, given["function"]
        if not subject.is_function(self.name):
            raise UsageError(f'{path}: function must be "MODULE:FUNCTION", got {self.name!r}.')
        self.function, self.test = subject.function_of(self.name), None

    def check(self, seed: int) -> None:
        """Find mistakes in what the function returns before anything is written."""
        self.given(seed)

    def given(self, seed: int) -> dict[str, Any]:
        """The arguments of `train.fit`: those of the function, and those of the file before them."""
        found = self.function(seed)
        if not isinstance(found, Mapping):
            raise UsageError(f"{self.name} must return {RETURNS}, got {type(found).__name__}.")
        if missing := [name for name in NEEDED if name not in found]:
            raise UsageError(f"{self.name} must return {RETURNS}; there is no {' and no '.join(missing)}.")
        if unknown := [str(name) for name in found if name not in (*NEEDED, *TAKEN)]:
            raise UsageError(
                f"{self.name} returns {', '.join(unknown)}, which surgrad train does not take from a function; it "
                f"takes {', '.join((*NEEDED, *TAKEN))}."
            )
        shared = ("batch_size", "patience")
        of_file = {name: self.configuration[name] for name in shared if name in self.configuration}
        if self.configuration["accumulate"] != 1:
            of_file["accumulate"] = self.configuration["accumulate"]
        self.test = found.get("test")
        return {name: value for name, value in found.items() if name != "test"} | of_file

    def tested(self, network: Any) -> dict[str, float]:
        """What the function of the user's for the trained network returns, if there is one."""
        return {} if self.test is None else {name: float(value) for name, value in self.test(network).items()}


def accuracy(network: Any, batch: Any) -> Any:
    """Share of the samples that are classified correctly."""
    from surgrad import train

    return train.score(network, batch).accuracy
