"""The page of results on a GPU, in Markdown, written from the JSON alone.

python -m benchmarks.gpu.page benchmarks/gpu/results/results.json
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.compare import targets
from benchmarks.compare.competitors import COMPETITORS
from benchmarks.compare.page import main, number, one_line, times
from benchmarks.gpu.cases import WORKLOADS
from benchmarks.gpu.goals import OURS, goals

UNKNOWN = "not measured"

HOW = """Each competitor runs in a process of its own, which takes the device's memory as it needs it; all of a case are
alive at once and take turns. A turn is a step that is not counted and then at least three that are, each waited for
until the device is done; its figure is their median. Times are medians over {rounds} turns with quartiles in brackets,
ratios are medians of the ratios within a round. A step is forward and backward pass, in float32 where nothing else
is said, with products of float32 proper (TF32 is off for all). *Memory* is what a step needs beyond inputs and weights:
PyTorch's peak, and for JAX the temporary arrays and results of the compiled step; *of the process* is JAX's own peak,
which holds what XLA tries while it compiles. *First call* compiles. Before anything is timed, spikes and gradients are
compared with a plain scan in float64; what does not agree is not timed. In (g1), a neuron and step of the copy moves
{copied}. `benchmarks/README.md` says how each competitor is written."""

NO_GPU = """**No GPU was at hand: nothing was measured, and nothing is claimed.** On a machine that has one, run
`python -m benchmarks.gpu`."""

COPIED = "24 bytes in float32 and 16 in float16: currents, spikes, the gradients by both, a float32 written and read"

COLUMNS = (
    "competitor",
    "ms a step",
    "surgrad takes",
    "ps a neuron and step",
    "memory MB",
    "of the process MB",
    "first call s",
    "spikes that differ",
    "gradient off by",
)


def write(results: dict[str, Any], folder: Path) -> Path:
    """The page in a folder; returns its path."""
    parts = ["# surgrad and its peers on a GPU", _where(results)]
    parts += [HOW.format(rounds=results["options"]["rounds"], copied=COPIED), "## Goals", _goals(results)]
    for workload, title in WORKLOADS.items():
        runs = [run for run in results["runs"] if run["workload"] == workload]
        if runs:
            parts.append(f"## ({workload}) {title}")
            parts += [f"### {run['name']}\n\n{_table(run)}" for run in sorted(runs, key=lambda run: run["steps"])]
    page = folder / "README.md"
    page.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return page


def _where(results: dict[str, Any]) -> str:
    card, machine, commit = results["card"], results["machine"], results["commit"]
    if results["options"]["rehearsal"]:
        return "**A rehearsal on a CPU, with tiny sizes: it shows that everything runs, and no figure means anything.**"
    if card is None:
        return NO_GPU
    found = ", ".join(f"{name} {version}" for name, version in results["versions"].items() if version)
    return (
        f"{results['date']}: {card['card']}, {card['memory']}, {card['clock']} at most, driver {card['driver']}; "
        f"{machine['cpu'] or 'unknown processor'}, {machine['cores']} cores, Python {machine['python']}; commit "
        f"{(commit['id'] or 'unknown')[:12]}{' with changes' if commit['changed'] else ''}.\n\n{found}."
    )


def _goals(results: dict[str, Any]) -> str:
    lines = ["| goal of surgrad, as it comes | at most | measured | |", "|-|-|-|-|"]
    for goal in goals(results):
        found = UNKNOWN if goal.found is None else f"{goal.found:.2f}"
        state = "a rehearsal" if results["options"]["rehearsal"] else goal.state
        lines.append(f"| {goal.what} | {goal.limit:.1f} | {found} | {state} |")
    return "\n".join(lines)


def _table(run: dict[str, Any]) -> str:
    lines = [f"| {' | '.join(COLUMNS)} |", "|-" * len(COLUMNS) + "|"]
    return "\n".join(lines + [f"| {' | '.join(_cells(run, name))} |" for name in run["competitors"]])


def _cells(run: dict[str, Any], name: str) -> list[str]:
    found = run["competitors"][name]
    label = COMPETITORS[name].label
    if found["implementation"]:
        label += f" ({found['implementation']})"
    if found["status"] != "timed":
        reason = UNKNOWN if found["status"] == UNKNOWN else f"{UNKNOWN}, {found['status']}"
        return [label, f"{reason}: {one_line(found['reason'])}", *[UNKNOWN] * (len(COLUMNS) - 2)]
    ratio, parity = targets.ratio(run, OURS, name, "wall_s"), found["parity"]
    a_step = 1e12 * found["wall_s"]["median"] / (run["steps"] * run["batch"] * run["sizes"][-1])
    differ = "—" if parity["entries"] is None else f"{parity['spikes_that_differ']} of {parity['entries']:,}"
    error = "—" if parity["gradient_error"] is None else f"{parity['gradient_error']:.0e}"
    return [
        label,
        times(found["wall_s"]),
        UNKNOWN if ratio is None else f"{ratio:.2f} ×",
        number(a_step) if run["architecture"] == "neurons" else "—",
        *(_megabytes(found[key]) for key in ("memory_bytes", "process_bytes")),
        number(found["first_call_s"]),
        differ,
        error,
    ]


def _megabytes(count: float | None) -> str:
    return UNKNOWN if count is None else number(count / 1e6)


if __name__ == "__main__":
    main(write)
