"""The figures: accuracy against β, a panel a condition, and a panel a number of classes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from experiment import SHAPES, Family, Settings
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from records import Curve, Rows, curves

from surgrad.plot import PALETTE, colour_of

LABELS = {
    "SuperSpike": "SuperSpike, 1/(1 + β|x|)²",
    "sigmoid'": "sigmoid′, 4 s(βx) s(−βx)",
    "triangle": "triangle, max(0, 1 − β|x|)",
    "detached": "asymptotic, β/(1 + β|x|)²,\ngradient detached",
    "through": "asymptotic, β/(1 + β|x|)²,\ngradient through",
    "constant": "constant, 1",
}
COLOURS = {name: colour_of(shape) for name, shape in SHAPES.items()}  # pyright: ignore[reportArgumentType]
COLOURS |= dict(zip(("detached", "through"), (c for c in PALETTE if c not in COLOURS.values()), strict=False))
MARKERS = {"SuperSpike": "o", "sigmoid'": "s", "triangle": "^", "detached": "o", "through": "X"}
INK, GREY = "#333333", "#8C8C8C"
APART = 1.05
"""Factor between neighbours along β, so that no error bar hides another."""


ROWS = {
    "reset": ("reset detached", "gradient through the reset", "peak β instead of one"),
    "recurrence": (
        "recurrent spikes detached",
        "gradient through recurrent spikes",
        "recurrent, peak β",
    ),
}
"""Titles of the rows of panels, by the field of `Family` that varies."""


class Panel(NamedTuple):
    """A panel: its title, and curves by the name of their line."""

    title: str
    lines: dict[str, Family]


def write(rows: Rows, settings: Settings, folder: Path) -> None:
    """Both figures, as `accuracy.png` and `classes.png`."""
    found, most = curves(rows), settings.classes[-1]
    conditions(found, most, len(settings.seeds)).savefig(folder / "accuracy.png", dpi=110)
    by_classes(found, settings).savefig(folder / "classes.png", dpi=110)


def conditions(found: dict[Family, Curve], classes: int, seeds: int) -> Figure:
    """Above without recurrent connections, below with them; to the right the slope whose peak is β."""
    panels = [panel for field in ROWS for panel in _row(classes, field)]
    figure = Figure(figsize=(13, 7), layout="constrained")
    grid = figure.subplots(2, 3, sharex=True, sharey=True)
    handles = {}
    for axes, panel in zip(grid.flat, panels, strict=True):
        handles |= draw(axes, panel, found, classes)
    handles |= _constant(grid[0, 0], found[Family("constant", classes)])
    _frame(figure, grid, handles, seeds, f"{classes} classes", 0)
    return figure


def _row(classes: int, field: str) -> list[Panel]:
    """Gradients stopped, gradients let through, and both for the slope whose peak is β."""
    settings = ("detached", "through")
    lines = [{s: replace(Family(s, classes), **{field: setting}) for s in SHAPES} for setting in settings]
    lines.append({setting: replace(Family("SuperSpike", classes, "β"), **{field: setting}) for setting in settings})
    return [Panel(*each) for each in zip(ROWS[field], lines, strict=True)]


def by_classes(found: dict[Family, Curve], settings: Settings) -> Figure:
    """A panel a number of classes, without recurrent connections, the reset detached."""
    figure = Figure(figsize=(4 * len(settings.classes) + 3, 4), layout="constrained")
    grid = figure.subplots(1, len(settings.classes), sharex=True, sharey=True, squeeze=False)
    handles = {}
    for axes, classes in zip(grid.flat, settings.classes, strict=True):
        handles |= draw(axes, Panel(f"{classes} classes", {s: Family(s, classes) for s in SHAPES}), found, classes)
    lowest = min(found[Family(s, n)].mean.min() for s in SHAPES for n in settings.classes)
    bottom = max(0.0, 10 * (lowest // 10 - 1))
    _frame(figure, grid, handles, len(settings.seeds), "not recurrent, reset detached", bottom)
    return figure


def draw(axes: Axes, panel: Panel, found: dict[Family, Curve], classes: int) -> dict[str, Any]:
    """The curves of a panel; handles of the legend by label."""
    axes.set_title(panel.title, fontsize=10, color=INK, loc="left")
    handles = {}
    for place, (name, family) in enumerate(panel.lines.items()):
        curve, aside = found[family], APART ** (place - (len(panel.lines) - 1) / 2)
        bars = None if np.isnan(curve.sd).any() else curve.sd
        look = {"color": COLOURS[name], "marker": MARKERS[name], "ms": 5, "lw": 1.6, "capsize": 2.5, "elinewidth": 1}
        look["ls"] = "--" if name == "through" else "-"
        handles[LABELS[name]] = axes.errorbar(curve.betas * aside, curve.mean, bars, **look)
    axes.axhline(100 / classes, color=GREY, lw=1, ls=":")
    axes.set_xscale("log")
    betas = found[next(iter(panel.lines.values()))].betas
    axes.set_xticks(betas, [f"{beta:g}" for beta in betas])
    axes.minorticks_off()
    return handles


def _constant(axes: Axes, curve: Curve) -> dict[str, Any]:
    return {LABELS["constant"]: axes.axhline(curve.mean[0], color=INK, lw=1.2, ls="-.")}


def _frame(figure: Figure, grid: np.ndarray, handles: dict[str, Any], seeds: int, title: str, bottom: float) -> None:
    """Labels, a legend outside of the panels, and nothing that does not tell."""
    for axes in grid.flat:
        axes.set_ylim(bottom, 102)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("scale β of the surrogate (dimensionless)", color=INK)
    for axes in grid[:, 0]:
        axes.set_ylabel(f"test accuracy, %\n(mean ± sd of {seeds} seeds)", color=INK)
    figure.suptitle(f"Random manifolds in spike time: {title}", x=0.01, ha="left", fontsize=11, color=INK)
    if bottom == 0:
        handles["chance"] = Line2D([], [], color=GREY, lw=1, ls=":")
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False, fontsize=9)
