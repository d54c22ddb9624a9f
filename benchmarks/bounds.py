"""How far goals of the dense benchmark are from what XLA takes for its parts, measured in turn.

    python -m benchmarks.bounds [--sizes 512,1024] [--peers sparx,spyx,spikingjelly] [--rounds 15] [--write]

A goal is a share of the time of the fastest peer. Beside surgrad run the products alone, and the products with squares
in place of neurons (`compare/peers/squares_xla.py`), which is less than any neurons take. Where this is above the goal,
what is missing is not in the loop over neurons but in XLA's products and in memory. Times are CPU milliseconds, ratios
medians of those within a round. With `--write` the tables go to `benchmarks/bounds.md`.
"""

from __future__ import annotations

import argparse
import datetime
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax

import surgrad
from benchmarks.compare import environments, rounds, targets
from benchmarks.compare.cases import Case, cases
from benchmarks.compare.competitors import COMPETITORS

PARTS = ("products_xla", "squares_xla", "surgrad")
"""What is compared with the fastest peer."""


def table(case: Case, run: dict[str, Any]) -> Iterator[str]:
    """Lines of Markdown: who, CPU milliseconds, share of the fastest peer, and what the goal leaves beside it."""
    best = targets.fastest_peer(run, "cpu_s")
    goal = next(row.limit for row in targets.rows({"runs": [run]}) if row.what.endswith("fastest peer"))
    yield f"\n{case.name}: at most {goal:g} of the fastest peer\n"
    yield "| | CPU ms | of the fastest peer | left for the rest, ms |"
    yield "|-|-|-|-|"
    if best is None:
        return
    fastest = run["competitors"][best]["cpu_s"]["median"]
    for name in (best, *PARTS):
        if not targets.timed(run, name):
            continue
        taken, share = run["competitors"][name]["cpu_s"]["median"], targets.ratio(run, name, best, "cpu_s")
        left = f"{1e3 * (goal * fastest - taken):.0f}" if COMPETITORS[name].role == "limit" else ""
        yield f"| {COMPETITORS[name].label} | {1e3 * taken:.1f} | {share:.3f} | {left} |"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bounds", description="What the parts of a step take.")
    parser.add_argument("--sizes", default="512,1024", help="numbers of neurons that have a goal (default: 512,1024)")
    fastest = "sparx,spyx,spikingjelly"  # in the last full run, one of them at each size
    parser.add_argument("--peers", default=fastest, help=f"libraries that may be the fastest (default: {fastest})")
    parser.add_argument("--rounds", type=int, default=15, help="steps of each, >= 1 (default: 15)")
    parser.add_argument("--write", action="store_true", help="write benchmarks/bounds.md too")
    asked = parser.parse_args(arguments)
    peers = asked.peers.split(",")
    pythons = environments.pythons(peers)
    about = f"{datetime.date.today()}, surgrad {surgrad.__version__}, JAX {jax.__version__}, {asked.rounds} rounds."
    lines = ["# What the parts of a step take", "", f"Made by `python -m benchmarks.bounds --write`. {about}"]
    with tempfile.TemporaryDirectory() as folder:
        for case in cases("a", [int(size) for size in asked.sizes.split(",")]):
            if case.activity is None:
                match = rounds.Match(case, [*peers, *PARTS], Path(folder) / "log.txt", pythons)
                found = list(table(case, match.play(asked.rounds)))
                print("\n".join(found), flush=True)
                lines += found
    if asked.write:
        Path(__file__).with_suffix(".md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
