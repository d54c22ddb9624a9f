"""Write the explorer into the site; the directive `explorer` shows it in a frame, with a link to the full page.

The frame follows the theme of the site.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from surgrad import explore

FILE = "_static/explorer.html"
FRAME = Path(__file__).with_name("explorer.html").read_text(encoding="utf-8")


class Explorer(SphinxDirective):
    """The frame of the explorer."""

    def run(self) -> list[nodes.Node]:
        up = "../" * self.env.docname.count("/")
        return [nodes.raw("", FRAME.replace("EXPLORER", f"{up}{FILE}"), format="html")]


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the explorer of all surrogates."""
    if error is None and app.builder.format == "html":
        explore.write(Path(app.outdir, FILE))


def setup(app: Sphinx) -> dict[str, Any]:
    app.add_directive("explorer", Explorer)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
