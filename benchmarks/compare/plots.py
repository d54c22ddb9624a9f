"""Pictures of results, made from their JSON alone; a competitor has the same colour in all of them."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from benchmarks.compare.cases import WORKLOADS
from benchmarks.compare.competitors import COMPETITORS

Run = dict[str, Any]
"""The figures of a case, as `rounds.Match` returns them."""

INK, GREY = "#333333", "#8C8C8C"

LONG_FIRST = sorted(COMPETITORS, key=lambda name: not COMPETITORS[name].long)
MARKERS = {name: "osD^vPxX*hpd"[place % 12] for place, name in enumerate(LONG_FIRST)}


def draw(results: dict[str, Any], folder: Path) -> dict[str, str]:
    """All pictures that the results allow, as PNG files; their names by what they show."""
    figures: dict[str, Figure] = {}
    for workload in WORKLOADS:
        runs = [run for run in results["runs"] if run["workload"] == workload]
        for sparse in (False, True):
            group = [run for run in runs if (run["activity"] is not None) == sparse]
            if group and workload == "d":
                figures["d"] = long_sequences(group)
            elif group:
                figures[f"{workload}-{'sparse' if sparse else 'dense'}"] = steps(group)
    if results.get("elements"):
        figures["e"] = slopes(results["elements"])
    folder.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(folder / f"{name}.png", dpi=110)
    return {name: f"{name}.png" for name in figures}


def steps(runs: list[Run]) -> Figure:
    """CPU time and memory of a step, a column of bars for each case."""
    names = [name for name in COMPETITORS if any(name in run["competitors"] for run in runs)]
    figure = Figure((2.6 + 2.9 * len(runs), 1.6 + 0.5 * len(names)), layout="constrained")
    panels = figure.subplots(2, len(runs), sharey=True, squeeze=False)
    inputs = "dense input" if runs[0]["activity"] is None else f"{100 * runs[0]['activity']:g} % of the inputs are 1"
    title = textwrap.wrap(f"{WORKLOADS[runs[0]['workload']]}, forward and backward pass, {inputs}", 20 + 30 * len(runs))
    figure.suptitle("\n".join(title), fontsize=11, color=INK)
    for (upper, lower), run in zip(panels.T, runs, strict=True):
        upper.set_title("-".join(map(str, run["sizes"])), fontsize=10)
        _bars(upper, run, names, "cpu_s", 1e3, "CPU time of a step (ms)")
        _bars(lower, run, names, "memory_bytes", 1e-6, "memory beyond inputs and weights (MB)")
    for axes in panels[:, 0]:
        axes.set_yticks(range(len(names)), [COMPETITORS[name].label for name in names])
    panels[0, 0].invert_yaxis()
    handles, labels = panels[0, 0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower right", frameon=False, fontsize=8)
    return figure


def _bars(axes: Axes, run: Run, names: list[str], key: str, scale: float, label: str) -> None:
    """Bars with their values, whiskers at the quartiles, and a line at the products of XLA."""
    for place, name in enumerate(names):
        low, middle, high = (None if q is None else scale * q for q in _quartiles(run, name, key))
        if low is None or middle is None or high is None:
            status = run["competitors"].get(name, {}).get("status", "does not take part")
            _note(axes, "unknown" if status == "timed" else status, (0, place), color=GREY, fontstyle="italic")
            continue
        whiskers = [[middle - low], [high - middle]]
        axes.barh(place, middle, 0.74, color=COMPETITORS[name].colour, xerr=whiskers, error_kw={"lw": 1, "ecolor": INK})
        _note(axes, _number(middle), (high, place))
    limit = _quartiles(run, "products_xla", key)[1]
    if limit is not None:
        axes.axvline(scale * limit, color=GREY, lw=1, ls=":", zorder=0, label=COMPETITORS["products_xla"].label)
    axes.set_xlabel(label, fontsize=9)
    axes.margins(x=0.16)
    _plain(axes)


def _number(value: float) -> str:
    """Three digits, and no powers of ten."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _quartiles(run: Run, name: str, key: str) -> tuple[float | None, float | None, float | None]:
    """Lower quartile, median and upper quartile of a figure, all the same where it is one number."""
    found = run["competitors"].get(name, {}).get(key)
    return (found["low"], found["median"], found["high"]) if isinstance(found, dict) else (found,) * 3


def long_sequences(runs: list[Run]) -> Figure:
    """Memory and time against the length of the sequence, a row for each number of neurons."""
    sizes = sorted({run["sizes"][0] for run in runs})
    figure = Figure((10.5, 1.2 + 3.4 * len(sizes)), layout="constrained")
    figure.suptitle("Long sequences through Linear(n, n) + LIF, forward and backward pass", fontsize=11, color=INK)
    panels = figure.subplots(len(sizes), 2, squeeze=False)
    for (left, right), n in zip(panels, sizes, strict=True):
        group = sorted((run for run in runs if run["sizes"][0] == n), key=lambda run: run["steps"])
        lengths = np.array([run["steps"] for run in group], float)
        memory = _lines(left, group, lengths, "memory_bytes", 1e-6)
        _lines(right, group, lengths, "cpu_s", 1e6 / lengths)
        _guides(left, lengths, memory)
        left.set_ylabel("memory beyond inputs and weights (MB)")
        right.set_ylabel("CPU time / length (µs a step of time)")
        for axes in (left, right):
            axes.set(xscale="log", yscale="log", xlabel="length of the sequence (steps)", title=f"n = {n}")
            axes.set_xticks(lengths, [f"{length:.0f}" for length in lengths], minor=False)
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
            _plain(axes)
    handles, labels = panels[0, 1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    return figure


def _lines(axes: Axes, group: list[Run], lengths: np.ndarray, key: str, scale: Any) -> np.ndarray:
    """A line for each competitor; returns the values, a row each."""
    rows = []
    for name, competitor in COMPETITORS.items():
        medians = [_quartiles(run, name, key)[1] for run in group]
        values = scale * np.array([np.nan if value is None else value for value in medians])
        if np.isfinite(values).any():
            style = {"color": competitor.colour, "marker": MARKERS[name], "ms": 5, "lw": 1.6}
            axes.plot(lengths, values, label=competitor.label, **style)
            rows.append(values)
    return np.array(rows)


def _guides(axes: Axes, lengths: np.ndarray, memory: np.ndarray) -> None:
    """Growth like time and like √time, from the largest and the smallest memory at the shortest length."""
    if not memory.size or len(lengths) < 2 or not np.nanmin(memory[:, 0]) > 0:
        return
    starts = np.nanmax(memory[:, 0]), np.nanmin(memory[:, 0])
    for start, power, label in zip(starts, (1.0, 0.5), ("∝ time", "∝ √time"), strict=True):
        y = start * (lengths / lengths[0]) ** power
        axes.plot(lengths, y, color=GREY, lw=1, ls=":", zorder=0)
        _note(axes, label, (lengths[-1], y[-1]), color=GREY)


def slopes(elements: dict[str, Any]) -> Figure:
    """The time of every slope beside a memory copy, and the bound of its operations."""
    ns, bounds = elements["ns_per_element"], elements["bounds"]
    figure = Figure((7.6, 1.4 + 0.3 * len(bounds)), layout="constrained")
    axes = figure.subplots()
    copy = ns["copy"]["cpu"]
    for place, (name, bound) in enumerate(bounds.items()):
        axes.barh(place, ns[f"{name} slope"]["cpu"] / copy, 0.7, color=COMPETITORS["surgrad"].colour)
        axes.plot(ns[bound]["cpu"] / copy, place, "|", color="#E69F00", ms=14, mew=2.5)
    axes.plot([], [], "|", color="#E69F00", ms=12, mew=2.5, ls="", label="the operations that it cannot do without")
    axes.axvline(2, color=GREY, lw=1, ls=":", label="target, where these allow it")
    axes.set_yticks(range(len(bounds)), list(bounds))
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.set_xlabel(f"CPU time of a slope / of a copy ({elements['size']:,} float32, a copy takes {copy:.2g} ns each)")
    axes.legend(loc="lower right", frameon=False, fontsize=9)
    _plain(axes)
    return figure


def _note(axes: Axes, text: str, place: tuple[float, float], color: str = INK, **style: Any) -> None:
    axes.annotate(text, place, (4, 0), textcoords="offset points", va="center", fontsize=8, color=color, **style)


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8, colors=INK)
