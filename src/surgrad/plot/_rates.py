"""Histograms of firing rates and of membrane potentials."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from surgrad._answers import answers_keywords
from surgrad._colours import PALETTE
from surgrad._numbers import require_whole
from surgrad._types import Numbers
from surgrad.plot._picture import Picture
from surgrad.plot._style import GREY, INK, number, strip


@answers_keywords
def firing_rates(rates: Numbers | Mapping[str, Numbers], *, bins: int = 20) -> Figure:
    """Histograms of firing rates: how many neurons spike how often, with a panel and the mean for each layer.

    All panels have the same bins, from 0 to the highest rate. Silent neurons, which never spiked, are told beside the
    mean.

    Parameters:
        rates: firing rates in spikes per time step, `(neurons,)` or `(batch, neurons)`, whose samples are averaged; or
            such arrays by the names of layers. Of spikes over time they are `spikes.mean(axis=0)`, and
            `unroll(net, xs, record=nn.Record("spikes", summary=nn.MeanOverTime())).records` has those of all layers.
        bins: number of bins, >= 1.

    Raises:
        ValueError: a rate is negative or not finite, an array is empty, there is no layer, or bins is not an integer
            >= 1.
    """
    require_whole("firing_rates", bins=bins)
    layers = rates if isinstance(rates, Mapping) else {"": rates}
    found = {name: _of_neurons(layer) for name, layer in layers.items()}
    if not found:
        raise ValueError("firing_rates: nothing to show; give the rates of one layer at least.")
    highest = max(float(layer.max()) for layer in found.values())
    edges = np.linspace(0, highest or 1.0, bins + 1)
    figure, panels = _panels(len(found))
    for i, ((name, layer), axes) in enumerate(zip(found.items(), panels, strict=True)):
        axes.hist(layer, edges, color=PALETTE[i % len(PALETTE)], lw=0)
        axes.axvline(layer.mean(), color=INK, lw=1.2, ls=(0, (4, 2)))
        silent = int((layer == 0).sum())
        text = f"mean {layer.mean():.3g}, {silent} of {len(layer)} neurons silent"
        axes.set_title(f"{name}: {text}" if name else text, loc="left", fontsize=10, color=INK)
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    panels[-1].set_xlabel("firing rate (spikes a time step); dashed: mean")
    figure.supylabel("neurons", fontsize=10, color=INK)
    return figure


@answers_keywords
def histogram(
    counts: Numbers | Mapping[str, Numbers],
    edges: Numbers | Sequence[float],
    *,
    threshold: float | None = 1.0,
    label: str = "membrane potential (in the unit of the threshold)",
) -> Figure:
    """Plot histograms over time, such as those of membrane potentials that `nn.HistogramOverTime` counts.

    Parameters:
        counts: `(..., bins)`; all neurons and samples are added up; or such arrays by the names of layers.
        edges: the edges of the bins, `(bins + 1,)`.
        threshold: drawn as a line, in the unit of the edges; None for none.
        label: what was counted, with its unit if it has one, for the x axis.

    Raises:
        ValueError: there is not one count for each bin, or there is no layer.
    """
    layers = counts if isinstance(counts, Mapping) else {"": counts}
    sides = np.asarray(edges, float)
    if not layers:
        raise ValueError("histogram: nothing to show; give the counts of one layer at least.")
    figure, panels = _panels(len(layers))
    for i, ((name, layer), axes) in enumerate(zip(layers.items(), panels, strict=True)):
        found = np.asarray(layer, float)
        if sides.ndim != 1 or not found.ndim or found.shape[-1] != len(sides) - 1:
            raise ValueError(
                f"histogram: counts must be (..., bins) and edges (bins + 1,), got {found.shape} and {sides.shape}."
            )
        total = found.reshape(-1, found.shape[-1]).sum(axis=0)
        axes.stairs(total / (total.sum() or 1), sides, fill=True, color=PALETTE[i % len(PALETTE)], lw=0)
        axes.set_title(f"{name}: {number(total.sum())} values" if name else "", loc="left", fontsize=10, color=INK)
        if threshold is not None:
            axes.axvline(threshold, color=GREY, lw=1.0, ls=(0, (4, 2)), label="threshold")
    handles = {text: line for line, text in zip(*panels[0].get_legend_handles_labels(), strict=True)}
    if handles:
        figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False, fontsize=9)
    panels[-1].set_xlabel(label)
    figure.supylabel("share of the values", fontsize=10, color=INK)
    return figure


def _panels(count: int) -> tuple[Figure, Any]:
    figure = Picture(figsize=(6.5, 0.9 + 1.6 * count), layout="constrained")
    panels = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
    for axes in panels:
        strip(axes, guides=False)
    return figure, panels


def _of_neurons(rates: Numbers) -> Float[np.ndarray, " neurons"]:
    found = np.asarray(rates, float)
    found = found.reshape(-1, found.shape[-1]).mean(axis=0) if found.ndim and found.size else found
    if not found.size or found.ndim != 1 or not (np.isfinite(found) & (found >= 0)).all():
        raise ValueError(
            f"firing_rates: rates must be finite numbers >= 0, (neurons,) or (batch, neurons), got "
            f"{np.shape(rates)}; of spikes over time they are spikes.mean(axis=0)."
        )
    return found
