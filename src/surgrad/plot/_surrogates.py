"""Pictures of surrogates: one, many, the effect of a hyperparameter, and the gallery of all."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from surgrad._catalogue import catalogue
from surgrad._colours import colour_of, styles
from surgrad._numbers import require_whole
from surgrad._surrogate import Surrogate
from surgrad.plot import _samples
from surgrad.plot._picture import Picture
from surgrad.plot._style import GREY, INK, number, strip

Shown = Surrogate | type[Surrogate]
Range = float | tuple[float, float] | None
"""Half-width or ends of the x axis; with None, about four half-widths of the slope."""
Style = tuple[Any, Any]

X, CURVE, SLOPE = "x = (voltage − threshold) / scale  (dimensionless)", "curve σ(x)", "slope σ′(x)"

_CURVES = -0.6, 1.6
"""Limits of the y axis of curves; a triangle marks where a curve leaves them."""


def surrogate(shown: Shown, *, x_range: Range = None) -> Figure:
    """Plot one surrogate: spike and curve above; below, its slope with area, peak and full width at half maximum.

    Parameters:
        shown: a surrogate, or its class for the defaults.
        x_range: half-width or ends of the x axis; with None, about four half-widths of the slope.

    Raises:
        TypeError: it is not a surrogate.
        ValueError: a hyperparameter has more than one value, or the range is empty.
    """
    one = _instance(shown)
    x, colour = _grid(x_range, [one]), colour_of(one)
    slope, curve = _samples.slope(one, x), _samples.curve(one, x)
    figure, upper, lower = _panels(curve is not None, size=(6.2, 5.2))
    figure.suptitle(_label(one), x=0.02, ha="left", fontsize=11, color=INK)
    if upper is not None and curve is not None:
        handles = [_draw_step(upper, x), *upper.plot(x, curve, color=colour, lw=2, label=CURVE)]
        _bound_curves(upper)
        upper.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=9)
    lower.fill_between(x, slope, color=colour, alpha=0.2, lw=0)
    lower.plot(x, slope, color=colour, lw=2, label=SLOPE)
    lower.margins(y=0.12)
    _annotate_slope(lower, one, _samples.peak(one))
    return figure


def compare(surrogates: Shown | Iterable[Shown] | Mapping[str, Shown], *, x_range: Range = None) -> Figure:
    """Plot the curves and slopes of several surrogates on one x axis.

    Parameters:
        surrogates: surrogates or classes; a mapping gives their labels.
        x_range: as in `surrogate`.

    Raises:
        TypeError, ValueError: as `surrogate`; there are no surrogates.
    """
    if isinstance(surrogates, Mapping):
        labels, shown = [str(name) for name in surrogates], [_instance(s) for s in surrogates.values()]
    else:
        many = [surrogates] if isinstance(surrogates, (Surrogate, type)) else surrogates
        shown = [_instance(s) for s in many]
        labels = [_label(s, width=36) for s in shown]
    return _family(shown, labels, styles(shown), x_range)


def sweep(surrogate: Shown, parameter: str, values: Iterable[Any], *, x_range: Range = None) -> Figure:
    """Plot the effect of one hyperparameter: curves and slopes at each of its values, from dark to light.

    Parameters:
        surrogate: a surrogate, or its class for the defaults.
        parameter: name of the hyperparameter.
        values: its values.
        x_range: as in `surrogate`.

    Raises:
        TypeError: the surrogate has no such parameter; the message names those that it has.
    """
    base, values = _instance(surrogate), list(values)
    shown = [base.replace(**{parameter: value}) for value in values]
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.88, max(2, len(shown))))
    looks = [(tuple(shade), "solid") for shade in shades[: len(shown)]]
    figure = _family(shown, [number(value) for value in values], looks, x_range, title=parameter)
    figure.suptitle(f"{type(base).__name__}: the effect of {parameter}", x=0.02, ha="left", fontsize=11, color=INK)
    return figure


def gallery(*, columns: int = 5) -> Figure:
    """Plot all surrogates of the catalogue at their defaults on one scale.

    The numbers of an x axis on another scale are bold.

    Parameters:
        columns: number of panels in a row, >= 1.

    Raises:
        ValueError: the number of columns is not an integer >= 1.
    """
    require_whole("gallery", columns=columns)
    kinds = catalogue()
    rows = -(-len(kinds) // columns)
    figure = Picture(figsize=(2.1 * columns, 2.1 * rows + 1), layout="constrained")
    grid = figure.subplots(rows, columns, sharey=True, squeeze=False)
    for axes, kind in zip(grid.flat, kinds.values(), strict=False):
        _draw_panel(axes, kind())
    for axes in grid.flat[len(kinds) :]:
        axes.set_visible(False)
    handles = [
        Line2D([], [], color=GREY, lw=1.2, label="spike H(x)"),
        Line2D([], [], color=INK, lw=1.8, label=CURVE),
        Patch(color=INK, alpha=0.3, lw=0, label=SLOPE),
        Line2D([], [], color=INK, marker="^", ms=5, lw=0, label="goes on"),
        Line2D([], [], color=INK, marker=r"$\mathbf{8}$", ms=5.5, lw=0, label="bold: own x axis"),
    ]
    figure.legend(handles=handles, loc="outside upper right", ncols=5, frameon=False, fontsize=9)
    figure.supxlabel(X, fontsize=10, color=INK)
    figure.supylabel("curve, slope and spike  (dimensionless)", fontsize=10, color=INK)
    return figure


def _draw_panel(axes: Axes, one: Surrogate) -> None:
    """Draw a panel of the gallery, from -3 to 3 unless the slope is much narrower or wider."""
    reach = _samples.reach(one)
    own = not 1.5 < reach < 6
    end = reach if own else 3.0
    x, colour = _samples.grid((-end, end)), colour_of(one)
    _draw_step(axes, x, lw=1.2)
    slope = _samples.slope(one, x)
    axes.fill_between(x, slope, color=colour, alpha=0.3, lw=0)
    axes.plot(x, slope, color=colour, lw=0.6)
    if (curve := _samples.curve(one, x)) is not None:
        axes.plot(x, curve, color=colour, lw=1.8)
    _bound_curves(axes, always=True)
    strip(axes, labelsize=8)
    axes.set(ylabel="", yticks=[0, 0.5, 1])
    axes.set_xticks([-end, 0, end], map(number, (-end, 0, end)), fontweight="bold" if own else "normal")
    for label, side in zip(axes.get_xticklabels(), ("left", "center", "right"), strict=True):
        label.set_horizontalalignment(side)
    axes.set_title(type(one).__name__, fontsize=8.5, loc="left", color=INK)


def _family(
    shown: Sequence[Surrogate], labels: Sequence[str], looks: Sequence[Style], x_range: Range, title: str | None = None
) -> Figure:
    """Return a figure with curves above, slopes below, and one legend to the right of both."""
    if not shown:
        raise ValueError("plot: nothing to show; give at least one surrogate or value.")
    x = _grid(x_range, shown)
    curves = [_samples.curve(one, x) for one in shown]
    figure, upper, lower = _panels(any(curve is not None for curve in curves), size=(8.4, 5.4))
    handles: list[Line2D] = []
    for one, curve, label, (colour, dashes) in zip(shown, curves, labels, looks, strict=True):
        look = {"color": colour, "ls": dashes, "lw": 1.8, "label": label}
        handles += lower.plot(x, _samples.slope(one, x), **look)
        if upper is not None and curve is not None:
            upper.plot(x, curve, **look)
    if upper is not None:
        handles.append(_draw_step(upper, x))
        _bound_curves(upper)
    figure.legend(handles=handles, loc="outside right upper", frameon=False, fontsize=8.5, title=title)
    return figure


def _instance(shown: Any) -> Surrogate:
    one = shown() if isinstance(shown, type) and issubclass(shown, Surrogate) else shown
    if not isinstance(one, Surrogate):
        raise TypeError(f"plot: expected a surrogate or its class, got {shown!r}.")
    return one


def _label(one: Surrogate, width: int = 80) -> str:
    return textwrap.fill(repr(one), width, subsequent_indent="   ", break_long_words=False)


def _grid(x_range: Range, shown: Sequence[Surrogate]) -> np.ndarray:
    if x_range is None:
        # Half of the widest, so that narrower slopes are still visible.
        reaches = [_samples.reach(one) for one in shown]
        x_range = max(max(reaches) / 2, float(np.median(reaches)))
    ends = x_range if isinstance(x_range, tuple) else (-x_range, x_range)
    if not (np.all(np.isfinite(ends)) and ends[0] < ends[1]):
        raise ValueError(f"plot: x_range must be a positive number or (low, high) with low < high, got {x_range!r}.")
    return _samples.grid(ends)


def _panels(curves: bool, size: tuple[float, float]) -> tuple[Figure, Axes | None, Axes]:
    """Return a labelled figure with a panel for slopes, below one for curves if there are any, and the two panels."""
    figure = Picture(figsize=size if curves else (size[0], 0.6 * size[1]), layout="constrained")
    axes = figure.subplots(1 + curves, 1, sharex=True, squeeze=False)[:, 0]
    for one in axes:
        strip(one)
    axes[-1].set_xlabel(X)
    axes[-1].set_ylabel(SLOPE)
    if curves:
        axes[0].set_ylabel(CURVE)
    return figure, axes[0] if curves else None, axes[-1]


def _draw_step(axes: Axes, x: np.ndarray, lw: float = 1.5) -> Line2D:
    """Draw the spike: 0 below the threshold, 1 from it on."""
    return axes.plot([x[0], 0, 0, x[-1]], [0, 0, 1, 1], color=GREY, lw=lw, zorder=1, label="spike H(x)")[0]


def _bound_curves(axes: Axes, always: bool = False) -> None:
    """Set the limits of the y axis, and draw a triangle where a curve leaves them."""
    low, high = axes.dataLim.intervaly
    bottom = _CURVES[0] if always else max(_CURVES[0], low - 0.06)
    top = _CURVES[1] if always else min(_CURVES[1], high + 0.06)
    axes.set_ylim(bottom, top)
    for line in axes.get_lines():
        x, y = map(np.asarray, line.get_data())
        for beyond, edge, marker in ((y > top, top, "^"), (y < bottom, bottom, "v")):
            for at in x[np.flatnonzero(beyond[1:] != beyond[:-1])]:
                axes.plot(at, edge, marker, color=line.get_color(), ms=5, clip_on=False)


def _annotate_slope(axes: Axes, one: Surrogate, peak: _samples.Peak) -> None:
    """Draw a dot at the peak, an arrow between the half maxima, and the numbers of both and of the area."""
    look: dict[str, Any] = {"fontsize": 9, "color": INK, "textcoords": "offset points"}
    axes.plot(peak.x, peak.height, "o", color=INK, ms=4, zorder=3)
    axes.annotate(f"peak {peak.height:.3g} at x = {peak.x:.3g}", (peak.x, peak.height), xytext=(6, 5), **look)
    area = _samples.area(one)
    if area is not None:
        axes.annotate(
            f"area {area:.3g}".replace("inf", "∞"), (peak.x, 0.15 * peak.height), xytext=(6, 0), va="center", **look
        )
    if peak.left is not None and peak.right is not None:
        ends = (peak.left, peak.height / 2), (peak.right, peak.height / 2)
        arrow = {"arrowstyle": "<->", "color": INK, "lw": 1, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", *ends, arrowprops=arrow)
        axes.annotate(f"FWHM {peak.right - peak.left:.3g}", ends[1], xytext=(8, 0), va="center", **look)
