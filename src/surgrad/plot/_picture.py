"""`Picture`: a figure that notebooks show."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

DPI = 150


class Picture(Figure):
    """A figure that a notebook shows where a cell ends with it. Matplotlib does this only for figures of pyplot."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=DPI)
        return file.getvalue()
