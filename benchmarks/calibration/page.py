"""Page and picture of the collected and the confirmed cases.

python -m benchmarks.calibration.page results/calibration.jsonl results/confirmed.jsonl FOLDER
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from benchmarks.calibration.collect import UPDATES
from benchmarks.calibration.confirm import CANDIDATES, SEEDS, STARTS, TUNED
from benchmarks.calibration.rules import GROWTH, STATISTICS, Row, Rule, chosen, outcome, power, read, smooth
from surgrad.meta._inspection.calibration import BASE
from surgrad.meta._inspection.calibration import GROWTH as GROWS

LIBRARY = Rule(power(0.5), BASE, GROWS)
"""The rule of `meta.calibrate`, but for one scale for all layers."""
FIXED = (0.562, 1.0, 1.78, 3.16)
GOALS = {"calibrate": (0.3, 1.5), "tune": (0.2, 1.0)}
BLUE, ORANGE, GREY, INK = "#332288", "#CC6677", "#BBBBBB", "#333333"

HEAD = """# Calibration and tuning, measured

Written by `python -m benchmarks.calibration.page`; JAX {jax}, {backend}. {cases} cases: five tasks (digits as
latencies and as rates, random manifolds, a delayed memory, a temporal XOR), six shapes of unit area and of unit peak,
one to four layers of 64 neurons with and without recurrent connections; {updates} updates of Adam, 15 scales from 0.03
to 100 with 3 seeds each. Rules are chosen on {choose} of them and judged on the other {held}. "Lost" are points of
test accuracy against the best scale of the grid.
"""
RULES = """## Rules, before any training

One scale a network, from the statistics of its first forward pass. Mean and worst loss over cases; the mean is against
the best of noisy means, which is too good, and in the last column against the scale that is best for the *other*
seeds, which is not.

| statistic | target | growth a slope | chosen by: mean | worst | held out: mean | worst | mean, unbiased |
|-|-|-|-|-|-|-|-|
"""
CONFIRMED = """## Held out, with new seeds

{count} held-out cases with {seeds} seeds that nothing was chosen by. Every run begins at a scale drawn from {low:g} to
{high:g}; `meta.calibrate` sets each layer's by a batch of 64. "Best" is the best of three scales of the grid, that
which was best in the collected runs and its neighbours, for the same seeds: the best of three noisy means, which is
too good by a fraction of the standard error. Points lost:

| | mean | worst case | cases that lose more than {limit:g} | goal: mean, worst |
|-|-|-|-|-|
"""


def write(rows: list[Row], confirmed: list[dict[str, Any]], folder: Path) -> None:
    """`README.md`, `cases.png` and `confirmed.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    halves = [[row for row in rows if row.case["held_out"] == held] for held in (False, True)]
    head = HEAD.format(
        jax=jax.__version__, backend=jax.default_backend(), cases=len(rows), updates=UPDATES,
        choose=len(halves[0]), held=len(halves[1]),
    )  # fmt: skip
    parts = (head, "![Scales picked and scales that are good](cases.png)\n", _rules(halves), _confirmed(confirmed))
    (folder / "README.md").write_text("\n".join(parts))
    (folder / "confirmed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in confirmed))
    picture(halves[1]).savefig(folder / "cases.png", dpi=100)


def _rules(halves: list[list[Row]]) -> str:
    lines = []
    for name in STATISTICS:
        for growth in ((0.0,), GROWTH):
            rule = chosen(name, halves[0], growth)
            if rule.growth or growth == (0.0,):
                lines.append(_rule(name, rule, f"{rule.value:.3f}", f"{rule.growth:g}", halves))
    ours = _rule("**that of `meta.calibrate`**", LIBRARY, f"{BASE:g}", f"{GROWS:g}", halves)
    fixed = [
        _rule(f"none, scale {s:g}", lambda row, s=s: np.full(row.accuracy.shape[1], s), "", "", halves) for s in FIXED
    ]
    return RULES + "\n".join([ours, *lines, *fixed]) + "\n"


def _rule(name: str, rule: Any, value: str, growth: str, halves: list[list[Row]]) -> str:
    by, held = (outcome(rule, half) for half in halves)
    numbers = f"{by.mean:.2f} | {by.worst:.1f} | {held.mean:.2f} | {held.worst:.1f} | {held.beside:.2f}"
    return f"| {name} | {value} | {growth} | {numbers} |"


def _confirmed(confirmed: list[dict[str, Any]]) -> str:
    if not confirmed:
        return ""
    calibrated = np.array([_best(row) - np.mean(row["calibrated"]) for row in confirmed]) * 100
    # A tuned run differs from the calibrated one of its seed where another candidate won.
    change = [
        np.mean([r["accuracy"] - r["calibrated"] for r in row["tuned"] if not r["kept"]] or [0]) for row in confirmed
    ]
    share = [np.mean([not r["kept"] for r in row["tuned"]]) for row in confirmed]
    tuned = calibrated - 100 * np.array(change) * np.array(share)
    limit = GOALS["calibrate"][1]
    head = CONFIRMED.format(count=len(confirmed), seeds=len(SEEDS), low=STARTS[0], high=STARTS[1], limit=limit)
    lines = [_lost(name, lost, limit) for name, lost in (("calibrate", calibrated), ("tune", tuned))]
    table = head + "\n".join(lines) + "\n"
    parts = _shape(calibrated), _spread(confirmed), _tuning(confirmed), _costs(confirmed), _cases(confirmed, calibrated)
    return table + "".join(parts)


def _best(row: dict[str, Any]) -> float:
    return float(np.mean(row["grid"], axis=1).max())


def _lost(name: str, lost: np.ndarray, limit: float) -> str:
    mean, worst = GOALS[name]
    above = f"{(lost > limit).sum()} of {len(lost)}"
    return f"| {name} | {lost.mean():.2f} | {lost.max():.1f} | {above} | {mean:g}, {worst:g} |"


def _shape(lost: np.ndarray) -> str:
    """What the mean of the losses hangs on."""
    found = f"The median over cases is {np.median(lost):.2f}; the mean of losses that are cut off below 0 is "
    gained = [f"{-x:.1f}" for x in np.sort(lost) if x < -5]
    found += f"{np.maximum(lost, 0).mean():.2f}, which is too high by noise."
    if gained:
        rest = lost[lost >= -5].mean()
        found += (
            f" In {len(gained)} cases, where the best of the grid was chance in the collected runs, calibration gains "
            f"{' and '.join(gained)} points; without them the mean is {rest:.2f}."
        )
    return f"\n{found}\n"


def _spread(confirmed: list[dict[str, Any]]) -> str:
    errors = [100 * np.std(row["calibrated"], ddof=1) / np.sqrt(len(row["calibrated"])) for row in confirmed]
    return (
        f"\nThe standard error of a case's mean accuracy is {np.median(errors):.1f} points in the median and "
        f"{np.max(errors):.1f} at most.\n"
    )


def _tuning(confirmed: list[dict[str, Any]]) -> str:
    runs = [run for row in confirmed for run in row["tuned"]]
    kept, updates = np.mean([run["kept"] for run in runs]), np.mean([run["updates"] for run in runs]) / UPDATES
    wall = np.median([run["seconds"] / run["plain_seconds"] for run in runs])
    one = np.mean([run["one_by_one"] for run in runs]) / UPDATES
    return (
        f"\n`meta.tune` ran with {len(TUNED)} of the seeds, {CANDIDATES} candidates from {STARTS[0]:g} to "
        f"{STARTS[1]:g}, the calibrated scale among them: it kept that in {100 * kept:.0f} % of {len(runs)} runs. "
        f"Cost: {updates:.2f} plain runs by updates, {wall:.2f} by wall seconds (median, compilation of both "
        f"included); one by one {one:.1f}.\n"
    )


def _costs(confirmed: list[dict[str, Any]]) -> str:
    ratio = np.array([row["seconds"]["calibrate"] / row["seconds"]["update"] for row in confirmed])
    found = f"{np.median(ratio):.1f} updates' time in the median, {ratio.max():.1f} at most (goal: 3)"
    return f"\nA calibration takes {found}.\n"


def _cases(confirmed: list[dict[str, Any]], lost: np.ndarray) -> str:
    lines = ["\n| case | best of the grid, % | calibrated, % | lost |", "|-|-|-|-|"]
    for i in np.argsort(-lost):
        row = confirmed[i]
        ours = f"{100 * np.mean(row['calibrated']):.1f} ± {100 * np.std(row['calibrated'], ddof=1):.1f}"
        lines.append(f"| {named(row)} | {100 * _best(row):.1f} | {ours} | {lost[i]:.1f} |")
    return "\n".join(lines) + "\n"


def named(case: dict[str, Any]) -> str:
    """A case in words."""
    layers = f"{case['depth']} layer{'s' if case['depth'] > 1 else ''}{', recurrent' if case['recurrent'] else ''}"
    return f"{case['task'].replace('_', ' ')}; {case['shape']}, unit {case['normalisation']}; {layers}"


def picture(rows: list[Row]) -> Figure:
    """Of each case the scales within a point of the best, and the one that the rule picks."""
    ordered = sorted(rows, key=lambda row: (row.in_a_row, row.case["task"]))
    figure = Figure(figsize=(10, 0.21 * len(ordered) + 1.6), layout="constrained")
    axes = figure.subplots()
    for y, row in enumerate(ordered):
        curve = smooth(row.accuracy)
        good = row.scales[curve > curve.max() - 1]
        axes.plot([good.min() / 1.15, good.max() * 1.15], [y, y], color=GREY, lw=6, solid_capstyle="butt")
        axes.plot(row.scales[curve.argmax()], y, "|", color=INK, ms=8, mew=1.5)
        axes.plot(np.exp(np.log(LIBRARY(row)).mean()), y, "o", color=ORANGE, ms=5)
    axes.set_yticks(range(len(ordered)), [named(row.case) for row in ordered], fontsize=8)
    axes.set(
        xscale="log", xlabel="scale (steepness relative to the default shape, dimensionless)", ylim=(-1, len(ordered))
    )
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_title("Held-out cases: where accuracy is good, and what calibration picks", loc="left", fontsize=11)
    handles = [
        Line2D([], [], color=GREY, lw=6, label="within a point of the best"),
        Line2D([], [], color=INK, marker="|", ms=8, mew=1.5, lw=0, label="best of the grid"),
        Line2D([], [], color=ORANGE, marker="o", ms=5, lw=0, label="picked before training"),
    ]
    figure.legend(handles=handles, loc="outside lower right", ncols=3, frameon=False, fontsize=9)
    return figure


def main(collected: Path, confirmed: Path, folder: Path) -> None:
    rows = [json.loads(line) for line in confirmed.read_text().splitlines()] if confirmed.exists() else []
    write(read(collected), rows, folder)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
