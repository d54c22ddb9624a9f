"""The README's table of surgrad beside its peers, written from a file of results of `benchmarks.compare`.

    python -m benchmarks.compare         # `make bench`: measures all, and writes the table
    python -m benchmarks.readme_table    # the table again, from benchmarks/results/results.json

A cell is the CPU time of a training step (forward and backward pass) over that of surgrad, the median of the
ratios within a round.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.compare import targets
from benchmarks.compare.competitors import COMPETITORS

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results" / "results.json"
BEGIN, END = "<!-- peers -->", "<!-- /peers -->"
OURS = "surgrad"
SHOWN = ("peer", "baseline", "ours")
COLUMNS = {"a": (512, 1024), "b": (700,), "c": (28,), "g": (700,)}
"""The cases that the table shows, by workload and first size."""


def table(results: dict[str, Any]) -> str:
    """The table, a row for each competitor and a column for each case, and a line that says where it was measured."""
    runs = [run for run in results["runs"] if run["sizes"][0] in COLUMNS.get(run["workload"], ())]
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
    machine = results["machine"]
    where = f"{results['date']}, {machine['cores']} cores of {machine['cpu'] or 'an unknown processor'}"
    lines += ["", "; ".join([where, listed(results["versions"]), *_elsewhere(runs, results["versions"])]) + "."]
    return "\n".join(lines)


def listed(versions: dict[str, str | None]) -> str:
    """Packages with their versions."""
    return ", ".join(f"{name} {version}" for name, version in versions.items() if version)


def _elsewhere(runs: list[dict[str, Any]], versions: dict[str, str | None]) -> Iterator[str]:
    """The versions of competitors that ran in an environment of their own."""
    figures = {name: found for run in runs for name, found in run["competitors"].items() if found["status"] == "timed"}
    for name, found in figures.items():
        if other := {package: v for package, v in found["versions"].items() if v != versions.get(package)}:
            yield f"{COMPETITORS[name].label}: {listed(other)}"


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


def write(results: dict[str, Any]) -> None:
    """Write the table of results into the README."""
    page = ROOT / "README.md"
    page.write_text(written(page.read_text(encoding="utf-8"), table(results)), encoding="utf-8")


if __name__ == "__main__":
    write(json.loads(RESULTS.read_text(encoding="utf-8")))
