"""Pictures of spike trains, firing rates and membrane potentials over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Real
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from surgrad._answers import answers_keywords
from surgrad._colours import PALETTE
from surgrad._kinds import described, require_kind
from surgrad._numbers import require_whole
from surgrad._types import Numbers
from surgrad.plot._picture import Picture
from surgrad.plot._style import GREY, INK, strip

TIME, FEW = "time step", 4


@answers_keywords
def raster(spikes: Numbers | Mapping[str, Numbers], *, sample: int = 0, ax: Axes | None = None) -> Figure:
    """A raster plot: a mark for each spike, neurons over time steps; with several layers one panel for each.

    Parameters:
        spikes: 0 or 1, `(time,)`, `(time, neurons)` or `(time, batch, neurons)`; or such arrays by the names of layers.
        sample: the sample of a batch that is drawn.
        ax: axes to draw into, for one layer; by default a new figure is made.

    Returns:
        the figure, that of `ax` if it is given.

    Raises:
        ValueError: a number is neither 0 nor 1, an array has another number of axes, the layers have different numbers
            of time steps, or there is no such sample; `ax` is given for several layers.
    """
    if ax is not None:
        if isinstance(spikes, Mapping):
            raise ValueError("raster: ax holds one layer; give its spikes, or several layers without ax.")
        _draw_spikes(ax, _spikes("raster", spikes, sample), PALETTE[0])
        ax.set_xlabel(TIME)
        return _figure_of(ax)
    layers = spikes if isinstance(spikes, Mapping) else {"": spikes}
    trains = {name: _spikes("raster", layer, sample) for name, layer in layers.items()}
    figure, panels = _stacked("raster", list(trains.values()), columns=1)
    for i, (name, axes) in enumerate(zip(trains, panels[:, 0], strict=True)):
        _draw_spikes(axes, trains[name], PALETTE[i % len(PALETTE)])
        axes.set_title(name, loc="left", fontsize=10, color=INK)
    panels[-1, 0].set_xlabel(TIME)
    return figure


@answers_keywords
def network(outputs: Mapping[str, Numbers], *, sample: int = 0) -> Figure:
    """Plot the activity of a network: a raster plot of one sample for each layer, and the firing rates of its neurons.

    Firing rates are means over time and over all samples, in spikes per time step; the titles have their means over
    neurons.

    Parameters:
        outputs: the spikes of each layer by its name, in the order of the network, `(time, batch, neurons)` or
            `(time, neurons)`.
        sample: which sample of the batch the raster plots show.

    Raises:
        TypeError: the layers have no names.
        ValueError: as `raster`.
    """
    if not isinstance(outputs, Mapping):
        demand = "give the spikes of each layer by its name, {'hidden': spikes}"
        raise TypeError(f"network: {demand}, got {described(outputs)}.")
    trains = {name: _spikes("network", layer, sample) for name, layer in outputs.items()}
    figure, panels = _stacked("network", list(trains.values()), columns=2)
    for i, (name, (left, right)) in enumerate(zip(trains, panels, strict=True)):
        colour, layer = PALETTE[i % len(PALETTE)], np.asarray(outputs[name], float)
        rates = layer.reshape(-1, layer.shape[-1]).mean(axis=0)
        _draw_spikes(left, trains[name], colour)
        left.set_title(f"{name}: {rates.mean():.3g} spikes a time step on average", loc="left", fontsize=10, color=INK)
        right.barh(np.arange(len(rates)), rates, height=1.0, color=colour, lw=0)
        right.tick_params(labelleft=False)
        strip(right, guides=False)
    panels[0, 1].set_xlim(0, None)
    panels[-1, 0].set_xlabel(TIME)
    panels[-1, 1].set_xlabel("firing rate\n(spikes a time step)")
    return figure


@answers_keywords
def membrane(
    v: Numbers,
    spikes: Numbers | None = None,
    *,
    threshold: Numbers | None = 1.0,
    sample: int = 0,
    neurons: Sequence[int] | None = None,
    every: int = 1,
    ax: Axes | None = None,
) -> Figure:
    """Plot the membrane potentials of some neurons over time, with threshold and spikes, in a panel for each neuron.

    Parameters:
        v: membrane potentials, `(time,)`, `(time, neurons)` or `(time, batch, neurons)`, such as `unroll` records.
        spikes: 0 or 1 at all time steps, `every` times as many as v has; drawn as marks above the trace.
        threshold: in the unit of v, a number or one for each neuron; None for readouts, which have none.
        sample: the sample of a batch that is drawn.
        neurons: the neurons that are drawn; by default the first four, or the first if `ax` is given.
        every: time steps from one membrane potential to the next, as of `unroll(..., record={"1.v": every})`.
        ax: axes to draw one neuron into; by default a new figure is made.

    Returns:
        the figure, that of `ax` if it is given.

    Raises:
        TypeError: `neurons` is no sequence.
        ValueError: an array has another number of axes, shapes differ, or there is no such sample or neuron; `every` is
            not an integer >= 1; `ax` is given for several neurons.
    """
    if neurons is not None:
        expected = "a sequence of integers, [3] for one neuron"
        require_kind("membrane: neurons", neurons, (Sequence, np.ndarray), expected)
    traces = _of_sample("membrane", v, sample)
    few = FEW if ax is None else 1
    some = list(range(min(few, traces.shape[1]))) if neurons is None else list(neurons)
    _require_neurons(some, traces.shape[1])
    if ax is not None and len(some) > 1:
        raise ValueError(f"membrane: ax holds one neuron, neurons=[0] say, got {some}.")
    require_whole("membrane", every=every)
    trains = None if spikes is None else _spikes("membrane", spikes, sample)
    # Spikes of all time steps stand beside every k-th membrane potential.
    if trains is not None and (-(-len(trains) // every), trains.shape[1]) != traces.shape:
        asked = "the shape of v" if every == 1 else f"{every} time steps for each of v"
        raise ValueError(f"membrane: spikes must have {asked}, got {trains.shape} and {traces.shape}.")
    limits = None if threshold is None else np.broadcast_to(np.asarray(threshold, float), traces.shape[1:])
    figure = Picture(figsize=(8, 1.3 + 1.3 * len(some)), layout="constrained") if ax is None else _figure_of(ax)
    panels = [ax] if ax is not None else figure.subplots(len(some), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for axes, neuron in zip(panels, some, strict=True):
        _draw_trace(axes, traces[:, neuron], None if limits is None else limits[neuron], every)
        axes.set_title(f"neuron {neuron}", loc="left", fontsize=10, color=INK)
        if trains is not None:
            _mark_spikes(axes, np.flatnonzero(trains[:, neuron]))
    panels[-1].set_xlabel(TIME)
    if ax is not None:
        ax.set_ylabel("membrane potential")
        return figure
    handles = {label: line for line, label in zip(*panels[0].get_legend_handles_labels(), strict=True)}
    figure.legend(handles.values(), handles.keys(), loc="outside right upper", frameon=False, fontsize=9)
    unit = "" if limits is None else "\n(in the unit of the threshold)"
    figure.supylabel(f"membrane potential{unit}", fontsize=10, color=INK)
    return figure


def _figure_of(ax: Axes) -> Figure:
    """The figure that axes are in, also if they are in a subfigure."""
    figure = ax.get_figure(root=True)
    if not isinstance(figure, Figure):
        raise TypeError(f"plot: ax must be axes of a figure, got {ax!r}.")
    return figure


def _of_sample(where: str, array: Numbers, sample: int) -> Float[np.ndarray, "time neurons"]:
    found = np.asarray(array).astype(np.float32)
    found = found[:, None] if found.ndim == 1 else found
    if found.ndim not in (2, 3) or 0 in found.shape:
        raise ValueError(
            f"{where}: an array must be (time, neurons) or (time, batch, neurons), and not empty, got {found.shape}; "
            f"axes of space become one by x.reshape(*x.shape[:2], -1)."
        )
    if found.ndim == 2:
        return found
    require_whole(where, 0, found.shape[1] - 1, sample=sample)
    return found[:, sample]


def _spikes(where: str, array: Numbers, sample: int) -> Bool[np.ndarray, "time neurons"]:
    found = _of_sample(where, array, sample)
    if not np.isin(found, (0, 1)).all():
        raise ValueError(
            f"{where}: spikes must be 0 or 1, got {found.min():g} to {found.max():g}; other signals are drawn by "
            f"plot.membrane."
        )
    return found == 1


def _require_neurons(some: Sequence[int], neurons: int) -> None:
    for neuron in some:
        require_whole("membrane", 0, neurons - 1, neuron=neuron)
    if not some:
        raise ValueError("membrane: nothing to show; give one neuron at least.")


def _stacked(where: str, trains: Sequence[np.ndarray], columns: int) -> tuple[Figure, Any]:
    """Return a figure with a row for each layer, higher for more neurons, and its panels."""
    lengths = sorted({len(train) for train in trains})
    if len(lengths) != 1:
        raise ValueError(f"{where}: layers must have the same number of time steps, one layer at least, got {lengths}.")
    heights = [float(np.clip(0.025 * train.shape[1], 0.9, 3.0)) for train in trains]
    figure = Picture(figsize=(6.5 + 2 * columns, 0.7 + sum(heights) + 0.35 * len(heights)), layout="constrained")
    panels = figure.subplots(
        len(trains), columns, sharex="col", sharey="row", squeeze=False, height_ratios=heights,
        width_ratios=(4, 1)[:columns],
    )  # fmt: skip
    return figure, panels


def _draw_spikes(axes: Axes, train: Bool[np.ndarray, "time neurons"], colour: str) -> None:
    times, neurons = np.nonzero(train)
    axes.vlines(times, neurons - 0.45, neurons + 0.45, color=colour, lw=1.2, capstyle="projecting")
    axes.set(xlim=(-0.5, len(train) - 0.5), ylim=(-0.5, train.shape[1] - 0.5), ylabel="neuron")
    if not len(times):
        axes.text(0.5, 0.5, "no spikes", transform=axes.transAxes, ha="center", va="center", fontsize=9, color=GREY)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(4, integer=True, min_n_ticks=1))
    strip(axes, guides=False)


def _draw_trace(axes: Axes, trace: Real[np.ndarray, " time"], threshold: float | None, every: int) -> None:
    times = every * np.arange(len(trace))
    axes.plot(times, trace, color=PALETTE[0], lw=1.5, label="membrane potential")
    if threshold is not None:
        axes.axhline(threshold, color=GREY, lw=1.0, ls=(0, (4, 2)), label="threshold")
    axes.set_xlim(0, max(1, times[-1]))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    strip(axes, guides=False)


def _mark_spikes(axes: Axes, times: np.ndarray) -> None:
    """Draw spikes as lines at the upper edge; the panel is made higher, so that they meet no trace."""
    axes.margins(y=0.2)
    across = axes.get_xaxis_transform()  # x in time steps, y in shares of the panel
    axes.vlines(times, 0.88, 1.0, transform=across, color=PALETTE[1], lw=1.8, label="spike")
