"""Style shared by all pictures: colours of lines and text, axes, numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes

INK, GREY = "#333333", "#8C8C8C"


def number(value: Any) -> str:
    """Return a number as an axis shows it."""
    return f"{value:g}".replace("-", "−") if isinstance(value, (int, float, np.number)) else str(value)


def strip(axes: Axes, labelsize: float = 9, guides: bool = True) -> None:
    """Remove the box of axes, and draw thin guide lines at the threshold and at zero."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(GREY)
    axes.tick_params(labelsize=labelsize, color=GREY, labelcolor=INK)
    if guides:
        axes.axvline(0, color=GREY, lw=0.6, ls=(0, (1, 2)), zorder=0)
        axes.axhline(0, color=GREY, lw=0.6, ls=(0, (1, 2)), zorder=0)
        axes.margins(x=0)
