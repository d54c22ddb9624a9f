"""Pictures of what networks do: results of studies, and diagnoses."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from surgrad._colours import PALETTE, styles
from surgrad.plot._picture import Picture
from surgrad.plot._style import INK, number, strip

SCALE = "scale  (steepness relative to the default, at unit peak)"


def study(summaries: Sequence[Any]) -> Figure:
    """Plot the results of a study: test accuracy (mean ± standard deviation) and loss of each surrogate by its scale.

    Parameters:
        summaries: lines of `surgrad.study.summarise`; each parameter that varies has its own column.

    Raises:
        ValueError: there are no lines.
    """
    if not summaries:
        raise ValueError("study: nothing to show; give lines of surgrad.study.summarise, at least one.")
    kinds = {line.surrogate: line.kind or line.surrogate for line in sorted(summaries, key=lambda one: one.surrogate)}
    looks = dict(zip(kinds, styles(kinds.values()), strict=True))
    parameters = list(dict.fromkeys(line.parameter for line in summaries))
    figure = Picture(figsize=(3.6 + 3.6 * len(parameters), 5.6), layout="constrained")
    grid = figure.subplots(2, len(parameters), sharex="col", sharey="row", squeeze=False)
    handles: dict[str, Any] = {}
    for panels, parameter in zip(grid.T, parameters, strict=True):
        handles |= _draw_results(panels, [line for line in summaries if line.parameter == parameter], looks)
        panels[1].set_xlabel(f"{parameter} (dimensionless)" if parameter != "scale" else SCALE)
    runs = max(line.runs for line in summaries)
    grid[0, 0].set_ylabel(f"test accuracy, %\n(mean ± sd of {runs} seeds)" if runs > 1 else "test accuracy, %")
    grid[1, 0].set_ylabel("test loss, nats\n(cross-entropy)")
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False, fontsize=9)
    return figure


def _draw_results(
    panels: Sequence[Axes] | np.ndarray, summaries: Sequence[Any], looks: dict[str, tuple[str, Any]]
) -> dict[str, Any]:
    """Draw accuracies above and losses below; surrogates are shifted a little, so that no error bar hides another."""
    values, names = sorted({line.value for line in summaries}), sorted({line.surrogate for line in summaries})
    positive, handles = values[0] > 0, {}
    for axes in panels:
        strip(axes, guides=False)
    for i, name in enumerate(names):
        lines = sorted((line for line in summaries if line.surrogate == name), key=lambda line: line.value)
        aside = 1.06 ** (i - (len(names) - 1) / 2) if positive else 1
        x = [line.value * aside for line in lines]
        colour, dashes = looks[name]
        look = {"color": colour, "ls": dashes, "marker": "o", "ms": 4, "lw": 1.6}
        bars = [100 * (line.test_accuracy_sd or 0) for line in lines] if lines[0].runs > 1 else None
        handles[name] = panels[0].errorbar(
            x, [100 * line.test_accuracy for line in lines], bars, capsize=2.5, elinewidth=1, **look
        )
        panels[1].plot(x, [line.test_loss for line in lines], **look)
    if positive:
        panels[1].set_xscale("log")
    panels[1].set_xticks(values, map(number, values))
    panels[1].minorticks_off()
    return handles


def diagnosis(found: Any) -> Figure:
    """Plot a diagnosis: spikes and slopes of each layer, the norm of its error at each time step, and the findings.

    Parameters:
        found: what `surgrad.meta.diagnose` returns.
    """
    names = [layer.where for layer in found.layers]
    height = 2.2 + 0.32 * len(names)
    text = "\n".join(f"{i + 1}  {one}" for i, one in enumerate(found.findings)) or found.summary()
    figure = Picture(figsize=(11, height + 0.6 + 0.22 * len(_wrapped(text))), layout="constrained")
    shares, errors = figure.subplots(1, 2, width_ratios=(3, 2))
    _draw_shares(shares, found.layers)
    for i, (name, norms) in enumerate(zip(names, found.errors, strict=True)):
        positive = np.where(np.isfinite(norms) & (norms > 0), norms, np.nan)
        errors.plot(positive, color=PALETTE[i % len(PALETTE)], marker=".", lw=1.6, label=name)
    strip(errors, guides=False)
    if any(np.any(norms > 0) for norms in found.errors):
        errors.set_yscale("log")
    errors.set(xlabel="step", ylabel="error  (norm of the loss's\ngradient by x, nats)")
    errors.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8, ncols=2)
    figure.supxlabel("\n".join(_wrapped(text)), fontsize=8.5, color=INK, x=0.01, ha="left")
    return figure


def _wrapped(text: str) -> list[str]:
    return [part for line in text.splitlines() for part in textwrap.wrap(line, 150, subsequent_indent="    ")]


def _draw_shares(axes: Axes, layers: Sequence[Any]) -> None:
    """Draw a group of bars for each layer, the first on top."""
    kinds = {
        "firing rate": "firing_rate", "neurons silent": "silent", "neurons saturated": "saturated",
        "slopes near zero": "flat", "mean slope / peak": "slope",
    }  # fmt: skip
    for k, (label, field) in enumerate(kinds.items()):
        places = np.arange(len(layers)) + 0.16 * (k - 2)
        axes.barh(places, [getattr(layer, field) for layer in layers], 0.15, color=PALETTE[k], label=label)
    axes.set_yticks(range(len(layers)), [layer.where for layer in layers])
    axes.invert_yaxis()
    axes.set(xlim=(0, 1), xlabel="share")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), frameon=False, fontsize=8, ncols=3)
    strip(axes, guides=False)
