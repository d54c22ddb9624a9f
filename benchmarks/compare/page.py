"""The page of results: Markdown and pictures, written from the JSON alone.

python -m benchmarks.compare.page results/benchmarks/results.json
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.compare import plots, targets
from benchmarks.compare.cases import WORKLOADS
from benchmarks.compare.competitors import COMPETITORS

HOW = """Each competitor runs in a process of its own with {threads} threads. They take turns, {rounds} rounds (a fifth
of them from 4000 steps on), so that load of the machine falls on all alike. A step is forward and backward pass, with
gradients of weights and biases. Times are medians with quartiles in brackets, ratios are medians of the ratios within a
round. Memory is the peak resident set beyond inputs and weights. *First call* is the CPU time of the first step beyond
that of the others: compilation, or what a library prepares. Before anything is timed, spikes and gradients are compared
with a plain scan in float64; what does not agree is not timed. A dash is an unknown figure. `benchmarks/README.md` says
how each competitor is written."""


COLUMNS = (
    "competitor",
    "CPU ms",
    "wall ms",
    "CPU / fastest library",
    "CPU / products, XLA",
    "memory MB",
    "first call CPU s",
    "spikes that differ",
    "gradient off by",
)


def write(results: dict[str, Any], folder: Path) -> Path:
    """The page and its pictures in a folder; returns the page's path."""
    pictures = plots.draw(results, folder)
    parts = ["# surgrad and its peers", _where(results), HOW.format(**results["options"]), _targets(results)]
    for workload, title in WORKLOADS.items():
        runs = [run for run in results["runs"] if run["workload"] == workload]
        if runs:
            parts += [f"## ({workload}) {title}"]
            parts += [f"![{title}]({file})" for name, file in pictures.items() if name.split("-")[0] == workload]
            here = results["commit"]["id"]
            parts += [f"### {run['name']}\n\n{_commit(run, here)}{_table(run)}{_compilation(run)}" for run in runs]
    parts += _operations(results, pictures)
    page = folder / "README.md"
    page.write_text("\n\n".join(part for part in parts if part) + "\n", encoding="utf-8")
    return page


def _where(results: dict[str, Any]) -> str:
    machine, load, commit = results["machine"], results["load"], results["commit"]
    found = ", ".join(f"{name} {version}" for name, version in results["versions"].items() if version)
    changed = " with changes" if commit["changed"] else ""
    before, after = load["before"], load["after"]
    return (
        f"{results['date']}, {machine['cpu'] or 'unknown processor'}, {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}; load of the machine {before} before and {after} after, means over 1, 5 and 15 "
        f"minutes; commit {(commit['id'] or 'unknown')[:12]}{changed}.\n\n{found}."
    )


def _targets(results: dict[str, Any]) -> str:
    rows = targets.rows(results)
    if not rows:
        return ""
    lines = ["| target | at most | CPU | wall | reached |", "|-|-|-|-|-|"]
    for row in rows:
        reached = {True: "yes", False: "**no**", None: "unknown"}[row.reached]
        cpu, wall = (number(value) for value in (row.cpu, row.wall))
        lines.append(f"| {row.what} | {number(row.limit)} {row.unit} | {cpu} | {wall} | {reached} |")
    return "## Targets\n\n" + "\n".join(lines)


def _table(run: dict[str, Any]) -> str:
    """A row for each competitor, with its ratios to the fastest library and to the products of XLA."""
    best = targets.fastest_peer(run, "cpu_s")
    lines = [f"| {' | '.join(COLUMNS)} |", "|-" * len(COLUMNS) + "|"]
    for name, found in run["competitors"].items():
        label = COMPETITORS[name].label + (" (fastest library)" if name == best else "")
        if found["status"] != "timed":
            lines.append(f"| {label} | {found['status']}: {one_line(found['reason'])} | | | | | | | |")
            continue
        ratios = [targets.ratio(run, name, other, "cpu_s") for other in (best, "products_xla")]
        memory = None if found["memory_bytes"] is None else found["memory_bytes"] / 1e6
        parity = found["parity"]
        differ = "—" if parity["entries"] is None else f"{parity['spikes_that_differ']} of {parity['entries']:,}"
        error = "—" if parity["gradient_error"] is None else f"{parity['gradient_error']:.0e}"
        cells = [times(found["cpu_s"]), times(found["wall_s"]), *map(number, ratios), number(memory)]
        first = found["first_call_cpu_s"]
        beyond = None if first is None else max(first - found["cpu_s"]["median"], 0.0)
        lines.append(f"| {label} | {' | '.join([*cells, number(beyond), differ, error])} |")
    return "\n".join(lines)


def _commit(run: dict[str, Any], here: str | None) -> str:
    """The commit that a case was measured at, if it is another than that of the page."""
    made = run.get("commit", here)
    return "" if made == here else f"Measured at commit {(made or 'unknown')[:12]}.\n\n"


def _compilation(run: dict[str, Any]) -> str:
    """A table of compilation, where it was asked about."""
    known = {n: found for n, found in run["competitors"].items() if found.get("compile_cpu_s") is not None}
    if not known:
        return ""
    what = (
        "CPU seconds that the first step takes beyond a usual one: medians of three processes each, one after another, "
        "of the first program of a process, and of the same program made again, when what is loaded once is there."
    )
    keys = ("compile_cpu_s", "compile_again_cpu_s")
    rows = [f"| {COMPETITORS[n].label} | {' | '.join(number(found[k]) for k in keys)} |" for n, found in known.items()]
    return "\n".join(["\n", what, "", "| | the first program | again |", "|-|-|-|", *rows])


def _operations(results: dict[str, Any], pictures: dict[str, str]) -> list[str]:
    parts = []
    if results.get("elements"):
        parts += ["## (e) Slopes", f"![Slopes]({pictures['e']})"]
    if results.get("eager"):
        eager = results["eager"]
        tables = [eager[key] for key in ("median_us", "first_us", "last_us")]
        lines = [
            f"| {name} | {number(v['cpu'])} | {number(v['wall'])} | "
            + " | ".join(number(table[name]["cpu"]) for table in tables[1:])
            + " |"
            for name, v in tables[0].items()
        ]
        what = f"## (f) Eager calls\n\n{eager['surrogate']}, {eager['size']} elements, {eager['calls']:,} calls each."
        columns = "| | CPU µs | wall µs | CPU µs, first tenth | CPU µs, last tenth |"
        parts.append("\n".join([what, "", columns, "|-|-|-|-|-|", *lines]))
    if results.get("imports"):
        lines = [f"| {m or 'Python alone'} | {number(v)} |" for m, v in results["imports"]["cpu_s"].items()]
        parts.append("\n".join(["## Imports", "", "| | CPU s |", "|-|-|", *lines]))
    return parts


def times(found: dict[str, Any]) -> str:
    """A median in milliseconds, with its quartiles."""
    low, middle, high = (number(1000 * found[key]) for key in ("low", "median", "high"))
    return f"{middle} ({low}–{high})"


def number(value: float | None) -> str:
    """Three digits, never an exponent; a dash where it is unknown."""
    if value is None:
        return "—"
    return (
        f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}" if abs(value) >= 0.01 or not value else f"{value:.4f}"
    )


def one_line(reason: str | None) -> str:
    """A reason that fits into a cell."""
    return " ".join((reason or "").replace("|", "/").split())[:160]


def main(write: Callable[[dict[str, Any], Path], Path] = write) -> None:
    """Write the page of a file of results beside it."""
    parser = argparse.ArgumentParser(description="The page of a file of results, written beside it.")
    parser.add_argument("results", type=Path)
    options = parser.parse_args()
    print(write(json.loads(options.results.read_text(encoding="utf-8")), options.results.parent))


if __name__ == "__main__":
    main()
