"""Pictures of the study, made from the rows that there are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from benchmarks.which_one import plan, shapes, statistics
from benchmarks.which_one.problems import NETS
from benchmarks.which_one.runs import Result
from benchmarks.which_one.statistics import Case
from surgrad._colours import styles

MARKERS = "os^Dv<>Pp*XhH8d"
LEAST = 3.0
"""The end of the scale of colours of losses, in points, at least."""


def widths(results: Sequence[Result], size: str) -> Figure:
    """Accuracy over width, a panel for each task and architecture, a line for each of the usual shapes."""
    curves, calibrated = statistics.curves(results), statistics.by_rule(results, "calibrate")
    usual = {shape.name for shape in shapes.shapes() if set(shape.names) & set(plan.FIRST)}
    curves = {case: of for case, of in curves.items() if case.size == size and case.shape in usual and len(of) > 1}
    tasks = [task for task in statistics.tasks_of(results) if any(case.task == task for case in curves)]
    nets = [net for net in NETS if any(case.net == net for case in curves)]
    figure = Figure(figsize=(2.6 * max(2, len(nets)) + 0.8, 2.0 * len(tasks) + 0.9), layout="constrained")
    panels = figure.subplots(len(tasks), len(nets), squeeze=False, sharex=True, sharey="row")
    names = [shape.name for shape in shapes.shapes() if any(case.shape == shape.name for case in curves)]
    looks = {
        name: {"color": colour, "linestyle": dashes, "marker": marker}
        for name, (colour, dashes), marker in zip(names, styles(names), MARKERS, strict=False)
    }
    for (i, task), (j, net) in ((a, b) for a in enumerate(tasks) for b in enumerate(nets)):
        axes = panels[i, j]
        for name, look in looks.items():
            _curve(axes, Case(task, net, name, size), curves, calibrated, look)
        if not any((case.task, case.net) == (task, net) for case in curves):
            axes.text(0.5, 0.5, "no rows yet", transform=axes.transAxes, ha="center", fontsize=8)
        axes.set_xscale("log")
        axes.minorticks_off()
        axes.set_title(f"{task}\n{net}" if i == 0 else task, fontsize=9)
        axes.set_ylim(*_limits([case for case in curves if case.task == task], curves))
        if j == 0:
            axes.set_ylabel("accuracy (%)", fontsize=8)
        if i == len(tasks) - 1:
            axes.set_xlabel("width (thresholds)", fontsize=8)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    handles = [axes.plot([], [], ms=4, lw=1.2, label=name, **look)[0] for name, look in looks.items()]
    handles.append(
        axes.plot([], [], color="black", marker="o", mfc="none", ms=7, lw=0, label="at calibrated widths")[0]
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False, fontsize=8)
    return figure


def _limits(cases: list[Case], curves: Any) -> tuple[float, float]:
    """The range of the means of some cases, and some more: intervals of few seeds would hide it."""
    means = [np.mean(list(of.values())) for case in cases for of in curves[case].values()]
    return max(0.0, float(min(means)) - 4), min(101.0, float(max(means)) + 4)


def _curve(axes: Any, case: Case, curves: Any, calibrated: Any, look: dict[str, Any]) -> None:
    if case in curves:
        found = [np.array(list(of.values())) for of in curves[case].values()]
        mean = np.array([one.mean() for one in found])
        reach = np.array([one.std(ddof=1) / math.sqrt(len(one)) if len(one) > 1 else 0.0 for one in found])
        x = list(curves[case])
        axes.plot(x, mean, ms=3.5, lw=1.2, **look)
        axes.fill_between(x, mean - reach, np.minimum(mean + reach, 100), color=look["color"], alpha=0.12, lw=0)
    if case in calibrated:
        runs = calibrated[case].values()
        x = float(np.exp(np.mean([np.log(run.widths).mean() for run in runs])))
        accuracy = 100 * np.mean([run.test_accuracy for run in runs])
        axes.plot(x, accuracy, marker="o", color=look["color"], ms=8, mfc="none", mew=1.6, lw=0, zorder=3)


def heat(found: dict[Case, float], significant: set[Case], size: str, title: str) -> Figure:
    """Points below the best shape: a row for each task and architecture, a column for each shape."""
    cases = {case: value for case, value in found.items() if case.size == size}
    rows = sorted(dict.fromkeys((case.net, case.task) for case in cases), key=lambda row: list(NETS).index(row[0]))
    there = [shape.name for shape in shapes.shapes() if any(case.shape == shape.name for case in cases)]
    whole = statistics.complete(cases)
    each = {name: [cases[case] for case in whole if case.shape == name] for name in there}
    mean = {name: np.mean(of) if of else math.nan for name, of in each.items()}
    names = sorted(there, key=lambda name: (math.isnan(mean[name]), mean[name]))
    count = len({(case.task, case.net) for case in whole})
    table = np.full((len(rows) + 1, len(names)), np.nan)
    for case, value in cases.items():
        table[rows.index((case.net, case.task)), names.index(case.shape)] = value
    table[-1] = [mean[name] for name in names]
    figure = Figure(figsize=(0.58 * len(names) + 3.8, 0.27 * len(table) + 2.2), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(
        table, cmap="cividis_r", vmin=0, vmax=max(LEAST, float(np.nanpercentile(table, 95))), aspect="auto"
    )
    for (i, j), value in np.ndenumerate(table):
        if not math.isnan(value):
            star = i < len(rows) and Case(rows[i][1], rows[i][0], names[j], size) in significant
            dark = value > image.norm.vmax * 0.55
            axes.text(
                j,
                i,
                f"{value:.1f}{'*' * star}",
                ha="center",
                va="center",
                fontsize=7,
                color="white" if dark else "black",
            )
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(
        range(len(table)), [*(f"{task}, {net}" for net, task in rows), f"mean of {count} whole rows"], fontsize=8
    )
    axes.axhline(len(rows) - 0.5, color="white", lw=3)
    axes.set_title(title, fontsize=10, loc="left")
    figure.colorbar(image, ax=axes, label="points below the best shape", shrink=0.8)
    return figure


def choices(found: dict[str, Sequence[statistics.Loss]]) -> Figure:
    """What each way to set the width loses: a point for each case, and the mean with its confidence interval."""
    figure = Figure(figsize=(8, 0.42 * len(found) + 1.3), layout="constrained")
    axes = figure.subplots()
    random = np.random.default_rng(0)
    for y, one in enumerate(reversed(found.values())):
        points = [loss.beside for loss in one]
        axes.plot(points, y + random.uniform(-0.25, 0.25, len(points)), "o", color="#AAAAAA", ms=2.5, alpha=0.6, mew=0)
        mean, low, high = statistics.interval(points)
        reach = [[mean - low], [high - mean]] if not math.isnan(low) else None
        axes.errorbar(mean, y, xerr=reach, fmt="o", color="#332288", ms=5, capsize=3)
    axes.axvline(0, color="black", lw=0.8)
    axes.set_yticks(range(len(found)), [f"{name} ({len(one)})" for name, one in reversed(found.items())], fontsize=9)
    axes.set_xscale("symlog", linthresh=2)
    axes.set_xticks([-10, -2, -1, 0, 1, 2, 5, 10, 20, 50], ["-10", "-2", "-1", "0", "1", "2", "5", "10", "20", "50"])
    axes.set_xlabel("points of accuracy below the best width (mean over cases, 95 % interval; grey: each case)")
    axes.spines[["top", "right"]].set_visible(False)
    return figure
