"""Pictures of training runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from surgrad._colours import PALETTE
from surgrad.plot._picture import Picture
from surgrad.plot._style import INK, strip

COUNTS = "epoch", "step"
LOSSES = {"loss": ("training", "-"), "validation_loss": ("validation", "--")}


def training(histories: Mapping[str, Sequence[Mapping[str, float]]] | Sequence[Mapping[str, float]]) -> Figure:
    """Plot the numbers of training runs by epoch: losses in one panel, each metric in one of its own.

    Numbers of the validation samples are dashed: their loss, and all metrics.

    Parameters:
        histories: the `history` of a result of `train.fit`, or several by names of the runs.

    Raises:
        ValueError: there is no epoch.
    """
    runs: dict[str, Any] = dict(histories) if isinstance(histories, Mapping) else {"": histories}
    rows = [row for history in runs.values() for row in history]
    if not rows:
        raise ValueError("training: nothing to show; give the history of a result of surgrad.train.fit.")
    metrics = [name for name in rows[0] if name not in (*COUNTS, *LOSSES)]
    figure = Picture(figsize=(4.2 + 3.6 * len(metrics), 3.4), layout="constrained")
    first, *others = figure.subplots(1, 1 + len(metrics), squeeze=False)[0]
    for i, (name, history) in enumerate(runs.items()):
        look: dict[str, Any] = {"color": PALETTE[i % len(PALETTE)], "lw": 1.6, "marker": ".", "label": name}
        epochs = [row["epoch"] for row in history]
        for kind, (_, dashes) in LOSSES.items():
            if kind in rows[0]:
                first.plot(epochs, [row[kind] for row in history], ls=dashes, **look)
        for axes, metric in zip(others, metrics, strict=True):
            axes.plot(epochs, [row[metric] for row in history], ls=LOSSES["validation_loss"][1], **look)
    for axes, label in zip((first, *others), ("loss", *metrics), strict=True):
        strip(axes, guides=False)
        axes.set(xlabel="epoch", ylabel=label.replace("_", " "))
        axes.xaxis.get_major_locator().set_params(integer=True)
    kinds = [
        Line2D([], [], color=INK, ls=ls, lw=1.6, label=kind) for key, (kind, ls) in LOSSES.items() if key in rows[0]
    ]
    named = (
        [line for line in first.get_lines()[:: len(kinds)] if line.get_label()]
        if len(runs) > 1 or "" not in runs
        else []
    )
    figure.legend(handles=[*kinds, *named], loc="outside right upper", frameon=False, fontsize=9)
    return figure
