"""The figures: accuracies against the scale, losses and scales over training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jobs
import numpy as np
from endings import ANY, CALIBRATED, GRID, LEFT, Line, best, fixed, grouped, lines
from jobs import APART, BLIND
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from problem import Problem, Settings
from rows import Row

from surgrad.plot import PALETTE

INK, GREY = "#333333", "#8C8C8C"
COLOURS: dict[str, str] = dict(
    zip((LEFT, "hypergradient", "calibrate", "tune", APART, GRID, BLIND), PALETTE, strict=False)
)
COLOURS["best fixed"] = INK
MARKERS = {"calibrate": "D", "tune": "s", BLIND: "P", "hypergradient": "o", APART: "^", GRID: "X"}
SCALE = "scale of the surrogate  (dimensionless; α = 4 × scale)"


def write(rows: list[Row], settings: Settings, folder: Path) -> None:
    """All figures, as `accuracy.png`, `losses.png` and `scales.png`."""
    for name, figure in (("accuracy", accuracy), ("losses", losses), ("scales", scales)):
        figure(rows, settings).savefig(folder / f"{name}.png", dpi=110)


def accuracy(rows: list[Row], settings: Settings) -> Figure:
    """The curve of fixed scales, and where each method ends; a thin line leads there from its start."""
    figure = Figure(figsize=(12.5, 4.8), layout="constrained")
    grid = figure.subplots(1, len(settings.problems), squeeze=False)
    handles: dict[str, Any] = {}
    for axes, problem in zip(grid[0], settings.problems, strict=True):
        curve = fixed(rows, problem, settings)
        handles |= _curve(axes, curve, settings)
        for line in lines(rows, problem, settings):
            if line.method != LEFT:
                handles |= _end(axes, line, curve)
        axes.set_title(problem.title, fontsize=10, color=INK, loc="left")
        axes.set_xlabel(SCALE, color=INK)
    grid[0, 0].set_ylabel(
        f"test accuracy, %\n(mean of {len(settings.seeds)} seeds; band: ± sd of fixed scales)", color=INK
    )
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False, fontsize=9)
    return figure


def _curve(axes: Axes, curve: list[Line], settings: Settings) -> dict[str, Any]:
    means = np.array([line.accuracies.mean() for line in curve])
    spread = np.array([_sd(line.accuracies) for line in curve])
    handle = axes.plot(settings.scales, means, color=GREY, lw=1.6, marker=".")[0]
    band = axes.fill_between(settings.scales, means - spread, means + spread, color=GREY, alpha=0.2, lw=0)
    axes.set_xscale("log")
    axes.set_xticks(settings.scales, [f"{scale:g}" for scale in settings.scales])
    axes.minorticks_off()
    _strip(axes)
    return {"fixed scale, left as it is": (band, handle)}


def _end(axes: Axes, line: Line, curve: list[Line]) -> dict[str, Any]:
    """The mark of a method, hollow where it began at the calibrated scale; an arrow from where it began else."""
    colour, at = COLOURS[line.method], (line.scale, line.accuracies.mean())
    filled, size = line.start != CALIBRATED, 11 if line.method == "calibrate" else 7
    look = {"color": colour, "ls": "none", "marker": MARKERS[line.method], "ms": size}
    handle = axes.plot(*at, **look, mfc=colour if filled else "white")[0]
    if line.start not in (ANY, CALIBRATED):
        begin = next(one for one in curve if one.start == line.start)
        arrow = {"arrowstyle": "->", "color": colour, "lw": 1.1, "shrinkA": 2, "shrinkB": 5, "alpha": 0.8}
        axes.annotate("", at, (begin.scale, begin.accuracies.mean()), arrowprops=arrow)
    named = {CALIBRATED: ",\nfrom the calibrated scale", ANY: ""}.get(line.start, ",\nan arrow from its start")
    return {line.method + named: handle}


def losses(rows: list[Row], settings: Settings) -> Figure:
    """Training losses: above from the smallest start, below from the largest."""
    starts = f"{settings.starts[0]:g}", f"{settings.starts[-1]:g}"
    figure = Figure(figsize=(12.5, 7), layout="constrained")
    grid = figure.subplots(2, len(settings.problems), squeeze=False, sharex="col", sharey="col")
    handles: dict[str, Any] = {}
    for column, problem in zip(grid.T, settings.problems, strict=True):
        table = lines(rows, problem, settings)
        chosen = best(fixed(rows, problem, settings))
        for axes, start in zip(column, starts, strict=True):
            shown = [chosen._replace(method="best fixed")]
            shown += [line for line in table if line.method in ("calibrate", "tune")]
            shown += [line for line in table if line.method in (LEFT, "hypergradient") and line.start == start]
            for line in shown:
                handles |= _losses(axes, line, problem)
            axes.set_title(f"{problem.title}: from a scale of {start}", fontsize=10, color=INK, loc="left")
            axes.set_yscale("log")
            _strip(axes)
        ticks = [tick for tick in (0.05, 0.1, 0.2, 0.5, 1, 2, 3) if column[0].get_ylim()[0] < tick]
        column[0].set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        column[0].minorticks_off()
        column[-1].set_xlabel("updates", color=INK)
    for axes in grid[:, 0]:
        axes.set_ylabel("training loss, nats\n(mean over seeds)", color=INK)
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False, fontsize=9)
    return figure


def _losses(axes: Axes, line: Line, problem: Problem) -> dict[str, Any]:
    points = line.losses.shape[1]
    at = (np.arange(points) + 0.5) * problem.updates / points
    dashes = {"calibrate": (0, (6, 1.5)), "tune": (0, (1.5, 1.5))}
    look = {"color": COLOURS[line.method], "lw": 1.8, "ls": dashes.get(line.method, "-")}
    if line.method == "best fixed":
        look |= {"lw": 3.5, "alpha": 0.25, "ls": "-"}
    handle = axes.plot(at, line.losses.mean(axis=0), **look)[0]
    names = {
        LEFT: "leave it at the start",
        "hypergradient": "hypergradient from the start",
        "best fixed": "best fixed scale (in hindsight)",
    }
    return {names.get(line.method, line.method): handle}


def scales(rows: list[Row], settings: Settings) -> Figure:
    """The scales that hypergradients move: a thin line a seed, a thick one their geometric mean; a panel a layer."""
    panels = [(problem, "hypergradient", 0) for problem in settings.problems]
    panels += [(problem, APART, i) for problem in settings.problems if problem.depth > 1 for i in range(problem.depth)]
    figure = Figure(figsize=(12.5, 7), layout="constrained")
    grid = figure.subplots(2, (len(panels) + 1) // 2, squeeze=False, sharey=True)
    handles: dict[str, Any] = {}
    for axes, (problem, method, layer) in zip(grid.flat, panels, strict=False):
        handles |= _paths(axes, rows, problem, method, layer, settings)
        named = f": layer {layer + 1} of {problem.depth}, a scale each" if method == APART else ""
        axes.set_title(f"{problem.title}{named}", fontsize=10, color=INK, loc="left")
        axes.set_xlabel("updates", color=INK)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes in grid[:, 0]:
        axes.set_ylabel("scale (dimensionless; α = 4 × scale)", color=INK)
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False, fontsize=9)
    return figure


def _paths(
    axes: Axes, rows: list[Row], problem: Problem, method: str, layer: int, settings: Settings
) -> dict[str, Any]:
    groups, handles = grouped(rows, problem), {}
    good = best(fixed(rows, problem, settings)).scale
    axes.axhline(good, color=INK, lw=3.5, alpha=0.25)
    handles["best fixed scale (in hindsight)"] = Line2D([], [], color=INK, lw=3.5, alpha=0.25)
    for start, colour in zip((*settings.starts, None), PALETTE, strict=False):
        paths = np.array([row["path"] for row in groups[method if start else method + jobs.CALIBRATED, start]], float)[
            :, :, layer
        ]
        at = np.arange(paths.shape[1]) * settings.window
        axes.plot(at, paths.T, color=colour, lw=0.7, alpha=0.5)
        mean = axes.plot(at, np.exp(np.log(paths).mean(axis=0)), color=colour, lw=2)[0]
        handles[f"from {start:g}" if start is not None else "from the calibrated scale"] = mean
    axes.set_yscale("log")
    axes.set_yticks([0.01, 0.1, 1, 10, 100, 1000], ["0.01", "0.1", "1", "10", "100", "1000"])
    axes.minorticks_off()
    _strip(axes)
    return handles


def _sd(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0


def _strip(axes: Axes) -> None:
    """Axes without the upper and the right edge."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(labelsize=9, color=GREY, labelcolor=INK)
