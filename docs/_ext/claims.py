"""Compare what the cells of a page print with the comments `# -> ...` in them; a difference is a warning, and fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util import logging

MARK = "# -> "
logger = logging.getLogger(__name__)


def cells(page: nodes.document) -> Iterator[tuple[str, str]]:
    """The code of each cell, and what it printed."""
    for cell in page.findall(nodes.container):
        if cell.get("nb_element") == "cell_code":
            source, printed = "", ""
            for part in cell.children:
                kind = part.get("nb_element")
                for block in part.findall(nodes.literal_block):
                    if kind == "cell_code_source":
                        source += block.astext()
                    elif "stream" in block.get("classes", ()) or block.get("language") == "myst-ansi":
                        printed += block.astext()
            yield source, printed


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip()]


def check(app: Sphinx, page: nodes.document) -> None:
    """Warn of each cell whose comments name other outputs than it has."""
    for source, printed in cells(page):
        claimed = [line.partition(MARK)[2].strip() for line in source.splitlines() if MARK in line]
        if claimed and claimed != lines(printed):
            logger.warning("a cell claims %s, and prints %s:\n%s", claimed, lines(printed), source, location=page)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("doctree-read", check)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
