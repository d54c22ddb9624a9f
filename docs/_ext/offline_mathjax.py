"""MathJax from a package instead of a server, so that the site reads offline: one file, which has its fonts in it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from sphinx.application import Sphinx
from sphinx.util.fileutil import copy_asset_file

FILE = "tex-svg.js"


def copy(app: Sphinx, error: Exception | None) -> None:
    package = importlib.util.find_spec("sphinx-mathjax-offline")
    if error is None and app.builder.format == "html" and package is not None and package.origin is not None:
        copy_asset_file(Path(package.origin).parent / "static" / "mathjax" / FILE, Path(app.outdir, "_static"))


def setup(app: Sphinx) -> dict[str, Any]:
    app.setup_extension("sphinx.ext.mathjax")
    app.config.mathjax_path = FILE
    app.connect("build-finished", copy)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
