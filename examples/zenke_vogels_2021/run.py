"""Zenke & Vogels (2021): accuracy against the scale of the surrogate. `python run.py --out FOLDER [--quick]`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import figure
import page
import records
from experiment import Settings, families, run

QUICK = Settings(
    betas=(1.0, 100.0), seeds=(0, 1), classes=(2, 3), samples=40, steps=12, window=8, hidden=8, updates=4, batch=16
)


def main(arguments: list[str] | None = None) -> None:
    """Run what is not done yet, and write page and figures of what is."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder of results; a run that was cut off goes on")
    parser.add_argument("--quick", action="store_true", help="tiny networks, which learn nothing, to try the program")
    given = parser.parse_args(arguments)
    settings = QUICK if given.quick else Settings()
    given.out.mkdir(parents=True, exist_ok=True)
    path = given.out / "runs.jsonl"
    rows = records.read(path, settings)
    done = set(records.curves(rows))
    for family in families(settings):
        if family not in done:
            made = run(family, settings)
            records.append(path, made, settings)
            rows += made
            print(family, f"{sum(row['cpu_seconds'] for row in made):.0f} s of CPU time", file=sys.stderr, flush=True)
    figure.write(rows, settings, given.out)
    page.write(rows, settings, given.out)


if __name__ == "__main__":
    main()
