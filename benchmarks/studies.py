"""A study in one program and one by one, and by 1, 2 and 4 processes: how long, and whether the rows are the same.

    python -m benchmarks.studies [--runs 12] [--rounds 2] [--out benchmarks/studies.md]

The ways take turns in one program. One by one, each run has a compiled program of its own, as a script that is started
for each has one; together, runs that differ only in numbers share one. Workers are processes, which take chunks of
runs from a queue in the same database, and compile their own programs.
"""

from __future__ import annotations

import argparse
import dataclasses
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

import surgrad

STUDY = """
seeds = {seeds}
epochs = 4
steps = 20
batch = 32
scales = [1.0, 10.0, 100.0]
surrogates = ["arctan"]
tasks = [{{ name = "temporal_xor", samples = 400 }}]
networks = [{{ hidden = 64 }}]
"""
ALONE = """
import dataclasses, sys
from surgrad import study
whole = study.Study.from_toml(sys.argv[1])
run = whole.runs[int(sys.argv[3])]
one = dataclasses.replace(whole, variants=[run.variant], settings=dataclasses.replace(run.settings, seeds=(run.seed,)))
dataclasses.replace(one, name=f"run {sys.argv[3]}").run(sys.argv[2])
"""
WORKERS = 1, 2, 4
ONE, TOGETHER = "one by one", "one program"


class Taken(NamedTuple):
    """Seconds of a way, of CPU and of the clock, and its rows but for their seconds."""

    cpu: float
    wall: float
    rows: frozenset[object]


def measured(commands: list[list[str]], folder: Path, environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds of CPU and of the clock that commands of Python take, one after the other, with their processes."""
    wall, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
    for command in commands:
        subprocess.run([sys.executable, *command], check=True, cwd=folder, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu, time.monotonic() - wall


def ways(runs: int) -> dict[str, list[list[str]]]:
    """The commands of each way, one after the other, with FILE and DATABASE to be filled in."""
    command = ["-m", "surgrad", "study", "FILE", "--database", "DATABASE"]
    workers = {f"{n} workers": [[*command, "--workers", str(n), "--heartbeat", "2"]] for n in WORKERS}
    return {ONE: [["-c", ALONE, "FILE", "DATABASE", str(k)] for k in range(runs)], TOGETHER: [command], **workers}


def taken(commands: list[list[str]], file: Path, runs: int) -> Taken:
    """Run the commands of a way in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        database = f"sqlite:///{folder}/results.db"
        names = {"FILE": str(file), "DATABASE": database}
        cpu, wall = measured(
            [[names.get(word, word) for word in command] for command in commands], Path(folder), os.environ
        )
        rows = frozenset(dataclasses.replace(row, seconds=0.0) for row in all_rows(file, database, len(commands), runs))
    return Taken(cpu, wall, rows)


def all_rows(file: Path, database: str, commands: int, runs: int) -> list[object]:
    """The rows in the table, also where each run is a study of its own."""
    from surgrad.study._table import Table

    names = [file.stem] if commands == 1 else [f"run {k}" for k in range(runs)]
    table = Table(database)
    rows: list[object] = [one.row for name in names for one in table.sound(name)[0]]
    if len(rows) != runs:
        raise SystemExit(f"{len(rows)} of {runs} rows are in the table")
    return rows


def where(*packages: str, load: tuple[float, float]) -> str:
    """A sentence on the versions and the machine."""
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("jax", "jaxlib", "optax", *packages))
    return (
        f"surgrad {surgrad.__version__}, {versions}; Python {platform.python_version()}, {os.cpu_count()} CPUs, load "
        f"{load[0]:.1f} at the start and {load[1]:.1f} at the end."
    )


def page(found: dict[str, list[Taken]], runs: int, load: tuple[float, float]) -> str:
    """The table: medians over rounds, and ratios within rounds."""
    lines = [
        "# One program, and several processes, for a study",
        "",
        f"`python -m benchmarks.studies --runs {runs} --rounds {len(found[ONE])}`: {runs} runs of a network with 64",
        "hidden neurons, that differ in scale and seed. Ways take turns; medians over rounds, ratios within rounds.",
        "Seconds are of whole processes, with imports and compilation.",
        "",
        where("optuna", load=load),
        "",
        "| way | CPU, s | time, s | CPU over one program | time over one program | the same rows |",
        "|-|-|-|-|-|-|",
    ]
    for way, rounds in found.items():
        cpu, wall = (statistics.median(getattr(one, of) for one in rounds) for of in ("cpu", "wall"))
        ratios = [
            statistics.median(getattr(a, of) / getattr(b, of) for a, b in zip(rounds, found[TOGETHER], strict=True))
            for of in ("cpu", "wall")
        ]
        same = all(one.rows == found[TOGETHER][0].rows for one in rounds)
        told = "yes, bit by bit" if same else "**no**"
        lines.append(f"| {way} | {cpu:.1f} | {wall:.1f} | {ratios[0]:.2f} | {ratios[1]:.2f} | {told} |")
    return "\n".join([*lines, ""])


def main() -> None:
    """Write the page, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=12, help="a multiple of 3, the number of scales")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/studies.md"))
    options = parser.parse_args()
    before, found = os.getloadavg()[0], dict[str, list[Taken]]()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "study.toml"
        file.write_text(STUDY.format(seeds=list(range(options.runs // 3))))
        for round_ in range(options.rounds):
            order = list(ways(options.runs).items())
            for way, commands in order[:: (-1) ** round_]:
                found.setdefault(way, []).append(taken(commands, file, options.runs))
                print(way, found[way][-1][:2], file=sys.stderr, flush=True)
    text = page({way: found[way] for way in ways(options.runs)}, options.runs, (before, os.getloadavg()[0]))
    options.out.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
