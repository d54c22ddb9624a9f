"""The README's table of surgrad beside its peers, written from a file of results of `benchmarks.compare`.

    python -m benchmarks.compare --workload abc --sizes 512 --rounds 9 --out benchmarks/peers
    python -m benchmarks.readme_table [benchmarks/peers/results.json]

A cell is the CPU time of a training step (forward and backward pass) over that of surgrad, the median of the
ratios within a round.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from benchmarks.compare import targets
from benchmarks.compare.competitors import COMPETITORS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "peers" / "results.json"
BEGIN, END = "<!-- peers -->", "<!-- /peers -->"
OURS = "surgrad"
SHOWN = ("peer", "baseline", "ours")


def table(results: dict[str, Any]) -> str:
    """The table, a row for each competitor and a column for each case, and a line that says where it was measured."""
    runs = results["runs"]
    names = [n for n in COMPETITORS if COMPETITORS[n].role in SHOWN and any(_cell(run, n) != "–" for run in runs)]
    heads = [" neurons, ".join(run["name"].split(", ")[:: len(run["name"].split(", ")) - 1]) for run in runs]
    lines = [
        "| CPU time of a training step | " + " | ".join(heads) + " |",
        "|-" * (len(runs) + 1) + "|",
    ]
    for name in names:
        cells = [_cell(run, name) for run in runs]
        label = f"**{COMPETITORS[name].label}**" if name == OURS else COMPETITORS[name].label
        lines.append(f"| {label} | {' | '.join(cells)} |")
    machine, versions = results["machine"], results["versions"]
    found = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    lines += ["", f"{machine['cores']} cores of {machine['cpu'] or 'an unknown processor'}; {found}."]
    return "\n".join(lines)


def _cell(run: dict[str, Any], name: str) -> str:
    found = run["competitors"].get(name)
    if found is None or found["status"] != "timed":
        return "–"
    ratio = targets.ratio(run, name, OURS, "cpu_s")
    if name == OURS:
        return f"{1000 * found['cpu_s']['median']:.0f} ms"
    return "–" if ratio is None else f"{ratio:.2f} ×"


def written(page: str, text: str) -> str:
    """The page with the table between its two marks."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n{text}\n{END}", page, flags=re.DOTALL)


def main() -> None:
    """Write the table of a file of results into the README."""
    parser = argparse.ArgumentParser(description="The README's table of peers, from a file of results.")
    parser.add_argument("results", type=Path, nargs="?", default=RESULTS)
    results = json.loads(parser.parse_args().results.read_text(encoding="utf-8"))
    page = ROOT / "README.md"
    page.write_text(written(page.read_text(encoding="utf-8"), table(results)), encoding="utf-8")


if __name__ == "__main__":
    main()
