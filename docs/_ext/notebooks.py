"""Offer each page that is executed as a notebook, written by jupytext beside the page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jupytext
from sphinx.application import Sphinx

HEAD = "file_format: mystnb"


def is_notebook(app: Sphinx, name: str) -> bool:
    """Whether a page has cells that are executed."""
    return HEAD in Path(app.env.doc2path(name)).read_text(encoding="utf-8")[:200]


def offer(app: Sphinx, name: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Tell the template `download-notebook` the file of a page."""
    context["notebook"] = f"{name.rpartition('/')[2]}.ipynb" if doctree is not None and is_notebook(app, name) else ""


def write(app: Sphinx, error: Exception | None) -> None:
    """Write the notebooks beside the pages of the finished site."""
    if error is not None or app.builder.format != "html":
        return
    for name in filter(lambda name: is_notebook(app, name), sorted(app.env.found_docs)):
        notebook = jupytext.read(str(app.env.doc2path(name)), fmt="md:myst")
        path = Path(app.outdir, f"{name}.ipynb")
        path.parent.mkdir(parents=True, exist_ok=True)
        jupytext.write(notebook, path)


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("html-page-context", offer)
    app.connect("build-finished", write)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
