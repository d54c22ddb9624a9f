"""`Picture`: a figure that notebooks show."""

from __future__ import annotations

import io
from typing import Any, NoReturn

from matplotlib.figure import Figure

DPI = 150


class Picture(Figure):
    """A figure that a notebook shows where a cell ends with it. Matplotlib does this only for figures of pyplot."""

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=DPI)
        return file.getvalue()

    def show(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse to open a window, with what to do instead.

        Raises:
            AttributeError: always, as Matplotlib raises for figures that are not of pyplot.
        """
        raise AttributeError(
            "a picture opens no window: in a script save it, figure.savefig('picture.png'); in a notebook it is shown "
            "where a cell ends with it."
        )
