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
from typing import Any

import jax
import numpy as np

import surgrad
from benchmarks.studies import measured, where

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


def command(processes: int) -> list[str]:
    """The arguments of Python for a run with so many processes."""
    together = ["--processes", str(processes)] if processes > 1 else []
    return ["-m", "surgrad", "train", "run.toml", "--out", "run", *together]


def taken(processes: int, epochs: int) -> tuple[dict[str, Any], list[np.ndarray]]:
    """What a run in an empty folder takes and finds, and its weights."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "run.toml").write_text(RUN.format(epochs=epochs, **SIZES))
        cpu, wall = measured([command(processes)], folder)
        place = folder / "run" / "seed-0"
        weights = [np.asarray(leaf) for leaf in jax.tree.leaves(surgrad.load(place / "network.surgrad"))]
        with (place / "metrics.csv").open() as file:
            rows = list(csv.DictReader(file))
        result = json.loads((folder / "run" / "run.json").read_text())["results"][0]
    return {"processes": processes, "cpu": cpu, "wall": wall, "rows": rows, "result": result}, weights


def difference(one: list[np.ndarray], other: list[np.ndarray]) -> float:
    """The largest difference of a weight."""
    return max(float(np.abs(a - b).max()) for a, b in zip(one, other, strict=True))


def summary(runs: list[dict[str, Any]], weights: list[list[np.ndarray]]) -> list[dict[str, Any]]:
    """A row for each number of processes: medians of seconds over rounds, the rest of the first round."""
    found = []
    for processes in PROCESSES:
        mine = [k for k, run in enumerate(runs) if run["processes"] == processes]
        alone, first = next(k for k, run in enumerate(runs) if run["processes"] == 1), mine[0]
        losses = [float(runs[k]["rows"][0]["loss"]) for k in (first, alone)]
        same = all(
            runs[k]["rows"] == runs[first]["rows"]
            and all(a.tobytes() == b.tobytes() for a, b in zip(weights[k], weights[first], strict=True))
            for k in mine
        )
        found.append(
            {
                "processes": processes,
                "cpu": statistics.median(runs[k]["cpu"] for k in mine),
                "wall": statistics.median(runs[k]["wall"] for k in mine),
                "weights": difference(weights[first], weights[alone]),
                "first loss": abs(losses[0] - losses[1]) / losses[1],
                "loss": float(runs[first]["rows"][-1]["loss"]),
                "test_loss": runs[first]["result"]["test_loss"],
                "test_accuracy": runs[first]["result"]["test_accuracy"],
                "bitwise again": same if len(mine) > 1 else None,
            }
        )
    return found


def page(found: dict[str, Any]) -> str:
    """The table of a result."""
    heads = (
        "processes",
        "CPU, s",
        "time, s",
        "largest difference of a weight",
        "relative difference of the loss of epoch 1",
        "loss of the last epoch",
        "test loss",
        "test accuracy, %",
        "again the same bits",
    )
    lines = [
        "# One network, trained by several processes",
        "",
        f"`python -m benchmarks.data_parallel --epochs {found['epochs']} --rounds {found['rounds']}`: a network with",
        f"{SIZES['hidden']} hidden neurons learns digits of {SIZES['steps']} steps in batches of {SIZES['batch']},",
        "each process has a part of every batch (`surgrad train --processes`, Gloo). Ways take turns. Seconds are of",
        "all processes together, with imports and compilation, medians over rounds. Differences are from one process;",
        f"the largest weight is {found['scale']:.2g}.",
        "",
        found["where"],
        "",
        f"| {' | '.join(heads)} |",
        "|-" * len(heads) + "|",
    ]
    for row in found["table"]:
        again = {True: "yes", False: "**no**", None: "not tried"}[row["bitwise again"]]
        cells = [str(row["processes"]), f"{row['cpu']:.1f}", f"{row['wall']:.1f}"]
        cells += [f"{row[name]:.1e}" for name in ("weights", "first loss")]
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
    before, runs, weights = os.getloadavg()[0], [], []
    for round_ in range(options.rounds):
        for processes in PROCESSES[:: (-1) ** round_]:
            run, learned = taken(processes, options.epochs)
            print(processes, run["cpu"], run["wall"], run["result"], file=sys.stderr, flush=True)
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
