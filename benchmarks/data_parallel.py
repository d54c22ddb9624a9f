"""One network that 1, 2 and 4 processes train: whether weights and metrics are the same, and what it takes.

    python -m benchmarks.data_parallel [--epochs 20] [--rounds 2] [--out benchmarks/data_parallel.json]

Each way is `surgrad train` on the same file, so that network, samples, order and batch are the same; processes have
equal parts of each batch, and meet through `jax.distributed` with Gloo. The ways take turns. Beside the JSON a page of
the same name is written.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

import surgrad
from benchmarks.studies import measured, where
from surgrad import nn

RUN = """
task = "digits:steps={steps}"
epochs = {epochs}
batch_size = {batch}

[network]
hidden = {hidden}
surrogate = "arctan:alpha=2"
"""
SIZES = {"steps": 20, "batch": 64, "hidden": 128}
PROCESSES = 1, 2, 4
TYPES = "float32", "float64"
"""Of weights and sums. In float32 a spike that is on the brink comes or does not with the order of a sum, and from then
on runs drift apart; float64 tells such drift from a mistake."""


class Way(NamedTuple):
    """How many processes train, and the type of their weights."""

    processes: int
    dtype: str


WAYS = [Way(processes, dtype) for dtype in TYPES for processes in PROCESSES]


def taken(way: Way, epochs: int) -> tuple[dict[str, Any], list[np.ndarray]]:
    """What a run in an empty folder takes and finds, and its weights."""
    command = ["-m", "surgrad", "train", "run.toml", "--out", "run"]
    if way.processes > 1:
        command += ["--processes", str(way.processes)]
    environment = os.environ | {"JAX_ENABLE_X64": str(int(way.dtype == "float64"))}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run.toml").write_text(RUN.format(epochs=epochs, **SIZES))
        cpu, wall = measured([command], folder, environment)
        place = folder / "run" / "seed-0"
        trained = nn.partition(surgrad.load(place / "network.surgrad"))[0]
        weights = [np.asarray(leaf) for leaf in jax.tree.leaves(trained)]
        assert {str(leaf.dtype) for leaf in weights} == {way.dtype}
        with (place / "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
        result = json.loads((folder / "run" / "run.json").read_text())["results"][0]
    return {**way._asdict(), "cpu": cpu, "wall": wall, "rows": rows, "result": result}, weights


def difference(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """The largest difference of a weight."""
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def summary(runs: list[dict[str, Any]], weights: list[list[np.ndarray]]) -> list[dict[str, Any]]:
    """A row for each way: medians of seconds over rounds, the rest of the first round."""
    rounds = {way: [k for k, run in enumerate(runs) if (run["processes"], run["dtype"]) == way] for way in WAYS}
    found = []
    for way, mine in rounds.items():
        first, alone = mine[0], rounds[Way(1, way.dtype)][0]
        losses = [[float(row["loss"]) for row in runs[k]["rows"]] for k in (first, alone)]
        apart = [abs(a - b) / b for a, b in zip(*losses, strict=True)]
        same = all(runs[k]["rows"] == runs[first]["rows"] and bits(weights[k]) == bits(weights[first]) for k in mine)
        found.append(
            {
                **way._asdict(),
                "cpu": statistics.median(runs[k]["cpu"] for k in mine),
                "wall": statistics.median(runs[k]["wall"] for k in mine),
                "first loss": apart[0],
                "last loss": apart[-1],
                "weights": difference(weights[first], weights[alone]),
                **{name: runs[first]["result"][name] for name in ("loss", "test_loss", "test_accuracy")},
                "bitwise again": same if len(mine) > 1 else None,
            }
        )
    return found


def bits(weights: list[np.ndarray]) -> list[bytes]:
    """All bits of the weights."""
    return [leaf.tobytes() for leaf in weights]


HEADS = (
    "processes",
    "weights",
    "CPU, s",
    "time, s",
    "loss of epoch 1, relative difference",
    "loss of the last epoch, relative difference",
    "weights, largest difference",
    "loss of the last epoch",
    "test loss",
    "test accuracy, %",
    "a second time",
)


def page(found: dict[str, Any]) -> str:
    """The table of a result."""
    lines = [
        "# One network, trained by several processes",
        "",
        f"`python -m benchmarks.data_parallel --epochs {found['epochs']} --rounds {found['rounds']}`: a network with",
        f"{SIZES['hidden']} hidden neurons learns digits of {SIZES['steps']} steps in batches of {SIZES['batch']};",
        "each process has a part of every batch (`surgrad train --processes`, Gloo). Ways take turns. Seconds are of",
        "all processes together, with imports and compilation, medians over rounds. Differences are from one process",
        f"with weights of the same type; the largest weight is {found['scale']:.2g}.",
        "",
        "The order of a sum depends on the number of processes. In float32 a spike that is on the brink may therefore",
        "come or not, and runs drift apart from then on; float64 tells such drift from a mistake.",
        "",
        found["where"],
        "",
        f"| {' | '.join(HEADS)} |",
        "|-" * len(HEADS) + "|",
    ]
    for row in found["table"]:
        again = {True: "the same bits", False: "**other bits**", None: "not tried"}[row["bitwise again"]]
        cells = [str(row["processes"]), row["dtype"], f"{row['cpu']:.1f}", f"{row['wall']:.1f}"]
        cells += [f"{row[name]:.1e}" for name in ("first loss", "last loss", "weights")]
        cells += [f"{row['loss']:.5f}", f"{row['test_loss']:.5f}", f"{100 * row['test_accuracy']:.2f}", again]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Write the result and the page, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/data_parallel.json"))
    options = parser.parse_args()
    jax.config.update("jax_enable_x64", True)  # to read weights of both types
    before, runs, weights = os.getloadavg()[0], [], []
    for round_ in range(options.rounds):
        for way in WAYS[:: (-1) ** round_]:
            run, learned = taken(way, options.epochs)
            print(way, run["cpu"], run["wall"], run["result"], file=sys.stderr, flush=True)
            runs.append(run)
            weights.append(learned)
    found = {
        "epochs": options.epochs,
        "rounds": options.rounds,
        "where": where("orbax-checkpoint", load=(before, os.getloadavg()[0])),
        "scale": max(float(np.abs(leaf).max()) for leaf in weights[0]),
        "table": summary(runs, weights),
        "runs": runs,
    }
    options.out.write_text(json.dumps(found, indent=1) + "\n")
    text = page(found)
    options.out.with_suffix(".md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
