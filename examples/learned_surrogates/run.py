"""Learned surrogates: alpha fixed, calibrated, tuned and learned. `python run.py --out FOLDER [--quick]`."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import jax
import pictures
import report
import rows as records
from jobs import jobs, work
from problem import MANIFOLDS, Settings

QUICK = Settings(
    problems=(
        dataclasses.replace(
            MANIFOLDS,
            options=(("classes", 2), ("steps", 10), ("samples", 40)),
            sizes=(48, 16, 16),
            hidden=8,
            depth=2,
            updates=12,
            batch=8,
        ),
    ),
    seeds=(0,),
    scales=(0.1, 1.0, 100.0),
    points=4,
    candidates=3,
    window=3,
    judges=8,
    horizons=(1,),
)


@contextmanager
def optimized(whether: bool) -> Iterator[None]:
    """Whether XLA optimises; to compile takes longer than to run where networks are tiny."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", not whether)
    try:
        yield
    finally:
        jax.config.update("jax_disable_most_optimizations", before)


def main(arguments: list[str] | None = None) -> None:
    """Run what is not done yet, and write page and figures of what is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of results; a run that was cut off goes on")
    parser.add_argument("--quick", action="store_true", help="tiny networks, which learn nothing, to try the program")
    given = parser.parse_args(arguments)
    settings = QUICK if given.quick else Settings()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "runs.jsonl"
    found = records.read(path, settings)
    done = {(row["task"], row["method"]) for row in found}
    with optimized(not given.quick):
        for problem, method in jobs(settings):
            if (problem.task, method) not in done:
                made = work(problem, method, settings)
                records.append(path, made, settings)
                found += made
                print(problem.task, method, f"{len(made)} rows", file=sys.stderr, flush=True)

    pictures.write(found, settings, given.out)
    report.write(found, settings, given.out)


if __name__ == "__main__":
    main()
